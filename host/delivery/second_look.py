"""Look for messages a provider did not deliver, account by account, one call at a time.

A check lists the threads that changed last with the ids of their newest messages. A thread with an unknown id
is noted, and read two minutes later if the message has not been delivered by then. Missing messages are added
through the inbound log. Every step is claimed, done outside any transaction, and written together with the
next position: a process may die between any two, and a step that lost its claim writes nothing.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.cleaning import external_id
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery import agent_messages, look_interval, missing
from host.events.writing import show
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.queue import CatchUp, SecondLook, SecondLookThread
from host.queue import paused
from host.sdk.channel import AccountRef, ChannelAdapter, ProviderProblem
from host.sdk.history import (
    HistoryThread,
    HistoryTrouble,
    LatestMessage,
    ListedMessage,
    ListedThread,
    LookRules,
    NewestPage,
)
from host.sdk.messages import MessageReceived

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=2)
"""How long a message may be in transit after it was first listed, by our clock."""
RECHECK = timedelta(minutes=1)
"""Delay before rechecking a customer who has a delivery that waits to be applied."""
CLAIM = timedelta(seconds=45)
"""How long a step may take; after that its process is assumed dead."""
PACE = timedelta(milliseconds=500)
"""Time between two calls for one account."""
WAIT = timedelta(minutes=1)
"""Retry interval of steps that wait for an addon, a reconnect or the end of catching up."""
WHILE_HELD = timedelta(minutes=5)
"""Retry interval of steps that wait until the provider answers an account again: one query, no call."""
AFTER_REFUSAL = timedelta(hours=1)
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 180))
CLOCKS = timedelta(minutes=10)
"""How far the provider's clock may be behind: messages sent this long before deliveries began count, too."""
MOST_PAGES = 20
ASKED_AGAIN = timedelta(minutes=1)
"""Minimum interval between checks of an account requested by people."""
FIND_NEW = timedelta(seconds=30)
KEPT = timedelta(days=7)
"""How long a thread without missed messages is remembered after it was last listed."""
AT_ONCE = 200
THREADS = 8
"""Accounts checked in parallel: a provider takes a second to answer."""

RAISED = HistoryTrouble(ProviderProblem("addon", agent_messages.LOOK_RAISED))

_grace = GRACE
_looks = SecondLook.metadata.tables["second_looks"]
_threads = SecondLookThread.metadata.tables["second_look_threads"]


def wait_for(seconds: int) -> None:
    """Set how long this process waits for a message that may be in transit."""
    global _grace  # noqa: PLW0603 - a setting of the process
    _grace = timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class LookStep:
    """The next step for one account, claimed for this process.

    :param thread: the thread to read; None: list threads from *cursor*.
    """

    account: AccountRef
    claim: str
    rules: LookRules
    cursor: str
    thread: HistoryThread | None
    pace: timedelta


class NewAccounts:
    """Starts checks of newly connected accounts whose provider supports them."""

    def __init__(self) -> None:
        self._next_at: float = 0

    def begin(self, directory: AdapterDirectory) -> None:
        """Periodically start checking new accounts."""
        if clock.monotonic() < self._next_at:
            return
        self._next_at = clock.monotonic() + FIND_NEW.total_seconds()
        begin(directory)


_new_accounts = NewAccounts()


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(_looks.c.next_at, now)


def begin_new(directory: AdapterDirectory) -> None:
    """Start checks of accounts that are new, from time to time."""
    _new_accounts.begin(directory)


def look(directory: AdapterDirectory) -> bool:
    """Look for undelivered messages: one call for each account that is due."""
    return step_due(directory) == AT_ONCE


