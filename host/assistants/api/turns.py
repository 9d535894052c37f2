"""Routes for an assistant's turns: suggestions to accept, and people's ratings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from host.api import shapes
from host.api.http import cursors
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire, rename
from host.api.http.errors import CursorError
from host.api.serialise import some_messages
from host.assistants import assistants, ratings, suggestions
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.models import AssistantTurn as Row
from host.assistants.models import Mode
from host.assistants.ratings import TurnFilter, TurnNotFoundError
from host.assistants.suggestions import SuggestionGoneError, SuggestionNotFoundError
from host.assistants.values import Cited
from host.core import db
from host.inbox.api.conversations import get as get_conversation
from host.inbox.api.sending import REFUSALS, voice_of
from host.inbox.errors import ConversationNotFoundError
from host.inbox.reply import AT_ONCE
from host.sdk import strictjson
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.AUTOMATION_WRITE)

LIST = "assistant turns"


class AssistantSource(Wire, frozen=True):
    """A source of an answer."""

    title: str
    kind: Annotated[str, Meta(description="`entry`, `hours`, `tool` or `contact`.")]
    place: Annotated[str, Meta(description="Its place in the entry; empty: not specific.")]
    entry_id: Annotated[Id | None, Meta(description="Null: not a knowledge entry.")]
    at: Annotated[str | None, Meta(description="Its time, in ISO 8601; null: current at that moment.")]
    citations: Annotated[
        list[int],
        Meta(
            description=(
                "The places in `text` that cite it, as offsets in code points. Empty: the model cited none."
            )
        ),
    ]


class AssistantTurn(Wire, frozen=True):
    """Everything a customer wrote since the last answer, and the assistant's answer."""

    id: Id
    at: Moment
    assistant_id: Id
    version: Annotated[int, Meta(description="The version of the assistant.")]
    account_id: Id
    conversation_id: Id
    message_id: Annotated[Id, Meta(description="The customer's newest message in this turn.")]
    mode: Literal["shadow", "suggest", "answer"]
    state: Annotated[
        Literal["waiting", "thinking", "ready", "sent", "dismissed", "discarded", "handed_over", "failed"],
        Meta(
            description=(
                "`ready`: it can be accepted or dismissed; in `shadow`, it waits for a person's answer."
            )
        ),
    ]
    outcome: Annotated[
        Literal["taken", "used", "edited", "written", "dismissed"] | None,
        Meta(
            description=(
                "What happened to the suggestion. `taken`: a person sent it unchanged; `used`: a "
                "program did. Null: nobody has decided."
            )
        ),
    ]
    reason: Annotated[
        str | None, Meta(description="Why there is no answer, as a stable word such as `no_source`.")
    ]
    text: Annotated[str, Meta(description="The answer, or what it would have been.")]
    sources: Annotated[list[AssistantSource], Meta(description="The sources of the answer.")]
    right: Annotated[bool | None, Meta(description="A person's rating; null: not rated.")]
    sent_message_id: Annotated[Id | None, Meta(description="The first message sent from it.")]
    answered_message_id: Annotated[
        Id | None, Meta(description="The first message a person wrote instead; in `shadow`, for comparison.")
    ]
    model: str | None
    tokens: int
    cost: Annotated[int, Meta(description="In millionths of the model's currency.")]
    took_ms: int


class AssistantTurns(Wire, frozen=True):
    """Turns, newest first."""

    data: list[AssistantTurn]
    next: Annotated[shapes.Cursor | None, Meta(description="Cursor for older runs; null: there are none.")]


class AssistantTurnQuery(Wire, frozen=True):
    """How many turns to list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = ratings.PAGE
    cursor: shapes.Cursor | None = None


class ShowQuery(AssistantTurnQuery, frozen=True):
    """Which turns to list."""

    show: Annotated[
        Literal["all", "taken", "handed_over", "shadow", "wrong", "failed"],
        Meta(description="`taken`: sent. `shadow`: with a person's answer for comparison."),
    ] = "all"


class Judgement(Wire, frozen=True):
    """A person's rating of a turn."""

    right: Annotated[bool, Meta(description="False: wrong.")]


def source(one: Cited) -> AssistantSource:
    """Return a source as the API shows it."""
    return AssistantSource.of(
        one, entry_id=one.entry or None, at=one.at or None, citations=list(one.citations)
    )


def shown(row: Row) -> AssistantTurn:
    """Return a turn as the API shows it."""
    cited = [strictjson.convert(one, Cited) for one in row.sources]
    return AssistantTurn.of(
        row,
        at=row.created_at,
        sources=[source(one) for one in cited if one.used],
        sent_message_id=row.sent_id,
        answered_message_id=row.answered_id,
        tokens=row.tokens_in + row.tokens_out,
    )


