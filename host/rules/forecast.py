"""Which rules could send something to which customers, before somebody changes their conversations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from host.automation.condition_facts import Event, EventFacts, needs, seen
from host.automation.conditions import AnyOf, Concerns, Condition, FilterCondition, ask
from host.core.ports import RuleDirectory
from host.events.models import ActorKind
from host.features.messages_after import MessagesAfter
from host.rules.body import sends
from host.rules.evaluation import Active, active

_FIXED = frozenset({"channel", "account_id", "post"})
"""Fields of a filter that no change of a conversation touches."""


def messages_after(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Collection[int],
    directory: RuleDirectory,
    now: datetime,
) -> Sequence[MessagesAfter]:
    """Return for each live rule that sends something on an event of *kinds* whose customers could get it.

    Conditions that the change itself may meet, such as the conversation's state or the label that is added,
    count as met. So do those of addons.
    """
    rules = [
        one
        for one in active(session, [workspace_id]).get(workspace_id, ())
        if one.live and one.body.when in kinds and sends(one.body)
    ]
    if not rules:
        return []
    bodies = [one.body for one in rules]
    events = [
        Event(id_, workspace_id, "", id_, None, ActorKind.USER, {}) for id_ in sorted(set(conversations))
    ]
    there = seen(session, events, needs(bodies), directory, now, {workspace_id: bodies}, assumed=True)
    found = []
    for rule in rules:
        theirs = frozenset(id_ for id_, about in there.items() if _could(rule, about))
        found.append(MessagesAfter(rule.body.when, rule.name, theirs))
    return found


def _could(rule: Active, about: EventFacts) -> bool:
    return all(_may_hold(one, about) for one in rule.body.conditions)


def _may_hold(condition: Condition, about: EventFacts) -> bool:
    if isinstance(condition, AnyOf):
        return any(_may_hold(one, about) for one in condition.of)
    if isinstance(condition, Concerns):
        return True
    if isinstance(condition, FilterCondition) and not condition.filter.keys() <= _FIXED:
        return True
    return bool(ask(condition, about.facts).holds)