def begin(directory: AdapterDirectory) -> None:
    """Start checks of every connected account that is new or was reconnected."""
    with db.read() as session:
        missing_ones = session.execute(
            sa.select(ChannelAccount.id, ChannelAccount.channel)
            .outerjoin(SecondLook, SecondLook.account_id == ChannelAccount.id)
            .where(ChannelAccount.state == AccountState.CONNECTED, SecondLook.account_id.is_(None))
        ).all()
    for account_id, channel in missing_ones:
        rules = _rules(directory.adapter(channel))
        if rules is not None:
            db.write(_begin, account_id, rules.shortest)


def _begin(session: Session, account_id: int, interval: timedelta) -> None:
    now = clock.now()
    account = session.get(ChannelAccount, account_id)
    if account is None or account.state != AccountState.CONNECTED:
        return
    at = look_interval.next_time(account.uuid, now, interval)
    values = {
        "account_id": account_id,
        "since": now - CLOCKS,
        "next_at": at,
        "look_at": at,
        "interval": int(interval.total_seconds()),
        "reason": "",
        "cursor": "",
        "calls": 0,
        "pages": 0,
        "customers": 0,
        "used_percent": 0,
        "failures": 0,
    }
    session.execute(db.insert_ignore(_looks, session.get_bind().dialect.name).values(**values))


def _rules(adapter: ChannelAdapter | None) -> LookRules | None:
    return None if adapter is None else adapter.capabilities.second_look


def ask(session: Session, account_id: int, rules: LookRules) -> bool:
    """Check an account now unless it was checked within a minute; return whether it is being checked."""
    now = clock.now()
    _begin(session, account_id, rules.shortest)
    run = session.get(SecondLook, account_id, with_for_update=True)
    if run is None or (run.looked_at is not None and run.looked_at > now - ASKED_AGAIN):
        return False
    run.look_at = min(run.look_at, now)
    run.next_at = min(run.next_at, now) if run.claim is None else run.next_at
    return True


def step_due(directory: AdapterDirectory, *, pace: timedelta = PACE) -> int:
    """Take one step for each due account, some in parallel; return the number of steps."""
    query = (
        sa.select(_looks.c.account_id)
        .where(_looks.c.next_at <= clock.now())
        .order_by(_looks.c.next_at)
        .limit(AT_ONCE)
    )
    with db.read() as session:
        due = list(session.scalars(query))
    take = partial(_take, directory=directory, pace=pace)
    if len(due) == 1:
        take(due[0])
    elif due:
        with ThreadPoolExecutor(THREADS, "second-look") as pool:
            list(pool.map(take, due))
    return len(due)


def _take(account_id: int, *, directory: AdapterDirectory, pace: timedelta) -> None:
    with db.read() as session:
        channel = session.scalar(sa.select(ChannelAccount.channel).where(ChannelAccount.id == account_id))
    adapter = directory.adapter(channel) if channel is not None else None
    step = db.write(_claim, account_id, _rules(adapter), pace, adapter is not None)
    if step is None or adapter is None:
        return
    if step.thread is None:
        _list(step, adapter)
    else:
        _read(step, step.thread, adapter)


def _claim(
    session: Session,
    account_id: int,
    rules: LookRules | None,
    pace: timedelta = PACE,
    addon_is_active: bool = True,
) -> LookStep | None:
    now = clock.now()
    run = session.get(SecondLook, account_id, with_for_update=True)
    if run is None or run.next_at > now:
        return None
    account = session.get_one(ChannelAccount, account_id)
    if account.state == AccountState.DISCONNECTED or (rules is None and addon_is_active):
        session.execute(sa.delete(_threads).where(_threads.c.account_id == account_id))
        session.delete(run)
        return None
    wait = _has_to_wait(session, account, now)
    if rules is None or wait is not None:
        run.next_at = wait or now + WAIT
        return None
    thread = _next_thread(session, account_id, now)
    if thread is None and not run.cursor and run.look_at > now:
        _plan(session, run, now)
        return None
    if thread is None and not run.cursor:
        run.began_at, run.pages, run.seen_now = now, 0, None
    run.next_at, run.claim = now + CLAIM, uuid.uuid4().hex
    session.flush()
    return LookStep(ref(account), run.claim, rules, run.cursor, thread, pace)


