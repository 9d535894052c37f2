"""Run the periodic jobs of addons; each job runs in one process at a time.

One thread looks which are due. Those of an addon run one after the other in a thread of their own, so an
endless job holds up no other addon. After its budget (:mod:`host.core.call_budget`) a job is interrupted; if
that is impossible, its thread is given up. The programs it started and waits for are then killed, and this
process doesn't start the job again until it has returned.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import call_budget, clock, db
from host.core.call_budget.threads import ReplaceableThread
from host.models.users import InstallationValue
from host.queue import outage
from host.sdk.pages import Job

log = logging.getLogger(__name__)

PREFIX = "job "
"""How the calls of jobs are counted: this, and the job's name."""
TICK_SECONDS = 5.0
RUNNING_FOR = timedelta(hours=1)  # after that, its process is assumed dead
NAMED_EVERY = timedelta(minutes=30)
"""How often a job that hangs is counted again."""


class JobRunner:
    """Runs the jobs of the current generation when they are due.

    :param beside: the host's own work every few seconds, in the thread that looks for due jobs.
    """

    def __init__(
        self, jobs: Callable[[], Sequence[tuple[str, Job]]], *, beside: Callable[[], None] | None = None
    ) -> None:
        self._jobs = jobs
        self._beside = beside
        self._stop = threading.Event()
        self._thread: ReplaceableThread | None = None
        self._lock = threading.Lock()
        self._of_addons: dict[str, threading.Thread] = {}
        """The threads that run jobs, by addon."""
        self._hanging: dict[tuple[str, str], datetime] = {}
        """Jobs whose thread was given up, with the time at which they were last counted."""

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = ReplaceableThread(target=self._loop, name="jobs")
        self._thread.start()

    def retire(self) -> None:
        """Start no more jobs."""
        self._stop.set()

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop after the jobs that are running, waiting up to *timeout* seconds for them."""
        self._stop.set()
        until = clock.monotonic() + timeout
        if self._thread is not None:
            self._thread.join(timeout)
            if not self._thread.is_alive():
                self._thread = None
        with self._lock:
            running = list(self._of_addons.values())
        for thread in running:
            thread.join(max(0.0, until - clock.monotonic()))

    def _loop(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            for work in (self._beside, self._start_due):
                tried_at = clock.monotonic()
                try:
                    if work is not None:
                        work()
                except BaseException as error:  # nothing may stop the only thread that looks
                    call_budget.refuse_given_up()
                    if not outage.current().began("a look at addons' jobs", error, tried_at):
                        log.exception("jobs could not be looked at; they are tried again")

    def _due(self) -> list[tuple[str, Job]]:
        """Return the jobs that are due and don't hang in this process."""
        with self._lock:
            hanging = set(self._hanging)
        jobs = [(slug, job) for slug, job in self._jobs() if (slug, job.name) not in hanging]
        waiting = _waiting(jobs)
        return [(slug, job) for slug, job in jobs if value_name(slug, job) not in waiting]

    def _start_due(self) -> None:
        """Run the due jobs of each addon in a thread of its own."""
        self._name_hanging()
        by_addon: dict[str, list[tuple[str, Job]]] = {}
        for slug, job in self._due():
            by_addon.setdefault(slug, []).append((slug, job))
        for slug, jobs in by_addon.items():
            thread = threading.Thread(target=self._work, args=(slug, jobs), name=f"jobs {slug}", daemon=True)
            with self._lock:
                if self._stop.is_set() or slug in self._of_addons:
                    continue
                self._of_addons[slug] = thread
            thread.start()

    def _work(self, slug: str, jobs: Sequence[tuple[str, Job]]) -> None:
        tried_at = clock.monotonic()
        try:
            self._run_each(jobs)
        except call_budget.GivenUpError:
            log.warning("a job of addon %s returned after all", slug)
        except BaseException as error:
            if not outage.current().began("jobs of addons", error, tried_at):
                log.exception("the jobs of addon %s could not be run; they are tried again", slug)
        finally:
            self._leave(slug, threading.current_thread())

    def _leave(self, slug: str, thread: threading.Thread) -> None:
        """Let another thread run the jobs of an addon in place of *thread*."""
        with self._lock:
            if self._of_addons.get(slug) is thread:
                del self._of_addons[slug]

    def run_due(self) -> int:
        """Run every job that is due and that no other process has; return how many ran."""
        return self._run_each(self._due())

    def _run_each(self, jobs: Sequence[tuple[str, Job]]) -> int:
        ran = 0
        for slug, job in jobs:
            if self._stop.is_set():
                break
            started = clock.now()
            if db.write(claim, slug, job, started):
                self._run(slug, job, started)
                ran += 1
        return ran

    def _run(self, slug: str, job: Job, started: datetime) -> None:
        thread, number = threading.current_thread(), threading.get_native_id()
        is_over = False

        def given_up() -> None:
            with self._lock:
                if not is_over:
                    self._hanging[slug, job.name] = clock.now()
                    _kill_children(number)
            self._leave(slug, thread)
            _finish(slug, job, started)

        try:
            with call_budget.releasing(given_up):
                job.run()
        except Exception:
            log.exception("the job %s of addon %s failed; it runs again in %s", job.name, slug, job.every)
        finally:
            with self._lock:
                is_over = True
                self._hanging.pop((slug, job.name), None)
        _finish(slug, job, started)

    def _name_hanging(self) -> None:
        """Count the jobs that still hang once more, so that Health keeps naming them."""
        now = clock.now()
        with self._lock:
            due = [key for key, at in self._hanging.items() if now - at >= NAMED_EVERY]
            self._hanging.update(dict.fromkeys(due, now))
        for slug, name in due:
            recording.hung(slug, f"{PREFIX}{name}")


def _kill_children(number: int) -> None:
    """Kill the programs that the thread *number* of this process started and may wait for."""
    try:
        children = Path(f"/proc/self/task/{number}/children").read_text().split()
    except OSError:  # a kernel that doesn't tell
        return
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
            log.error("process %s, which a job that cannot be ended had started, was killed", child)


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
