"""Apply received events to the inbox, lane by lane, each event once and in order."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.channels import warnings
from host.core import clock, db, logs, storage
from host.core.backports.values import replace
from host.core.cleaning import clean, clean_value, external_id
from host.core.ports import AdapterDirectory
from host.core.statements import Statement
from host.delivery.blocked_lanes import SetAside
from host.inbox.apply.changes import Applied, HeldConversationsError, Incoming, apply_changes
from host.inbox.apply.echoes import comparable
from host.inbox.apply.incoming import media_of
from host.inbox.apply.values import Key
from host.inbox.contacts import one_person
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import (
    ContactIdentity,
    Conversation,
    ConversationStatus,
    DeliveryState,
    Direction,
    Message,
)
from host.models.posts import LookUp, Post
from host.models.queue import IS_PENDING, EventState, InboundEvent, Lane
from host.queue import journal_erasure, lanes, policy
from host.queue.bodies import stored
from host.queue.journal_rows import printable
from host.queue.lanes import Lease
from host.queue.order import joined_lanes, spooled_lanes
from host.queue.order.joined_lanes import OnePerson
from host.sdk.channel import AccountRef
from host.sdk.messages import (
    AccountNoticed,
    Ignored,
    InboundChange,
    MessageBounced,
    MessageEchoed,
    MessageReceived,
    ToLookUp,
)
from host.sdk.webhooks import Envelope

log = logging.getLogger(__name__)

SMALL = 64 * 1024
UNCONFIRMED_FOR = timedelta(hours=1)
"""Age up to which a reply of ours is compared with an unknown author's answer."""
MOST_BYTES = 16 * 1024 * 1024
"""Most bytes of events one worker holds in memory at a time; one event alone may be larger."""


@dataclass(slots=True)
class PendingEvent:
    """A journalled event that waits to be applied. The fields are the columns read, in order."""

    id: int
    lane: str
    channel: str
    account_id: int | None
    kind: str
    dedupe_key: str
    occurred_at: datetime | None
    received_at: datetime
    attempts: int
    retry_at: datetime | None
    forgotten_at: datetime | None
    replayed_at: datetime | None
    request_id: int
    size: int
    body: bytes | None


_COLUMNS = tuple(
    getattr(InboundEvent, one.name) for one in fields(PendingEvent) if one.name not in {"size", "body"}
)


_now = sa.bindparam("now", type_=Lane.__table__.c.next_at.type)


@functools.cache
def _query(lanes: int, *order: str) -> Statement:
    """Return the statement that reads the oldest events of that many lanes, with one index seek per lane.

    A lane whose person has events in another one gives a row without an event: only one statement sees both
    as of the same moment.
    """
    names = [sa.bindparam(f"lane{n}", type_=InboundEvent.lane.type) for n in range(lanes)]
    size = sa.func.length(InboundEvent.body)
    columns = [
        *_COLUMNS,
        size.label("size"),
        sa.case((size <= sa.literal_column(str(SMALL)), InboundEvent.body)).label("body"),
    ]
    of_each = [
        sa.select(
            sa.select(*columns)
            .where(InboundEvent.lane == name, IS_PENDING)
            .order_by(*(getattr(InboundEvent, one) for one in order))
            .limit(sa.literal_column(str(policy.EVENTS_PER_LANE)))
            .subquery()
        )
        for name in names
    ]
    nothing = [Lane.key if column.name == "lane" else sa.null() for column in columns]
    unsettled = sa.select(*nothing).where(Lane.key.in_(names), joined_lanes.are_joined(_now))
    return Statement(sa.union_all(*of_each, unsettled))


@dataclass(slots=True)
class ClaimedEvents:
    """The oldest pending events of one lane, in order; *more*: whether more may be pending.

    *unsettled*: they must not be applied before :func:`host.queue.order.joined_lanes.gather` looked again.
    """

    events: list[PendingEvent] = field(default_factory=list)
    more: bool = False
    unsettled: bool = False


