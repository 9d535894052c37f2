"""List the work that workers repeat besides delivering, and how often."""

from __future__ import annotations

from collections.abc import Callable

from host.core import db, sqlite_wipe
from host.core.ports import AdapterDirectory
from host.delivery import history, waiting
from host.delivery.history import OutageWatch
from host.delivery.housekeeping import Housekeeping
from host.delivery.profiles import fetch_due
from host.delivery.reactions import send_due
from host.media.expiry import purge_due
from host.media.fetching import fetch_due as fetch_files
from host.media.file_removal import Cleaner
from host.notifications.mailing import send_due as send_mails
from host.queue import refusals
from host.queue.event_search import quiet_for


def profiles(directory: AdapterDirectory) -> bool:
    """Fetch names and pictures that are due from providers."""
    return bool(fetch_due(directory))


def reactions(directory: AdapterDirectory) -> bool:
    """Send the team's reactions to providers."""
    return bool(send_due(directory))


_keeper = Housekeeping()


def housekeeping(_directory: AdapterDirectory) -> None:
    """Remove data that is kept for a limited time only."""
    _keeper.clean_up()


def media(directory: AdapterDirectory) -> bool:
    """Fetch the files customers sent."""
    return bool(fetch_files(directory))


_outage = OutageWatch()


def past(directory: AdapterDirectory) -> None:
    """Read history: one call for each account that catches up."""
    _outage.check()
    history.step_due(directory)


def queues(directory: AdapterDirectory) -> None:
    """Show agents which replies have waited for a limit for a while, and fail those that are too late."""
    waiting.look_after_limited(directory)


_cleaner = Cleaner()


def files(_directory: AdapterDirectory) -> None:
    """Remove files whose time is over, and files no message needs."""
    purge_due()
    _cleaner.clean_up()


def leftovers(_directory: AdapterDirectory) -> None:
    """Wipe traces of deleted rows from an SQLite file."""
    database = db.current()
    if database.is_sqlite:
        sqlite_wipe.clear(database, quiet_for)


def refused(_directory: AdapterDirectory) -> None:
    """Write the counts of refused requests to the database."""
    refusals.flush()


def mails(_directory: AdapterDirectory) -> bool:
    """Send notifications by mail."""
    return bool(send_mails())


CHORES: tuple[tuple[Callable[[AdapterDirectory], object], float], ...] = (
    (profiles, 1.0),
    (reactions, 0.5),
    (media, 1.0),
    (past, 0.5),
    (queues, 2.0),
    (housekeeping, 600.0),
    (files, 300.0),
    (leftovers, 1.0),
    (refused, 2.0),
    (mails, 5.0),
)
"""Each chore with its pause in seconds; it runs again at once if it returned True: there is more to do. Each
has a thread of its own, so that a slow provider delays no other chore."""
