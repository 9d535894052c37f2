"""Do what is due, each run within one write: what it does, and that it is done.

The lane of the customer and the conversation are locked first, as by whoever answers; then everything is
asked and decided once more. So of a person and the desk at the same moment the second finds what the first
did, and of several workers one does it. A worker that dies has done all of it or nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import facts, routing, texts
from host.automation import settings as account_settings
from host.automation.deciding import RunKind, Settings, Talk, decide
from host.automation.routing import finish
from host.automation.rules import answering, passing, public_answers
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ports import AdapterDirectory, RuleDirectory
from host.inbox.conversations import locked_conversation
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError
from host.inbox.reply import Held, Voice, queue_parts, take_lane
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation
from host.record.consuming import COURTESY
from host.record.writing import because, together
from host.users import hours
from host.users.reach import ALL_ACCOUNTS

log = logging.getLogger(__name__)

PORTION = 20
"""Most runs of one round."""
TOGETHER = 5
"""Most runs of one write on SQLite, which has one writer anyway. On a server a write that locks several
conversations would wait for those who lock them in another order."""
PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
"""How long to wait before each further try of a run that the desk failed at."""


def run_due(directory: RuleDirectory) -> bool:
    """Do a portion of what is due; return whether there may be more."""
    with db.read() as session:
        ids = due(session, clock.now())
    together = TOGETHER if db.current().is_sqlite else 1
    at = 0
    with db.behind():
        while at < len(ids):
            at += _do_together(ids[at : at + together], directory)
    return len(ids) == PORTION


def _do_together(ids: Sequence[int], directory: RuleDirectory) -> int:
    """Do some runs in one write; return how many. Where one fails, each by itself, so others are done."""
    try:
        done, away = db.write(_do_and_look, ids, directory)
    except Exception:
        if len(ids) > 1:
            return sum(_do_together([id_], directory) for id_ in ids)
        done, away = 1, 0.0
        log.exception("the automation run %s failed", ids[0])
        db.write(note_failure, ids[0], clock.now())
    if away:
        time.sleep(away)
    return done


def _do_and_look(session: Session, run_ids: Sequence[int], directory: RuleDirectory) -> tuple[int, float]:
    """Do some runs, and no more once others want to write; return how many were done.

    And the seconds to stay away, as readers of the record do; none unless others write: what customers write
    is taken in first, and a flood below one post leaves the direct messages their time.
    """
    began, done = clock.monotonic(), 0
    for run_id in run_ids:
        do(session, run_id, directory, clock.now())
        done += 1
        if db.current().is_shared:
            return done, (clock.monotonic() - began) * COURTESY
    return done, 0.0


def due(session: Session, now: datetime) -> Sequence[int]:
    """Return the ids of runs that are due, the oldest first."""
    query = (
        sa.select(AutomationRun.id)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.due_at <= now)
        .order_by(AutomationRun.due_at, AutomationRun.id)
        .limit(PORTION)
    )
    return session.scalars(query).all()


def do(session: Session, run_id: int, directory: RuleDirectory, now: datetime) -> None:
    """Do one run, or note why it is not done. One that another worker did meanwhile is left alone."""
    row = session.execute(
        sa.select(AutomationRun.kind, AutomationRun.workspace_id, AutomationRun.conversation_id).where(
            AutomationRun.id == run_id, AutomationRun.state == RunState.DUE
        )
    ).one_or_none()
    if row is None:
        return
    rules: Sequence[passing.Active] = ()
    if row.kind in {RunKind.RULES, RunKind.WAIT}:
        rules = passing.active(session, [row.workspace_id]).get(row.workspace_id, ())
    recipient = None
    try:
        if row.kind in {RunKind.WORDS, RunKind.PUBLIC_ANSWER} or passing.may_send(rules):
            recipient = take_lane(session, row.workspace_id, row.conversation_id)
        conversation = locked_conversation(
            session, row.workspace_id, row.conversation_id, accounts=ALL_ACCOUNTS
        )
    except ConversationNotFoundError:
        return  # the run goes with it
    run = locked_run(session, run_id, RunState.DUE)
    if run is None:
        return
    held = None if recipient is None else Held(conversation, recipient)
    causes = because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth)
    with causes, together(session):
        match run.kind:
            case RunKind.WORDS:
                _speak(session, run, conversation, _its(session, run), directory, now)
            case RunKind.ROUTING:
                routing.route_run(session, run, conversation, _its(session, run), now)
            case RunKind.RULES:
                passing.do_pass(session, run, conversation, rules, directory, now, held)
            case RunKind.WAIT:
                passing.do_wait(session, run, conversation, rules, directory, now, held)
            case RunKind.ANSWER:
                answering.do(session, run, conversation, directory, now)
            case RunKind.PUBLIC_ANSWER:
                public_answers.do(session, run, conversation, directory, now, held)
            case _:
                finish(run, RunState.SKIPPED, now, reason="off")  # of another release
    session.flush()


def _its(session: Session, run: AutomationRun) -> Settings:
    """Return what the account of *run* is to do by now, and note which version of it that is."""
    its = account_settings.of_account(session, run.workspace_id, run.automation_id)
    run.automation_version = its.version
    return its


def locked_run(session: Session, run_id: int, state: RunState) -> AutomationRun | None:
    """Return a run, locked until the write ends; None if it is not in *state* any more."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.id == run_id, AutomationRun.state == state)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def note_failure(session: Session, run_id: int, now: datetime) -> None:
    """Have a run that the desk failed at tried again later, or give it up."""
    run = locked_run(session, run_id, RunState.DUE)
    if run is None:
        return
    if run.attempts < len(PAUSES):
        run.due_at = now + PAUSES[run.attempts]
    else:
        finish(run, RunState.FAILED, now, reason="error")
    run.attempts += 1


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove runs made before *before*; return how many."""
    query = sa.select(AutomationRun.id, AutomationRun.created_at).order_by(AutomationRun.id).limit(most)
    gone = [id_ for id_, at in session.execute(query) if at < before]
    session.execute(sa.delete(AutomationRun).where(AutomationRun.id.in_(gone)))
    return len(gone)


def _speak(
    session: Session,
    run: AutomationRun,
    conversation: Conversation,
    its: Settings,
    directory: AdapterDirectory,
    now: datetime,
) -> None:
    """Say what is to be said in a locked conversation, or note why nothing is."""
    about = facts.known(session, [run.message_id or 0]).get(run.message_id or 0)
    if about is None:
        finish(run, RunState.SKIPPED, now, reason="taken_back")
        return
    adapter = directory.adapter(conversation.channel)
    theirs = hours.of_team(session, run.workspace_id, its.team_id)
    talk = about.talk(now, theirs, about.hindrance(adapter, now), facts.unanswered(session, conversation.id))
    words = decide(its, talk)
    run.facts = seen(talk)
    if not words.says:
        finish(run, RunState.SKIPPED, now, reason=words.reason)
        return
    text = its.greeting if words.says == "greeting" else its.away
    said = texts.filled(text, facts.values(session, conversation, talk.opens_at, now))
    if said is None:
        finish(run, RunState.SKIPPED, now, reason="unfilled")
        return
    try:
        messages = queue_parts(
            session,
            workspace_id=run.workspace_id,
            conversation_id=conversation.id,
            author_id=None,
            drafts=[Draft(text=said)],
            reply_key=f"auto-{words.says}-{run.id}",
            adapter=adapter,
            now=now,
            by_person=False,
            voice=Voice.NOTICE,
            accounts=ALL_ACCOUNTS,
        )
    except LobbyError as error:
        # Raised before anything is written: the account, the customer or the channel does not allow it.
        finish(run, RunState.SKIPPED, now, reason=error.code)
        return
    run.sent_id = messages[-1].id
    finish(run, RunState.DONE, now, outcome=words.says, reason=words.reason)


def seen(talk: Talk) -> dict[str, object]:
    """Return what was known when it was decided, as it is kept with the run."""
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
