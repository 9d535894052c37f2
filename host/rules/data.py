"""Data hooks for the pending runs of rules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import running
from host.automation.deciding import RunKind
from host.core import clock, db
from host.features import registry
from host.features.hookspecs import hookimpl
from host.features.use import KEYS, Use, named
from host.features.while_off import WhileOff
from host.inbox.conversations import locked_conversation
from host.inbox.errors import ConversationNotFoundError
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation
from host.rules import evaluation, public_answers
from host.rules.models import Rule, RuleState, RuleVersion
from host.users.actor import DESK, UnitOfWork
from host.web.languages import gettext as _

NAMES = sa.select(Rule.id, Rule.name)
"""Query for the names of rules that events refer to by id."""
_STATES = {
    RuleState.DRAFT: _l("draft"),
    RuleState.SHADOW: _l("shadow"),
    RuleState.LIVE: _l("live"),
    RuleState.OFF: _l("off"),
}
_SPEAK = (RunKind.RULES, RunKind.WAIT, RunKind.PUBLIC_ANSWER)
"""Kinds of runs that may send something to a customer or another program."""


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the rules and campaigns that refer to things of a kind."""
    found: dict[int, list[Use]] = {}
    if kind not in KEYS:
        return found
    query = (
        sa.select(Rule.id, Rule.name, Rule.state, RuleVersion.body)
        .join(RuleVersion, sa.and_(RuleVersion.rule_id == Rule.id, RuleVersion.number == Rule.version))
        .where(Rule.workspace_id == workspace_id)
        .order_by(Rule.position, Rule.id)
    )
    for id_, name, state, body in session.execute(query):
        what = _("Campaign") if body.get("campaign") else _("Rule")
        use = Use(what, name, str(_STATES[RuleState(state)]), ("rules.rule", {"rule_id": id_}), "accounts")
        for one in named(body, kind):
            found.setdefault(one, []).append(use)
    return found


@hookimpl
def leave_to_people(session: Session, now: datetime, most: int) -> bool | None:
    """End a batch of the runs that would send something."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.kind.in_(_SPEAK))
        .order_by(AutomationRun.id)
        .limit(most)
    )
    found = session.scalars(query).all()
    rules = evaluation.active(session, {run.workspace_id for run in found})
    for run in found:
        conversation = session.get_one(Conversation, run.conversation_id)
        work = UnitOfWork(session, run.workspace_id, DESK, now)
        _give_up(work, run, conversation, rules.get(run.workspace_id, ()), "restored")
    session.flush()
    return bool(found) or None


@hookimpl
def let_go(most: int) -> bool | None:
    """Cancel pending actions, so that none is done when rules are turned on again."""
    if registry.is_on("rules"):
        return None
    pending = sa.select(AutomationRun.id).where(
        AutomationRun.state == RunState.DUE, AutomationRun.kind.in_(_SPEAK)
    )
    with db.read() as session:
        ids = session.scalars(pending.order_by(AutomationRun.due_at).limit(most)).all()
    for run_id in ids:
        db.write(_let_go, run_id, clock.now())
    return len(ids) == most or None


def _let_go(session: Session, run_id: int, now: datetime) -> None:
    seen = session.get(AutomationRun, run_id)
    if seen is None:
        return
    with suppress(ConversationNotFoundError):  # the run is deleted with it
        work = UnitOfWork(session, seen.workspace_id, DESK, now)
        conversation = locked_conversation(work, seen.conversation_id)
        run = running.locked_run(session, run_id, RunState.DUE)
        if run is not None:
            give_up_run(session, run, conversation, "off", now)
            session.flush()


@hookimpl
def while_off(session: Session, name: str, workspace_id: int) -> WhileOff | None:
    """Return the rules and campaigns."""
    if name != "rules":
        return None
    mine = sa.select(Rule.name).where(Rule.workspace_id == workspace_id)
    return WhileOff([(one, "") for one in session.scalars(mine.order_by(Rule.position, Rule.id))])


@hookimpl
def give_up_run(
    session: Session, run: AutomationRun, conversation: Conversation, reason: str, now: datetime
) -> bool | None:
    """End a run that would send something."""
    if run.kind not in _SPEAK:
        return None
    rules = evaluation.active(session, [run.workspace_id]).get(run.workspace_id, ())
    _give_up(UnitOfWork(session, run.workspace_id, DESK, now), run, conversation, rules, reason)
    return True


def _give_up(
    work: UnitOfWork,
    run: AutomationRun,
    conversation: Conversation,
    rules: Sequence[evaluation.Active],
    reason: str,
) -> None:
    if run.kind == RunKind.PUBLIC_ANSWER:
        public_answers.give_up(work, run, conversation, reason)
    else:
        evaluation.give_up(work, run, conversation, rules, reason)
