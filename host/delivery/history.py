"""Read an account's history from its provider into the inbox, one call at a time; also after an outage.

Messages are merged with stored ones by the provider's ids. Those from before the account was connected are
marked as imported and are never unread. A message that should have been delivered counts as received: it is
unread, and people are notified. The reply window counts from the time of either. Every step is claimed, done
outside any transaction, and written together with the next position: if a process dies, one call is lost.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.backports.values import replace
from host.core.cleaning import clean_short, external_id, is_providers
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery import agent_messages, merging
from host.events.writing import show
from host.inbox.apply.incoming import Incoming
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import OF_PERSON, ContactIdentity, Conversation, Direction, Message
from host.models.posts import Post
from host.models.queue import CatchUp, CatchUpState, CatchUpThread
from host.models.users import InstallationValue
from host.queue import catch_ups, paused, policy
from host.sdk.channel import AccountRef, ChannelAdapter, ProviderProblem
from host.sdk.history import HistoryPage, HistoryThread, HistoryTrouble, KnownMessage, ThreadPage

log = logging.getLogger(__name__)

PACE = timedelta(milliseconds=500)
"""Time between two calls for one account, by any process; providers allow two a second."""
CLAIM = timedelta(minutes=3)
"""How long a step may take; after that its process is assumed dead."""
WHILE_HELD = timedelta(minutes=5)
"""Retry interval of steps that wait until the provider answers an account again."""
WAIT_FOR_CHANNEL = timedelta(minutes=1)
"""Retry interval of a step that waits for an addon or a reconnect; each try costs one query."""
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 180, 600))
MOST_PAGES = 20
"""Most pages read of one thread; after that, the thread is only marked as longer."""
KNOWN = 200
"""Most stored messages below a post whose ids are passed to the adapter."""

RAISED = HistoryTrouble(ProviderProblem("addon", agent_messages.HISTORY_RAISED))

_runs = CatchUp.metadata.tables["catch_ups"]
_threads = CatchUpThread.metadata.tables["catch_up_threads"]


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """The next step for one account, claimed for this process.

    :param missed_since: time since which a message that is not stored was missed.
    :param thread: the row of the thread to continue with; None: list threads, or no thread is left.
    """

    account: AccountRef
    account_state: AccountState
    claim: str
    pace: timedelta
    state: CatchUpState
    cursor: str
    missed_since: datetime | None
    thread_id: int | None
    thread: HistoryThread | None
    thread_cursor: str


def step_due(directory: AdapterDirectory, *, pace: timedelta = PACE) -> int:
    """Take one step for each due account; return the number of steps.

    :param pace: delay until an account's next step.
    """
    with db.read() as session:
        due = list(session.scalars(sa.select(_runs.c.account_id).where(_runs.c.next_at <= clock.now())))
    for account_id in due:
        step = db.write(_claim, account_id, pace)
        if step is not None:
            _run(step, directory)
    return len(due)


def _claim(session: Session, account_id: int, pace: timedelta = PACE) -> HistoryStep | None:
    now = clock.now()
    run = session.get(CatchUp, account_id, with_for_update=True)
    if run is None or run.next_at is None or run.next_at > now:
        return None
    account = session.get_one(ChannelAccount, account_id)
    if account.state == AccountState.CONNECTED and account.blocked_until and account.blocked_until > now:
        run.next_at = account.blocked_until
        return None
    if account_id in paused.current(session).accounts:
        run.next_at = now + WAIT_FOR_CHANNEL
        return None
    run.next_at, run.claim = now + CLAIM, uuid.uuid4().hex
    thread = None
    if run.state == CatchUpState.READING:
        query = (
            sa.select(CatchUpThread)
            .where(CatchUpThread.account_id == account_id, CatchUpThread.state == CatchUpState.READING)
            .order_by(CatchUpThread.id)
            .limit(1)
        )
        thread = session.scalars(query).one_or_none()
    session.flush()
    return HistoryStep(
        account=ref(account),
        account_state=AccountState(account.state),
        claim=run.claim,
        pace=pace,
        state=CatchUpState(run.state),
        cursor=run.cursor,
        missed_since=run.missed_since,
        thread_id=None if thread is None else thread.id,
        thread=None
        if thread is None
        else HistoryThread(thread.external_id, thread.contact, thread.updated_at, thread.username),
        thread_cursor="" if thread is None else thread.cursor,
    )


def _run(step: HistoryStep, directory: AdapterDirectory) -> None:
    adapter = directory.adapter(step.account.channel)
    if step.account_state is AccountState.DISCONNECTED:
        db.write(_end, step, CatchUpState.FAILED, agent_messages.HISTORY_GONE)
    elif adapter is None:
        db.write(_wait, step, WAIT_FOR_CHANNEL, _words(agent_messages.HISTORY_INACTIVE), counts=False)
    elif adapter.capabilities.history is None:
        db.write(_drop, step)
    elif step.account_state is AccountState.NEEDS_RECONNECT:
        db.write(_wait, step, WAIT_FOR_CHANNEL, _words(agent_messages.HISTORY_RECONNECT), counts=False)
    elif step.state is CatchUpState.LISTING:
        _list(step, adapter)
    elif step.thread is not None:
        _read(step, step.thread, adapter)
    else:
        db.write(_end, step, CatchUpState.DONE)


def _list(step: HistoryStep, adapter: ChannelAdapter) -> None:
    try:
        page = adapter.threads(step.account, step.cursor)
    except Exception:
        log.exception("the adapter of %s raised while listing threads", step.account.channel)
        page = RAISED
    if isinstance(page, ThreadPage):
        db.write(_note_threads, step, page)
    elif page.final or not db.write(_put_off, step, page):
        db.write(_end, step, CatchUpState.FAILED, page.problem.sentence, page.problem.next_step)


def _read(step: HistoryStep, thread: HistoryThread, adapter: ChannelAdapter) -> None:
    if not thread.contact and not step.thread_cursor:
        thread = replace(thread, known=_known(step.account, thread.external_id))
    try:
        page = adapter.history(step.account, thread, step.thread_cursor)
        incoming = (
            merging.incoming(step.account, adapter, page.changes, step.missed_since)
            if isinstance(page, HistoryPage)
            else []
        )
    except storage.StoreAwayError as error:
        log.warning("reading history waits for where files are kept: %s", error.words)
        db.write(_wait, step, policy.WAIT_FOR_FILES, None, counts=False)
        return
    except Exception:
        log.exception("the adapter of %s raised while reading a thread", step.account.channel)
        page, incoming = RAISED, []
    if isinstance(page, HistoryTrouble):
        if page.final or not db.write(_put_off, step, page):
            db.write(_give_up_thread, step, page.problem)
        return
    try:
        db.write(_note_page, step, page, incoming)
    except merging.BusyError:
        # A worker holds this customer's lane.
        db.write(_wait, step, timedelta(seconds=1), None, counts=False)


def _known(account: AccountRef, post: str) -> tuple[KnownMessage, ...]:
    """Return the newest messages of customers below a post."""
    query = (
        sa.select(Message.external_id, ContactIdentity.external_id, Message.sent_at)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(Post, Post.id == Conversation.post_id)
        .where(
            Post.account_id == account.id,
            Post.external_id == post,
            Message.direction == Direction.INBOUND,
            Message.external_id.is_not(None),
            Message.unsent_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(KNOWN)
    )
    with db.read() as session:
        return tuple(
            KnownMessage(name, contact, at)
            for name, contact, at in session.execute(query)
            if name is not None and is_providers(name)
        )


# ---- what a step leaves ----------------------------------------------------------------------------


def _held(session: Session, step: HistoryStep) -> CatchUp | None:
    """Return the locked row of *step*, if this process still holds the claim."""
    run = session.get(CatchUp, step.account.id, with_for_update=True)
    return run if run is not None and run.claim == step.claim else None


def _go_on(session: Session, run: CatchUp, step: HistoryStep) -> None:
    run.next_at, run.claim, run.failures, run.problem = clock.now() + step.pace, None, 0, None
    session.flush()
    show(session, step.account.workspace_id, "catch_up", account_id=step.account.id)


def _note_threads(session: Session, step: HistoryStep, page: ThreadPage) -> None:
    run = _held(session, step)
    if run is None:
        return
    listed = [
        one
        for one in page.threads
        if run.since is None or one.updated_at is None or one.updated_at >= run.since
    ]
    here = _with_conversation(session, step.account.id, [one.contact for one in listed if one.contact])
    rows = [
        {
            "account_id": step.account.id,
            "external_id": external_id(one.external_id),
            "contact": external_id(one.contact),
            "username": clean_short(one.username, 255),
            "updated_at": one.updated_at,
            "state": CatchUpState.READING,
            "was_here": external_id(one.contact) in here,
            "cursor": "",
            "pages": 0,
            "imported": 0,
            "untold": 0,
        }
        for one in listed
    ]
    if rows:
        session.execute(db.insert_ignore(_threads, session.get_bind().dialect.name), rows)
    run.cursor = page.after if page.after != run.cursor else ""
    if not run.cursor:
        run.state = CatchUpState.READING
    _go_on(session, run, step)


def _with_conversation(session: Session, account_id: int, contacts: Sequence[str]) -> set[str]:
    query = (
        sa.select(ContactIdentity.external_id)
        .join(Conversation, Conversation.identity_id == OF_PERSON)
        .where(
            ContactIdentity.account_id == account_id,
            ContactIdentity.external_id.in_([external_id(one) for one in contacts]),
        )
    )
    return set(session.scalars(query))


def _note_page(session: Session, step: HistoryStep, page: HistoryPage, incoming: Sequence[Incoming]) -> None:
    run = _held(session, step)
    row = None if step.thread_id is None else session.get(CatchUpThread, step.thread_id)
    if run is None or row is None:
        return
    merged = merging.merge(session, step.account, row.contact, incoming, page.untold)
    row.imported += merged.imported
    row.untold += merged.untold
    row.pages += 1
    row.cursor = page.after if page.after != row.cursor else ""
    if not row.cursor or row.pages >= MOST_PAGES:
        row.state = CatchUpState.DONE
    _go_on(session, run, step)


def _give_up_thread(session: Session, step: HistoryStep, problem: ProviderProblem) -> None:
    run = _held(session, step)
    row = None if step.thread_id is None else session.get(CatchUpThread, step.thread_id)
    if run is None or row is None:
        return
    row.state, row.problem = CatchUpState.FAILED, _words(problem.sentence, problem.next_step)
    _go_on(session, run, step)


def _put_off(session: Session, step: HistoryStep, trouble: HistoryTrouble) -> bool:
    """Repeat the step later; return False after the last try."""
    run = _held(session, step)
    if run is None:
        return True
    words = _words(trouble.problem.sentence, trouble.problem.next_step)
    if trouble.held:
        return _wait(session, step, WHILE_HELD, words, counts=False)
    if run.failures >= len(DELAYS):
        return False
    delay = DELAYS[run.failures]
    if trouble.retry_after is not None:
        delay = max(delay, timedelta(seconds=trouble.retry_after))
    return _wait(session, step, delay, words)


def _wait(
    session: Session, step: HistoryStep, delay: timedelta, why: dict[str, str] | None, *, counts: bool = True
) -> bool:
    run = _held(session, step)
    if run is not None:
        run.next_at, run.claim, run.problem = clock.now() + delay, None, why
        run.failures += counts
        session.flush()
        show(session, step.account.workspace_id, "catch_up", account_id=step.account.id)
    return True


def _end(
    session: Session, step: HistoryStep, state: CatchUpState, sentence: str = "", next_step: str = ""
) -> None:
    run = _held(session, step)
    if run is None:
        return
    run.state, run.finished_at, run.next_at, run.claim = state, clock.now(), None, None
    run.problem = _words(sentence, next_step) if sentence else None
    failed = session.scalar(
        sa.select(sa.func.count())
        .select_from(_threads)
        .where(_threads.c.account_id == step.account.id, _threads.c.state == CatchUpState.FAILED)
    )
    if state is CatchUpState.DONE and not failed:
        run.complete_at = run.started_at
    session.flush()
    show(session, step.account.workspace_id, "catch_up", account_id=step.account.id)


def _drop(session: Session, step: HistoryStep) -> None:
    """Stop reading the history of an account whose provider offers none."""
    session.execute(sa.delete(_runs).where(_runs.c.account_id == step.account.id))


def _words(sentence: str, next_step: str = "") -> dict[str, str]:
    return {"sentence": sentence, "next_step": next_step}


NAME = "alive_at"
NOTE_EVERY = timedelta(minutes=5)
LONG = timedelta(hours=1)
"""After an outage of this length a provider may have stopped delivering; after a shorter one it redelivers.
"""


class OutageWatch:
    """Stores periodically that the desk is running, and starts catching up after a long outage.

    Providers give up delivering after a while, so missed messages must be read.
    """

    def __init__(self) -> None:
        self._noted_at: datetime | None = None

    def check(self) -> None:
        """Start catching up for every account after a long outage of the desk; store the time."""
        now = clock.now()
        if self._noted_at is None or now - self._noted_at >= NOTE_EVERY:
            db.write(_note, now)
            self._noted_at = now


_outage = OutageWatch()


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(_runs.c.next_at, now)


def note_running() -> None:
    """Store from time to time that the desk is running."""
    _outage.check()


def catch_up(directory: AdapterDirectory) -> None:
    """Read history: one call for each account that catches up."""
    step_due(directory)


def _note(session: Session, now: datetime) -> None:
    noted = session.get(InstallationValue, NAME, with_for_update=True)
    if noted is None:
        table = InstallationValue.metadata.tables["installation_values"]
        values = {"name": NAME, "value": now.isoformat()}
        session.execute(db.insert_ignore(table, session.get_bind().dialect.name), values)
        return
    alive_at = datetime.fromisoformat(noted.value)
    away = now - alive_at
    noted.value = now.isoformat()
    session.flush()
    if away >= LONG:
        _ask_all(session, alive_at)


def ask_since_backup(session: Session) -> None:
    """Ask providers for events since the restored state, because they do not deliver them again."""
    noted = session.get(InstallationValue, NAME)
    if noted is not None:
        _ask_all(session, datetime.fromisoformat(noted.value))


def _ask_all(session: Session, missed_since: datetime) -> None:
    live = sa.select(ChannelAccount.id).where(ChannelAccount.state != AccountState.DISCONNECTED)
    for account_id in list(session.scalars(live)):
        catch_ups.ask(session, account_id, missed_since=missed_since)
