"""Hooks that start sequences and go on with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Many
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.automation import facts as talks
from host.automation.consuming import Automating
from host.automation.deciding import RunKind, may_speak
from host.automation.runs import Doer, DueRun
from host.channels.directory import Directory
from host.core.ports import RuleDirectory
from host.events import reading
from host.events.reading import Recorded
from host.features.automation_overview import AutomationOverview, OverviewAccount
from host.features.hookspecs import hookimpl
from host.features.startable_sequence import StartableSequence
from host.features.today import AutomaticKind
from host.inbox.reply import HeldLocks
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Message
from host.sequences import runner, starts, triggers
from host.sequences.models import Sequence, SequenceRun, SequenceState
from host.sequences.overview import overview
from host.sequences.starts import Cause
from host.users.actor import DESK, UnitOfWork

AFTER = timedelta(milliseconds=100)
"""How long after an earlier message of the conversation the next one is tried again."""


@hookimpl
def taken_first(
    session: Session, events: Many[Recorded], now: datetime, since: datetime
) -> tuple[Many[Mapping[str, Any]], Collection[int]]:
    """Return runs for messages that start sequences, or may be answers in one, and for what people did."""
    return triggers.taken(session, events, now, since)


@hookimpl
def doer_of(session: Session, kind: str, workspace_id: int) -> Doer | None:
    """Return the function that does runs of *kind*: starts, messages and checks."""
    do = _DOERS.get(kind)
    return None if do is None else Doer(sends=kind != RunKind.SEQUENCE_CHECK, do=do)


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Many[OverviewAccount], directory: Directory
) -> AutomationOverview:
    """Return the sequences of each account."""
    return overview(session, workspace_id, accounts, directory)


@hookimpl
def rule_sequences(session: Session, workspace_id: int) -> Mapping[int, StartableSequence]:
    """Return the sequences of a workspace."""
    return triggers.startable(session, workspace_id)


@hookimpl
def start_sequence(
    session: Session,
    sequence_id: int,
    conversation: Conversation,
    by: str,
    directory: RuleDirectory,
    now: datetime,
    held: HeldLocks | None,
) -> str:
    """Start a sequence for a rule."""
    work = UnitOfWork(session, conversation.workspace_id, DESK, now)
    return starts.start_in(work, sequence_id, conversation, by=by, directory=directory, held=held)


def start(due: DueRun) -> None:
    """Start a sequence for the message of a run, or hand the message to rules and assistants."""
    session, run = due.session, due.run
    # Shared with other starts: a sequence that is turned off with its runs gets none meanwhile.
    sequence = session.get(
        Sequence, run.automation_id, populate_existing=True, with_for_update={"read": True}
    )
    why = _hindrance(due, sequence)
    if sequence is None or sequence.live_version is None or why:
        due.finish(RunState.SKIPPED, reason=why)
        _release(due)
        return
    run.automation_version = sequence.live_version
    try:
        with session.begin_nested():
            starts.begin(
                due.work,
                sequence,
                due.conversation,
                by=str(run.facts.get("by", "")),
                message_id=run.message_id,
                cause=Cause(run.cause_id, run.root_id, run.depth),
                directory=due.directory,
                held=due.held,
            )
    except IntegrityError:  # the contact entered one in another conversation, at the same moment
        due.finish(RunState.SKIPPED, reason="in_sequence")
        _release(due)
        return
    due.finish(RunState.DONE, outcome="sequence")


def _hindrance(due: DueRun, sequence: Sequence | None) -> str:
    """Return why a sequence does not start, as a key of the reasons, or an empty string."""
    session, run, conversation = due.session, due.run, due.conversation
    if sequence is None or sequence.state != SequenceState.LIVE:
        return "off"
    if starts.is_in_sequence(session, conversation):
        return "in_sequence"
    about = talks.known(session, [run.message_id or 0]).get(run.message_id or 0)
    if about is None:
        return "taken_back"
    return may_speak(
        due.now,
        hindrance=about.hindrance(due.directory.adapter(conversation.channel), due.now),
        answers=about.row.sent_at,
        person_at=about.row.person_at,
        is_persons=about.row.handled_by == "person",
        unanswered=talks.unanswered(session, conversation.id),
    )


def _earlier(session: Session, run: AutomationRun) -> datetime | None:
    """Return when an earlier message of the conversation is due, which another worker has not read yet."""
    query = sa.select(sa.func.min(AutomationRun.due_at)).where(
        AutomationRun.conversation_id == run.conversation_id,
        AutomationRun.state == RunState.DUE,
        AutomationRun.kind.in_((RunKind.SEQUENCE, RunKind.SEQUENCE_MESSAGE)),
        AutomationRun.id < run.id,
    )
    return session.scalar(query)


def hear(due: DueRun) -> None:
    """Go on with a message in a sequence, or hand it to rules and assistants."""
    session, run = due.session, due.run
    earlier = _earlier(session, run)
    if earlier is not None:
        run.due_at = max(earlier, due.now) + AFTER
        return
    active = runner.locked_run(session, due.conversation.id)
    message = session.get(Message, run.message_id or 0, populate_existing=True)
    if message is None or message.unsent_at is not None:
        due.finish(RunState.SKIPPED, reason="taken_back")
        return
    walk = None if active is None else _walk(due, active)
    if walk is not None and walk.hear(message):
        due.finish(RunState.DONE, outcome="sequence")
        return
    due.finish(RunState.SKIPPED, reason="no_question")
    _release(due)


def _walk(due: DueRun, active: SequenceRun) -> runner.Walk | None:
    return runner.walk(due.work, active, due.conversation, due.directory, due.held)


def check(due: DueRun) -> None:
    """End or pause the sequence in a conversation where people act, or resume it."""
    run = due.run
    active = runner.locked_run(due.session, due.conversation.id)
    walk = None if active is None else _walk(due, active)
    if walk is not None:
        closed = bool(run.facts.get("closed")) and run.cause_id > walk.run.cause_id
        walk.check(closed=closed)
    due.finish(RunState.DONE if walk is not None else RunState.SKIPPED, reason="")


def _release(due: DueRun) -> None:
    """Hand a message that no sequence wanted to rules, assistants and the greeting."""
    event = reading.by_id(due.session, due.run.cause_id)
    if event is not None:
        Automating(lambda: due.directory).release(due.session, event, due.now)


_DOERS: Mapping[str, Callable[[DueRun], None]] = {
    RunKind.SEQUENCE: start,
    RunKind.SEQUENCE_MESSAGE: hear,
    RunKind.SEQUENCE_CHECK: check,
}


@hookimpl
def automatic_messages() -> Many[AutomaticKind]:
    """Return the messages of sequences, by the keys they are queued with."""
    return [AutomaticKind("sequence-", 50, _l("Sequences"))]
