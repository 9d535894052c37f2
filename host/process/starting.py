"""Start a process: set up an empty database, and wait for an unavailable one."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from host import __version__
from host.addons import preinstalled
from host.addons.lifecycle import migrate_everything
from host.core import clock, db, logs, migrations, resealing
from host.core.config import CannotGoOnError, Config, Exit
from host.core.filelock import is_served
from host.core.migrations import State
from host.media import claiming
from host.process import garbage_collection, systemd
from host.process.serving import AlreadyServingError, HostApplication
from host.users import users
from host.users.setup import ensure_setup_token, link

log = logging.getLogger(__name__)

CONTROL_GROUP = Path("/sys/fs/cgroup")
LEAST_MEMORY = 128 * 1024**2
"""Memory of an idle desk. With less in a container, the system kills it without a message."""

PAUSE_SECONDS = 1.0
"""Interval in seconds at which an unavailable database is retried."""


class Start:
    """The start of a process, retried until the database answers.

    :param web: False for a process that only delivers.
    :raises CannotGoOnError: if there is too little memory.
    """

    def __init__(self, config: Config, *, web: bool = True) -> None:
        require_memory()
        self._config = config
        self._web = web
        self._began = clock.monotonic()
        self._tries = 0

    def attempt(self) -> HostApplication | None:
        """Return the started application, or None while the database is unavailable, which is reported once.

        :raises CannotGoOnError: if a retry does not help.
        """
        try:
            application = bring_up(self._config, web=self._web)
        except SQLAlchemyError as error:
            if not db.may_come_back(error):
                raise
            self._tries += 1
            if self._tries == 1:
                log.warning(
                    "the database does not answer; Lobby waits for it and goes on by itself. %s: %s",
                    db.place(),
                    db.words(error),
                )
                systemd.notify(systemd.WAITING)
            return None
        if self._tries:
            seconds = clock.monotonic() - self._began
            log.warning(
                "the database answers after %.0f s, at try %d; Lobby goes on", seconds, self._tries + 1
            )
        garbage_collection.freeze_objects()
        return application

    def insist(self, stopping: threading.Event) -> HostApplication | None:
        """Retry until the application has started; return it, or None once *stopping* is set."""
        while not stopping.wait(PAUSE_SECONDS if self._tries else 0.0):
            application = self.attempt()
            if application is not None:
                return application
        return None


def require_memory() -> None:
    """Check that the container of this process, if any, has enough memory.

    :raises CannotGoOnError: if not.
    """
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((CONTROL_GROUP / name).read_text())
            if limit < LEAST_MEMORY:
                raise CannotGoOnError(
                    f"There is too little memory for Lobby: its container may use {limit // 1024**2} MB, and "
                    f"it needs {LEAST_MEMORY // 1024**2} MB at rest. Give it 256 MB.",
                    Exit.MEMORY,
                )


def bring_up(config: Config, *, web: bool = True) -> HostApplication:
    """Return the started application on a database that has, or now gets, the tables of this version.

    :raises CannotGoOnError: if the database, its keys or another process prevent the start.
    :raises sqlalchemy.exc.SQLAlchemyError: if the database is unusable.
    """
    # Before anything is written: on SQLite, a new setup link, for example, would invalidate the other
    # process's.
    if is_served(config):
        raise AlreadyServingError
    resealing.load_keys(config)  # before the database is used: requests kept meanwhile are sealed with them
    db.current().reach()
    _prepare_tables(config)
    preinstalled.provide(config)
    if web:
        _tell_setup_link(config)
    application = HostApplication(config)
    claiming.require(config, application.files)
    application.start(web=web)
    application.take_in_undecided()
    return application


def _tell_setup_link(config: Config) -> None:
    """Print the setup link of an unused desk: on a database server, only in the first process.

    Several processes share the server. If each replaced the link, only the last one printed would work.
    """
    token = ensure_setup_token(renew=db.current().is_sqlite)
    if token is not None:
        logs.tell(f"Set up this desk: {link(config.public_url, token)}")
        return
    with db.read() as session:
        if not users.anybody(session):
            logs.tell(
                "This desk is not set up yet. The first process that started printed the link; "
                "`lobby setup-link` prints a new one."
            )


def _prepare_tables(config: Config) -> None:
    """Create the tables of an empty database; concurrent processes wait for the first."""
    state = migrations.state(config.database_url)
    if state is State.CURRENT:
        return
    if state is State.AHEAD:
        log.warning(
            "a newer Lobby migrated the database; this one, %s, works on it until it is upgraded", __version__
        )
        return
    refusal = None if state is State.EMPTY else migrations.refusal_of(state)
    if refusal is not None and not (state is State.BEHIND and migrations.is_unused(config.database_url)):
        raise refusal
    logs.tell(f"Setting up the database: {db.place()}.")
    try:
        migrate_everything(
            config, lambda done, of: logs.tell(f"Setting up the database: {done} of {of} steps done.")
        )
    except migrations.BusyError as error:
        if db.current().is_sqlite:
            raise AlreadyServingError from error
        raise
