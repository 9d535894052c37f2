"""Data hooks of sequences: names for events, restoring, erasing."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from flask_babel import format_decimal, ngettext
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.automation.deciding import RunKind
from host.automation.runs import finish
from host.core import clock, db
from host.core.ports import RuleDirectory
from host.events.writing import because, together
from host.features import registry
from host.features.hookspecs import hookimpl
from host.features.use import KEYS, Use, named
from host.features.while_off import WhileOff
from host.inbox.conversation_actions import handle
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Handler
from host.sequences import runner
from host.sequences.models import (
    FEATURE_OFF,
    Sequence,
    SequenceAnswer,
    SequenceRun,
    SequenceState,
    SequenceVersion,
)
from host.users import data_retention
from host.users.actor import DESK, UnitOfWork
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

NAMES = sa.select(Sequence.id, Sequence.name)
"""Query for the names of sequences that events refer to by id."""
_STATES = {SequenceState.DRAFT: _l("draft"), SequenceState.LIVE: _l("live"), SequenceState.OFF: _l("off")}
_KINDS = (RunKind.SEQUENCE, RunKind.SEQUENCE_MESSAGE, RunKind.SEQUENCE_CHECK)


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the sequences that refer to things of a kind, in their live or their newest version."""
    found: dict[int, list[Use]] = {}
    if kind not in KEYS:
        return found
    is_current = SequenceVersion.number.in_((Sequence.version, Sequence.live_version))
    query = (
        sa.select(Sequence.id, Sequence.name, Sequence.state, SequenceVersion.body)
        .join(SequenceVersion, sa.and_(SequenceVersion.sequence_id == Sequence.id, is_current))
        .where(Sequence.workspace_id == workspace_id)
        .order_by(Sequence.position, Sequence.id)
    )
    for id_, name, state, body in session.execute(query):
        link = ("sequences.sequence", {"sequence_id": id_})
        use = Use(_("Sequence"), name, str(_STATES[SequenceState(state)]), link, "accounts")
        for one in named(body, kind):
            if use not in found.setdefault(one, []):
                found[one].append(use)
    return found


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
    """Remove runs that ended before the retention period of the event log."""
    before = clock.now() - data_retention.read().log
    while db.write(remove_old, before, most) == most:
        pass


@hookimpl
def let_go(directory: RuleDirectory, most: int) -> bool | None:
    """Hand the customers who are in a sequence to people, each in a write of its own."""
    if registry.is_on("sequences"):
        return None
    under_way = sa.select(SequenceRun.id).where(SequenceRun.active_contact_id.is_not(None))
    with db.read() as session:
        # By the index that only these are in.
        ids = session.scalars(under_way.order_by(SequenceRun.active_contact_id).limit(most)).all()
    for run_id in ids:
        try:
            db.write(_let_go, run_id, directory, clock.now())
        except Exception:
            log.exception("the sequence run %s could not be left to people", run_id)
            db.write(_end, [run_id], FEATURE_OFF, clock.now())
    return len(ids) == most or None


def _let_go(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> None:
    """End one run; the customer waits for people from now on, if nobody of the team is writing with them."""
    walk = runner.locked_walk(session, run_id, directory, now, lambda run: run.active_contact_id is not None)
    if walk is None:
        return
    run = walk.run
    with because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth), together(session):
        why = runner.stopping(session, run, walk.conversation)
        if not why:
            walk.leave_to_people(FEATURE_OFF, outcome="stopped")
        else:
            walk.end("stopped", FEATURE_OFF if why == "person" else why)
    session.flush()


@hookimpl
def reason(key: str) -> LazyString | None:
    """Return why a conversation was handed to people when sequences were turned off."""
    return _l("Sequences were turned off") if key == FEATURE_OFF else None


@hookimpl
def while_off(session: Session, name: str, workspace_id: int, since: datetime | None) -> WhileOff | None:
    """Return the sequences with their runs, and the conversations of customers who were in one."""
    if name != "sequences":
        return None
    runs = sa.select(SequenceRun.sequence_id, sa.func.count()).where(SequenceRun.workspace_id == workspace_id)
    counted: dict[int, int] = dict(session.execute(runs.group_by(SequenceRun.sequence_id)).all())
    mine = sa.select(Sequence).where(Sequence.workspace_id == workspace_id)
    kept = [
        (one.name, _kept(SequenceState(one.state), counted.get(one.id, 0)))
        for one in session.scalars(mine.order_by(Sequence.position, Sequence.id))
    ]
    if since is None:
        return WhileOff(kept, ())
    went = sa.select(SequenceRun.conversation_id).where(
        SequenceRun.workspace_id == workspace_id,
        SequenceRun.reason == FEATURE_OFF,
        SequenceRun.ended_at >= since,
    )
    return WhileOff(kept, set(session.scalars(went)))


def _kept(state: SequenceState, runs: int) -> str:
    words: str = {
        SequenceState.DRAFT: _("Draft"),
        SequenceState.LIVE: _("Published"),
        SequenceState.OFF: _("Turned off"),
    }[state]
    if not runs:
        return words
    number = format_decimal(runs)
    return f"{words}, " + str(ngettext("%(number)s run", "%(number)s runs", runs, number=number))


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
    query = sa.select(SequenceRun.id).where(SequenceRun.active_contact_id.is_not(None))
    return _end(session, session.scalars(query.order_by(SequenceRun.id).limit(most)).all(), reason, now)


def _end(session: Session, ids: Collection[int], reason: str, now: datetime) -> int:
    active = SequenceRun.id.in_(ids), SequenceRun.active_contact_id.is_not(None)
    found = session.scalars(sa.select(SequenceRun).where(*active)).all()
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
        work = UnitOfWork(session, conversation.workspace_id, DESK, clock.now())
        handle(work, conversation, Handler.NOBODY, because="ended")
