"""A desk that was put back from a backup: what it was about to do by itself, it may have done since.

Its customers may have had their greeting, and a person may have answered them, in what is not in the backup.
So people have what is from before, and the desk begins with what comes from then on.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.deciding import RunKind
from host.automation.rules import passing, public_answers
from host.models.assistants import AssistantTurn, TurnState
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation
from host.models.users import InstallationValue

NAME = "automation.since"
PORTION = 200
"""Most runs of one write."""
_EVER = datetime.min.replace(tzinfo=UTC)
_SPEAK = (RunKind.WORDS, RunKind.RULES, RunKind.WAIT, RunKind.PUBLIC_ANSWER)
"""What may say something to a customer, or to another program."""


def since(session: Session) -> datetime:
    """Return from when on the desk does something by itself: what happened before is left to people."""
    found = session.get(InstallationValue, NAME)
    return _EVER if found is None else datetime.fromisoformat(found.value)


def begin_at(session: Session, now: datetime) -> None:
    """Leave to people what happened before *now*, and what assistants think about."""
    session.merge(InstallationValue(name=NAME, value=now.isoformat()))
    thinks = AssistantTurn.state.in_([TurnState.WAITING, TurnState.THINKING])
    keeping.discard(session, thinks, "restored", now)


def set_aside(session: Session, now: datetime) -> bool:
    """End a portion of the runs that would say something; return whether there may be more."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.kind.in_(_SPEAK))
        .order_by(AutomationRun.id)
        .limit(PORTION)
    )
    found = session.scalars(query).all()
    rules = passing.active(session, {run.workspace_id for run in found})
    for run in found:
        conversation = session.get_one(Conversation, run.conversation_id)
        if run.kind == RunKind.PUBLIC_ANSWER:
            public_answers.give_up(session, run, conversation, "restored", now)
            continue
        passing.give_up(session, run, conversation, rules.get(run.workspace_id, ()), "restored", now)
    session.flush()
    return len(found) == PORTION
