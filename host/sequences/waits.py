"""Go on with runs whose wait is over.

Each goes on in a write of its own, in portions with pauses, so that many that are due at once do not delay
the messages of customers.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import asking_addons
from host.automation.running import NAME_PAUSE, PAUSES
from host.automation.texts import NameAwaitedError
from host.core import clock, db
from host.core.ports import RuleDirectory
from host.core.statements import earliest
from host.events.consuming import pause_after
from host.events.writing import because
from host.sequences import runner
from host.sequences.models import SequenceRun, WaitsFor

log = logging.getLogger(__name__)

PORTION = 20
"""Most runs per round."""


def is_due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(SequenceRun.due_at, now, SequenceRun.waits_for != WaitsFor.CALL)


def run_due(directory: RuleDirectory) -> bool:
    """Go on with a portion of the runs that are due; return whether there may be more."""
    with db.read() as session:
        found = due(session, clock.now())
    with db.behind():
        for run_id, since in found:
            try:
                away = asking_addons.write(_go_on_and_look, run_id, since, directory)
            except NameAwaitedError:
                db.write(put_off, run_id, clock.now() + NAME_PAUSE)
                continue
            except Exception:
                log.exception("the sequence run %s failed", run_id)
                _retry(run_id, directory)
                continue
            if away:
                time.sleep(away)
    return len(found) == PORTION


def _go_on_and_look(session: Session, run_id: int, since: datetime, directory: RuleDirectory) -> float:
    """Go on with one run; return the seconds to pause, which are 0 unless other writers wait.

    Measured within the write: how long it waited for others is no work of its own.
    """
    began = clock.monotonic()
    go_on(session, run_id, directory, clock.now())
    return pause_after(clock.monotonic() - began, clock.now() - since)


def _retry(run_id: int, directory: RuleDirectory) -> None:
    """Retry a run that failed later, or leave it to people; if that fails, too, others are served first."""
    try:
        db.write(note_failure, run_id, directory, clock.now())
    except Exception:
        log.exception("the sequence run %s could not be left to people", run_id)
        db.write(put_off, run_id, clock.now() + PAUSES[-1])


def put_off(session: Session, run_id: int, until: datetime) -> None:
    """Let a run that is due wait until then."""
    mine = SequenceRun.id == run_id, SequenceRun.due_at < until
    session.execute(sa.update(SequenceRun).where(*mine).values(due_at=until))


def due(session: Session, now: datetime) -> list[tuple[int, datetime]]:
    """Return the ids of runs that are due, each with when it became due, the oldest first."""
    query = (
        sa.select(SequenceRun.id, SequenceRun.due_at)
        .where(SequenceRun.due_at <= now, SequenceRun.waits_for != WaitsFor.CALL)
        .order_by(SequenceRun.due_at, SequenceRun.id)
        .limit(PORTION)
    )
    return [(row.id, row.due_at or now) for row in session.execute(query)]


def go_on(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> None:
    """Go on with one run, unless another worker did meanwhile, or it is not due any more."""
    walk = _walk(session, run_id, directory, now)
    if walk is None:
        return
    run = walk.run
    with because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth):
        walk.go_on()
        run.attempts = 0
    session.flush()


def note_failure(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> None:
    """Schedule a retry of a run that failed, or leave it to people."""
    walk = _walk(session, run_id, directory, now)
    if walk is None:
        return
    run = walk.run
    if run.attempts < len(PAUSES):
        run.due_at = now + PAUSES[run.attempts]
    else:
        walk.leave_to_people("error", outcome="failed")
    run.attempts += 1
    session.flush()


def _walk(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> runner.Walk | None:
    """Return a run that is due, with its lane and conversation locked; None if it is not due any more."""

    def is_due(run: SequenceRun) -> bool:
        return run.due_at is not None and run.due_at <= now and run.waits_for != WaitsFor.CALL

    return runner.locked_walk(session, run_id, directory, now, is_due)
