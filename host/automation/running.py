"""Do the runs that are due, each with its result in one write.

The customer's ordered queue and the conversation are locked first, as for any reply; then all facts are read
and everything is decided again. So if a person and the desk act concurrently, the second sees the result of
the first, and only one of several workers does the run. A run is done completely or not at all, even if a
worker dies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import asking_addons, buttons, facts, routing, texts
from host.automation import settings as account_settings
from host.automation.asking_addons import UnansweredError
from host.automation.deciding import (
    Answer,
    ConversationFacts,
    RunKind,
    Sent,
    Settings,
    answer_tap,
    decide,
    sent_as,
)
from host.automation.facts import MessageFacts
from host.automation.runs import Doer, DueRun, finish
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ports import RuleDirectory
from host.core.statements import earliest
from host.events.consuming import pause_after
from host.events.writing import because, together
from host.features import registry
from host.inbox.conversation_actions import set_fields
from host.inbox.conversations import locked_conversation
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError
from host.inbox.reply import HeldLocks, Voice, queue_parts, take_lane
from host.inbox.reply import answer as note_answer
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Message
from host.sdk.channel import ChannelAdapter
from host.users.actor import DESK, UnitOfWork
from host.working_hours import hours

log = logging.getLogger(__name__)

PORTION = 20
"""Most runs per round."""
TOGETHER = 5
"""Most runs per write on SQLite, which has only one writer.

On other databases, a write that locks several conversations would wait for writes that lock them in a
different order.
"""
NAME_PAUSE = timedelta(milliseconds=500)
"""How long a run is put off whose text has a name that the provider is asked for."""
PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
"""Delays before the retries of a failed run."""


def run_due(directory: RuleDirectory) -> bool:
    """Do a batch of due runs; return whether there may be more."""
    with db.read() as session:
        found = due(session, clock.now())
    together = TOGETHER if db.current().is_sqlite else 1
    at = 0
    with db.behind():
        while at < len(found):
            since = found[at][1]
            at += _do_together([id_ for id_, _at in found[at : at + together]], since, directory)
    return len(found) == PORTION


def _do_together(ids: Sequence[int], since: datetime, directory: RuleDirectory) -> int:
    """Do some runs in one write; return how many. If one fails, do each in its own write instead.

    :param since: when the first became due.
    """
    try:
        done, away = asking_addons.write(_do_and_look, ids, since, directory)
    except texts.NameAwaitedError:
        if len(ids) > 1:
            return sum(_do_together([id_], since, directory) for id_ in ids)
        done, away = 1, 0.0
        db.write(_put_off, ids[0], clock.now() + NAME_PAUSE)
    except Exception:
        if len(ids) > 1:
            return sum(_do_together([id_], since, directory) for id_ in ids)
        done, away = 1, 0.0
        log.exception("the automation run %s failed", ids[0])
        db.write(note_failure, ids[0], clock.now())
    if away:
        time.sleep(away)
    return done


def _do_and_look(
    session: Session, run_ids: Sequence[int], since: datetime, directory: RuleDirectory
) -> tuple[int, float]:
    """Do some runs until others want to write; return how many were done, and the seconds to pause.

    The pause works as for consumers of the event log, and is 0 unless other writers wait: customers' messages
    are stored first, and a flood of comments on one post must not delay direct messages.
    """
    began, done, away = clock.monotonic(), 0, 0.0
    unanswered: list[UnansweredError] = []
    for run_id in run_ids:
        try:
            do(session, run_id, directory, clock.now())
        except UnansweredError as error:
            unanswered.append(error)  # the write is rolled back: the others say what they need, too
        done += 1
        if db.current().is_shared:
            away = pause_after(clock.monotonic() - began, clock.now() - since)
            break
    if unanswered:
        raise UnansweredError(
            [one for error in unanswered for one in error.questions],
            changed=any(error.changed for error in unanswered),
        )
    return done, away


def is_due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(AutomationRun.due_at, now, AutomationRun.state == RunState.DUE)


def due(session: Session, now: datetime) -> list[tuple[int, datetime]]:
    """Return the ids of runs that are due, each with when it became due, the oldest first."""
    query = (
        sa.select(AutomationRun.id, AutomationRun.due_at)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.due_at <= now)
        .order_by(AutomationRun.due_at, AutomationRun.id)
        .limit(PORTION)
    )
    return [(row.id, row.due_at or now) for row in session.execute(query)]


def do(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> None:
    """Do one run, or note why it is not done. Skip it if another worker did it meanwhile."""
    row = session.execute(
        sa.select(AutomationRun.kind, AutomationRun.workspace_id, AutomationRun.conversation_id).where(
            AutomationRun.id == run_id, AutomationRun.state == RunState.DUE
        )
    ).one_or_none()
    if row is None:
        return
    hooks = registry.hooks()
    doer = _OWN.get(row.kind) or hooks.doer_of(session=session, kind=row.kind, workspace_id=row.workspace_id)
    recipient, work = None, UnitOfWork(session, row.workspace_id, DESK, now)
    try:
        if doer is not None and doer.sends:
            recipient = take_lane(session, row.workspace_id, row.conversation_id)
        conversation = locked_conversation(work, row.conversation_id)
    except ConversationNotFoundError:
        return  # the run is deleted with it
    run = locked_run(session, run_id, RunState.DUE)
    if run is None or (run.due_at is not None and run.due_at > now):
        return  # done by another worker, or put off
    held = None if recipient is None else HeldLocks(conversation, recipient)
    causes = because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth)
    with causes, together(session):
        if doer is not None:
            doer.do(DueRun(work, run, conversation, directory, held))
        else:
            # A run of another release, or of a disabled feature.
            off = {"session": session, "run": run, "conversation": conversation, "reason": "off", "now": now}
            if not hooks.give_up_run(**off):
                finish(run, RunState.SKIPPED, now, reason="off")
    session.flush()


def _its(session: Session, run: AutomationRun) -> Settings:
    """Return the current settings of the account of *run*, and note their version."""
    its = account_settings.of_account(session, run.workspace_id, run.automation_id)
    run.automation_version = its.version
    return its


def locked_run(session: Session, run_id: int, state: RunState) -> AutomationRun | None:
    """Return a run, locked until the write ends; None if it is no longer in *state*."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.id == run_id, AutomationRun.state == state)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def note_failure(session: Session, run_id: int, now: datetime) -> None:
    """Schedule a retry of a failed run, or give it up."""
    run = locked_run(session, run_id, RunState.DUE)
    if run is None:
        return
    if run.attempts < len(PAUSES):
        run.due_at = now + PAUSES[run.attempts]
    else:
        finish(run, RunState.FAILED, now, reason="error")
    run.attempts += 1


