"""A desk with rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.core import db
from host.events.models import ActorKind
from host.rules import log, rules
from host.rules.body import given
from host.rules.models import RuleState
from host.users.actor import Actor, UnitOfWork
from tests.automation.automated import Automated
from tests.helpers import do


def add_rule(
    automated: Automated,
    *actions: dict[str, Any],
    name: str = "Broken",
    when: str = "message.received",
    state: RuleState = RuleState.LIVE,
    conditions: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> int:
    """Add a rule and return its id."""
    desk = automated.desk
    body = given({"when": when, "conditions": list(conditions), "actions": list(actions), **more})

    def create(work: UnitOfWork) -> int:
        what = rules.there(work.session, desk.workspace, desk.generation.directory)
        return rules.create(work, name=name, body=body, what=what, state=state).id

    return do(create, desk.workspace, actor=Actor(ActorKind.SYSTEM, person="Ann"))


def ran(rule_id: int) -> list[log.Ran]:
    """Return the runs of a rule, the oldest first."""
    with db.read() as session:
        return log.runs(session, rule_id)[::-1]


class Ruled(Automated):
    """A desk with what its account does by itself, and with rules."""

    def rule(self, *actions: dict[str, Any], **more: Any) -> int:
        """Add a rule, see :func:`add_rule`, and return its id."""
        return add_rule(self, *actions, **more)

    def ran(self, rule_id: int) -> list[log.Ran]:
        """Return the runs of a rule, the oldest first."""
        return ran(rule_id)
