"""Ask programs of a workspace for the answers that steps wait for.

A run that waits for a program is claimed in one write, the program is asked outside of any, and the run
goes on in another write, if it still waits for that answer. If a process dies in between, another asks again
after the lease, with the same ``webhook-id``.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import __version__
from host.automation import asking_addons
from host.core import clock, db
from host.core.cleaning import clean
from host.core.ports import RuleDirectory
from host.core.statements import earliest
from host.events.writing import because
from host.inbox.contacts import attributes
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.programs import posting, signing
from host.sdk import strictjson
from host.sdk.errors import SecretUnreadableError
from host.sequences import runner, signing_secrets
from host.sequences.body import LONGEST_ANSWER, Call, Keep
from host.sequences.models import Sequence, SequenceAnswer, SequenceRun, WaitsFor

log = logging.getLogger(__name__)

SECONDS = 10.0
"""Timeout of a request in seconds, from the connection to the end of the answer."""
MOST_BYTES = 64 * 1024
"""Most bytes of an answer."""
PAUSES = (timedelta(seconds=2), timedelta(seconds=10))
"""Pauses between tries after no answer, 429 or 5xx."""
LEASE = timedelta(seconds=30)
"""Time after which a program is asked again if no process noted its answer."""
MOST_TRIES = 6
"""Most tries, with those whose answer no process noted."""
MOST_OPEN = 64
"""Most requests that a process has open."""
MOST_OF_WORKSPACE = 4
"""Most of these of one workspace, so that its slow program keeps no others waiting."""
USER_AGENT = f"Lobby/{__version__} (sequences)"


class Claimed(NamedTuple):
    """A call that this process makes.

    :ivar number: of the step in the run; together they are the ``webhook-id``.
    :ivar tries: including this one.
    """

    run_id: int
    number: int
    workspace_id: int
    tries: int


class Request(NamedTuple):
    step: Call
    body: bytes
    headers: Mapping[str, str]


class Outcome(NamedTuple):
    """The result of a call.

    :ivar values: what the run keeps; None: nothing that fits came, because of *why*.
    :ivar is_passing: whether another try could help.
    """

    values: Mapping[str, str] | None
    why: str = ""
    is_passing: bool = False


class _Open:
    """The requests that this process has open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Counter[int] = Counter()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def free(self) -> int:
        with self._lock:
            return MOST_OPEN - self._of.total()

    def full(self) -> list[int]:
        """Return the workspaces that have as many open as they may."""
        with self._lock:
            return [one for one, count in self._of.items() if count >= MOST_OF_WORKSPACE]

    def left(self, workspace_id: int) -> int:
        with self._lock:
            return MOST_OF_WORKSPACE - self._of[workspace_id]

    def submit(self, one: Claimed, directory: RuleDirectory) -> None:
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(MOST_OPEN, "sequence-call")
            self._of[one.workspace_id] += 1
        self._pool.submit(self._make, one, directory)

    def _make(self, one: Claimed, directory: RuleDirectory) -> None:
        try:
            make(one, directory)
        except Exception:
            log.exception("a call of the sequence run %s failed; it is made again", one.run_id)
        finally:
            with self._lock:
                self._of[one.workspace_id] -= 1
                if not self._of[one.workspace_id]:
                    del self._of[one.workspace_id]


_open = _Open()


def is_due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(SequenceRun.due_at, now, SequenceRun.waits_for == WaitsFor.CALL)


def call_due(directory: RuleDirectory) -> bool:
    """Begin calls that are due; return whether there may be more."""
    free = _open.free
    if free <= 0 or not _is_due(_open.full()):
        return False
    claimed = db.write(claim, free, _open.full(), _open.left, clock.now())
    for one in claimed:
        _open.submit(one, directory)
    return bool(claimed)  # what a full workspace has was left out, and hides what others have


def drain(directory: RuleDirectory) -> int:
    """Make all calls that are due in this thread; return how many."""
    done = 0
    while claimed := db.write(claim, MOST_OPEN, (), lambda _workspace: MOST_OPEN, clock.now()):
        for one in claimed:
            make(one, directory)
        done += len(claimed)
    return done


def _due(now: datetime, full: Collection[int]) -> list[sa.ColumnElement[bool]]:
    waiting = [SequenceRun.due_at <= now, SequenceRun.waits_for == WaitsFor.CALL]
    return [*waiting, SequenceRun.workspace_id.not_in(db.padded(list(full)))] if full else waiting


def _is_due(full: Collection[int]) -> bool:
    with db.read() as session:
        return session.scalar(sa.select(SequenceRun.id).where(*_due(clock.now(), full)).limit(1)) is not None


