"""Tools an assistant may use: the desk's own, those of addons, and other programs.

The desk, never the model, decides which conversation a tool works on. The tool's effect, not the
conversation, decides what it may do: a tool that *asks* runs only after a person has approved the call.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import __version__
from host.assistants import assistants, program_tools
from host.assistants.models import (
    Assistant,
    AssistantCall,
    AssistantTool,
    AssistantTurn,
    CallState,
)
from host.assistants.program_tools import BUILT_IN, ToolConnection
from host.assistants.values import Body, Source, ToolOffer
from host.channels import timeouts
from host.channels.timeouts import HangsError, PausedError
from host.core import clock, db
from host.core.cleaning import clean
from host.core.errors import ConflictError, LobbyError, NotFoundError
from host.core.ports import AssistantDirectory
from host.core.secrets import Secret
from host.inbox.contacts import attributes
from host.inbox.conversation_actions import set_fields
from host.inbox.conversations import by_program
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.labels.queries import labels_of_conversations
from host.inbox.panels.customer import used_for
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationStatus
from host.sdk.errors import SecretUnreadableError
from host.sdk.http import Client, FetchError, ForbiddenAddressError, TooMuchError
from host.sdk.rules import AssistantTool as BroughtTool
from host.sdk.rules import ToolEffect, UsedFor
from host.users.actor import UnitOfWork, person_or_desk

log = logging.getLogger(__name__)

SECONDS = 10.0
MAX_BYTES = 64 * 1024
MOST_TOLD = 8_000
"""Most characters of a tool's result that are given to a model and stored."""
MOST_LABELS = 100
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

ASKED = "A person of the team will decide about this. It is not done, and you do not know whether it will be."
UNKNOWN = "There is no such tool."
TRIAL = "Nothing was done, because this is a trial."
_EFFECTS = {
    "contact": ToolEffect.READS,
    "label": ToolEffect.REVERSIBLE,
    "hand_over": ToolEffect.REVERSIBLE,
    "close": ToolEffect.ASKS,
}


class CallGoneError(NotFoundError):
    """The conversation has no such tool call."""

    code = "assistant_call_not_found"
    default_sentence = _l("This tool request does not exist.")
    default_next_step = ""


class CallDecidedError(ConflictError):
    """The call was already decided, or needs no decision."""

    code = "assistant_call_decided"
    default_sentence = _l("Someone has already decided this.")
    default_next_step = _l("Reload the page to see the result.")
    program_step = _l("Read the tool call again to see the result.")


class _FailedError(Exception):
    """A tool failed; the text is for the model, without secrets."""


# ---- offered tools -------------------------------------------------------------------------------------


def offers(
    session: Session, assistant_id: int, body: Body, brought: Brought | None = None
) -> list[ToolOffer]:
    """Return the tools an assistant may use: the desk's and addons' tools named in *body*, then its own.

    :param brought: addons' tools for the conversation's channel; None without a conversation.
    """
    found = [_built_in(session, assistant_id, name) for name in BUILT_IN if name in body.builtin]
    of_addons = [
        ToolOffer(name, f"{one.title}. {one.about}", one.parameters, one.effect)
        for name, one in (brought or {}).items()
        if one.name in body.builtin
    ]
    own = [program_tools.offer(row) for row in program_tools.all_of(session, assistant_id)]
    return [one for one in found if one is not None] + of_addons + own


Brought = Mapping[str, BroughtTool]
"""Tools of addons by their name for the model."""


def brought_for(directory: AssistantDirectory, channel: str) -> Brought:
    """Return addons' tools for conversations of a channel."""
    return {
        program_tools.asked_as(one): one for one in directory.tools.values() if one.channel in {None, channel}
    }