def read_pending(
    session: Session, lanes: Sequence[str], spooled: Sequence[str] = ()
) -> dict[str, ClaimedEvents]:
    """Return the pending events of each of *lanes*, at most ``EVENTS_PER_LANE`` of each.

    :param spooled: more lanes, whose events were stored later than they were received.
    """
    found: dict[str, ClaimedEvents] = {lane: ClaimedEvents() for lane in (*lanes, *spooled)}
    _read_events(session, lanes, found, "id")
    _read_events(session, spooled, found, "received_at", "id")
    for claimed in found.values():
        claimed.more = len(claimed.events) == policy.EVENTS_PER_LANE
    _read_large_bodies(session, found.values())
    return found


def _read_events(
    session: Session, lanes: Sequence[str], found: Mapping[str, ClaimedEvents], *order: str
) -> None:
    if not lanes:
        return
    # Pad to a power of two with "", which is no lane, so that only few statements are prepared.
    count = 1 << (len(lanes) - 1).bit_length()
    names = {f"lane{n}": lanes[n] if n < len(lanes) else "" for n in range(count)}
    for row in _query(count, *order).rows(session.connection(), {**names, "now": db.now()}):
        number, lane, *_rest = row
        if number is None:
            found[lane].unsettled = True
        else:
            found[lane].events.append(PendingEvent(*row))
    for lane in lanes:
        found[lane].events.sort(key=attrgetter(*order))


def _read_large_bodies(session: Session, lanes: Iterable[ClaimedEvents]) -> None:
    """Read the large bodies, and postpone events whose bodies do not fit into memory."""
    room = MOST_BYTES
    for claimed in lanes:
        for position, event in enumerate(claimed.events):
            size = stored.size(session, event.id, event.size or 0)
            if size > room and room < MOST_BYTES:
                del claimed.events[position:]
                claimed.more = True
                break
            if size > SMALL:
                first = session.scalar(sa.select(InboundEvent.body).where(InboundEvent.id == event.id))
                event.body = stored.whole(session, event.id, first)
            room -= size


class Account(msgspec.Struct, frozen=True):
    """The fields of an account that applying an event needs."""

    ref: AccountRef
    state: str
    disconnected_at: datetime | None


_account: Any = ChannelAccount.__table__


class _AccountRow(NamedTuple):
    """The columns read of an account."""

    id: int
    uuid: str
    workspace_id: int
    channel: str
    external_id: str
    name: str
    handle: str
    settings: dict[str, Any]
    beside_id: int | None
    state: str
    disconnected_at: datetime | None


_accounts = Statement(
    sa.select(*(_account.c[name] for name in _AccountRow._fields)).where(
        _account.c.id.in_(sa.bindparam("ids", expanding=True))
    )
)


def read_accounts(session: Session, ids: Iterable[int | None]) -> dict[int, Account]:
    """Return the accounts with these ids, by id."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    rows = map(_AccountRow._make, _accounts.rows(session.connection(), {"ids": db.padded(wanted)}))
    return {row.id: Account(ref(cast(ChannelAccount, row)), row.state, row.disconnected_at) for row in rows}


_events: Any = InboundEvent.__table__
_look_ups: Any = LookUp.__table__
_set_state = Statement(
    sa.update(_events)
    .where(_events.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(
        {
            name: sa.bindparam(f"new_{name}", type_=_events.c[name].type)
            for name in ("state", "reason", "attempts", "retry_at", "applied_at")
        }
    )
)


@dataclass(slots=True)
class Verdict:
    """The result of applying one event."""

    event: PendingEvent
    state: EventState
    reason: str | None = None
    items: tuple[Incoming, ...] = ()
    asked: tuple[ToLookUp, ...] = ()
    """Look-ups to make at the provider."""
    retry_at: datetime | None = None
    made: tuple[int | None, int] | None = None
    """The ids of the resulting conversation and message."""


@dataclass(slots=True)
class Plan:
    """The results to write for one lane, and when the lane is due again."""

    lease: Lease
    verdicts: list[Verdict] = field(default_factory=list)
    next_at: datetime | None = None

    def customers(self) -> set[Key]:
        """Return the accounts and ids of the customers its changes are about."""
        return {
            (item.account.id, external_id(_contact(item)))
            for verdict in self.verdicts
            for item in verdict.items
        }


def _contact(item: Incoming) -> str:
    return str(getattr(item.change, "contact", ""))


class LeaseLostError(Exception):
    """Another worker has leased a lane since; the writes for it are rolled back."""


class UnsettledLanesError(Exception):
    """Older events of the same person wait in another lane, or are being applied: they come first."""

    def __init__(self, people: Sequence[OnePerson]) -> None:
        super().__init__("other lanes of the same person have older events")
        self.people = people
        self.lanes = {lane for one in people for lane in one.lanes}


class IdMovedError(Exception):
    """An id became another person's in this batch, so its other events have to be applied one by one."""

    def __init__(self, customers: Collection[Key]) -> None:
        super().__init__("an id is somebody else's from one event of this batch on")
        self.customers = set(customers)


