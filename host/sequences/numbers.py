"""How many customers reach each step of a sequence, how long they stay there, and where they leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.sequences.body import Body, ways_out
from host.sequences.filters import RunFilter, end_of
from host.sequences.models import SequenceRun, SequenceVisit
from host.users.reach import Accounts

MOST_TIMES = 1000
"""Most runs, the newest ones, from which the median times are taken."""


class StepNumbers(msgspec.Struct, frozen=True):
    """Numbers of a step.

    :param reached: customers who came to it, each counted once.
    :param here: those who are at it now.
    :param left: those whose run ended at it without an end or people that the sequence planned, by reason.
    :param time: median time that they stayed; None: nobody went on from it.
    """

    step: str
    reached: int
    here: int
    left: Mapping[str, int]
    time: timedelta | None

    @property
    def left_here(self) -> int:
        """How many left at it."""
        return sum(self.left.values())


class Numbers(msgspec.Struct, frozen=True):
    """Numbers of a version of a sequence in a period, by when runs started.

    :param started: by what they started, with counts.
    :param active: those that are under way.
    :param done: those that ended as planned, without people.
    :param planned: those handed to people by a step; *asked*: because the customer asked for a person.
    :param stopped: those that ended otherwise, by reason.
    :param time: median time from start to end of those that are done; None: none is.
    :param steps: in the order of the list.
    """

    started: Mapping[str, int]
    active: int
    done: int
    planned: int
    asked: int
    stopped: Mapping[str, int]
    time: timedelta | None
    steps: Sequence[StepNumbers]

    @property
    def all(self) -> int:
        """How many runs started."""
        return sum(self.started.values())

    @property
    def alone(self) -> int:
        """Return the percentage of ended runs that needed nobody of the team."""
        ended = self.all - self.active
        return round(100 * self.done / ended) if ended else 0


def of_version(
    session: Session,
    sequence_id: int,
    version: int,
    body: Body,
    since: datetime,
    until: datetime,
    *,
    accounts: Accounts = None,
) -> Numbers:
    """Return the numbers of the runs of a version that started from *since* until before *until*.

    :param accounts: only those in conversations of these accounts; None: all.
    """
    wanted = RunFilter(version=version, since=since, until=until, accounts=accounts)
    runs = wanted.conditions(sequence_id)
    started: dict[str, int] = defaultdict(int)
    stopped: dict[str, int] = defaultdict(int)
    here: dict[str, int] = defaultdict(int)
    left: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    done = planned = asked = active = 0
    groups = (SequenceRun.started_by, SequenceRun.step, SequenceRun.outcome, SequenceRun.reason)
    for by, step, outcome, reason, count in session.execute(
        sa.select(*groups, sa.func.count()).where(*runs).group_by(*groups)
    ):
        started[by] += count
        if outcome is None:
            active += count
            here[step] += count
        elif outcome == "done" and not reason:
            done += count
        elif outcome == "people" and not reason:
            planned += count
        else:
            asked += count if reason == "asked" else 0
            stopped[end_of(outcome, reason)] += count
            left[step][end_of(outcome, reason)] += count
    # Counting different runs takes twice as long, and is needed only where a run can come to a step again.
    counted = sa.distinct(SequenceVisit.run_id) if _repeats(body) else SequenceVisit.run_id
    visits = (
        sa.select(SequenceVisit.step, sa.func.count(counted).label("runs"))
        .join(SequenceRun, SequenceRun.id == SequenceVisit.run_id)
        .where(*runs)
        .group_by(SequenceVisit.step)
    )
    reached: dict[str, int] = {row.step: row.runs for row in session.execute(visits)}
    times = _times(session, runs)
    return Numbers(
        dict(started),
        active,
        done,
        planned,
        asked,
        {reason: count for reason, count in stopped.items() if reason != "asked"},
        _whole(session, runs),
        [
            StepNumbers(
                step.id,
                reached.get(step.id, 0),
                here.get(step.id, 0),
                dict(left.get(step.id, {})),
                _median(times.get(step.id, [])),
            )
            for step in body.steps
        ],
    )


def _repeats(body: Body) -> bool:
    """Return whether a run could enter a step again: whether a way leads back in the list."""
    place = {step.id: at for at, step in enumerate(body.steps)}
    return any(
        to and place[to] <= place[step.id] for step in body.steps for _kind, to in ways_out(body, step)
    )


def _times(session: Session, runs: Sequence[sa.ColumnElement[bool]]) -> dict[str, list[timedelta]]:
    """Return how long the newest runs stayed at each step."""
    following = aliased(SequenceVisit)
    newest = sa.select(SequenceRun.id).where(*runs).order_by(SequenceRun.id.desc()).limit(MOST_TIMES)
    recent = newest.subquery()
    query = (
        sa.select(SequenceVisit.step, SequenceVisit.at, following.at)
        .join(recent, recent.c.id == SequenceVisit.run_id)
        .join(
            following,
            sa.and_(following.run_id == SequenceVisit.run_id, following.number == SequenceVisit.number + 1),
        )
    )
    found: dict[str, list[timedelta]] = defaultdict(list)
    for step, at, left_at in session.execute(query):
        found[step].append(left_at - at)
    return found


def _whole(session: Session, runs: Sequence[sa.ColumnElement[bool]]) -> timedelta | None:
    query = (
        sa.select(SequenceRun.started_at, SequenceRun.ended_at)
        .where(*runs, SequenceRun.outcome == "done", SequenceRun.reason.is_(None))
        .order_by(SequenceRun.id.desc())
        .limit(MOST_TIMES)
    )
    return _median([ended - began for began, ended in session.execute(query) if ended is not None])


def _median(times: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in times)) if times else None
