"""Run the periodic jobs of addons in one thread; each job runs in one process at a time."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import call_budget, clock, db
from host.core.call_budget.threads import ReplaceableThread
from host.models.users import InstallationValue
from host.queue import outage
from host.sdk.pages import Job

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
RUNNING_FOR = timedelta(hours=1)  # after that, its process is assumed dead


class JobRunner:
    """Runs the jobs of the current generation when they are due.

    :param beside: the host's own work every few seconds, in the same thread.
    """

    def __init__(
        self, jobs: Callable[[], Sequence[tuple[str, Job]]], *, beside: Callable[[], None] | None = None
    ) -> None:
        self._jobs = jobs
        self._beside = beside
        self._stop = threading.Event()
        self._thread: ReplaceableThread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = ReplaceableThread(target=self._loop, name="jobs")
        self._thread.start()

    def retire(self) -> None:
        """Start no more jobs."""
        self._stop.set()

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop after the job that is running, waiting up to *timeout* seconds for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
            if not self._thread.is_alive():
                self._thread = None

    def _loop(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            for work in (self._beside, self.run_due):
                tried_at = clock.monotonic()
                try:
                    if work is not None:
                        work()
                except BaseException as error:  # nothing may stop the only thread of all jobs
                    call_budget.refuse_given_up()
                    if not outage.current().began("a look at addons' jobs", error, tried_at):
                        log.exception("jobs could not be looked at; they are tried again")

    def run_due(self) -> int:
        """Run every job that is due and that no other process has; return how many ran."""
        ran = 0
        jobs = self._jobs()
        waiting = _waiting(jobs)
        for slug, job in jobs:
            if self._stop.is_set():
                break
            started = clock.now()
            if value_name(slug, job) in waiting or not db.write(claim, slug, job, started):
                continue
            ended = partial(_finish, slug, job, started)
            try:
                with call_budget.releasing(ended):
                    job.run()
            except Exception:
                log.exception("the job %s of addon %s failed; it runs again in %s", job.name, slug, job.every)
            ended()
            ran += 1
        return ran


def _waiting(jobs: Sequence[tuple[str, Job]]) -> set[str]:
    """Return the names of the values of jobs that are not due, or run in another process."""
    table, now = InstallationValue.__table__.c, clock.now()
    names = [value_name(slug, job) for slug, job in jobs]
    if not names:
        return set()
    with db.read() as session:
        rows = session.execute(sa.select(table.name, table.value).where(table.name.in_(names)))
        return {row.name for row in rows if datetime.fromisoformat(row.value) > now}


def _finish(slug: str, job: Job, started: datetime) -> None:
    db.write(finish, slug, job, started)


def value_name(slug: str, job: Job) -> str:
    """Return the name of the installation value that stores when *job* is due."""
    name = f"job:{slug}:{job.name}"
    return name if len(name) <= 64 else f"job:{hashlib.sha256(name.encode()).hexdigest()[:60]}"


def claim(session: Session, slug: str, job: Job, now: datetime) -> bool:
    """Claim the due run of *job* for this process, unless another has it. The first is due immediately."""
    name = value_name(slug, job)
    busy_until = (now + max(RUNNING_FOR, job.every)).isoformat()
    known = session.get(InstallationValue, name)
    table = InstallationValue.__table__
    if known is None:
        statement = db.insert_ignore(table, session.get_bind().dialect.name).values(  # type: ignore[arg-type]
            name=name, value=busy_until
        )
        session.execute(statement)
        return session.scalar(sa.select(table.c.value).where(table.c.name == name)) == busy_until
    if datetime.fromisoformat(known.value) > now:
        return False
    taken = session.execute(
        sa.update(InstallationValue)
        .where(InstallationValue.name == name, InstallationValue.value == known.value)
        .values(value=busy_until)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def finish(session: Session, slug: str, job: Job, started: datetime) -> None:
    """Set when *job* is due next."""
    session.execute(
        sa.update(InstallationValue)
        .where(InstallationValue.name == value_name(slug, job))
        .values(value=(started + job.every).isoformat())
        .execution_options(synchronize_session=False)
    )