class PeopleToJoinError(Exception):
    """Two stored people are one: they are joined first, which takes other locks, and the events applied then.

    :param joins: what says it, by the ids of two identities.
    """

    def __init__(self, joins: Mapping[tuple[int, int], Incoming]) -> None:
        super().__init__("two stored people are one")
        self.joins = joins


_set_aside = SetAside()


def work(leases: Sequence[Lease], directory: AdapterDirectory) -> dict[str, int]:
    """Apply the pending events of the lanes in *leases* and release them; return the number of events in
    each.

    Everything is written in one transaction. Only if that fails are the events applied one by one. A lane
    with a locked row is set aside, so that the others don't wait for it.

    :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer; the leases then expire.
    """
    left = {lease.key: _set_aside.left(lease.key) for lease in leases}
    early = [lease for lease in leases if left[lease.key]]
    release_later([(lease, left[lease.key] or 0.0) for lease in early])
    leases = [lease for lease in leases if not left[lease.key]]
    with db.read() as session:
        plain = [lease.key for lease in leases if not lease.spooled]
        pending = read_pending(session, plain, [lease.key for lease in leases if lease.spooled])
        accounts = read_accounts(session, (e.account_id for one in pending.values() for e in one.events))
    unsettled = [lease for lease in leases if pending[lease.key].unsettled]
    release_later([(lease, 0.0) for lease in unsettled])
    leases = [lease for lease in leases if lease not in unsettled]
    plans = [_plan(lease, pending[lease.key], accounts, directory) for lease in leases]
    # A lane that was not tried yet may need the same row as others of its account and would delay the rest.
    suspects = _set_aside.suspects()
    alone = {
        plan.lease.key
        for plan in plans
        if left[plan.lease.key] is not None or plan.lease.account_id in suspects
    }
    _write_together([plan for plan in plans if plan.lease.key not in alone])
    _write_each([plan for plan in plans if plan.lease.key in alone], then_together=True)
    _set_aside.wake_soonest()
    tried = {lease.key: len(pending[lease.key].events) for lease in leases}
    return {lease.key: 0 for lease in (*early, *unsettled)} | tried


def _write_together(plans: Sequence[Plan]) -> None:
    """Write *plans* in one transaction, without those that would wait for a locked row."""
    held: list[Plan] = []
    while plans:
        try:
            _write(_write_all, plans, policy.LOCK_PATIENCE)
        except LeaseLostError:
            plans = [plan for plan in plans if not plan.lease.lost]
            continue
        except UnsettledLanesError as error:
            _join_first(error, plans)
            plans = [plan for plan in plans if plan.lease.key not in error.lanes]
            continue
        except IdMovedError as error:
            for plan in plans:
                if error.customers & plan.customers():
                    _write_one_by_one(plan)
            plans = [plan for plan in plans if not error.customers & plan.customers()]
            continue
        except HeldConversationsError as error:
            theirs = [plan for plan in plans if error.customers & plan.customers()]
            if theirs:
                held += theirs
                plans = [plan for plan in plans if plan not in theirs]
                continue
            _write_each(plans)
        except db.HeldRowError:
            _write_each(plans)
        except Exception as error:  # noqa: BLE001 - it is one event's fault until shown otherwise
            _raise_if_away(error)
            log.warning("a batch of events could not be applied; trying them one by one: %s", _words(error))
            for plan in plans:
                _write_one_by_one(plan)
        break
    _put_aside(held)


