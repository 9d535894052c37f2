"""List what the workers repeat beside delivering, and how often."""

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
    """Ask providers for names and pictures that are due."""
    return bool(fetch_due(directory))


def reactions(directory: AdapterDirectory) -> bool:
    """Send the team's reactions to providers."""
    return bool(send_due(directory))


_keeper = Housekeeping()


def housekeeping(_directory: AdapterDirectory) -> None:
    """Remove what is kept for a limited time only."""
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
    """Look after replies that have waited for a limit for a while."""
    waiting.look_after_limited(directory)


_cleaner = Cleaner()


def files(_directory: AdapterDirectory) -> None:
    """Remove files whose time is over, and those no message needs."""
    purge_due()
    _cleaner.clean_up()


def leftovers(_directory: AdapterDirectory) -> None:
    """Clear what is left in an SQLite file of what was deleted."""
    database = db.current()
    if database.is_sqlite:
        sqlite_wipe.clear(database, quiet_for)


def refused(_directory: AdapterDirectory) -> None:
    """Write down how many requests were refused."""
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
"""Each with its pause in seconds, left out where it says that there is more. Each has a thread of its own, so
that a slow provider delays no other."""
