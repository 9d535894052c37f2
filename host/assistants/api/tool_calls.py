"""Routes for the tool calls of assistants: those of a conversation, and people's decisions about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import PersonRequiredError
from host.assistants import tools
from host.assistants.models import AssistantCall, AssistantTurn, CallState
from host.assistants.tools import CallDecidedError, CallGoneError
from host.core import db
from host.inbox.api.conversations import check_can_reply
from host.inbox.api.conversations import get as get_conversation
from host.inbox.errors import ConversationNotFoundError, NotAMemberError
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.APPROVE)

MOST = 100


class AssistantToolCall(Wire, frozen=True):
    """The use of a tool by an assistant."""

    id: Id
    turn_id: Id
    tool: Annotated[str, Meta(description="Its name, as in the assistant's `tools`, or a built-in one.")]
    arguments: Annotated[dict[str, Any], Meta(description="What it is called with.")]
    state: Annotated[
        Literal["asked", "allowed", "refused", "begun", "done", "failed"],
        Meta(
            description=(
                "`asked`: it waits for a person's decision; `begun` without a later state: it isn't known "
                "whether it was done."
            )
        ),
    ]
    result: Annotated[str, Meta(description="What the tool answered, or why it failed; empty before.")]
    at: Moment


class AssistantToolCalls(Wire, frozen=True):
    """The tool calls of a conversation, newest first; at most 100."""

    data: list[AssistantToolCall]


class ToolCallQuery(Wire, frozen=True):
    """Which tool calls to list."""

    waiting: Annotated[bool, Meta(description="Only those that wait for a person's decision.")] = False


class ApproveToolCall(Wire, frozen=True):
    """The person who approved a tool call."""

    member_id: Annotated[
        Id,
        Meta(description="The id of the person who decided. They must be able to reply in the conversation."),
    ]


def _shown(row: AssistantCall) -> AssistantToolCall:
    return AssistantToolCall.of(row)


@routes.get(
    "/conversations/{conversation_id}/tool-calls",
    "List the tool calls of a conversation",
    also=(Scope.MESSAGES_READ,),
    limited=True,
    errors=(ConversationNotFoundError,),
)
def list_tool_calls(call: Call, conversation_id: int, query: ToolCallQuery) -> AssistantToolCalls:
    """Includes those that a person has to decide about, because the tool asks for approval."""
    wanted = (
        sa.select(AssistantCall)
        .join(AssistantTurn, AssistantTurn.id == AssistantCall.turn_id)
        .where(AssistantTurn.conversation_id == conversation_id)
        .order_by(AssistantCall.id.desc())
        .limit(MOST)
    )
    if query.waiting:
        wanted = wanted.where(AssistantCall.state == CallState.ASKED)
    with db.read() as session:
        get_conversation(session, call, conversation_id)
        return AssistantToolCalls(data=[_shown(row) for row in session.scalars(wanted)])


@routes.post(
    "/conversations/{conversation_id}/tool-calls/{call_id}/approve",
    "Approve a tool call",
    limited=True,
    errors=(CallDecidedError, CallGoneError, ConversationNotFoundError, NotAMemberError, PersonRequiredError),
    examples={"By a person": {"memberId": 7}},
)
def approve_tool_call(
    call: Call, conversation_id: int, call_id: int, body: ApproveToolCall
) -> AssistantToolCall:
    """Runs the call with the arguments that were shown, and returns its result.

    For programs through which a person decides, such as a chat of the team: a key whose messages are
    automated is refused (`person_required`). Each call is decided once.
    """
    if call.caller.automatic:
        raise PersonRequiredError()

    def approve(session: Session) -> None:
        check_can_reply(session, call, conversation_id, body.member_id)
        work, by = call.work(session), body.member_id
        tools.decide(work, conversation_id, call_id, is_allowed=True, person_id=by)

    db.write(approve)
    done = tools.carry_out(call_id, call.directory, author_id=body.member_id)
    if done is not None:
        return _shown(done)
    with db.read() as session:
        return _shown(session.get_one(AssistantCall, call_id))


@routes.post(
    "/conversations/{conversation_id}/tool-calls/{call_id}/refuse",
    "Refuse a tool call",
    scope=Scope.AUTOMATION_WRITE,
    limited=True,
    errors=(CallDecidedError, CallGoneError, ConversationNotFoundError),
)
def refuse_tool_call(call: Call, conversation_id: int, call_id: int) -> AssistantToolCall:
    """The tool isn't used. Each call is decided once."""

    def refuse(work: UnitOfWork) -> AssistantToolCall:
        get_conversation(work.session, call, conversation_id)
        return _shown(tools.decide(work, conversation_id, call_id, is_allowed=False))

    return call.write(refuse)
