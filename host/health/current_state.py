"""Read the present state of the desk by a few index seeks, for metrics and the health page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.delivery import waiting
from host.delivery.waiting import Reason, Unfinished
from host.health.blocking import Blocker, find_blockers
from host.health.heartbeat import ALIVE
from host.models.channels import AccountState, AccountWarning, ChannelAccount
from host.models.health import Process
from host.models.queue import IS_SET_ASIDE, EventState, InboundEvent
from host.outgoing import log as outgoing
from host.queue.wakeups import IN, OUT
from host.record import keeping
from host.record.keeping import Behind

DELIVERS = timedelta(seconds=11)
"""A process not seen for this long is taken not to deliver at the moment: it missed two reports."""
MOST_DEAD = 10_000
"""Dead letters are counted up to this number."""


@dataclass(frozen=True, slots=True)
class CurrentState:
    """The present state of the desk.

    :param waiting: by direction (``in``, ``out``), since when the oldest due work waits for a worker.
    :param held: the number of conversations whose replies wait on purpose, by reason.
    :param unfinished: the replies that were tried and did not come to an end.
    :param dead: events given up or set aside, counted up to :data:`MOST_DEAD`.
    :param accounts: the number of accounts by channel and state.
    :param warned: the number of connected accounts by channel that have a warning of the worse kind.
    :param processes: those that reported within a day, the latest start first.
    :param behind: the consumers of the record that have something to do.
    :param told_late: since when the oldest due delivery to an endpoint that works waits for a sender.
    :param endpoints: the number of endpoints by state; ``failing`` for those active that fail.
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
    told_late: datetime | None = None
    endpoints: Mapping[str, int] = field(default_factory=dict)
    warned: Mapping[str, int] = field(default_factory=dict)
    blockers: Sequence[Blocker] = ()

    def waited(self, direction: str) -> timedelta:
        """Return how long the oldest due work of *direction* has waited."""
        since = self.waiting[direction]
        return timedelta() if since is None else max(self.at - since, timedelta())

    def is_alive(self, process: Process) -> bool:
        """Tell whether *process* was seen lately."""
        return self.at - process.seen_at <= ALIVE

    @property
    def clocks(self) -> list[tuple[Process, timedelta]]:
        """Return the live processes, each with how far its clock is ahead of the database's."""
        return [(one, timedelta(milliseconds=one.clock_ahead_ms or 0)) for one in self.alive]

    @property
    def worker_seen_at(self) -> datetime | None:
        """Return when a process with delivery threads last reported; None: there is none."""
        return max((one.seen_at for one in self.processes if one.workers), default=None)

    @property
    def delivering(self) -> list[Process]:
        """Return the processes that deliver at this moment, as far as is known."""
        return [one for one in self.processes if one.workers and self.at - one.seen_at <= DELIVERS]

    @property
    def alive(self) -> list[Process]:
        return [one for one in self.processes if self.is_alive(one)]

    @property
    def lost(self) -> list[Process]:
        """Return the processes that died, unless one of the same kind was started on their machine since."""
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
    """Return the present state."""
    by_state = sa.select(ChannelAccount.channel, ChannelAccount.state, sa.func.count()).group_by(
        ChannelAccount.channel, ChannelAccount.state
    )
    warned = sa.select(ChannelAccount.channel, sa.func.count()).where(is_warned())
    warned = warned.group_by(ChannelAccount.channel)
    return CurrentState(
        at=db.now(),
        waiting={direction: waiting.oldest_due(session, direction) for direction in (IN, OUT)},
        held=waiting.on_purpose(session),
        unfinished=waiting.unfinished(session),
        dead=_dead(session),
        accounts={(channel, AccountState(state)): n for channel, state, n in session.execute(by_state)},
        processes=session.scalars(sa.select(Process).order_by(Process.started_at.desc())).all(),
        behind=keeping.behind(session),
        told_late=outgoing.oldest_due(session),
        endpoints=outgoing.by_state(session),
        warned={row[0]: row[1] for row in session.execute(warned)},
        blockers=find_blockers(session),
    )


def is_warned() -> sa.ColumnElement[bool]:
    """Return the condition that an account is connected and something is wrong with it all the same."""
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