def _has_to_wait(session: Session, account: ChannelAccount, now: datetime) -> datetime | None:
    """Return the time until which an account cannot be checked; None if it can be."""
    if account.state != AccountState.CONNECTED or account.id in paused.current(session).accounts:
        return now + WAIT
    if account.blocked_until and account.blocked_until > now:
        # What holds it back may end sooner than expected.
        return min(account.blocked_until, now + WHILE_HELD)
    reading = sa.select(CatchUp.account_id).where(
        CatchUp.account_id == account.id, CatchUp.next_at.is_not(None)
    )
    # Messages that catching up is about to add were not missed.
    return now + WAIT if session.scalar(reading) is not None else None


def _next_thread(session: Session, account_id: int, now: datetime) -> HistoryThread | None:
    """Return the next thread to read; finish those whose messages have all arrived."""
    due = session.scalars(
        sa.select(SecondLookThread)
        .where(SecondLookThread.account_id == account_id, SecondLookThread.due_at <= now)
        .order_by(SecondLookThread.due_at)
    ).all()
    for row in due:
        if missing.may_still_come(session, account_id, [row.contact]):
            row.due_at = now + RECHECK
        elif not row.deep and missing.here(session, account_id, row.unknown).keys() >= set(row.unknown):
            session.delete(row)
        else:
            return HistoryThread(row.external_id, row.contact)
    return None


# ---- listing ---------------------------------------------------------------------------------------


def _list(step: LookStep, adapter: ChannelAdapter) -> None:
    try:
        page = adapter.newest(step.account, step.cursor)
    except Exception:
        log.exception("the adapter of %s raised while listing newest messages", step.account.channel)
        page = RAISED
    if isinstance(page, NewestPage):
        db.write(_note_list, step, page)
    else:
        db.write(_put_off, step, page)


def _held(session: Session, step: LookStep) -> SecondLook | None:
    """Return the locked row of *step*, if this process still holds the claim."""
    run = session.get(SecondLook, step.account.id, with_for_update=True)
    return run if run is not None and run.claim == step.claim else None


def _note_list(session: Session, step: LookStep, page: NewestPage) -> None:
    run = _held(session, step)
    if run is None:
        return
    now = clock.now()
    run.calls, run.pages, run.used_percent = run.calls + 1, run.pages + 1, page.used_percent
    _note_threads(session, run, page.threads, now)
    times = [one.thread.updated_at for one in page.threads if one.thread.updated_at is not None]
    run.seen_now = max([*times, *([run.seen_now] if run.seen_now else [])], default=None)
    begun = run.seen_until or run.since
    changed = sum(at > begun for at in times)
    # Don't use only the last one of the page: the order of a list is unreliable.
    more = page.after not in {"", run.cursor} and run.pages < MOST_PAGES and changed * 2 > len(page.threads)
    if more:
        run.cursor = page.after
    else:
        _end(session, run, step, now)
    run.claim, run.failures, run.problem = None, 0, None
    _plan(session, run, now, step.pace)


def _note_threads(session: Session, run: SecondLook, listed: Sequence[ListedThread], now: datetime) -> None:
    names = {external_id(message.external_id) for one in listed for message in one.newest}
    known = missing.here(session, run.account_id, names)
    anchor = run.looked_at or run.since
    noted: dict[str, SecondLookThread] | None = None
    for one in listed:
        unknown = [
            name
            for message in one.newest
            if (name := external_id(message.external_id)) not in known
            and message.ours is not True
            and (message.sent_at is None or message.sent_at >= run.since)
        ]
        changed = one.thread.updated_at is None or one.thread.updated_at >= (run.seen_until or run.since)
        reaches_back = not one.more or any(
            _is_settled(message, known, anchor, run.since) for message in one.newest
        )
        deep = changed and not reaches_back if one.newest else changed
        if not unknown and not deep:
            continue
        if noted is None:
            noted = _noted(session, run.account_id, listed)
        _note_thread(session, run.account_id, one, noted, unknown, deep, now)