def claim(
    session: Session, most: int, full: Collection[int], left: Callable[[int], int], now: datetime
) -> list[Claimed]:
    """Claim calls that are due until their lease ends, the oldest first.

    :param full: workspaces that get none.
    :param left: returns how many more a workspace may have.
    """
    query = (
        sa.select(SequenceRun)
        .where(*_due(now, full))
        .order_by(SequenceRun.due_at, SequenceRun.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    found: list[Claimed] = []
    taken: Counter[int] = Counter()
    for run in session.scalars(query):
        if taken[run.workspace_id] >= left(run.workspace_id):
            continue
        taken[run.workspace_id] += 1
        run.due_at = now + LEASE
        run.tries = min(run.tries + 1, MOST_TRIES + 1)
        found.append(Claimed(run.id, run.number, run.workspace_id, run.tries))
    session.flush()
    return found


def make(one: Claimed, directory: RuleDirectory) -> None:
    """Ask the program, and let the run go on."""
    asking_addons.write(settle, one, _asked(one), directory, clock.now())


def _asked(one: Claimed) -> Outcome:
    """Ask the program, and return what came of it."""
    if one.tries > MOST_TRIES:
        return Outcome(None, "error")
    try:
        with db.read() as session:
            request = request_of(session, one)
    except SecretUnreadableError:
        log.error("the secret of the sequence of run %s cannot be read", one.run_id)
        return Outcome(None, "secret")
    if request is None:
        return Outcome(None, "unreadable")
    answer = posting.post(
        request.step.url,
        request.body,
        request.headers,
        seconds=SECONDS,
        most=MOST_BYTES + 1,
        patience=None,
    )
    return outcome_of(answer, request.step.keeps)


def request_of(session: Session, one: Claimed) -> Request | None:
    """Return what is posted for a call; None if the run does not wait for it any more, or cannot be read."""
    run = session.get(SequenceRun, one.run_id)
    if run is None or run.waits_for != WaitsFor.CALL or run.number != one.number:
        return None
    body = runner.body_of(session, run.sequence_id, run.version)
    step = None if body is None else body.step(run.step)
    secret = signing_secrets.read(session, run.sequence_id)
    if not isinstance(step, Call) or secret is None:
        return None
    query = (
        sa.select(Conversation.account_id, Conversation.channel, Contact.name, ContactIdentity)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == run.conversation_id)
    )
    account, channel, name, identity = session.execute(query).one()
    values = attributes.values_of(session, [run.contact_id]).get(run.contact_id, {})
    named = attributes.named(attributes.all_of(session, run.workspace_id), values)
    kept = sa.select(SequenceAnswer.name, SequenceAnswer.value).where(SequenceAnswer.run_id == run.id)
    said = {
        "type": "sequence.call",
        "sequence": {
            "id": run.sequence_id,
            "name": session.scalar(sa.select(Sequence.name).where(Sequence.id == run.sequence_id)),
            "version": run.version,
        },
        "run": run.id,
        "step": run.step,
        "conversation": {"id": run.conversation_id, "accountId": account, "channel": channel},
        "contact": {
            "id": run.contact_id,
            "name": name or identity.name or identity.username or "",
            "username": identity.username,
            "attributes": {one.name: value for one, value in named if value},
        },
        "answers": {row.name: row.value for row in session.execute(kept)},
    }
    data = msgspec.json.encode(said)
    # A restored desk gives ids of runs again, and programs may know answers by this one.
    id_ = f"seq_{run.id}_{run.number}_{int(run.started_at.timestamp())}"
    headers = {"User-Agent": USER_AGENT, **signing.headers(id_, clock.now(), data, [secret])}
    return Request(step, data, headers)


def outcome_of(answer: posting.Reply, keeps: Collection[Keep]) -> Outcome:
    """Return what a program's answer means for the run."""
    status = answer.status
    if status is None:
        return Outcome(None, "no_answer", is_passing=True)
    if not 200 <= status < 300:
        return Outcome(None, f"status_{status}", is_passing=status == 429 or status >= 500)
    if len(answer.body) > MOST_BYTES:
        return Outcome(None, "too_large")
    if not keeps:
        return Outcome({})
    try:
        data = strictjson.loads(answer.body)
    except ValueError:
        return Outcome(None, "not_json")
    values = {one.variable: _found(data, one.field) for one in keeps}
    kept = {name: value for name, value in values.items() if value is not None}
    return Outcome(kept) if len(kept) == len(values) else Outcome(None, "field_missing")


def _found(data: Any, field: str) -> str | None:
    """Return a field of an answer as text; None if it is missing or empty, or no text, number or truth."""
    for name in field.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    if isinstance(data, bool):
        return "true" if data else "false"
    if not isinstance(data, str | int | float) or (isinstance(data, float) and not math.isfinite(data)):
        return None
    return clean(str(data)).strip()[:LONGEST_ANSWER] or None


def settle(session: Session, one: Claimed, outcome: Outcome, directory: RuleDirectory, now: datetime) -> None:
    """Go on with a run whose program was asked, unless it does not wait for that any more."""

    def is_awaited(run: SequenceRun) -> bool:
        # A failure that took longer than its lease does not count: another process asked again.
        is_current = outcome.values is not None or run.tries == one.tries
        return run.waits_for == WaitsFor.CALL and run.number == one.number and is_current

    walk = runner.locked_walk(session, one.run_id, directory, now, is_awaited)
    if walk is None:
        return
    run = walk.run
    with because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth):
        if outcome.values is not None:
            walk.answered(outcome.values)
        elif outcome.is_passing and one.tries <= len(PAUSES):
            walk.call_again(now + PAUSES[one.tries - 1])
        else:
            walk.unanswered(outcome.why)
    session.flush()
