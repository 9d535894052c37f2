"""What the workers do beside delivering: profiles, the past, cleaning up, counting refusals, mails."""

from __future__ import annotations

from collections.abc import Callable

from host import db, traces
from host.delivery import backlog, history, refusals
from host.delivery.absence import Absence
from host.delivery.housekeeping import Housekeeping
from host.delivery.ports import AdapterDirectory
from host.delivery.profiles import fetch_due
from host.delivery.reactions import send_due
from host.delivery.reading import quiet_for
from host.media.fetching import fetch_due as fetch_files
from host.media.keeping import purge_due
from host.media.removal import Cleaner
from host.notifications.mailing import send_due as send_mails


def profiles(directory: AdapterDirectory) -> bool:
    """Ask providers for names and pictures that are due."""
    return bool(fetch_due(directory))


def reactions(directory: AdapterDirectory) -> bool:
    """Tell providers of the team's reactions."""
    return bool(send_due(directory))


_keeper = Housekeeping()


def housekeeping(_directory: AdapterDirectory) -> None:
    """Remove what is kept for a limited time only."""
    _keeper.clean_up()


def media(directory: AdapterDirectory) -> bool:
    """Fetch the files customers sent."""
    return bool(fetch_files(directory))


_absence = Absence()


def past(directory: AdapterDirectory) -> None:
    """Read what providers know of the past: one call for each account that catches up."""
    _absence.look()
    history.step_due(directory)


def queues(directory: AdapterDirectory) -> None:
    """Look after what waits in a long queue before a limit."""
    backlog.look_after(directory)


_cleaner = Cleaner()


def files(_directory: AdapterDirectory) -> None:
    """Remove files whose time is over, and those nobody needs any more."""
    purge_due()
    _cleaner.clean_up()


def leftovers(_directory: AdapterDirectory) -> None:
    """Clear what is left in an SQLite file of what was deleted."""
    database = db.current()
    if database.is_sqlite:
        traces.clear(database, quiet_for)


def refused(_directory: AdapterDirectory) -> None:
    """Write down how many requests were refused."""
    refusals.flush()


def mails(_directory: AdapterDirectory) -> bool:
    """Mail people what they were told."""
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
