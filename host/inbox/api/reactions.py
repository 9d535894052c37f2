"""API routes of the team's reactions to messages."""

from __future__ import annotations

from typing import Annotated

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Router, Wire, rename
from host.api.http.refusals import REACTIONS
from host.inbox.api.messages import get
from host.inbox.errors import (
    AccountDisconnectedError,
    ContactUnreachableError,
    EmptyTextError,
    MessageNotFoundError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.reacting import MAX_LENGTH, react
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Messages", write=Scope.MESSAGES_WRITE)

COMMON = (
    AccountDisconnectedError,
    ContactUnreachableError,
    MessageNotFoundError,
    UnknownChannelError,
    WindowClosedError,
    *REACTIONS,
)


class CreateReaction(Wire, frozen=True):
    """The team's new reaction."""

    emoji: Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH, description="One emoji.")]


@routes.post(
    "/messages/{message_id}/reactions",
    "React to a message",
    limited=True,
    errors=(EmptyTextError, *COMMON),
    examples={"A heart": {"emoji": "\u2764\ufe0f"}},
    goes_on=True,
)
def react_to_message(call: Call, message_id: int, body: CreateReaction) -> shapes.Message:
    """The team has one reaction per message: another replaces it, and the same again changes nothing.

    The account lists the emoji a channel accepts. Returns the message; its reaction is queued.
    """
    if not body.emoji.strip():
        raise EmptyTextError(_l("The emoji is missing."), next_step="", field="emoji")
    return call.write(lambda work: _set(work, call, message_id, body.emoji))


rename(
    react_to_message, "PUT", "/messages/{message_id}/reactions", operation="putReaction", since="2026-11-27"
)


@routes.delete(
    "/messages/{message_id}/reactions", "Remove the reaction to a message", limited=True, errors=COMMON
)
def remove_reaction(call: Call, message_id: int) -> None:
    """Removes the team's reaction; the customer's stays. Does nothing if there is none."""
    call.write(lambda work: _set(work, call, message_id, ""))


def _set(work: UnitOfWork, call: Call, message_id: int, emoji: str) -> shapes.Message:
    try:
        react(work, message_id, emoji, directory=call.directory)
    except MessageNotFoundError:
        get(work.session, call, message_id)  # raises the API's own error if there is no such message
        raise
    return get(work.session, call, message_id)