def _write_each(plans: Sequence[Plan], *, then_together: bool = False) -> None:
    """Write each of *plans* in its own transaction, and set aside those that would wait for a locked row.

    After a few such lanes of an account, its others are set aside without a try: they may all need the same
    row, and each try takes time.

    :param then_together: whether to write the rest of an account in one transaction once one could be
        written. A batch that just failed must not be tried like that again.
    """
    held: list[Plan] = []
    untried: list[Plan] = []
    free: list[Plan] = []
    count: Counter[int | None] = Counter()
    freed: set[int | None] = set()
    for plan in sorted(plans, key=lambda one: _set_aside.was_tried(one.lease.key)):
        account = plan.lease.account_id
        if account in freed:
            free.append(plan)
            continue
        if count[account] >= policy.HELD_OF_ACCOUNT:
            untried.append(plan)
            continue
        try:
            _write(_write_all, [plan], policy.LONE_PATIENCE)
            _set_aside.clear([plan.lease.key])
            if then_together:
                freed.add(account)
        except LeaseLostError:
            continue
        except UnsettledLanesError as error:
            _join_first(error, [plan])
        except IdMovedError:
            _write_one_by_one(plan)
        except (HeldConversationsError, db.HeldRowError):
            held.append(plan)
            count[account] += 1
        except Exception as error:  # noqa: BLE001 - as above
            _raise_if_away(error)
            log.warning("events of a lane could not be applied; trying them one by one: %s", _words(error))
            _write_one_by_one(plan)
    _put_aside(untried, tried=False)
    _put_aside(held)
    if free:
        _set_aside.clear([plan.lease.key for plan in free])
        _write_together(free)


def _join_first(error: UnsettledLanesError, plans: Sequence[Plan]) -> None:
    """Join lanes, and release those of *plans*, so that their events are applied in one order."""
    db.write(joined_lanes.join, error.people)
    release_later([(plan.lease, 0.0) for plan in plans if plan.lease.key in error.lanes])


def _put_aside(plans: Sequence[Plan], *, tried: bool = True) -> None:
    release_later(
        [(plan.lease, _set_aside.put(plan.lease.key, plan.lease.account_id, tried=tried)) for plan in plans]
    )


def release_later(leases: Sequence[tuple[Lease, float]]) -> None:
    """Release lanes so that each is due after so many seconds; locked lanes keep their leases."""
    now = clock.now()
    due = [(lease, now + timedelta(seconds=seconds)) for lease, seconds in leases]
    if not due:
        return
    try:
        db.write(_release, due)
    except db.HeldRowError:
        for one in due:
            with suppress(db.HeldRowError):
                db.write(_release, [one])


def _release(session: Session, leases: Sequence[tuple[Lease, datetime | None]]) -> None:
    with db.waiting_at_most(session, policy.LONE_PATIENCE):
        lanes.release(session, leases)


def _plan(
    lease: Lease,
    claimed: ClaimedEvents,
    accounts: dict[int, Account],
    directory: AdapterDirectory,
) -> Plan:
    plan = Plan(lease)
    now = clock.now()
    if claimed.more:
        plan.next_at = now
    for event in claimed.events:
        if event.forgotten_at is not None:
            plan.verdicts.append(Verdict(event, EventState.IGNORED, journal_erasure.TAKEN_BACK))
            continue
        if event.retry_at is not None and event.retry_at > now:
            plan.next_at = event.retry_at
            break
        adapter = directory.adapter(event.channel)
        if adapter is None:
            # The addon is not active. Nothing is lost: activating it makes these lanes due again.
            plan.next_at = now + policy.WAIT_FOR_CHANNEL
            break
        refusal = _cannot_apply(event, accounts)
        if refusal is not None:
            plan.verdicts.append(refusal)
            continue
        account = accounts[event.account_id or 0]
        try:
            changes = _of_known(account.ref, _parse(adapter.parse, event))
            if event.attempts + 1 < policy.EVENT_TRIES and _may_be_ours(account.ref, changes):
                _wait(plan, event)
                break
            items = tuple(
                Incoming(
                    account=account.ref,
                    adapter=adapter,
                    change=change,
                    received_at=event.received_at,
                    event_key=event.dedupe_key,
                    stored=_store(change),
                    event_id=event.id,
                    imported=_is_earlier(change),
                    delivered=not _is_earlier(change),
                    media=media_of(adapter, change),
                )
                for change in changes
                if not isinstance(change, Ignored | ToLookUp)
            )
        except NotHereError:
            if _wait_for_message(plan, event):
                break
            continue
        except storage.StoreAwayError as error:
            # Its files came with it, and it isn't applied without them: it waits as long as necessary.
            log.warning("events with files wait for where files are kept: %s", error.words)
            plan.next_at = now + policy.WAIT_FOR_FILES
            break
        except Exception as error:
            log.exception("event %s of channel %s could not be read", event.id, event.channel)
            if _note_failure(plan, event, error):
                break
            continue
        plan.verdicts.append(_verdict(event, changes, items))
    return plan