def _built_in(session: Session, assistant_id: int, name: str) -> ToolOffer | None:
    effect = _EFFECTS[name]
    if name == "contact":
        about = "What is known of the customer who writes: name, handle, details, labels of the conversation."
        return ToolOffer(name, about, _NO_ARGUMENTS, effect)
    if name == "hand_over":
        reason = {"type": "string", "description": "Why, in a few words for the team.", "maxLength": 200}
        schema = {"type": "object", "properties": {"because": reason}, "additionalProperties": False}
        return ToolOffer(name, "Give the conversation to a person of the team.", schema, effect)
    if name == "close":
        about = "Close the conversation, because nothing is left to do. A person decides about it."
        return ToolOffer(name, about, _NO_ARGUMENTS, effect)
    mine = sa.select(Label.name).where(Label.workspace_id == _workspace_of(assistant_id))
    called = session.scalars(mine.order_by(Label.name).limit(MOST_LABELS)).all()
    if not called:
        return None
    chosen = {"type": "string", "enum": list(called)}
    schema = {
        "type": "object",
        "properties": {"label": chosen},
        "required": ["label"],
        "additionalProperties": False,
    }
    return ToolOffer(name, "Put a label on the conversation.", schema, effect)


def _workspace_of(assistant_id: int) -> sa.ScalarSelect[int]:
    return sa.select(Assistant.workspace_id).where(Assistant.id == assistant_id).scalar_subquery()


# ---- tool calls ----------------------------------------------------------------------------------------


class _StartedCall(msgspec.Struct, frozen=True):
    """A started call.

    :param result: result of the same call in an earlier, interrupted try of this turn.
    """

    id: int
    key: str
    result: str | None = None


class _Tool(msgspec.Struct, frozen=True):
    """A usable tool.

    :param use: takes the arguments and the idempotency key; raises :class:`_FailedError`.
    """

    effect: ToolEffect
    use: Callable[[Mapping[str, Any], str], str]


class ToolUse(msgspec.Struct, frozen=True):
    """A tool call in the playground.

    :param told: the result the model got.
    """

    tool: str
    arguments: Mapping[str, Any]
    told: str
    took_ms: int


