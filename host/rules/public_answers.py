"""The public answers of a rule that also replies privately: they wait until the private reply was sent.

Their run is written with the private reply. An event about that reply makes the run due. Without one, such as
for a reply that is held back, the run is due an hour after it was written, and gives up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.condition_facts import Event, seen
from host.automation.deciding import RunKind
from host.automation.facts import NEVER_WENT
from host.automation.runs import DueRun, finish
from host.core import db
from host.core.statements import Statement
from host.events.kinds.messages import MESSAGE_FAILED, MESSAGE_RECEIVED, MESSAGE_SENT, MESSAGE_UNCONFIRMED
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.models.automation import AutomationRun, RunState
from host.models.inbox import ARRIVED, Conversation, DeliveryState, Message
from host.models.queue import OutboxEntry
from host.rules import actions, campaigns, evaluation
from host.rules.body import read
from host.rules.models import RuleVersion
from host.users.actor import UnitOfWork

_OUTCOMES = frozenset({MESSAGE_SENT, MESSAGE_FAILED, MESSAGE_UNCONFIRMED})
_RUNS = cast(sa.Table, AutomationRun.__table__)
_waiting = Statement(
    sa.select(_RUNS.c.id).where(
        _RUNS.c.conversation_id.in_(sa.bindparam("ids", expanding=True)),
        _RUNS.c.outcome.is_(None),
        _RUNS.c.kind == RunKind.PUBLIC_ANSWER,
        _RUNS.c.state == RunState.DUE,
    )
)


def wake(session: Session, events: Sequence[Recorded], now: datetime) -> None:
    """Make the runs due whose private replies have an outcome in *events*."""
    talks = {
        event.conversation_id
        for event in events
        if event.kind in _OUTCOMES and event.actor_kind == ActorKind.SYSTEM
        if event.conversation_id is not None
    }
    if not talks:
        return
    ids = [id_ for (id_,) in _waiting.rows(session.connection(), {"ids": db.padded(talks)})]
    if ids:
        due = sa.and_(AutomationRun.id.in_(ids), AutomationRun.state == RunState.DUE)
        session.execute(sa.update(AutomationRun).where(due).values(due_at=now))


def do(due: DueRun) -> None:
    """Give the public answers of a run if the private reply was sent; keep waiting while it may still be
    sent.
    """
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    until = run.created_at + evaluation.PATIENCE
    why = _hindrance(session, int(run.facts["private"]))
    if why in {actions.AWAITED, "private_unknown"} and _is_open(session, run) and now < until:
        run.due_at = until
        return
    if why in {"", actions.AWAITED} and now >= until:
        why = "private_late"
    rules = evaluation.active(session, [run.workspace_id]).get(run.workspace_id, ())
    rule = next((one for one in rules if one.id == run.automation_id and one.live), None)
    # Use that version: the actions may have been reordered since.
    version = session.get(RuleVersion, (run.automation_id, run.automation_version))
    body = None if version is None else read(version.body)
    if not why and (rule is None or body is None):
        why = "off"
    event = Event(run.id, run.workspace_id, MESSAGE_RECEIVED, conversation.id, run.message_id, "customer")
    about = None if why else seen(session, [event], (), due.directory, now, {}).get(run.id)
    if why or about is None or rule is None or body is None:
        give_up(due.work, run, conversation, why or "taken_back")
        return
    done = actions.Acting(due, rule.id, rule.name, body, about).answer_publicly(run.facts["steps"])
    _note(session, run, conversation, done)
    run.sent_id = max(done.sent, default=None)
    state = RunState.SKIPPED if done.refused else RunState.DONE
    finish(run, state, now, outcome=None if done.refused else "public", reason=done.refused or None)


def give_up(work: UnitOfWork, run: AutomationRun, conversation: Conversation, reason: str) -> None:
    """Give no public answer, and record the reason in the rule and its campaign."""
    steps = [("publicly", reason) for _number in run.facts["steps"]]
    _note(work.session, run, conversation, actions.ActionResults(steps))
    finish(run, RunState.SKIPPED, work.now, reason=reason)


def _hindrance(session: Session, private_id: int) -> str:
    """Return why a private reply must not be announced (yet); empty if it was sent."""
    state = session.scalar(sa.select(Message.state).where(Message.id == private_id))
    if state in ARRIVED:
        return ""
    if state is None or state in NEVER_WENT:
        return "no_private"
    return "private_unknown" if state == DeliveryState.UNKNOWN else actions.AWAITED


def _is_open(session: Session, run: AutomationRun) -> bool:
    """Return whether the private reply of *run* is still to be sent or confirmed."""
    entry = sa.select(OutboxEntry.open).where(OutboxEntry.message_id == int(run.facts["private"]))
    return bool(session.scalar(entry))


def _note(
    session: Session, run: AutomationRun, conversation: Conversation, done: actions.ActionResults
) -> None:
    """Store the results of the public answers, in the run of the rule and in its campaign."""
    query = sa.select(AutomationRun).where(
        AutomationRun.root_id == run.root_id,
        AutomationRun.kind == RunKind.RULE,
        AutomationRun.automation_id == run.automation_id,
    )
    noted = session.scalars(query.with_for_update()).one_or_none()
    if noted is not None:
        steps = [list(one) for one in noted.facts["done"]]
        for number, step in zip(run.facts["steps"], done.steps, strict=True):
            steps[number - 1] = list(step)
        noted.facts = {**noted.facts, "done": steps}
        if done.sent:
            noted.facts["sent"] = [*noted.facts.get("sent", [noted.sent_id]), *done.sent]
            noted.sent_id = max(done.sent)
        refused = actions.refusal(steps)
        noted.state = RunState.FAILED if refused else RunState.DONE
        noted.outcome, noted.reason = "refused" if refused else "did", refused or None
    took = done.took
    campaigns.note_public(
        session, run.automation_id, conversation.contact_id, int(run.facts["private"]), took
    )
