"""The lock that allows one addon operation at a time in the installation, across all its machines.

While an operation tries migrations on a copy of the database, which may take minutes, it lets go of the lock:
other addons can be activated and removed meanwhile. A second lock allows one such test at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.package.failures import AddonError
from host.core import db, migrations
from host.core.config import Config
from host.core.filelock import file_lock
from host.models.users import InstallationValue
from host.users.actor import DeskWork
from host.web.languages import gettext as _

TESTED = "addon-migrations-tested"
"""The installation value with the addon whose migrations are tested, and whether to stop."""
_STOP = "stop "
LOOK_SECONDS = 0.5
"""Interval in seconds at which an operation checks whether it should stop, or may go on."""

_OPERATION, _TEST = "operation", "test"
_here = threading.local()


class BusyError(AddonError):
    """Another process is installing, activating or removing an addon right now."""

    def __init__(self) -> None:
        super().__init__(
            "Another addon operation is already running; it was not started a second time. "
            "Wait a moment and reload the page."
        )


@contextmanager
def operation(config: Config, slug: str = "") -> Iterator[None]:
    """Hold the installation's lock for addon operations. It is released when its process dies.

    :param slug: the addon it is about; empty: it concerns none that is being operated on.
    :raises BusyError: if another process holds it, or the migrations of this addon are being tested.
    """
    with ExitStack() as held:
        if not held.enter_context(_lock(config)):
            raise BusyError
        if slug and _tested_now() == slug and is_testing(config):
            raise BusyError
        before, _here.held = getattr(_here, "held", None), held
        try:
            yield
        finally:
            _here.held = before


@contextmanager
def testing(config: Config, slug: str, stop: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Let other operations run in the block, which tests migrations of *slug*; then hold the lock again.

    Yields a function that returns whether somebody asked to stop.

    :param stop: called in another thread when somebody does.
    :raises AddonError: if the migrations of another addon are being tested, or *slug* was changed meanwhile.
    """
    held: ExitStack | None = getattr(_here, "held", None)
    if held is None:  # a command that holds no lock
        yield lambda: False
        return
    with _lock(config, _TEST) as got:
        if not got:
            raise AddonError(
                _("The migrations of another addon are being tested right now. Wait for it, or stop it.")
            )
        db.write(_note, slug)
        over, asked = threading.Event(), threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                if is_asked_to_stop(slug):
                    asked.set()
                    stop()
                    return

        watching = threading.Thread(target=watch, name="addon-stop", daemon=True)
        watching.start()
        held.close()
        try:
            yield asked.is_set
        finally:
            over.set()
            watching.join()
            _take_again(config, held)
            db.write(_note, "")


def _take_again(config: Config, held: ExitStack) -> None:
    pause = threading.Event()
    while True:
        with ExitStack() as attempt:
            if attempt.enter_context(_lock(config)):
                held.push(attempt.pop_all())
                return
        pause.wait(LOOK_SECONDS)


def _note(session: Session, slug: str) -> None:
    row = session.get(InstallationValue, TESTED)
    if row is None:
        if slug:
            session.add(InstallationValue(name=TESTED, value=slug))
    elif slug:
        row.value = slug
    else:
        session.delete(row)


def tested(session: Session) -> str:
    """Return the addon whose migrations are being tested, or were when a process died; empty: none."""
    row = session.get(InstallationValue, TESTED)
    return "" if row is None else row.value.removeprefix(_STOP)


def ask_to_stop(work: DeskWork, slug: str) -> bool:
    """Ask to stop the test of the migrations of *slug*; return whether there is one."""
    row = work.session.get(InstallationValue, TESTED, with_for_update=True)
    if row is None or row.value.removeprefix(_STOP) != slug:
        return False
    row.value = f"{_STOP}{slug}"
    work.audit("addon.test_stopped", slug)
    return True


def is_asked_to_stop(slug: str) -> bool:
    """Return whether somebody asked to stop the test of *slug*."""
    try:
        with db.read() as session:
            row = session.get(InstallationValue, TESTED)
            return row is not None and row.value == f"{_STOP}{slug}"
    except sa.exc.SQLAlchemyError:  # the test goes on without its database
        return False


def _tested_now() -> str:
    with db.read() as session:
        return tested(session)


@contextmanager
def _lock(config: Config, name: str = _OPERATION) -> Iterator[bool]:
    engine = migrations.migration_engine(config.database_url)
    try:
        if engine.dialect.name == "sqlite":
            with file_lock(config.data / "addons" / f"{name}.lock") as got:
                yield got
        else:
            with migrations.advisory_lock(engine, {_OPERATION: "addons", _TEST: "addons_test"}[name]) as got:
                yield got
    finally:
        engine.dispose()


def is_running(config: Config) -> bool:
    """Return whether any process holds the lock right now."""
    with _lock(config) as got:
        return not got


def is_testing(config: Config) -> bool:
    """Return whether any process tests migrations right now."""
    with _lock(config, _TEST) as got:
        return not got
