"""Statistics about a channel's webhook, for the pages of the addon that owns it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import requests
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, secrets
from host.models.channels import ChannelAccount
from host.models.inbox import ARRIVED, ContactIdentity, Conversation, DeliveryState, Direction, Message
from host.models.queue import InboundEvent, InboundRequest, OutboxEntry, RefusedDelivery
from host.queue import refusals
from host.queue.journal_rows import stored_key
from host.queue.spool import request_id
from host.sdk import settings
from host.sdk.channel import AccountRef

DAY = timedelta(days=1)
SELF_SECONDS = 10.0
_OWN_TEST = "Lobby-Own-Test"
_OWN_TEST_PURPOSE = "own test"


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """Summary of the requests to an addon's webhook addresses.

    :param taken: requests accepted and stored in the last 24 hours.
    :param last_taken_at: when the last one arrived; None: none in the retention period.
    :param refused: number of requests refused today and yesterday, by reason.
    :param last_test_at: when the provider's last test event arrived.
    :param people: number of different customers who wrote in the last seven days.
    :param several_at: as in :class:`AccountDeliveries`, across all accounts.
    """

    taken: int
    last_taken_at: datetime | None
    refused: tuple[tuple[str, int], ...]
    last_test_at: datetime | None
    people: int = 0
    several_at: datetime | None = None

    @property
    def refused_count(self) -> int:
        return sum(count for _, count in self.refused)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Requests rejected for one reason, today and yesterday.

    :param since: the first day of the last thirty with such a refusal.
    :param hint: the hint of the last one, as in :class:`host.sdk.webhooks.Refused`.
    """

    count: int
    last_at: datetime
    since: date
    hint: str


@dataclass(frozen=True, slots=True)
class AccountDeliveries:
    """Summary of the events that arrived for one account.

    :param people: number of different customers who wrote; 2 means two or more.
    :param several_at: when the second most recent of the customers last wrote; None: fewer than two had
        messages delivered.
    :param refused: refused requests for this account, by reason.
    :param refused_of_nobody: refused requests whose account is unknown, by reason.
    :param verified_at: when the provider last verified the account's own address, or the shared one with the
        account's token.
    :param shared_verified_at: when it last verified the shared address with a token of no account.
    """

    connected_at: datetime
    last_event_at: datetime | None
    people: int
    refused: Mapping[str, Refusals]
    refused_of_nobody: Mapping[str, Refusals] = field(default_factory=dict)
    verified_at: datetime | None = None
    shared_verified_at: datetime | None = None
    several_at: datetime | None = None


def of_account(account_id: int) -> AccountDeliveries | None:
    """Return the summary of deliveries for one account; None if it does not exist."""
    refusals.flush()
    with db.read() as session:
        account = session.get(ChannelAccount, account_id)
        if account is None:
            return None
        people = session.scalars(
            sa.select(ContactIdentity.id).where(ContactIdentity.account_id == account_id).limit(2)
        )
        return AccountDeliveries(
            connected_at=account.connected_at,
            last_event_at=account.last_event_at,
            people=len(list(people)),
            refused=_refused(session, account.channel, str(account_id)),
            refused_of_nobody=_refused(session, account.channel, ""),
            verified_at=refusals.last_verified(session, account.channel, account_id),
            shared_verified_at=refusals.last_verified(session, account.channel, None),
            several_at=_several_at(session, Conversation.account_id == account_id),
        )


def last_verified(account: AccountRef, *, others: Sequence[int] = (), shared: bool = True) -> datetime | None:
    """Return when the provider last verified the address of *account*, or the shared one of its channel.

    :param others: ids of accounts of its channel whose addresses also count.
    :param shared: whether verifying the shared address with a token of no account counts.
    """
    times = verified_times(account.channel, [account.id, *others, *([None] if shared else ())])
    return max(times.values(), default=None)


def verified_times(channel: str, account_ids: Iterable[int | None]) -> Mapping[int | None, datetime]:
    """Return when the provider last verified the addresses of accounts, without those never verified.

    :param account_ids: None stands for the shared address, verified with a token of no account.
    """
    with db.read() as session:
        return refusals.verified_times(session, channel, account_ids)


