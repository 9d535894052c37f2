"""List the work that workers repeat besides delivering, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable

from host.automation import routing, running
from host.automation.assistants import thinking
from host.automation.assistants.knowing import rereading
from host.core import clock, db, sqlite_wipe
from host.core.ports import AdapterDirectory, AssistantDirectory, CardDirectory, RuleDirectory, WholeDirectory
from host.delivery import history, posts, second_look, waiting, watching, workspace_removal
from host.delivery.history import OutageWatch
from host.delivery.housekeeping import Housekeeping
from host.delivery.message_acts import send_due
from host.delivery.profiles import fetch_due
from host.delivery.second_look import NewAccounts
from host.inbox import bulk, snoozing
from host.inbox.retention import Keeper
from host.inbox.unsent import later
from host.media.expiry import purge_due
from host.media.fetching import fetch_due as fetch_files
from host.media.file_removal import Cleaner
from host.notifications.mailing import send_due as send_mails
from host.queue import lane_waking, refusals
from host.queue.event_search import quiet_for
from host.search import building
from host.users import invitations, password_links


def profiles(directory: AdapterDirectory) -> bool:
    """Fetch names and pictures that are due from providers."""
    return bool(fetch_due(directory))


def message_acts(directory: AdapterDirectory) -> bool:
    """Tell providers what the team does to messages: reactions, hiding, deleting."""
    return bool(send_due(directory))


def look_ups(directory: AdapterDirectory) -> bool:
    """Ask providers about posts, and what events stand for that name ids alone."""
    return bool(posts.look_up_due(directory) + posts.fetch_due(directory))


_keeper = Housekeeping()


def housekeeping(_directory: AdapterDirectory) -> None:
    """Remove data that is kept for a limited time only."""
    _keeper.clean_up()


def media(directory: AdapterDirectory) -> bool:
    """Fetch the files customers sent."""
    return bool(fetch_files(directory))


_retention = Keeper()


def old_messages(directory: CardDirectory) -> bool:
    """Erase messages that were kept as long as their workspace wants, and workspaces that are deleted."""
    more = workspace_removal.remove_due(directory)
    return _retention.round() or more


_outage = OutageWatch()


def past(directory: AdapterDirectory) -> None:
    """Read history: one call for each account that catches up."""
    _outage.check()
    history.step_due(directory)


_new_accounts = NewAccounts()


def second_looks(directory: AdapterDirectory) -> bool:
    """Look for messages that were not delivered: one call for each account that is due."""
    _new_accounts.begin(directory)
    return second_look.step_due(directory) == second_look.AT_ONCE


def queues(directory: AdapterDirectory) -> None:
    """Try providers that are away, show agents what waits for a limit, and fail replies that are too late."""
    waiting.wake_probes()
    waiting.look_after_limited(directory)


_cleaner = Cleaner()


def files(_directory: AdapterDirectory) -> None:
    """Remove files whose time is over, and files no message needs."""
    purge_due()
    _cleaner.clean_up()


def search(_directory: AdapterDirectory) -> bool:
    """Make some of what was there before findable, and leave others as much time as that took."""
    began = clock.monotonic()
    more = building.build_some()
    time.sleep(min(clock.monotonic() - began, 0.2))
    return more


def leftovers(_directory: AdapterDirectory) -> None:
    """Wipe traces of deleted rows from an SQLite file."""
    database = db.current()
    if database.is_sqlite:
        sqlite_wipe.clear(database, quiet_for)


def refused(_directory: AdapterDirectory) -> None:
    """Write the counts of refused requests to the database."""
    refusals.flush()


def mails(_directory: AdapterDirectory) -> bool:
    """Send notifications, links to choose a password and invitations by mail."""
    return bool(send_mails() + password_links.send_due() + invitations.send_due())


def snoozes(_directory: AdapterDirectory) -> bool:
    """Wake snoozed conversations whose time has come."""
    return bool(snoozing.wake_due())


def later_replies(_directory: AdapterDirectory) -> bool:
    """Let replies go out whose time has come."""
    return bool(later.release_due())


def due_replies(directory: AdapterDirectory) -> bool:
    """Tell of customers whose answer is soon due, or who soon cannot be answered."""
    return watching.watch(directory)


def bulk_actions(_directory: AdapterDirectory) -> bool:
    """Do the next portion of a bulk action, or of undoing one."""
    return bulk.step()


def automation(directory: RuleDirectory) -> bool:
    """Say and do what accounts and rules are to say and do by themselves."""
    return running.run_due(directory)


def assistants(directory: AssistantDirectory) -> bool:
    """Begin to think about what customers wrote; it goes on in threads of its own."""
    return thinking.think_due(directory)


def forgotten(_directory: AdapterDirectory) -> bool:
    """Give conversations to people that wait for an assistant in vain."""
    return thinking.give_forgotten()


def forgotten_lanes(_directory: AdapterDirectory) -> bool:
    """Wake lanes in which events wait without a wake-up, because a process died before it woke them."""
    return len(lane_waking.wake_forgotten()) == lane_waking.MOST


def hand_out(_directory: AdapterDirectory) -> bool:
    """Give conversations that wait with teams to who has come on duty, or has answered."""
    return routing.give_waiting(clock.now())


def knowledge(_directory: AdapterDirectory) -> bool:
    """Read one page of the web that an assistant knows, and that is due."""
    return rereading.read_due()


CHORES: tuple[tuple[Callable[[WholeDirectory], object], float], ...] = (
    (profiles, 1.0),
    (message_acts, 0.5),
    (look_ups, 1.0),
    (media, 1.0),
    (past, 0.5),
    (second_looks, 0.5),
    (queues, 1.0),
    (housekeeping, 600.0),
    (files, 300.0),
    (old_messages, 15.0),
    (leftovers, 1.0),
    (search, 5.0),
    (refused, 2.0),
    (mails, 5.0),
    (snoozes, 1.0),
    (bulk_actions, 0.5),
    (later_replies, 1.0),
    (due_replies, 30.0),
    (automation, 0.5),
    (forgotten_lanes, 5.0),
    (hand_out, 2.0),
    (assistants, 0.25),
    (forgotten, 20.0),
    (knowledge, 5.0),
)
"""Each chore with its pause in seconds; it runs again at once if it returned True: there is more to do. Each
has a thread of its own, so that a slow provider delays no other chore."""