@dataclass(slots=True)
class Runner:
    """Runs the tool calls of one turn; see :class:`.values.CallTool`. It never raises.

    Each call is stored in a small write before it runs, and its result in another. A retried turn finds the
    calls of its first try: the same call has the same idempotency key, and a finished call is not run again.

    :param by: name of the assistant, for the lines in the conversation.
    :param offered: the tools of this turn; others don't exist.
    :param first_number: number of the first tool result as a source; follows those of the other sources.
    :param brought: addons' tools for the conversation's channel.
    :param turn_id: None for a trial, in which only tools that read are run and nothing is stored.
    :param conversation_id: None if there is no conversation, and so no customer.
    :param account_id: in a trial, the account it runs on; None for no account.
    :param in_shadow: whether the turn must have no effects: only tools that read are run, and no person is
        asked for approval.
    :ivar sources: results of tools that read, as sources for an answer.
    :ivar wants_person: the model's reason for a handoff; None if it wants none.
    :ivar asked: whether a person has to decide about a call.
    :ivar uses: the calls in order.
    """

    workspace_id: int
    assistant_id: int
    offered: Sequence[ToolOffer]
    by: str
    first_number: int = 1
    brought: Brought = field(default_factory=dict)
    turn_id: int | None = None
    conversation_id: int | None = None
    account_id: int | None = None
    in_shadow: bool = False
    sources: list[Source] = field(default_factory=list)
    wants_person: str | None = None
    asked: bool = False
    uses: list[ToolUse] = field(default_factory=list)
    _taken: set[int] = field(default_factory=set)

    def __call__(self, name: str, arguments: Mapping[str, Any], /) -> str:
        """Run a tool call and return its result for the model."""
        began = clock.monotonic()
        try:
            told = self._use(name, arguments)
        except Exception as error:  # noqa: BLE001 - the model is told that it failed, whatever it was
            log.warning("the tool %s failed: %s", name, type(error).__name__)
            told = "The tool failed."
        self.uses.append(ToolUse(name, dict(arguments), told, round(1000 * (clock.monotonic() - began))))
        return told

    def _use(self, name: str, arguments: Mapping[str, Any]) -> str:
        offer = next((one for one in self.offered if one.name == name), None)
        tool = None if offer is None else self._tool(name)
        if offer is None or tool is None:
            return UNKNOWN
        # The tool's current effect counts, not the one it had when the turn began.
        effect = tool.effect
        if self.turn_id is None and effect is not ToolEffect.READS:
            return TRIAL
        if self.in_shadow and effect is not ToolEffect.READS and name != "hand_over":
            return TRIAL  # a handoff has no effect by itself, and is what it would have done
        asks = effect is ToolEffect.ASKS
        begun = self._begin(name, arguments, CallState.ASKED if asks else CallState.BEGUN)
        if asks:
            self.asked = True
            return ASKED
        began = clock.monotonic()
        state = CallState.DONE
        if begun.result is not None:
            return self._told(offer, begun.result, effect)
        try:
            result = tool.use(arguments, begun.key)
        except (_FailedError, LobbyError) as error:
            state, result = CallState.FAILED, str(error)
        self._end(begun.id, state, result, round(1000 * (clock.monotonic() - began)))
        return (
            f"The tool failed: {result}" if state is CallState.FAILED else self._told(offer, result, effect)
        )

    def _told(self, offer: ToolOffer, result: str, effect: ToolEffect) -> str:
        """Return the result for the model; a read result gets a number, so that an answer can cite it."""
        if effect is not ToolEffect.READS or not result:
            return result or "Done."
        number = self.first_number + len(self.sources)
        title = offer.about.partition(". ")[0] if offer.name not in BUILT_IN else "What is known of them"
        kind = "contact" if offer.name == "contact" else "tool"
        self.sources.append(Source(number, title, result, kind=kind))
        return f"[{number}] {title} (now)\n{result}"

    def _tool(self, name: str) -> _Tool | None:
        if name in BUILT_IN:
            return _Tool(_EFFECTS[name], partial(self._use_built_in, name))
        if name in self.brought:
            return _brought(
                self.brought[name], self.workspace_id, self.conversation_id, trial_on=self.account_id
            )
        return _program(name, self.workspace_id, self.assistant_id, self.conversation_id)

    def _use_built_in(self, name: str, arguments: Mapping[str, Any], _key: str) -> str:
        if name == "contact":
            with db.read() as session:
                return known(session, self.workspace_id, self.conversation_id)
        if name == "hand_over":
            self.wants_person = " ".join(str(arguments.get("because", "")).split())[:200]
            return "A person of the team will answer. Hand over now, and write nothing to the customer."
        return db.write(self._label, str(arguments.get("label", "")))

    def _label(self, session: Session, name: str) -> str:
        query = sa.select(Label.id).where(Label.workspace_id == self.workspace_id, Label.name == name)
        label = session.scalar(query)
        if label is None or self.conversation_id is None:
            raise _FailedError("there is no such label")
        with by_program(session, "assistant"):
            work = UnitOfWork(session, self.workspace_id, person_or_desk(None, self.by), clock.now())
            labels.set_labels(work, self.conversation_id, add=[label])
        return "The label is on the conversation."

    def _begin(self, name: str, arguments: Mapping[str, Any], state: CallState) -> _StartedCall:
        if self.turn_id is None:
            return _StartedCall(0, f"trial-{clock.now():%Y%m%d%H%M%S%f}")
        begun = db.write(_begin, self.turn_id, name, dict(arguments), state, frozenset(self._taken))
        self._taken.add(begun.id)
        return begun

    def _end(self, call_id: int, state: CallState, result: str, ms: int) -> None:
        if self.turn_id is not None:
            db.write(_end, call_id, state, result, ms)


