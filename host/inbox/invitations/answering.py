"""Answer an invitation: accept, maybe, decline. The answer is a message to its organiser."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.ports import AdapterDirectory
from host.inbox.composition import sender_address
from host.inbox.conversations import locked_message, publish_changed_message
from host.inbox.drafts import Draft
from host.inbox.errors import UnknownChannelError
from host.inbox.invitations import content
from host.inbox.invitations.content import Chosen, Event
from host.inbox.reply import HeldLocks, queue_parts, take_lane
from host.inbox.sendable import NotSendableError
from host.models.channels import ChannelAccount, ref
from host.models.inbox import DeliveryState, Direction, Message
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import INVITATION, INVITATION_ANSWER, OWN_ADDRESS
from host.users.actor import UnitOfWork

NOT_GIVEN = frozenset({DeliveryState.FAILED, DeliveryState.CANCELLED})
"""States of an answer's message in which the organiser has no answer."""


def answer(
    work: UnitOfWork,
    conversation_id: int,
    message_id: int,
    chosen: Chosen,
    *,
    text: str,
    organiser: str,
    directory: AdapterDirectory,
) -> Message | None:
    """Answer the invitation of a message; return the message to the organiser, or None if nothing changes.

    :param text: what the organiser reads; its first line is the subject.
    :param organiser: the address that the person agreed to; needed if the invitation is from another one.
    :raises NotSendableError: codes ``no_invitation``, ``organiser_unconfirmed``.

    It also raises the errors of :func:`host.inbox.conversations.locked_message` and
    :func:`host.inbox.reply.queue_parts`.
    """
    session = work.session
    recipient = take_lane(session, work.workspace_id, conversation_id)
    conversation, message = locked_message(work, message_id, conversation_id=conversation_id)
    adapter = directory.adapter(conversation.channel)
    if adapter is None:
        raise UnknownChannelError()
    event = _answerable(message, adapter)
    if not event.organiser.wrote and organiser != event.organiser.address:
        raise NotSendableError(
            "organiser_unconfirmed",
            _l(
                "%(address)s organizes this event, but did not send the invitation. Nothing was sent.",
                address=event.organiser.address,
            ),
            next_step=_l("Tick that the answer may go there."),
            field="organiser",
        )
    before = message.content[INVITATION].get("answer")
    count = before["count"] if before else 0
    if before and before["answer"] == chosen and _stands(session, before["message"]):
        return None
    account = ref(session.get_one(ChannelAccount, conversation.account_id))
    written: dict[str, Any] = {
        "to": [event.organiser.address],
        INVITATION_ANSWER: {
            "answer": chosen,
            "attendee": event.attendee,
            "message": message.id,
            "event": message.content[INVITATION]["events"][0],
        },
        **_from(adapter, account, event.attendee),
    }
    (sent,) = queue_parts(
        work,
        conversation_id,
        [Draft(text=text, content=written)],
        # Two people who answer at once answer once: the second one gets an error, or the same message.
        reply_key=f"invitation-{message.id}-{count + 1}",
        adapter=adapter,
        held=HeldLocks(conversation, recipient),
    )
    given = {"answer": chosen, "message": sent.id, "count": count + 1}
    message.content = {**message.content, INVITATION: {**message.content[INVITATION], "answer": given}}
    session.flush()
    publish_changed_message(session, message)
    return sent


def _answerable(message: Message, adapter: ChannelAdapter) -> Event:
    found = content.read(message.content) if message.unsent_at is None else None
    inbound = message.direction == Direction.INBOUND
    if (
        found is None
        or not inbound
        or not found.is_answerable
        or not adapter.capabilities.answers_invitations
    ):
        raise NotSendableError(
            "no_invitation",
            _l("This message has no invitation that can be answered. Nothing was sent."),
            next_step=_l("Write a reply instead."),
            status=409,
        )
    return found.event


def _stands(session: Session, message_id: int) -> bool:
    sent = session.get(Message, message_id)
    return sent is not None and sent.state not in NOT_GIVEN


def _from(adapter: ChannelAdapter, account: AccountRef, attendee: str) -> dict[str, str]:
    """Return the address to answer from: the one that was invited, if the account has it."""
    return {OWN_ADDRESS: attendee} if attendee in sender_address.choices(adapter, account) else {}
