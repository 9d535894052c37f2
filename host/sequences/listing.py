"""Queries of versions and runs, in pages."""

from __future__ import annotations

from collections.abc import Sequence as Many

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import NotFoundError
from host.sequences.filters import RunFilter
from host.sequences.models import Sequence, SequenceAnswer, SequenceRun, SequenceVersion, SequenceVisit


class SequenceVersionNotFoundError(NotFoundError):
    """The sequence has no such version."""

    code = "sequence_version_not_found"
    title = _l("Version not found")
    default_sentence = _l("This sequence has no such version.")
    default_next_step = _l("Choose one from the list.")
    place = "version_id"


class SequenceRunNotFoundError(NotFoundError):
    """The sequence has no such run."""

    code = "sequence_run_not_found"
    title = _l("Run not found")
    default_sentence = _l("This sequence has no such run. Maybe it was deleted with its customer.")
    default_next_step = _l("Choose one from the list.")
    place = "run_id"


def versions_of_all(session: Session, workspace_id: int, *, live: bool = False) -> dict[int, SequenceVersion]:
    """Return the newest version of each sequence of a workspace.

    :param live: the live version instead, of those that were published.
    """
    number = sa.func.coalesce(Sequence.live_version, Sequence.version) if live else Sequence.version
    query = (
        sa.select(SequenceVersion)
        .join(
            Sequence,
            sa.and_(Sequence.id == SequenceVersion.sequence_id, number == SequenceVersion.number),
        )
        .where(Sequence.workspace_id == workspace_id)
    )
    return {one.sequence_id: one for one in session.scalars(query)}


def version(session: Session, sequence_id: int, number: int) -> SequenceVersion:
    """Return a version of a sequence.

    :raises SequenceVersionNotFoundError: if there is none.
    """
    found = session.get(SequenceVersion, (sequence_id, number))
    if found is None:
        raise SequenceVersionNotFoundError()
    return found


def versions(
    session: Session, sequence_id: int, *, before: int | None = None, limit: int
) -> Many[SequenceVersion]:
    """Return versions of a sequence, newest first.

    :param before: the number of the version to continue from.
    """
    query = sa.select(SequenceVersion).where(SequenceVersion.sequence_id == sequence_id)
    if before is not None:
        query = query.where(SequenceVersion.number < before)
    return session.scalars(query.order_by(SequenceVersion.number.desc()).limit(limit)).all()


def runs(
    session: Session,
    sequence_id: int,
    wanted: RunFilter,
    *,
    conversation_id: int | None = None,
    before: int | None = None,
    limit: int,
) -> Many[SequenceRun]:
    """Return the wanted runs of a sequence, newest first.

    :param before: the id of the run to continue from.
    """
    query = sa.select(SequenceRun).where(*wanted.conditions(sequence_id))
    if conversation_id is not None:
        query = query.where(SequenceRun.conversation_id == conversation_id)
    if before is not None:
        query = query.where(SequenceRun.id < before)
    return session.scalars(query.order_by(SequenceRun.id.desc()).limit(limit)).all()


def run(session: Session, sequence_id: int, run_id: int) -> SequenceRun:
    """Return a run of a sequence.

    :raises SequenceRunNotFoundError: if there is none.
    """
    query = sa.select(SequenceRun).where(SequenceRun.id == run_id, SequenceRun.sequence_id == sequence_id)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise SequenceRunNotFoundError()
    return found


def visits(session: Session, run_id: int) -> Many[SequenceVisit]:
    """Return the steps that a run entered, in order."""
    query = sa.select(SequenceVisit).where(SequenceVisit.run_id == run_id)
    return session.scalars(query.order_by(SequenceVisit.number)).all()


def answers(session: Session, run_id: int) -> Many[SequenceAnswer]:
    """Return the answers that a run keeps, by name."""
    query = sa.select(SequenceAnswer).where(SequenceAnswer.run_id == run_id)
    return session.scalars(query.order_by(SequenceAnswer.name)).all()