def _is_earlier(change: InboundChange) -> bool:
    return isinstance(change, MessageReceived | MessageEchoed) and change.earlier


def _cannot_apply(event: PendingEvent, accounts: dict[int, Account]) -> Verdict | None:
    """Return the verdict on an event that has no account, or None if it has one."""
    if event.account_id is None:
        return Verdict(event, EventState.IGNORED, "It names no connected account.")
    account = accounts.get(event.account_id)
    if account is None:
        return Verdict(event, EventState.IGNORED, "Its account was removed.")
    gone_at = account.disconnected_at
    if account.state == AccountState.DISCONNECTED and (gone_at is None or event.received_at > gone_at):
        return Verdict(event, EventState.IGNORED, "Its account was disconnected when it came.")
    return None


def _parse(parse: Callable[[Envelope], Iterable[InboundChange]], event: PendingEvent) -> list[InboundChange]:
    envelope = Envelope(
        account_id=event.account_id,
        lane=event.lane,
        dedupe_key=event.dedupe_key,
        kind=event.kind,
        body=event.body or b"",
        occurred_at=event.occurred_at,
    )
    changes = list(parse(envelope))
    for change in changes:
        if not isinstance(change, InboundChange):
            raise TypeError(f"the adapter made a {type(change).__name__} of it, which is no inbound change")
    return changes


class NotHereError(Exception):
    """An echo without a customer answers a message that is not stored."""


def _of_known(account: AccountRef, changes: Sequence[InboundChange]) -> list[InboundChange]:
    """Return *changes* with the customers of echoes that don't name them, taken from the answered message.

    :raises NotHereError: if that message is not stored (yet).
    """
    return [
        replace(change, contact=_customer(account, change))
        if isinstance(change, MessageEchoed) and not change.contact
        else change
        for change in changes
    ]


def _customer(account: AccountRef, change: MessageEchoed) -> str:
    named = [external_id(one) for one in (change.external_id, change.reply_to) if one]
    query = (
        sa.select(ContactIdentity.external_id)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Message.account_id == account.id, Message.external_id.in_(named))
        .limit(1)
    )
    with db.read() as session:
        found = session.scalar(query)
    if found is None:
        raise NotHereError
    return str(found)


def _wait_for_message(plan: Plan, event: PendingEvent) -> bool:
    """Let an event wait for the message it answers, a few times; return whether the lane waits, too."""
    if event.attempts + 1 >= policy.EVENT_TRIES:
        plan.verdicts.append(
            Verdict(event, EventState.IGNORED, "Written by the account, below nothing that is here.")
        )
        return False
    _wait(plan, event)
    return True


def _wait(plan: Plan, event: PendingEvent) -> None:
    plan.next_at = clock.now() + policy.event_delay(event.attempts + 1)
    plan.verdicts.append(Verdict(event, EventState.PENDING, "It waits.", retry_at=plan.next_at))