def _begin(
    session: Session,
    turn_id: int,
    name: str,
    arguments: dict[str, Any],
    state: CallState,
    taken: frozenset[int],
) -> _StartedCall:
    """Store a new call, or find it from an earlier try."""
    query = sa.select(AssistantCall).where(AssistantCall.turn_id == turn_id).order_by(AssistantCall.number)
    rows = session.scalars(query.with_for_update()).all()
    for row in rows:
        same = (row.tool, row.arguments) == (name, arguments)
        # A failed call may have had an effect: it is retried with the same key.
        if same and (row.id not in taken or row.state == CallState.FAILED):
            return _StartedCall(row.id, row.key, row.result if row.state == CallState.DONE else None)
    number = max((row.number for row in rows), default=0) + 1
    row = AssistantCall(
        turn_id=turn_id,
        number=number,
        tool=name,
        arguments=arguments,
        state=state,
        result="",
        key=f"{turn_id}-{number}",
        took_ms=0,
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    return _StartedCall(row.id, row.key)


def _end(session: Session, call_id: int, state: CallState, result: str, ms: int) -> None:
    """Store the result of a call. A call whose turn was deleted is ignored."""
    session.execute(
        sa.update(AssistantCall)
        .where(AssistantCall.id == call_id)
        .values(state=state, result=result, took_ms=ms)
    )


# ---- customer and conversation -------------------------------------------------------------------------


class ToolSubject(msgspec.Struct, frozen=True):
    """The customer and the conversation, as other programs receive them."""

    contact: Mapping[str, Any] | None
    conversation: Mapping[str, Any] | None


def whom(session: Session, workspace_id: int, conversation_id: int | None) -> ToolSubject:
    """Return the customer and the conversation; empty in a trial."""
    query = (
        sa.select(Conversation.contact_id, ContactIdentity.username, ContactIdentity.external_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    row = None if conversation_id is None else session.execute(query).one_or_none()
    if row is None:
        return ToolSubject(None, None)
    contact = {"id": row.contact_id, "handle": row.username, "external_id": row.external_id}
    return ToolSubject(contact, {"id": conversation_id})


def known(session: Session, workspace_id: int, conversation_id: int | None) -> str:
    """Return facts about the customer, one per line; empty if there are none."""
    query = (
        sa.select(Contact, ContactIdentity)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    row = None if conversation_id is None else session.execute(query).one_or_none()
    if row is None or conversation_id is None:
        return ""
    contact, identity = row
    values = attributes.values_of(session, [contact.id]).get(contact.id, {})
    mine = labels_of_conversations(session, [conversation_id]).get(conversation_id, ())
    lines = {
        "Name": contact.name or identity.name or "",
        "Handle": identity.username or "",
        **{
            one.name: value
            for one, value in attributes.named(attributes.all_of(session, workspace_id), values)
        },
        "Labels": ", ".join(one.name for one in mine),
    }
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in lines.items() if value)


def _tried_on(session: Session, workspace_id: int, account_id: int, key: str) -> UsedFor | None:
    """Return the account of a trial, which has no customer; None for one of another workspace."""
    row = session.get(ChannelAccount, account_id)
    if row is None or row.workspace_id != workspace_id:
        return None
    return UsedFor(account_ref(row), "", None, {}, key)


# ---- addons and other programs -------------------------------------------------------------------------


def _brought(
    tool: BroughtTool, workspace_id: int, conversation_id: int | None, *, trial_on: int | None = None
) -> _Tool:
    def use(arguments: Mapping[str, Any], key: str) -> str:
        with db.read() as session:
            if conversation_id is not None:
                about = used_for(session, workspace_id, conversation_id, key)
            elif trial_on is not None:
                about = _tried_on(session, workspace_id, trial_on, key)
            else:
                about = None
        if about is None:
            raise _FailedError("there is no customer in a trial")
        try:
            customer = (about.account.id, about.contact)
            said = timeouts.within(
                SECONDS, f"tool {tool.name}", lambda: str(tool.use(about, arguments)), customer
            )
            return clean(said).strip()[:MOST_TOLD]
        except PausedError:
            raise _FailedError("its addon hangs, so it was not called and nothing was done") from None
        except HangsError:
            raise _FailedError("it does not answer in time, and nobody knows whether it was done") from None
        except Exception as error:
            log.exception("the tool %s of an addon failed", tool.name)
            raise _FailedError("nothing else is known") from error

    return _Tool(tool.effect, use)


def _program(name: str, workspace_id: int, assistant_id: int, conversation_id: int | None) -> _Tool | None:
    with db.read() as session:
        query = sa.select(AssistantTool).where(
            AssistantTool.assistant_id == assistant_id,
            AssistantTool.workspace_id == workspace_id,
            AssistantTool.name == name,
        )
        row = session.scalars(query).one_or_none()
        reached = None if row is None else program_tools.reached(row)
    if reached is None:
        return None

    def use(arguments: Mapping[str, Any], key: str) -> str:
        with db.read() as session:
            about = whom(session, workspace_id, conversation_id)
        return post(reached, arguments, about, key)

    return _Tool(reached.effect, use)


def post(
    tool: ToolConnection,
    arguments: Mapping[str, Any],
    about: ToolSubject,
    key: str,
    *,
    is_trial: bool = False,
) -> str:
    """Send a request to another program, and return its response without its secret.

    :raises _FailedError: if it failed, or the outcome is unknown.
    """
    host = urlsplit(tool.url).hostname or ""
    client = Client(frozenset({host}), connect_timeout=5, read_timeout=SECONDS, total_timeout=SECONDS)
    headers = {"User-Agent": f"Lobby/{__version__} (tools)", "Idempotency-Key": key}
    if tool.secret:
        headers[tool.header] = tool.secret.reveal()
    body = {
        "tool": tool.name,
        "arguments": dict(arguments),
        "contact": about.contact,
        "conversation": about.conversation,
        "trial": is_trial,
    }
    try:
        answer = client.request("POST", tool.url, json=body, headers=headers, max_bytes=MAX_BYTES)
    except ForbiddenAddressError:
        raise _FailedError("its address may not be reached") from None
    except TooMuchError:
        raise _FailedError("its answer is too large") from None
    except FetchError as error:
        raise _FailedError(scrubbed(error.reason, tool.secret)) from None
    except ValueError:
        raise _FailedError("the arguments cannot be sent") from None
    said = scrubbed(answer.body.decode("utf-8", "replace"), tool.secret)
    if not 200 <= answer.status < 300:
        raise _FailedError(f"it answered {answer.status}. {said[:300]}".strip())
    return said


def scrubbed(text: str, secret: Secret | None) -> str:
    """Return a program's response without its secret, in any encoding."""
    if secret:
        given = secret.reveal()
        bare = given.split(" ")[-1]  # the program may repeat only the token of "Bearer ..."
        for one in (given, bare) if len(bare) >= 6 else (given,):
            for spelled in {one, quote(one, safe=""), json.dumps(one)[1:-1]}:
                text = text.replace(spelled, "…")
    return clean(text).strip()[:MOST_TOLD]


# ---- decisions of people -------------------------------------------------------------------------------


def waiting(session: Session, turn_id: int) -> Sequence[AssistantCall]:
    """Return the tool calls of a turn that need a person's decision."""
    query = sa.select(AssistantCall).where(
        AssistantCall.turn_id == turn_id, AssistantCall.state == CallState.ASKED
    )
    return session.scalars(query.order_by(AssistantCall.number)).all()


def decide(
    work: UnitOfWork, conversation_id: int, call_id: int, *, is_allowed: bool, person_id: int | None = None
) -> AssistantCall:
    """Approve or reject a tool call; :func:`carry_out` then runs it.

    :param person_id: who approved it, if a program passes that on.
    :raises CallGoneError: if this conversation has no such call.
    :raises CallDecidedError: if it was already decided.
    """
    query = (
        sa.select(AssistantCall)
        .join(AssistantTurn, AssistantTurn.id == AssistantCall.turn_id)
        .where(
            AssistantCall.id == call_id,
            AssistantTurn.conversation_id == conversation_id,
            AssistantTurn.workspace_id == work.workspace_id,
        )
    )
    lock = query.with_for_update(of=AssistantCall).execution_options(populate_existing=True)
    row = work.session.scalars(lock).one_or_none()
    if row is None:
        raise CallGoneError()
    if row.state != CallState.ASKED:
        raise CallDecidedError()
    row.state = CallState.ALLOWED if is_allowed else CallState.REFUSED
    work.session.flush()
    if is_allowed and person_id is not None:
        details = {"call": row.id, "conversation": conversation_id, "person": person_id}
        work.audit("assistant_tool.approved", row.tool, details=details)
    return row


def carry_out(call_id: int, directory: AssistantDirectory, *, author_id: int | None) -> AssistantCall | None:
    """Run an approved call with the arguments the person saw, and return it with its result.

    Return None if it was not approved, or is already running. Call it outside any write.
    """
    found = db.write(_take_up, call_id)
    if found is None:
        return None
    row, turn = found
    began = clock.monotonic()
    state = CallState.DONE
    try:
        result = _carried_out(row, turn, directory, author_id)
    except (_FailedError, LobbyError, SecretUnreadableError) as error:
        state = CallState.FAILED
        result = "its secret cannot be read" if isinstance(error, SecretUnreadableError) else str(error)
    ms = round(1000 * (clock.monotonic() - began))
    db.write(_end, row.id, state, result, ms)
    with db.read() as session:
        return session.get(AssistantCall, call_id)


def _take_up(session: Session, call_id: int) -> tuple[AssistantCall, AssistantTurn] | None:
    query = sa.select(AssistantCall).where(AssistantCall.id == call_id)
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None or row.state != CallState.ALLOWED:
        return None
    row.state = CallState.BEGUN
    session.flush()
    return row, session.get_one(AssistantTurn, row.turn_id)


def _carried_out(
    row: AssistantCall, turn: AssistantTurn, directory: AssistantDirectory, author_id: int | None
) -> str:
    if row.tool == "close":

        def close(session: Session) -> None:
            work = UnitOfWork(session, turn.workspace_id, person_or_desk(author_id), clock.now())
            set_fields(work, turn.conversation_id, {"status": ConversationStatus.CLOSED})

        db.write(close)
        return "The conversation is closed."
    with db.read() as session:
        account = session.get_one(ChannelAccount, turn.account_id)
    brought = brought_for(directory, account.channel).get(row.tool)
    if brought is not None:
        tool: _Tool | None = _brought(brought, turn.workspace_id, turn.conversation_id)
    else:
        tool = _program(row.tool, turn.workspace_id, turn.assistant_id, turn.conversation_id)
    if tool is None:
        raise _FailedError("there is no such tool any more")
    return tool.use(row.arguments, row.key)


class ToolTrial(msgspec.Struct, frozen=True):
    """The result of trying a tool."""

    is_good: bool
    said: str
    ms: int


def try_one(
    workspace_id: int,
    assistant_id: int,
    tool_id: int,
    arguments: Mapping[str, Any],
    *,
    send: Callable[..., str] | None = None,
) -> ToolTrial:
    """Call a tool of an assistant once without a customer: the program knows that it is a trial.

    :raises AssistantNotFoundError, ToolNotFoundError: if there is none.
    :raises ToolError: if the arguments are invalid, or its secret cannot be read.
    """
    with db.read() as session:
        assistants.get(session, workspace_id, assistant_id)
        row = program_tools.get(session, workspace_id, assistant_id, tool_id)
        program_tools.check_arguments(row, arguments)
        try:
            reached = program_tools.reached(row)
        except SecretUnreadableError:
            raise program_tools.ToolError(
                _l("The tool's secret can't be read, so the tool was not tried."),
                next_step=_l("Enter the secret again."),
                field="secret",
            ) from None
    return try_it(reached, arguments, send=send or post)


def try_it(
    tool: ToolConnection, arguments: Mapping[str, Any], *, send: Callable[..., str] = post
) -> ToolTrial:
    """Call a tool once without a customer: the program knows that it is a trial."""
    began = clock.monotonic()
    key = f"trial-{clock.now():%Y%m%d%H%M%S%f}"
    try:
        said, is_good = send(tool, arguments, ToolSubject(None, None), key, is_trial=True), True
    except _FailedError as error:
        said, is_good = str(error), False
    return ToolTrial(is_good, said, round(1000 * (clock.monotonic() - began)))