def _several_at(session: Session, *where: sa.ColumnElement[bool]) -> datetime | None:
    """Return when the second most recent of the customers last wrote, ignoring imported messages."""
    query = (
        sa.select(sa.func.max(Conversation.last_inbound_at))
        .where(*where, Conversation.last_message_at > clock.now() - 90 * DAY)
        .where(Conversation.last_inbound_at.is_not(None))
        .group_by(Conversation.contact_id)
        .order_by(sa.func.max(Conversation.last_inbound_at).desc())
        .limit(2)
    )
    newest = list(session.scalars(query))
    return newest[1] if len(newest) > 1 else None


def _refused(session: Session, channel: str, account_key: str) -> dict[str, Refusals]:
    now = clock.now()
    recent = (now - DAY).date().isoformat()
    rows = session.execute(
        sa.select(
            RefusedDelivery.reason,
            RefusedDelivery.day,
            RefusedDelivery.count,
            RefusedDelivery.last_at,
            RefusedDelivery.last_hint,
        )
        .where(
            RefusedDelivery.channel == channel,
            RefusedDelivery.account_key == account_key,
            RefusedDelivery.day >= (now - 30 * DAY).date().isoformat(),
        )
        .order_by(RefusedDelivery.day)
    )
    found: dict[str, Refusals] = {}
    since: dict[str, date] = {}
    for reason, day, count, last_at, hint in rows:
        since.setdefault(reason, date.fromisoformat(day))
        if day >= recent:
            before = found[reason].count if reason in found else 0
            found[reason] = Refusals(before + int(count), last_at, since[reason], hint)
    return found


def count_events(account_id: int, since: datetime, until: datetime, *, most: int) -> int:
    """Return the number of events of an account between two times, inclusive, capped at *most*."""
    found = (
        sa.select(InboundEvent.id)
        .where(
            InboundEvent.channel
            == sa.select(ChannelAccount.channel).where(ChannelAccount.id == account_id).scalar_subquery(),
            InboundEvent.account_key == str(account_id),
            InboundEvent.received_at.between(since, until),
        )
        .limit(most)
        .subquery()
    )
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(found)) or 0


def last_sent(account_id: int, count: int, *, since: datetime, until: datetime) -> tuple[str, ...]:
    """Return the provider's ids of the newest messages sent for an account, newest first.

    :param since: earliest, and *until*, latest time they were sent.
    """
    query = (
        sa.select(Message.external_id)
        .join(OutboxEntry, OutboxEntry.message_id == Message.id)
        .where(
            OutboxEntry.account_id == account_id,
            OutboxEntry.attempted_at.between(since, until),
            Message.state.in_(sorted(ARRIVED)),
            Message.external_id.is_not(None),
        )
        .order_by(OutboxEntry.id.desc())
        .limit(count)
    )
    with db.read() as session:
        return tuple(one for one in session.scalars(query) if one is not None)


def have_come(account_id: int, dedupe_keys: Sequence[str]) -> frozenset[str]:
    """Return which *dedupe_keys*, as in :class:`host.sdk.webhooks.Envelope`, have arrived for an account."""
    hashed = {stored_key(key): key for key in dedupe_keys}
    query = sa.select(InboundEvent.dedupe_key).where(
        InboundEvent.channel
        == sa.select(ChannelAccount.channel).where(ChannelAccount.id == account_id).scalar_subquery(),
        InboundEvent.account_key == str(account_id),
        InboundEvent.dedupe_key.in_(list(hashed)),
    )
    with db.read() as session:
        return frozenset(hashed[one] for one in session.scalars(query))


@dataclass(frozen=True, slots=True)
class FailedSend:
    """A message the provider refused.

    :param code: the adapter's code, as in :class:`host.sdk.channel.ProviderProblem`.
    :param last_inbound_at: when the customer had last written a message that opens a reply window.
    :param cause: the likely cause; empty if unknown.
    :param recipient: the customer's name at the provider, else their external id.
    """

    code: str
    sentence: str
    at: datetime
    last_inbound_at: datetime | None
    cause: str = ""
    recipient: str = ""


