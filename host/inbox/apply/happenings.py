"""What happened to messages, as the record and open browsers are told it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from host.inbox.apply.values import Annotation, NewMessage
from host.models.inbox import DeliveryState, Direction, Origin
from host.models.record import ActorKind
from host.record import catalogue
from host.record.catalogue import OfMessage
from host.record.writing import Happened

_ARRIVED = frozenset({DeliveryState.SENT, DeliveryState.READ})
_ACTORS: dict[str, ActorKind] = {
    Origin.CUSTOMER: ActorKind.CUSTOMER,
    Origin.AGENT: ActorKind.USER,
    Origin.API: ActorKind.KEY,
    Origin.PROVIDER: ActorKind.PROVIDER,
}
_OF_ACTIVITIES = {
    "reopened_by_message": catalogue.CONVERSATION_REOPENED,
    "woken_by_message": catalogue.CONVERSATION_WOKEN,
}
"""The kinds of what activity lines say that arriving messages bring, by their ``what``."""


class Sent(NamedTuple):
    """What is told of a message of the team."""

    id: int
    workspace_id: int
    conversation_id: int
    account_id: int
    origin: str
    author_id: int | None
    sent_at: datetime
    direction: str = Direction.OUTBOUND


def of_state(message: Sent, state: str, before: str | None) -> Iterator[Happened]:
    """Yield what it means that a message of the team has *state* now.

    :param before: the state it had.
    """
    # What is passed on to somebody else says nothing to the customer.
    kinds = list(_kinds(state, before)) if message.direction == Direction.OUTBOUND else []
    kinds = kinds or [""]
    for kind in kinds:
        read = kind == catalogue.MESSAGE_READ
        sent = kind == catalogue.MESSAGE_SENT
        yield Happened(
            message.workspace_id,
            kind,
            topic="state" if kind == kinds[-1] else "",
            account_id=message.account_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            actor_kind=ActorKind.CUSTOMER if read else _ACTORS.get(message.origin, ActorKind.SYSTEM),
            actor_id=None if read else message.author_id,
            facts=OfMessage(state=state),
            occurred_at=message.sent_at if sent else None,
        )


def _kinds(state: str, before: str | None) -> Iterator[str]:
    if state in _ARRIVED and before not in _ARRIVED:
        yield catalogue.MESSAGE_SENT
    if state == DeliveryState.READ and before != state:
        yield catalogue.MESSAGE_READ
    if state == DeliveryState.FAILED and before != state:
        yield catalogue.MESSAGE_FAILED
    if state == DeliveryState.UNKNOWN and before != state:
        yield catalogue.MESSAGE_UNCONFIRMED


def of_annotation(said: Annotation, workspace_id: int, id_: int, conversation_id: int | None) -> Happened:
    """Return that *said* was said about the message *id_*."""
    of_customer = said.message.direction == Direction.INBOUND or said.kind == catalogue.MESSAGE_REACTED
    account_id = said.message.account.id if isinstance(said.message, NewMessage) else said.message.account_id
    return Happened(
        workspace_id,
        said.kind,
        account_id=account_id,
        conversation_id=conversation_id,
        message_id=id_,
        actor_kind=ActorKind.CUSTOMER if of_customer else ActorKind.PROVIDER,
        facts=said.facts,
        occurred_at=said.at,
    )


def of_new(message: NewMessage, id_: int) -> Happened:
    """Return that a message, a note or an activity line is there.

    What only the provider's history brought is for browsers alone: nothing is done because of what is past.
    """
    kind = ""
    if message.imported_at is None:
        kind = _kind_of_new(message)
    return Happened(
        message.account.workspace_id,
        kind,
        # Nobody is notified of imported messages, which are old, nor of spam.
        topic="changed" if message.imported_at is not None or message.thread.is_spam else "message",
        account_id=message.account.id,
        conversation_id=message.thread.id,
        message_id=id_,
        actor_kind=_ACTORS.get(message.origin, ActorKind.SYSTEM),
        facts=OfMessage(late=message.late),
        occurred_at=message.sent_at,
    )


def _kind_of_new(message: NewMessage) -> str:
    if message.direction == Direction.INBOUND:
        return catalogue.MESSAGE_RECEIVED
    if message.direction == Direction.OUTBOUND:
        return catalogue.MESSAGE_SENT
    return _OF_ACTIVITIES.get(str(message.content.get("what")), "")