def _is_settled(
    message: ListedMessage, known: dict[str, tuple[datetime, datetime]], anchor: datetime, since: datetime
) -> bool:
    """Return whether messages older than *message* were already checked."""
    found = known.get(external_id(message.external_id))
    if found is not None and found[1] < anchor:
        return True
    return message.sent_at is not None and message.sent_at < since


def _noted(session: Session, account_id: int, listed: Sequence[ListedThread]) -> dict[str, SecondLookThread]:
    query = sa.select(SecondLookThread).where(
        SecondLookThread.account_id == account_id,
        SecondLookThread.external_id.in_([external_id(one.thread.external_id) for one in listed]),
    )
    return {row.external_id: row for row in session.scalars(query)}


def _note_thread(
    session: Session,
    account_id: int,
    one: ListedThread,
    noted: dict[str, SecondLookThread],
    unknown: list[str],
    deep: bool,
    now: datetime,
) -> None:
    times = [message.sent_at for message in one.newest if message.sent_at is not None]
    until = max(times, default=one.thread.updated_at or now)
    name = external_id(one.thread.external_id)
    row = noted.get(name)
    if row is None:
        row = SecondLookThread(
            account_id=account_id,
            external_id=name,
            contact=external_id(one.thread.contact),
            due_at=now + _grace,
            unknown=unknown,
            deep=deep,
            listed_until=until,
            seen_at=now,
        )
        session.add(row)
        noted[name] = row
        return
    row.seen_at, row.contact = now, external_id(one.thread.contact)
    if row.due_at is not None:
        # It is read soon; later messages are left for the following check.
        return
    if deep or not set(row.unknown) >= set(unknown):
        row.due_at, row.unknown, row.deep = now + _grace, unknown, deep
        row.listed_until = until


def _end(session: Session, run: SecondLook, step: LookStep, now: datetime) -> None:
    """Finish a check and choose when the next one starts."""
    run.cursor, run.looked_at = "", run.began_at
    run.seen_until = max((at for at in (run.seen_until, run.seen_now) if at is not None), default=None)
    _choose_next(session, run, step, now)
    missing.calm_down(session, run.account_id)
    old = sa.and_(
        _threads.c.account_id == run.account_id,
        _threads.c.due_at.is_(None),
        _threads.c.seen_at < now - KEPT,
    )
    session.execute(sa.delete(_threads).where(old))


def _choose_next(session: Session, run: SecondLook, step: LookStep, now: datetime) -> None:
    run.customers = look_interval.count_customers(session, run.account_id, now)
    left = look_interval.ON_CREDIT.get(run.reason)
    interval, run.reason = look_interval.choose(step.rules, run.customers, run.calls, run.used_percent)
    if left is not None and run.reason != look_interval.LIMIT:
        # Its calls stay counted: the first interval without credit pays for them.
        interval, run.reason = step.rules.shortest, left
        run.interval = int(interval.total_seconds())
    else:
        run.interval, run.calls = int(interval.total_seconds()), 0
    run.look_at = look_interval.next_time(step.account.uuid, now, interval)
    show(session, step.account.workspace_id, "account", account_id=run.account_id)


def _plan(session: Session, run: SecondLook, now: datetime, pace: timedelta = timedelta()) -> None:
    """Choose when the next step is due."""
    session.flush()
    due = session.scalar(
        sa.select(sa.func.min(SecondLookThread.due_at)).where(SecondLookThread.account_id == run.account_id)
    )
    wanted = now if run.cursor else run.look_at
    run.next_at = max(now + pace, min(wanted, due) if due is not None else wanted)
    session.flush()


