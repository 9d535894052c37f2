"""Data hooks of sequences: names for events, restoring, erasing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.deciding import RunKind
from host.automation.routing import finish
from host.core import clock, db
from host.features import registry
from host.features.hookspecs import hookimpl
from host.inbox.conversation_actions import handle
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Handler
from host.sequences.models import Sequence, SequenceAnswer, SequenceRun
from host.users import data_retention

NAMES = sa.select(Sequence.id, Sequence.name)
"""Query for the names of sequences that events refer to by id."""
_KINDS = (RunKind.SEQUENCE, RunKind.SEQUENCE_MESSAGE, RunKind.SEQUENCE_CHECK)


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Delete the answers that runs keep from these messages."""
    session.execute(sa.delete(SequenceAnswer).where(SequenceAnswer.message_id.in_(ids)))


@hookimpl
def forget_contacts(session: Session, ids: Collection[int], conversations: Collection[int]) -> None:
    """Delete the runs of erased contacts, with their answers."""
    theirs = sa.or_(SequenceRun.contact_id.in_(ids), SequenceRun.conversation_id.in_(conversations))
    under_way = sa.select(SequenceRun.conversation_id).where(
        theirs, SequenceRun.active_contact_id.is_not(None)
    )
    held = session.scalars(under_way).all()
    session.execute(sa.delete(SequenceRun).where(theirs))
    _release(session, held)


@hookimpl
def clean_up(most: int) -> None:
    """Remove runs that ended before the retention period of the event log.

    Runs that were under way when sequences were disabled end, so that their conversations wait for people.
    """
    while not registry.is_on("sequences") and db.write(end_some, "off", clock.now(), most) == most:
        pass
    before = clock.now() - data_retention.read().log
    while db.write(remove_old, before, most) == most:
        pass


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove runs that ended before *before*, with what they kept; return their number."""
    # The oldest by id: no statement reads more than these, so it needs no index.
    ended = sa.select(SequenceRun.id, SequenceRun.ended_at).where(SequenceRun.ended_at.is_not(None))
    rows = session.execute(ended.order_by(SequenceRun.id).limit(most))
    gone = [id_ for id_, at in rows if at is not None and at < before]
    if gone:
        session.execute(sa.delete(SequenceRun).where(SequenceRun.id.in_(db.padded(gone))))
    return len(gone)


@hookimpl
def clock_moved_back(session: Session, latest: datetime) -> None:
    """Let runs wait as long as they were to: those that entered their step in what is now the future."""
    late = sa.select(SequenceRun).where(SequenceRun.due_at > latest, SequenceRun.moved_at > latest)
    for run in session.scalars(late.with_for_update()):
        assert run.due_at is not None, "asked for"
        run.due_at -= run.moved_at - latest
        run.moved_at = latest
    session.flush()


@hookimpl
def leave_to_people(session: Session, now: datetime, most: int) -> bool | None:
    """End a batch of runs of a restored desk, so that nothing is sent unasked."""
    found = end_some(session, "restored", now, most)
    pending = (
        sa.select(AutomationRun)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.kind.in_(_KINDS))
        .order_by(AutomationRun.id)
        .limit(most)
    )
    due = session.scalars(pending).all()
    for one in due:
        finish(one, RunState.SKIPPED, now, reason="restored")
    session.flush()
    return bool(found or due) or None


@hookimpl
def give_up_run(
    session: Session, run: AutomationRun, conversation: Conversation, reason: str, now: datetime
) -> bool | None:
    """End a run for a message while sequences are off."""
    if run.kind not in _KINDS:
        return None
    finish(run, RunState.SKIPPED, now, reason=reason)
    return True


def end_some(session: Session, reason: str, now: datetime, most: int) -> int:
    """End up to *most* runs while no worker goes on with any, and say nothing; return how many."""
    query = sa.select(SequenceRun).where(SequenceRun.active_contact_id.is_not(None))
    found = session.scalars(query.order_by(SequenceRun.id).limit(most)).all()
    for run in found:
        run.end("stopped", reason, now)
    session.flush()
    _release(session, [run.conversation_id for run in found])
    return len(found)


def _release(session: Session, conversations: Collection[int]) -> None:
    """Let nobody handle the conversations of ended runs."""
    query = sa.select(Conversation).where(
        Conversation.id.in_(conversations), Conversation.handled_by == Handler.AUTOMATION
    )
    for conversation in session.scalars(query.order_by(Conversation.id).with_for_update()):
        handle(session, conversation, Handler.NOBODY, because="ended")
