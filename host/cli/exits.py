"""Explain in one sentence why a command cannot continue, and end it with a distinguishable exit code."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, SQLAlchemyError

from host.core import db, migrations
from host.core.config import CannotGoOnError, Exit
from host.core.private_files import WHY, why
from host.core.storage import StoreAwayError

_MEMORY = (
    "Lobby ran out of memory: {words}. Give it at least 256 MB and no limit on virtual memory (ulimit -v), "
    "or lower LOBBY_THREADS, LOBBY_WORKERS and LOBBY_SENDERS."
)


def explained(error: BaseException) -> CannotGoOnError | None:
    """Return the explanation of *error*; None for an unexpected one, which is a bug in Lobby."""
    if isinstance(error, CannotGoOnError):
        return error
    if isinstance(error, SQLAlchemyError):
        return _of_database(error)
    if isinstance(error, StoreAwayError):
        code = Exit.BUSY if error.passing else Exit.SETTINGS
        return CannotGoOnError(f"The files cannot be used: {error.words}.", code)
    return _of_system(error)


def _of_system(error: BaseException) -> CannotGoOnError | None:
    number = error.errno if isinstance(error, OSError) else None
    no_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    if isinstance(error, MemoryError) or no_thread or number == errno.ENOMEM:
        return CannotGoOnError(_MEMORY.format(words=str(error) or "none was left"), Exit.MEMORY)
    if isinstance(error, OSError) and error.filename is not None and number in WHY:
        return CannotGoOnError(f"{error.filename} cannot be used: {why(error)}.", Exit.FOLDER)
    return None


def _of_database(error: SQLAlchemyError) -> CannotGoOnError | None:
    if isinstance(error, IntegrityError):
        return None
    if isinstance(error, DBAPIError) or db.is_away(error):
        # Only a missing table tells of the release that made them; the rest is the database's to say.
        state = _state() if db.lacks_table_or_column(error) else None
        return state or CannotGoOnError(refusal(error), Exit.DATABASE)
    if isinstance(error, InvalidRequestError) and "MariaDB" in str(error):
        return CannotGoOnError(f"{db.place()} is MySQL, but Lobby needs MariaDB.", Exit.DATABASE)
    return None


def _state() -> CannotGoOnError | None:
    """Return the problem with the tables, if it caused a statement to fail."""
    try:
        state = migrations.state(db.current().url.render_as_string(hide_password=False))
    except (SQLAlchemyError, OSError):
        return None
    return migrations.refusal_of(state)


def refusal(error: BaseException) -> str:
    """Return the database that refused and its message, without any password."""
    return (
        f"The database cannot be used: {db.place()}. It says: {db.words(error)}. "
        "Start it, or correct LOBBY_DATABASE_URL."
    )