def _put_off(session: Session, step: LookStep, trouble: HistoryTrouble) -> None:
    """Retry a step later, or abandon this check if that doesn't help."""
    run = _held(session, step)
    if run is None:
        return
    now = clock.now()
    run.problem = {"sentence": trouble.problem.sentence, "next_step": trouble.problem.next_step}
    run.claim = None
    if trouble.held:
        run.next_at = now + WHILE_HELD
        return
    run.calls += 1
    if trouble.retry_after is not None:
        run.used_percent = 100
    wait = timedelta(seconds=trouble.retry_after or 0)
    if not trouble.final and run.failures < len(DELAYS):
        run.next_at = now + max(DELAYS[run.failures], wait)
        run.failures += 1
        session.flush()
        return
    run.failures = 0
    if step.thread is not None:
        row = _row_of(session, step.account.id, step.thread.external_id)
        if row is not None:
            row.due_at = None
    else:
        run.cursor = ""
        _choose_next(session, run, step, now)
        run.look_at = max(run.look_at, now + (AFTER_REFUSAL if trouble.final else wait))
    _plan(session, run, now, step.pace)


# ---- reading ---------------------------------------------------------------------------------------


def _read(step: LookStep, thread: HistoryThread, adapter: ChannelAdapter) -> None:
    try:
        answer = adapter.latest(step.account, thread)
        latest = (
            [] if isinstance(answer, HistoryTrouble) else [(one, _change(one, adapter)) for one in answer]
        )
    except Exception:
        log.exception("the adapter of %s raised while reading newest messages", step.account.channel)
        answer, latest = RAISED, []
    if isinstance(answer, HistoryTrouble):
        db.write(_put_off, step, answer)
    else:
        db.write(_note_latest, step, thread, latest)


def _change(one: LatestMessage, adapter: ChannelAdapter) -> MessageReceived | None:
    """Return the message that the inbox would create from it, or None."""
    if one.envelope is None:
        return None
    return next((made for made in adapter.parse(one.envelope) if isinstance(made, MessageReceived)), None)


def _note_latest(
    session: Session,
    step: LookStep,
    thread: HistoryThread,
    latest: Sequence[tuple[LatestMessage, MessageReceived | None]],
) -> None:
    run = _held(session, step)
    row = _row_of(session, step.account.id, thread.external_id)
    if run is None or row is None:
        return
    now = clock.now()
    run.calls += 1
    run.claim, run.failures, run.problem = None, 0, None
    contacts = {row.contact, *(change.contact for _, change in latest if change is not None)}
    if missing.may_still_come(session, step.account.id, contacts):
        row.due_at = now + RECHECK
    else:
        found = missing.find(
            session,
            step.account,
            latest,
            since=run.since,
            listed_until=row.listed_until,
        )
        if found.missed:
            missing.put_in(session, step.account, found.missed)
            _look_soon(run, step, now)
            show(session, step.account.workspace_id, "account", account_id=step.account.id)
        later = bool(found.later)
        row.unknown, row.deep = list(found.later if later else found.other), False
        row.due_at, row.listed_until = (now + _grace if later else None), found.until
    _plan(session, run, now, step.pace)


def _look_soon(run: SecondLook, step: LookStep, now: datetime) -> None:
    """Check soon, and once more after that: where one message is missing, others may be."""
    if run.used_percent >= look_interval.NEARLY_USED_UP:
        return
    run.reason, run.interval = look_interval.TWICE, int(step.rules.shortest.total_seconds())
    run.look_at = min(
        run.look_at,
        look_interval.next_time(step.account.uuid, now, step.rules.shortest),
        now + step.rules.shortest,
    )


def _row_of(session: Session, account_id: int, thread: str) -> SecondLookThread | None:
    query = sa.select(SecondLookThread).where(
        SecondLookThread.account_id == account_id, SecondLookThread.external_id == thread
    )
    return session.scalars(query).one_or_none()
