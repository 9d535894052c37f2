"""Say in one sentence why a command cannot go on, and end it with a code a supervisor can tell apart."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, SQLAlchemyError

from host.core import db, migrations
from host.core.config import CannotGoOnError, Exit
from host.core.private_files import WHY, why
from host.core.storage import StoreAwayError

_MEMORY = (
    "There is too little memory for Lobby: {words}. Give it 256 MB and no limit on addresses (ulimit -v), "
    "or set LOBBY_THREADS, LOBBY_WORKERS and LOBBY_SENDERS lower."
)


def explained(error: BaseException) -> CannotGoOnError | None:
    """Return what to say for *error*; None for one that nobody foresaw, which is a mistake in Lobby."""
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
        return _state() or CannotGoOnError(refusal(error), Exit.DATABASE)
    if isinstance(error, InvalidRequestError) and "MariaDB" in str(error):
        return CannotGoOnError(f"{db.place()} is MySQL, and Lobby needs MariaDB.", Exit.DATABASE)
    return None


def _state() -> CannotGoOnError | None:
    """Return what is wrong with the tables, where that is why a statement failed."""
    try:
        state = migrations.state(db.current().url.render_as_string(hide_password=False))
    except (SQLAlchemyError, OSError):
        return None
    return migrations.refusal_of(state)


def refusal(error: BaseException) -> str:
    """Return which database did not do what was asked, with its words and without any password."""
    return (
        f"The database cannot be used: {db.place()}. It says: {db.words(error)}. "
        "Start it, or mend LOBBY_DATABASE_URL."
    )