def _may_be_ours(account: AccountRef, changes: Sequence[InboundChange]) -> bool:
    """Return whether an answer below a post may be one of ours that is being sent right now.

    The provider may name an unknown author. Once it has answered, the id identifies our reply; until then the
    text does. Messages that aren't answers below posts cost no statement.
    """
    for change in changes:
        if (
            isinstance(change, MessageReceived)
            and change.post is not None
            and bool(change.reply_to and change.text)
            and comparable(change.text) in _being_sent(account, change.post.external_id)
        ):
            return True
    return False


def _being_sent(account: AccountRef, post: str) -> set[str]:
    """Return the texts of our public answers below *post* that the provider has not confirmed yet."""
    since = clock.now() - UNCONFIRMED_FOR
    query = (
        sa.select(Message.text, Message.content)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Post, Post.id == Conversation.post_id)
        .where(
            Post.account_id == account.id,
            Post.external_id == external_id(post),
            # List all of them, so that the index leads from the post to its latest conversations.
            Conversation.status.in_(list(ConversationStatus)),
            Conversation.last_message_at >= since,
            Message.sent_at >= since,
            Message.direction == Direction.OUTBOUND,
            Message.state.in_([DeliveryState.SENDING, DeliveryState.UNKNOWN]),
            Message.external_id.is_(None),
        )
    )
    with db.read() as session:
        return {comparable(words) for words, content in session.execute(query) if not content.get("private")}


def _store(change: InboundChange) -> dict[int, str]:
    """Store the bytes that came with a message, before any transaction; return their keys by position."""
    if not isinstance(change, MessageReceived | MessageEchoed | MessageBounced):
        return {}
    return {
        index: storage.store(attachment.content)
        for index, attachment in enumerate(change.attachments)
        if attachment.content is not None
    }


def _verdict(event: PendingEvent, changes: Sequence[InboundChange], items: tuple[Incoming, ...]) -> Verdict:
    asked = tuple(one for one in changes if isinstance(one, ToLookUp))
    if items or asked:
        return Verdict(event, EventState.APPLIED, items=items, asked=asked)
    reasons = [change.reason for change in changes if isinstance(change, Ignored)]
    return Verdict(event, EventState.IGNORED, "; ".join(reasons) or "Nothing in it is for the inbox.")


def _note_failure(plan: Plan, event: PendingEvent, error: BaseException) -> bool:
    """Decide about a failed try; return whether the lane must wait for the next one."""
    attempts = event.attempts + 1
    reason = _words(error)
    if attempts >= policy.EVENT_TRIES:
        plan.verdicts.append(Verdict(event, EventState.DEAD, reason))
        return False
    plan.next_at = clock.now() + policy.event_delay(attempts)
    plan.verdicts.append(Verdict(event, EventState.PENDING, reason, retry_at=plan.next_at))
    return True


def _write(work: Callable[..., None], *what: Any) -> None:
    """Run *work* of *what* in a write.

    People who are one are joined first; then their lanes are, too, and their older events come before these.

    :raises UnsettledLanesError: if somebody was joined.
    """
    stay_two: set[tuple[int, int]] = set()
    while True:
        try:
            db.write(work, *what, stay_two)
        except PeopleToJoinError as error:
            joined = one_person.join(error.joins)
            if joined:
                raise UnsettledLanesError(joined) from None
            stay_two.update(error.joins)
        else:
            return


def _write_all(
    session: Session, plans: Sequence[Plan], patience: float, stay_two: Collection[tuple[int, int]]
) -> None:
    """Write *plans*, waiting no longer than *patience* seconds for a locked row.

    :param stay_two: people who cannot be joined.

    The inbox comes first, the fence afterwards: see :mod:`host.queue.lanes`.

    :raises LeaseLostError: if another worker has one of the lanes; its lease is marked lost.
    :raises PeopleToJoinError: if there are others.
    :raises UnsettledLanesError: if older events of somebody wait in another lane than of these.
    """
    with db.waiting_at_most(session, patience):
        verdicts = [verdict for plan in plans for verdict in plan.verdicts]
        items = [item for verdict in verdicts for item in verdict.items]
        applied = _apply(session, items, stay_two)
        if items:
            verdicts = _applied(verdicts, applied)
        _check_fence(session, [plan.lease for plan in plans], applied.joined)
        _ask_later(session, verdicts)
        _record(session, verdicts)
        _forget(session, verdicts)
        lanes.release(session, [(plan.lease, plan.next_at) for plan in plans])
        emptied = [plan.lease.key for plan in plans if plan.lease.spooled and plan.next_at is None]
        if emptied:
            spooled_lanes.forget(session, emptied)


