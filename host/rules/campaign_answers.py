"""Handle answers to a campaign's private reply: assign the conversation to a team and label it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.actions import AddLabel
from host.automation.condition_facts import Event, seen
from host.automation.deciding import RunKind
from host.automation.runs import DueRun, finish, row_of
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.reading import Recorded
from host.models.automation import RunState
from host.models.inbox import Conversation, Message
from host.rules import actions as rule_actions
from host.rules import campaigns, evaluation
from host.rules.body import Action, GiveOut


def runs(session: Session, events: Sequence[Recorded], now: datetime) -> list[Mapping[str, Any]]:
    """Return a run for each of *events* that is an answer to a campaign's private reply."""
    return [
        row_of(event, RunKind.ANSWER, rule_id, 0, now)
        for event, rule_id in campaigns.answered(session, events)
    ]


def sequences(session: Session, events: Sequence[Recorded]) -> dict[int, tuple[int, int]]:
    """Return which of *events* answer a campaign's private reply and start its sequence.

    :return: the ids of the sequence and of the campaign, by the id of the event.
    """
    asked = campaigns.answered(session, events)
    if not asked:
        return {}
    rules = evaluation.active(session, {one.workspace_id for one, _rule_id in asked})
    wanted = {
        rule.id: rule.body.campaign.sequence
        for its in rules.values()
        for rule in its
        if rule.live and rule.body.campaign is not None and rule.body.campaign.sequence
    }
    found: dict[int, tuple[int, int]] = {}
    for event, rule_id in asked:
        if rule_id in wanted and event.id not in found and _is_answer(session, event, rule_id):
            found[event.id] = wanted[rule_id], rule_id
    return found


def _is_answer(session: Session, event: Recorded, rule_id: int) -> bool:
    query = (
        sa.select(Conversation.contact_id, Message.sent_at)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Message.id == event.message_id)
    )
    row = session.execute(query).one_or_none()
    return row is not None and campaigns.is_answer(session, rule_id, row.contact_id, row.sent_at)


def do(due: DueRun) -> None:
    """Assign the team and add the label of a campaign, once a person has answered its private reply."""
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    at = session.scalar(sa.select(Message.sent_at).where(Message.id == run.message_id))
    if at is None or not campaigns.take_answer(session, run.automation_id, conversation.contact_id, at):
        finish(run, RunState.SKIPPED, now, reason="answered")
        return
    its = evaluation.active(session, [run.workspace_id]).get(run.workspace_id, ())
    rule = next((one for one in its if one.id == run.automation_id and one.live), None)
    campaign = None if rule is None else rule.body.campaign
    if rule is None or campaign is None:
        finish(run, RunState.SKIPPED, now, reason="off")
        return
    actions: list[Action] = [AddLabel(campaign.label)] if campaign.label else []
    actions += [GiveOut(campaign.team)] if campaign.team else []
    event = Event(run.id, run.workspace_id, MESSAGE_RECEIVED, conversation.id, run.message_id, "customer")
    about = seen(session, [event], (), due.directory, now, {}).get(run.id)
    if about is None:
        finish(run, RunState.SKIPPED, now, reason="taken_back")
        return
    body = msgspec.structs.replace(rule.body, actions=tuple(actions))
    done = rule_actions.Acting(due, rule.id, rule.name, body, about).do()
    run.automation_version = rule.version
    finish(run, RunState.DONE, now, outcome="answered", reason=done.refused or None)
    evaluation.give_out(due, rule, done)