def failed_sends(account_id: int, *, since: datetime, most: int = 200) -> list[FailedSend]:
    """Return the messages of an account that were refused and not sent since, newest first."""
    recipient = sa.func.coalesce(ContactIdentity.username, ContactIdentity.external_id)
    query = (
        sa.select(Message.error, Message.sent_at, Conversation.last_inbound_at, recipient)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(
            Conversation.account_id == account_id,
            Conversation.failed_count > 0,
            Message.state == DeliveryState.FAILED,
            Message.sent_at >= since,
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(most)
    )
    with db.read() as session:
        return [
            FailedSend(
                code=str((error or {}).get("code", "")),
                sentence=str((error or {}).get("sentence", "")),
                at=at,
                last_inbound_at=last_inbound_at,
                cause=str((error or {}).get("cause", "")),
                recipient=name,
            )
            for error, at, last_inbound_at, name in session.execute(query)
        ]


def last_of_kind(account_id: int, kinds: Sequence[str]) -> datetime | None:
    """Return when a customer last sent something of *kinds*, as in :class:`host.sdk.messages.MessageKind`."""
    query = sa.select(sa.func.max(Message.sent_at)).where(
        Message.account_id == account_id,
        Message.direction == Direction.INBOUND,
        Message.kind.in_([str(kind) for kind in kinds]),
    )
    with db.read() as session:
        return session.scalar(query)


def known_contacts(account_id: int, external_ids: Sequence[str]) -> frozenset[str]:
    """Return which of *external_ids* belong to customers who wrote to the account."""
    query = sa.select(ContactIdentity.external_id).where(
        ContactIdentity.account_id == account_id, ContactIdentity.external_id.in_(external_ids)
    )
    with db.read() as session:
        return frozenset(session.scalars(query))


def post_to_self(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str] | None:
    """Post to an address of this desk as a provider would, by its public address; return status and body.

    Returns None if the desk cannot reach itself, which some networks prevent. The webhook handles it like any
    other request, but neither stores nor counts it, because it proves nothing about the provider.
    """
    mark = secrets.keyring().sign(_OWN_TEST_PURPOSE, hashlib.sha256(body).hexdigest())
    try:
        answer = requests.post(
            f"{settings.public_url()}{path}",
            data=body,
            headers={**headers, _OWN_TEST: mark},
            timeout=SELF_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException:
        return None
    return answer.status_code, answer.text[:200]


def is_own_test(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether :func:`post_to_self` of any process of this desk made a request.

    :param headers: names in lower case.
    """
    mark = headers.get(_OWN_TEST.lower(), "")
    digest = hashlib.sha256(body).hexdigest() if mark else ""
    return bool(mark) and secrets.keyring().is_signed(mark, _OWN_TEST_PURPOSE, digest)


def summary(slug: str, channel: str) -> DeliverySummary:
    """Return the delivery summary of the addon *slug*, whose events belong to *channel*."""
    now = clock.now()
    requests, events = InboundRequest, InboundEvent
    ours = sa.or_(requests.source.like(f"/addons/{slug}/%"), requests.source.like(f"/webhooks/{slug}/%"))
    days = [(now - DAY).date().isoformat(), now.date().isoformat()]
    with db.read() as session:
        taken = session.scalar(
            sa.select(sa.func.count()).select_from(requests).where(requests.id >= request_id(now - DAY), ours)
        )
        last = session.scalar(
            sa.select(requests.received_at).where(ours).order_by(requests.id.desc()).limit(1)
        )
        refused = session.execute(
            sa.select(RefusedDelivery.reason, sa.func.sum(RefusedDelivery.count))
            .where(RefusedDelivery.channel == channel, RefusedDelivery.day.in_(days))
            .group_by(RefusedDelivery.reason)
            .order_by(RefusedDelivery.reason)
        )
        test = session.scalar(
            sa.select(sa.func.max(events.received_at)).where(
                events.channel == channel, events.account_key == "", events.kind == "test"
            )
        )
        week = sa.select(sa.func.count(Conversation.contact_id.distinct())).where(
            Conversation.channel == channel, Conversation.last_inbound_at > now - 7 * DAY
        )
        return DeliverySummary(
            people=session.scalar(week) or 0,
            several_at=_several_at(session, Conversation.channel == channel),
            taken=taken or 0,
            last_taken_at=last,
            refused=tuple((reason, int(count)) for reason, count in refused),
            last_test_at=test,
        )