def _page(call: Call, found: Any, limit: int) -> AssistantTurns:
    shown_ = found[:limit]
    last = shown_[-1] if len(found) > limit else None
    return AssistantTurns(
        data=[shown(one) for one in shown_],
        next=None if last is None else cursors.write(call.list_name(LIST), (last.created_at, last.id)),
    )


def _before(call: Call, query: AssistantTurnQuery) -> int | None:
    return None if query.cursor is None else cursors.read(call.list_name(LIST), query.cursor, "cursor")[1]


@routes.get(
    "/assistants/{assistant_id}/turns",
    "List the turns of an assistant",
    also=(Scope.MESSAGES_READ,),
    errors=(CursorError, AssistantNotFoundError),
)
def list_assistant_turns(call: Call, assistant_id: int, query: ShowQuery) -> AssistantTurns:
    """Includes the outcome of each turn and its reason, also of turns in shadow mode."""
    before, more = _before(call, query), query.limit + 1
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        mine = Row.assistant_id == assistant_id
        return _page(
            call,
            ratings.rows(session, mine, show=TurnFilter(query.show), before=before, limit=more),
            query.limit,
        )


@routes.patch(
    "/assistants/{assistant_id}/turns/{turn_id}",
    "Rate a turn",
    errors=(AssistantNotFoundError, TurnNotFoundError),
    examples={"Right": {"right": True}, "Wrong": {"right": False}},
)
def judge_turn(call: Call, assistant_id: int, turn_id: int, body: Judgement) -> AssistantTurn:
    """A turn rated right counts towards being allowed to answer, also in `shadow`. A wrong one can become a
    case.
    """

    def judge(work: UnitOfWork) -> AssistantTurn:
        assistants.get(work.session, work.workspace_id, assistant_id)
        return shown(ratings.judge(work, assistant_id, turn_id, right=body.right))

    return call.write(judge)


@routes.get(
    "/conversations/{conversation_id}/turns",
    "List suggestions of a conversation",
    also=(Scope.MESSAGES_READ,),
    limited=True,
    errors=(CursorError, ConversationNotFoundError),
)
def list_conversation_turns(call: Call, conversation_id: int, query: AssistantTurnQuery) -> AssistantTurns:
    """Newest first, at most one of them `ready`. Turns in shadow mode are left out."""
    before, more = _before(call, query), query.limit + 1
    with db.read() as session:
        get_conversation(session, call, conversation_id)
        here = Row.conversation_id == conversation_id, Row.mode != Mode.SHADOW
        return _page(call, ratings.rows(session, *here, before=before, limit=more), query.limit)


@routes.post(
    "/conversations/{conversation_id}/turns/{turn_id}/take",
    "Send a suggestion unchanged",
    also=(Scope.MESSAGES_WRITE,),
    limited=True,
    location="/messages/{data.0.id}",
    errors=(*REFUSALS, SuggestionNotFoundError, SuggestionGoneError),
)
def take_turn(call: Call, conversation_id: int, turn_id: int) -> shapes.Sent:
    """Sends it like `POST /messages`, under the same rules. It doesn't count towards being allowed to answer.

    To send an edited text use `POST /messages`, which invalidates the suggestion.
    """
    with db.read() as session:
        adapter = call.adapter(get_conversation(session, call, conversation_id).channel)

    how: dict[str, Any] = {"adapter": adapter, "hold": AT_ONCE, "voice": voice_of(call)}

    def take(work: UnitOfWork) -> shapes.Sent:
        messages = suggestions.accept(work, conversation_id, turn_id, **how)
        ids = [message.id for message in messages]
        return shapes.Sent(data=some_messages(work.session, call.workspace_id, ids))

    return call.write(take)


rename(
    take_turn,
    "POST",
    "/conversations/{conversation_id}/turns/{turn_id}/send",
    operation="sendTurn",
    since="2026-11-27",
)


@routes.post(
    "/conversations/{conversation_id}/turns/{turn_id}/dismiss",
    "Dismiss a suggestion",
    limited=True,
    errors=(ConversationNotFoundError, SuggestionNotFoundError),
)
def dismiss_turn(call: Call, conversation_id: int, turn_id: int) -> AssistantTurn:
    """Also stops an assistant that is still thinking. Dismissing twice has no further effect."""
    return call.write(lambda work: shown(suggestions.dismiss(work, conversation_id, turn_id)))