def _check_fence(session: Session, leases: Sequence[Lease], joined: Sequence[OnePerson]) -> None:
    session.flush()
    others = {lane for one in joined for lane in one.lanes}
    if len(lanes.held(session, leases, others)) < len(leases):
        raise LeaseLostError
    if joined:
        own = {lease.key for lease in leases}
        found = joined_lanes.find_unsettled(session, joined, own)
        if found or lanes.are_leased_locally(others - own):
            raise UnsettledLanesError(found or joined)


def _apply(session: Session, items: Sequence[Incoming], stay_two: Collection[tuple[int, int]]) -> Applied:
    """Apply changes of conversations to the inbox, and warn about changes of a whole account."""
    if not items:
        return Applied()
    for item in items:
        if isinstance(item.change, AccountNoticed):
            _warn(session, item.account, item.change)
    about_people = [item for item in items if not isinstance(item.change, AccountNoticed)]
    applied = apply_changes(session, about_people, waits=False)
    new = {pair: item for pair, item in applied.joins.items() if pair not in stay_two}
    if new:
        raise PeopleToJoinError(new)
    if applied.moved and len({item.event_key for item in about_people}) > 1:
        by_it = {(item.account.id, external_id(_contact(item))) for item in about_people}
        if not by_it.isdisjoint(applied.moved):
            raise UnsettledLanesError(applied.joined) if applied.joined else IdMovedError(applied.moved)
    _keep_again(session, items)
    return applied


def _warn(session: Session, account: AccountRef, notice: AccountNoticed) -> None:
    if notice.over:
        warnings.clear(session, account.id, notice.kind[:32])
        return
    details = {name: clean(str(value)) for name, value in notice.details.items()}
    if not notice.bad:
        row = session.get(ChannelAccount, account.id)
        if row is not None and row.state != AccountState.DISCONNECTED:
            warnings.notify_owners(session, row, notice.sentence, notice.next_step, details, "warn")
        return
    warnings.raise_warning(
        session,
        account.id,
        kind=notice.kind[:32],
        sentence=notice.sentence,
        next_step=notice.next_step,
        details=details,
        stage=notice.at.isoformat(),  # people are notified of each
        tone="bad",
    )


def _applied(verdicts: Sequence[Verdict], applied: Applied) -> list[Verdict]:
    """Return *verdicts* after the inbox decided: events it refused become ignored, with its reason."""
    # Not by ``replace``, which looks at all fields of the class for each event.
    return [
        replace(one, state=EventState.IGNORED, reason=applied.refused[one.event.id])
        if one.event.id in applied.refused
        else Verdict(
            one.event,
            one.state,
            one.reason,
            one.items,
            one.asked,
            one.retry_at,
            applied.made.get(one.event.id),
        )
        for one in verdicts
    ]


def _keep_again(session: Session, items: Sequence[Incoming]) -> None:
    """Make sure after the commit that the bytes are stored, because removing another message may have removed
    them.
    """
    contents = [
        attachment.content
        for item in items
        for index, attachment in enumerate(getattr(item.change, "attachments", ()))
        if index in item.stored and attachment.content is not None
    ]

    def store() -> None:
        try:
            for content in contents:
                storage.store(content)
        except storage.StoreAwayError as error:
            log.warning("files could not be cleaned up again: %s", error.words)

    if contents:
        db.after_commit(session, store)


def _write_one(
    session: Session, lease: Lease, verdict: Verdict, stay_two: Collection[tuple[int, int]]
) -> None:
    with db.waiting_at_most(session, policy.LOCK_PATIENCE):
        applied = _apply(session, verdict.items, stay_two)
        (verdict,) = _applied([verdict], applied)
        _check_fence(session, [lease], applied.joined)
        _ask_later(session, [verdict])
        _record(session, [verdict])
        _forget(session, [verdict])


