"""Read the current state of the desk with a few index seeks, for metrics and the health page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.delivery import held_lanes
from host.delivery.held_lanes import Reason, Unfinished
from host.events import retention
from host.events.retention import Behind
from host.health.blocking import Blocker, find_blockers
from host.health.heartbeat import ALIVE
from host.models.channels import AccountState, AccountWarning, ChannelAccount
from host.models.health import Process
from host.models.queue import IS_SET_ASIDE, EventState, InboundEvent
from host.queue.wakeups import IN, OUT

DELIVERS = timedelta(seconds=11)
"""Age of the last report after which a process counts as not delivering: it missed two reports."""
MOST_DEAD = 10_000
"""Limit for counting dead letters."""


class CurrentState(msgspec.Struct, frozen=True):
    """The current state of the desk.

    :param waiting: by direction (``in``, ``out``), since when the oldest due work has been waiting for a
        worker.
    :param held: the number of conversations whose replies wait on purpose, by reason.
    :param unfinished: replies whose attempt has no known result.
    :param dead: events given up or set aside, counted up to :data:`MOST_DEAD`.
    :param accounts: the number of accounts by channel and state.
    :param warned: the number of connected accounts by channel that have a severe warning.
    :param processes: those that reported within a day, the latest start first.
    :param behind: the event log consumers that are behind.
    :param blockers: the connections to the database that hold rows for long, the oldest first.
    """

    at: datetime
    waiting: dict[str, datetime | None]
    held: dict[Reason, int]
    unfinished: Unfinished
    dead: int
    accounts: dict[tuple[str, AccountState], int]
    processes: Sequence[Process]
    behind: Sequence[Behind]
    warned: Mapping[str, int] = msgspec.field(default_factory=dict)
    blockers: Sequence[Blocker] = ()

    def waited(self, direction: str) -> timedelta:
        """Return how long the oldest due work of *direction* has waited."""
        since = self.waiting[direction]
        return timedelta() if since is None else max(self.at - since, timedelta())

    def is_alive(self, process: Process) -> bool:
        """Return whether *process* was seen recently."""
        return self.at - process.seen_at <= ALIVE

    @property
    def clocks(self) -> list[tuple[Process, timedelta]]:
        """Return the live processes, each with the lead of its clock over the database's."""
        return [(one, timedelta(milliseconds=one.clock_ahead_ms or 0)) for one in self.alive]

    @property
    def worker_seen_at(self) -> datetime | None:
        """Return when a process with delivery threads last reported; None if there is none."""
        return max((one.seen_at for one in self.processes if one.workers), default=None)

    @property
    def delivering(self) -> list[Process]:
        """Return the processes that are delivering now, as far as is known."""
        return [one for one in self.processes if one.workers and self.at - one.seen_at <= DELIVERS]

    def works_on(self, direction: str) -> bool:
        """Return whether a process is delivering in *direction* now, as far as is known."""
        return any(direction == IN or one.senders for one in self.delivering)

    @property
    def alive(self) -> list[Process]:
        return [one for one in self.processes if self.is_alive(one)]

    @property
    def lost(self) -> list[Process]:
        """Return the processes that died, unless one of the same kind has started on their machine since."""
        return [
            one
            for one in self.processes
            if not self.is_alive(one)
            and not any(
                other.kind == one.kind and other.machine == one.machine and other.started_at > one.seen_at
                for other in self.processes
            )
        ]


def read_current_state(session: Session) -> CurrentState:
    """Return the current state."""
    by_state = sa.select(ChannelAccount.channel, ChannelAccount.state, sa.func.count()).group_by(
        ChannelAccount.channel, ChannelAccount.state
    )
    warned = sa.select(ChannelAccount.channel, sa.func.count()).where(is_warned())
    warned = warned.group_by(ChannelAccount.channel)
    return CurrentState(
        at=db.now(),
        waiting={direction: held_lanes.oldest_due(session, direction) for direction in (IN, OUT)},
        held=held_lanes.on_purpose(session),
        unfinished=held_lanes.unfinished(session),
        dead=_dead(session),
        accounts={(channel, AccountState(state)): n for channel, state, n in session.execute(by_state)},
        processes=session.scalars(sa.select(Process).order_by(Process.started_at.desc())).all(),
        behind=retention.behind(session),
        warned={row[0]: row[1] for row in session.execute(warned)},
        blockers=find_blockers(session),
    )


def is_warned() -> sa.ColumnElement[bool]:
    """Return the condition that a connected account has a warning."""
    bad = sa.select(AccountWarning.account_id).where(AccountWarning.tone == "bad")
    return sa.and_(ChannelAccount.state == AccountState.CONNECTED, ChannelAccount.id.in_(bad))


def _dead(session: Session) -> int:
    some = (
        sa.select(InboundEvent.id)
        .where(IS_SET_ASIDE, InboundEvent.state == EventState.DEAD)
        .limit(MOST_DEAD)
        .subquery()
    )
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
