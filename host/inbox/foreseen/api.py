"""The route for the messages that a change of a conversation could lead to."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Router, Wire
from host.core import db
from host.inbox.api.conversations import get
from host.inbox.errors import ConversationNotFoundError
from host.inbox.foreseen import counting
from host.users.api_keys import Scope

routes = Router("Conversations", read=Scope.CONVERSATIONS_READ)


class MessagesAfter(Wire, frozen=True):
    """The messages that a change could lead to."""

    change: Annotated[
        str,
        Meta(
            description=(
                "`close`, `open`, `assign`, `team`, `label`, `unlabel`, `snooze`, `wake`, `spam` or `unspam`."
            )
        ),
    ]
    senders: Annotated[
        list[str], Meta(description="The rules and addons that could send one message each, by their names.")
    ]


class MessagesAfterChanges(Wire, frozen=True):
    """The changes of a conversation that could lead to messages."""

    data: list[MessagesAfter]


@routes.get(
    "/conversations/{conversation_id}/messages-after",
    "List the messages that a change could lead to",
    limited=True,
    errors=(ConversationNotFoundError,),
)
def list_messages_after(call: Call, conversation_id: int) -> MessagesAfterChanges:
    """Which rules and addons could write to the customer if the conversation is changed now, before you
    change it. Changes that lead to no message are left out.

    It names rather too many than too few: conditions that the change itself may meet count as met.
    """
    with db.read() as session:
        get(session, call, conversation_id)
        found = counting.of_one(session, call.workspace_id, conversation_id, call.directory, call.now)
    return MessagesAfterChanges([MessagesAfter(change, list(names)) for change, names in found.by.items()])
