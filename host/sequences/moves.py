"""Move runs of an earlier version to the live one, each step to a step that its owner chooses.

A run that keeps waiting at the same step changes nothing else. Any other one enters its new step as soon as a
worker comes by, which checks again whether automation may write.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError
from host.sequences import sequences
from host.sequences.body import Body, SequenceError
from host.sequences.models import MOVED, SequenceRun, SequenceState, WaitsFor
from host.sequences.runner import body_of
from host.users.actor import UnitOfWork

KEEP = "="
"""In place of a step: the run goes on waiting at the one with the same name."""


class NotLiveError(ConflictError):
    """The sequence has no live version that runs could move to."""

    code = "sequence_not_live"
    title = _l("Not moved")
    default_sentence = _l("This sequence is not live, so nobody was moved.")
    default_next_step = _l("Publish it first.")


def waiting(session: Session, sequence_id: int, version: int) -> dict[str, int]:
    """Return how many runs of a version are at each step."""
    query = (
        sa.select(SequenceRun.step, sa.func.count())
        .where(*_of(sequence_id, version))
        .group_by(SequenceRun.step)
    )
    return dict(session.execute(query).all())


def by_version(session: Session, sequence_id: int) -> dict[int, int]:
    """Return how many runs of each version are under way."""
    query = (
        sa.select(SequenceRun.version, sa.func.count())
        .where(SequenceRun.sequence_id == sequence_id, SequenceRun.active_contact_id.is_not(None))
        .group_by(SequenceRun.version)
    )
    return dict(session.execute(query).all())


def can_keep(old: Body, new: Body, step: str) -> bool:
    """Return whether a run can go on waiting at a step in another version: it is of the same kind there."""
    before, after = old.step(step), new.step(step)
    return before is not None and after is not None and type(before) is type(after)


def move(work: UnitOfWork, sequence_id: int, version: int, *, steps: Mapping[str, str]) -> int:
    """Move runs of a version to the live version; return how many.

    :param steps: by the step they are at, the step to go on with, or :data:`KEEP`. Runs at other steps stay.
    :raises SequenceNotFoundError: if there is no such sequence or version.
    :raises NotLiveError: if it is not live, or that version is the live one.
    :raises SequenceError: for a step that the live version does not have; *field* is the earlier step.
    """
    session = work.session
    sequence = sequences.get(session, work.workspace_id, sequence_id, lock=True)
    live = sequence.live_version
    if live is None or live == version or sequence.state != SequenceState.LIVE:
        raise NotLiveError()
    old, new = (body_of(session, sequence_id, number) for number in (version, live))
    if old is None or new is None:
        raise sequences.SequenceNotFoundError()
    for step, to in steps.items():
        if not (can_keep(old, new, step) if to == KEEP else new.step(to) is not None):
            raise SequenceError(_l("There is no step “%(name)s”.", name=to), field=step)
    moved = 0
    for step, to in steps.items():
        mine = sa.update(SequenceRun).where(*_of(sequence_id, version), SequenceRun.step == step)
        if to == KEEP:
            moved += session.execute(mine.values(version=live)).rowcount  # type: ignore[attr-defined]
            continue
        paused = mine.where(SequenceRun.waits_for == WaitsFor.PERSON).values(
            version=live, step=to, reason=MOVED
        )
        others = mine.where(SequenceRun.waits_for != WaitsFor.PERSON).values(
            version=live, step=to, tries=0, reason=MOVED, waits_for=WaitsFor.NOTHING, due_at=work.now
        )
        moved += sum(session.execute(one).rowcount for one in (paused, others))  # type: ignore[attr-defined]
    if moved:
        facts = {"version": live, "from": version, "people": moved}
        work.audit("sequence.people", sequence.name, details=facts)
    return moved


def _of(sequence_id: int, version: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of the active runs of a version, without those that are about to end or move."""
    return (
        SequenceRun.sequence_id == sequence_id,
        SequenceRun.version == version,
        SequenceRun.active_contact_id.is_not(None),
        SequenceRun.reason.is_(None),
    )
