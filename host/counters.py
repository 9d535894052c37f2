"""Keep three counters that every process watches: the generation of addons, changes of accounts, and changes
of addons' settings.

And two constants: the number of this installation, and the number that marks its store of files.
"""

from __future__ import annotations

import logging
import secrets
import threading
import weakref
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.users import Counter

GENERATION = "generation"
ACCOUNTS = "accounts"
ADDON_SETTINGS = "addon_settings"
"""Increases when a workspace owner or an admin saves settings that an addon declares as a form."""
SETTINGS = "settings"
"""Increases with each change of a setting of the desk; no process watches it."""
INSTALLATION = "installation"
FILES = "files"

REFRESH_SECONDS = 0.2

log = logging.getLogger(__name__)


class LookUp(Protocol):
    """Data computed from the database and cached until an account changes."""

    def get(self) -> object: ...

    def forget(self) -> None: ...


look_ups: weakref.WeakKeyDictionary[LookUp, str] = weakref.WeakKeyDictionary()
"""Every look-up of this process, and the module that computes it."""

_table = Counter.metadata.tables[Counter.__tablename__]

_lock = threading.Lock()
_seen: dict[str, int] = {}
_read_at = float("-inf")


def bump(session: Session, name: str) -> None:
    """Increment *name* in this write; this process drops its cached values once that is committed."""
    one_more = sa.update(Counter).where(Counter.name == name).values(value=Counter.value + 1)
    if not session.execute(one_more).rowcount:  # type: ignore[attr-defined]
        _make(session, name)
        session.execute(one_more)
    db.after_commit(session, forget)


def lock(session: Session, name: str) -> None:
    """Lock *name*, so that no other write increments it until this write ends."""
    row = sa.select(Counter.value).where(Counter.name == name).with_for_update()
    if session.execute(row).first() is None:
        _make(session, name)
        session.execute(row)


def _make(session: Session, name: str) -> None:
    statement = db.insert_ignore(_table, db.current().dialect)
    session.execute(statement, {"name": name, "value": 0})


def installation() -> int:
    """Return the unique 48-bit number of this installation, which is created at the first call."""
    found = _look().get(INSTALLATION)
    if found is None:
        made = {"name": INSTALLATION, "value": secrets.randbits(48)}
        statement = db.insert_ignore(_table, db.current().dialect)
        db.write(lambda session: session.execute(statement, made))
        with db.read() as session:
            found = session.execute(sa.select(Counter.value).where(Counter.name == INSTALLATION)).scalar_one()
    return found


def files() -> int | None:
    """Return the number that marks the desk's file store, or None."""
    return _look().get(FILES)


def note_files(number: int) -> None:
    """Set the number that :func:`files` returns, unless it is set."""
    statement = db.insert_ignore(_table, db.current().dialect)
    db.write(lambda session: session.execute(statement, {"name": FILES, "value": number}))
    forget()


def forget() -> None:
    """Make the next access read the database."""
    global _read_at  # noqa: PLW0603
    with _lock:
        _read_at = float("-inf")


def generation() -> int:
    """Return the number of the generation that should run; read at most every 200 ms."""
    return _look().get(GENERATION, 0)


def accounts() -> int:
    """Return a number that changes whenever an account is connected, changed or disconnected."""
    return _look().get(ACCOUNTS, 0)


def addon_settings() -> int:
    """Return a number that changes whenever a value of an addon's settings form does."""
    return _look().get(ADDON_SETTINGS, 0)


def _look() -> dict[str, int]:
    """Return the counters, from memory if they were read recently.

    One thread at a time reads; the others use the known values, so that a slow database does not stop them
    all. Right after a write by this process they wait for the reading thread, a fifth of a second at most, so
    that the write takes effect immediately. While the database is unavailable the last values are used, so
    that webhooks are still decided and reach the spool.

    :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer and never has.
    :raises WouldWaitError: on the event loop, if they must be read.
    """
    global _read_at, _seen  # noqa: PLW0603
    if clock.monotonic() - _read_at < REFRESH_SECONDS:
        return _seen
    if _seen and _read_at != float("-inf") and _lock.locked():
        return _seen
    db.may_wait()
    patience = -1.0 if not _seen else REFRESH_SECONDS if _read_at == float("-inf") else 0.0
    if not _lock.acquire(timeout=patience):
        return _seen
    try:
        if clock.monotonic() - _read_at < REFRESH_SECONDS:
            return _seen
        try:
            with db.read() as session:
                rows = session.execute(sa.select(Counter.name, Counter.value))
                _seen = {row.name: row.value for row in rows}
        except sa.exc.SQLAlchemyError:
            if not _seen:
                raise
            log.debug("the counters cannot be read; what was read before counts")
        _read_at = clock.monotonic()
        return _seen
    finally:
        _lock.release()


def reset() -> None:
    """Forget everything; for a process that changes its database (tests, commands)."""
    global _seen, _read_at  # noqa: PLW0603
    with _lock:
        _seen = {}
        _read_at = float("-inf")
