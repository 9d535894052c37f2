"""API routes for messages of the team that failed, or that the provider has not confirmed."""

from __future__ import annotations

from typing import Annotated

from flask_babel import lazy_gettext as _l
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Refused, Router, Wire
from host.api.http.errors import BodyError
from host.inbox.api.messages import get
from host.inbox.api.sending import fields_of_body, voice_of
from host.inbox.comments.private_reply import PrivateReplyUsedError
from host.inbox.conversations import get_conversation
from host.inbox.errors import (
    AccountDisconnectedError,
    AnsweredElsewhereError,
    AutomaticLimitError,
    ContactUnreachableError,
    FromMachineError,
    HandledByPersonError,
    MessageNotFoundError,
    OptedOutError,
    PeopleOnlyError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.reply import check_may_send
from host.inbox.unsent import resending
from host.models.inbox import DeliveryState, Direction, Message
from host.queue import outbox
from host.queue.outbox import NotInOutboxError, StateMovedOnError
from host.sdk.messages import MessageKind
from host.users.api_keys import Scope

routes = Router("Messages", write=Scope.MESSAGES_WRITE)


class RetryMessage(Wire, frozen=True):
    """How to send a message again."""

    may_repeat: Annotated[
        bool,
        Meta(
            description=(
                "Also send a message that is `unknown`, although the customer may have it already and would "
                "then get it twice."
            )
        ),
    ] = False
    own_address: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=512,
                description="Another of the account's `ownAddresses` to send a failed message from.",
            ),
        ]
        | None
    ) = None


@routes.post(
    "/messages/{message_id}/retry",
    "Send a failed message again",
    limited=True,
    errors=(
        MessageNotFoundError,
        NotInOutboxError,
        StateMovedOnError,
        AccountDisconnectedError,
        AutomaticLimitError,
        ContactUnreachableError,
        FromMachineError,
        HandledByPersonError,
        AnsweredElsewhereError,
        OptedOutError,
        PeopleOnlyError,
        PrivateReplyUsedError,
        UnknownChannelError,
        WindowClosedError,
        Refused(422, "sender_not_own", "The account has no such address to send from."),
    ),
    examples={"A failed message": {}, "A message that may have arrived": {"mayRepeat": True}},
)
def retry_message(call: Call, message_id: int, body: RetryMessage) -> shapes.Message:
    """Queues it again, with the parts of its reply that were held back because of it.

    It is refused if the API could not send a message to the customer now: if the reply window is closed to
    programs, for example. Only a message that is `failed` can be retried (409, `state_moved_on`).
    """

    def use_case(session: Session) -> shapes.Message:
        get(session, call, message_id)
        message = session.get_one(Message, message_id)
        conversation = get_conversation(
            session, call.workspace_id, message.conversation_id, accounts=call.accounts
        )
        adapter = call.adapter(conversation.channel)
        if adapter is None:
            raise UnknownChannelError()
        # A forward goes to other people, and a private reply is not bound to the reply window.
        if message.direction == Direction.OUTBOUND and message.content.get("private") is not True:
            # A person may have written it late, when only people can: a program must not send that again.
            check_may_send(
                session,
                conversation,
                adapter,
                call.now,
                by_person=False,
                voice=voice_of(call),
                approved=message.kind == MessageKind.APPROVED_TEMPLATE,
            )
        if message.state == DeliveryState.UNKNOWN and body.may_repeat:
            if body.own_address is not None:
                raise BodyError(
                    _l("A message that may have arrived can't be sent from another address."),
                    field="ownAddress",
                )
            resending.send_again(session, message_id)
        else:
            resending.retry(session, message_id, body.own_address or "", adapter)
        return get(session, call, message_id)

    with fields_of_body():
        return call.commit(use_case)


@routes.post(
    "/messages/{message_id}/check",
    "Check whether a message arrived",
    limited=True,
    errors=(MessageNotFoundError, NotInOutboxError, StateMovedOnError),
)
def check_message(call: Call, message_id: int) -> shapes.Message:
    """Looks for a message that is `unknown` at the provider, soon after, and never sends it.

    Once it is found there, its `state` is `sent`.
    """

    def use_case(session: Session) -> shapes.Message:
        get(session, call, message_id)
        outbox.check_now(session, message_id)
        return get(session, call, message_id)

    return call.commit(use_case)