def _ask_later(session: Session, verdicts: Sequence[Verdict]) -> None:
    """Note the requests about events that :mod:`host.delivery.posts` makes to providers."""
    rows = [
        {
            "account_id": one.event.account_id,
            "event_id": one.event.id,
            "number": number,
            "what": clean_value(dict(asked.what)),
            "attempts": 0,
            "due_at": clock.now(),
        }
        for one in verdicts
        for number, asked in enumerate(one.asked)
    ]
    if rows:
        session.execute(db.insert_ignore(_look_ups, session.get_bind().dialect.name), rows)


def _forget(session: Session, verdicts: Sequence[Verdict]) -> None:
    """Delete the content of events that were received again after its deletion."""
    journal_erasure.forget_events(
        session, {one.event.id for one in verdicts if one.event.forgotten_at is not None}
    )


def _write_one_by_one(plan: Plan) -> None:
    """Write each verdict of one lane in its own transaction, so that only the failing event waits."""
    try:
        _write_verdicts(plan)
    except LeaseLostError:
        return
    except UnsettledLanesError as error:
        _join_first(error, [plan])
    except (HeldConversationsError, db.HeldRowError):
        _put_aside([plan])


def _write_verdicts(plan: Plan) -> None:
    rest = Plan(plan.lease, next_at=plan.next_at)
    for verdict in plan.verdicts:
        try:
            _write(_write_one, plan.lease, verdict)
        except (LeaseLostError, UnsettledLanesError, HeldConversationsError, db.HeldRowError):
            raise
        except Exception as error:
            _raise_if_away(error)
            log.exception(
                "event %s of channel %s could not be applied", verdict.event.id, verdict.event.channel
            )
            waits = _note_failure(rest, verdict.event, error)
            _write(_write_one, plan.lease, rest.verdicts.pop())
            if waits:
                break
    _write(_write_all, [rest], policy.LOCK_PATIENCE)


def _record(session: Session, verdicts: Sequence[Verdict]) -> None:
    """Write the states of events; one statement for all with the same state."""
    now = clock.now()
    connection = session.connection()
    groups: dict[tuple[EventState, str | None, int, datetime | None], list[int]] = {}
    for one in verdicts:
        key = (one.state, one.reason, one.event.attempts + 1, one.retry_at)
        groups.setdefault(key, []).append(one.event.id)
    for (state, reason, attempts, retry_at), ids in groups.items():
        applied_at = now if state is EventState.APPLIED else None
        values = {
            "ids": db.padded(ids),
            "new_state": state.value,
            "new_reason": None if reason is None else printable(reason, 500),
            "new_attempts": attempts,
            "new_retry_at": retry_at,
            "new_applied_at": applied_at,
        }
        _set_state.run(connection, values)
    db.after_commit(session, partial(_count, verdicts))


def _count(verdicts: Sequence[Verdict]) -> None:
    now = clock.now()
    steps: dict[EventState, list[logs.Ids]] = {}
    times: dict[tuple[str, EventState], list[timedelta]] = {}
    for one in verdicts:
        conversation, message = one.made or (None, None)
        step = {
            "event_id": one.event.id,
            "request_id": one.event.request_id,
            "conversation_id": conversation,
            "message_id": message,
        }
        steps.setdefault(one.state, []).append(step)
        if one.state is not EventState.PENDING:
            since = one.event.replayed_at or one.event.received_at
            times.setdefault((one.event.channel, one.state), []).append(now - since)
    for (channel, state), taken in times.items():
        recording.handled(channel, state, taken)
    for state, together in steps.items():
        logs.follow_each("tried" if state is EventState.PENDING else state.value, together)


def _words(error: BaseException) -> str:
    """Return why an event failed, for the journal's page, without a statement's values or a traceback."""
    if isinstance(error, sa.exc.DBAPIError):
        words = db.describe(error)[1]
    else:
        words = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _raise_if_away(error: BaseException) -> None:
    """Raise *error* again if the database caused it, not an event."""
    if not isinstance(error, sa.exc.SQLAlchemyError):
        return
    try:
        with db.read() as session:
            session.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        raise error from None