def _put_off(session: Session, run_id: int, until: datetime) -> None:
    """Do a run later, and those of its conversation that are due, so that they stay in their order."""
    conversation_id = session.scalar(
        sa.select(AutomationRun.conversation_id).where(AutomationRun.id == run_id)
    )
    due = (
        AutomationRun.conversation_id == conversation_id,
        AutomationRun.state == RunState.DUE,
        AutomationRun.due_at < until,
    )
    session.execute(sa.update(AutomationRun).where(*due).values(due_at=until))


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove runs created before *before*; return their number."""
    query = sa.select(AutomationRun.id, AutomationRun.created_at).order_by(AutomationRun.id).limit(most)
    gone = [id_ for id_, at in session.execute(query) if at < before]
    session.execute(sa.delete(AutomationRun).where(AutomationRun.id.in_(gone)))
    return len(gone)


def _speak(due: DueRun) -> None:
    """Send the automatic message of a locked conversation, or note why none is sent."""
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    its = _its(session, run)
    about = facts.known(session, [run.message_id or 0]).get(run.message_id or 0)
    if about is None:
        finish(run, RunState.SKIPPED, now, reason="taken_back")
        return
    adapter = due.directory.adapter(conversation.channel)
    theirs = hours.of_team(session, run.workspace_id, its.team_id)
    talk = about.talk(
        now,
        theirs,
        about.hindrance(adapter, now),
        facts.unanswered(session, conversation.id),
        is_answered=_needs_nobody(session, run, about),
    )
    words = decide(its, talk)
    run.facts = seen(talk)
    if not words.says:
        finish(run, RunState.SKIPPED, now, reason=words.reason)
        return
    text = its.greeting if words.says == "greeting" else its.away
    said = texts.filled(text, facts.values(session, conversation, adapter, talk.opens_at, now))
    if said is None:
        finish(run, RunState.SKIPPED, now, reason="unfilled")
        return
    try:
        messages = queue_parts(
            due.work,
            conversation.id,
            [Draft(text=said)],
            reply_key=f"auto-{words.says}-{run.id}",
            adapter=adapter,
            by_person=False,
            voice=Voice.NOTICE,
        )
    except LobbyError as error:
        # Raised before any write: the account, the customer or the channel does not allow it.
        finish(run, RunState.SKIPPED, now, reason=error.code)
        return
    run.sent_id = messages[-1].id
    finish(run, RunState.DONE, now, outcome=words.says, reason=words.reason)


def _needs_nobody(session: Session, run: AutomationRun, about: MessageFacts) -> bool:
    """Return whether the message of *run* is a tap whose answer needs nobody of the team."""
    if run.message_id is None or sent_as(about.row.kind) is not Sent.TAP:
        return False
    return buttons.answered(session, [run.message_id]).get(run.message_id, False)


def _route(due: DueRun) -> None:
    routing.route_run(due.session, due.run, due.conversation, _its(due.session, due.run), due.now)


def _answer_tap(due: DueRun) -> None:
    """Send the answer to a tap in a locked conversation, and hand it to a team; or note why not."""
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    answer = buttons.by_id(session, run.automation_id)
    about = facts.known(session, [run.message_id or 0]).get(run.message_id or 0)
    if about is None:
        finish(run, RunState.SKIPPED, now, reason="taken_back")
        return
    adapter = due.directory.adapter(conversation.channel)
    theirs = hours.of_team(session, run.workspace_id, None if answer is None else answer.team_id)
    talk = about.talk(now, theirs, about.hindrance(adapter, now), facts.unanswered(session, conversation.id))
    decision = answer_tap(answer, talk)
    run.facts = {**seen(talk), "hands_over": answer is not None and answer.hands_over}
    reason: str = decision.reason
    sent: Message | None = None
    if decision.says:
        assert answer is not None
        assert adapter is not None
        refused, sent = _say_answer(due, answer, adapter, talk.opens_at)
        reason = refused or reason
    if sent is not None:
        run.sent_id = sent.id
        if not run.facts["hands_over"] and _waits_for_nothing_else(session, run, conversation):
            note_answer(session, conversation, sent, None)
    if decision.team_id is not None:
        _hand_over(due, decision.team_id)
    done = sent is not None or decision.team_id is not None
    finish(run, RunState.DONE if done else RunState.SKIPPED, now, reason=reason)
    if done:
        run.outcome = "answer"


def _waits_for_nothing_else(session: Session, run: AutomationRun, conversation: Conversation) -> bool:
    """Return whether the customer waits only for answers to taps, which they have with that of *run*.

    Somebody who wrote before they tapped still waits for the team.
    """
    since = conversation.waiting_since
    if since is None:
        return False
    waiting = set(facts.inbound_since(session, conversation.id, since)) - {run.message_id}
    return all(buttons.answered(session, waiting, due=False).get(one) for one in waiting)


def _say_answer(
    due: DueRun, answer: Answer, adapter: ChannelAdapter, opens_at: datetime | None
) -> tuple[str, Message | None]:
    """Queue the text of an answer; return why it is not sent, or the message."""
    session, run, conversation = due.session, due.run, due.conversation
    said = texts.filled(answer.text, facts.values(session, conversation, adapter, opens_at, due.now))
    if said is None:
        return "unfilled", None
    capabilities = adapter.capabilities
    person = buttons.person_title(session, run.workspace_id, capabilities)
    try:
        messages = queue_parts(
            due.work,
            conversation.id,
            [buttons.draft_of(answer, said, capabilities, person)],
            reply_key=f"auto-tap-{run.id}",
            adapter=adapter,
            by_person=False,
            voice=Voice.NOTICE,
            held=due.held,
        )
    except LobbyError as error:
        # Raised before any write: the account, the customer or the channel does not allow it.
        return error.code, None
    return "", messages[-1]


def _hand_over(due: DueRun, team_id: int) -> None:
    """Give the locked conversation to a team, and to a member on duty."""
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    set_fields(due.work, conversation.id, {"team_id": team_id}, why="tapped")
    given = AutomationRun(
        workspace_id=run.workspace_id,
        kind=RunKind.HAND_OVER,
        automation_id=run.automation_id,
        automation_version=0,
        conversation_id=run.conversation_id,
        message_id=run.message_id,
        cause_id=run.cause_id,
        root_id=run.root_id,
        depth=run.depth,
        state=RunState.DUE,
        attempts=0,
        team_id=team_id,
        facts={},
        created_at=now,
    )
    session.add(given)
    session.flush()
    routing.give_out(session, given, conversation, now)


_OWN = {
    RunKind.TAP: Doer(sends=True, do=_answer_tap),
    RunKind.WORDS: Doer(sends=True, do=_speak),
    RunKind.ROUTING: Doer(sends=False, do=_route),
}


def seen(talk: ConversationFacts) -> dict[str, object]:
    """Return the facts of the decision, as stored with the run."""
    times = {
        "wrote": talk.wrote_at,
        "before": talk.wrote_before,
        "person": talk.person_at,
        "greeted": talk.greeted_at,
    }
    return {
        "sent": str(talk.sent),
        "open": talk.is_open,
        "absence": talk.absence,
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
    }
