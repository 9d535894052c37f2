"""The runs of rules, and previews on the messages of the last days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.automation.condition_facts import Event, EventFacts, needs, seen
from host.automation.conditions import ConditionResult, decide
from host.automation.deciding import RunKind
from host.core.ports import RuleDirectory
from host.events.kinds.conversations import CONVERSATION_CREATED
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.models.automation import AutomationRun
from host.models.inbox import Contact, Conversation, Direction, Message
from host.rules.body import UNANSWERED, Body
from host.rules.models import Rule

DAYS = 7
MOST_LOOKED = 1000
"""Most messages in the preview of a rule: the newest of the week."""
PAGE = 50

_IS_RULE = AutomationRun.kind == RunKind.RULE


class Ran(msgspec.Struct, frozen=True):
    """A run of a rule: one evaluation and its outcome.

    :param trace: the result of each condition; see :class:`ConditionResult`. Its ``which`` is None outside
        groups, and if it was not stored.
    :param done: the kind of each action, and why it was not done.
    :param outcome: ``did``, ``refused``, ``shadow``, or empty if it did not match.
    """

    id: int
    at: datetime
    conversation_id: int
    contact_name: str | None
    version: int
    outcome: str
    reason: str
    trace: Sequence[ConditionResult]
    done: Sequence[tuple[str, str]]


def runs(
    session: Session,
    rule_id: int,
    *,
    matched: bool | None = None,
    refused: bool = False,
    accounts: Collection[int] | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Ran]:
    """Return the runs of a rule, newest first.

    :param matched: only those that matched, or that did not; None: all.
    :param accounts: those the viewer may see; None: all.
    :param before: the id of the run to continue from.
    """
    query = (
        sa.select(AutomationRun, Contact.name)
        .join(Conversation, Conversation.id == AutomationRun.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(_IS_RULE, AutomationRun.automation_id == rule_id)
        .order_by(AutomationRun.id.desc())
        .limit(limit)
    )
    if matched is not None:
        has = AutomationRun.outcome.is_not(None)
        query = query.where(has if matched else sa.not_(has))
    if refused:
        query = query.where(AutomationRun.outcome == "refused")
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(accounts))
    if before is not None:
        query = query.where(AutomationRun.id < before)
    return [
        Ran(
            run.id,
            run.done_at or run.created_at,
            run.conversation_id,
            name,
            run.automation_version,
            run.outcome or "",
            run.reason or "",
            _trace(run.facts),
            [(str(what), str(why)) for what, why in run.facts.get("done", [])],
        )
        for run, name in session.execute(query)
    ]


def _trace(facts: Mapping[str, Any]) -> list[ConditionResult]:
    which = facts.get("which", {})
    return [
        ConditionResult(holds, str(saw), which.get(str(at)))
        for at, (holds, saw) in enumerate(facts.get("trace", []))
    ]


def counted(
    session: Session, workspace_id: int, since: datetime, accounts: Collection[int] | None = None
) -> dict[int, dict[str, int]]:
    """Return how often each rule of a workspace was evaluated since then, by outcome; empty: no match.

    :param accounts: those the viewer may see; None: all.
    """
    # One query per rule: the index begins with the rule, not with the workspace.
    rules = sa.select(Rule.id).where(Rule.workspace_id == workspace_id)
    query = (
        sa.select(AutomationRun.automation_id, AutomationRun.outcome, sa.func.count())
        .where(_IS_RULE, AutomationRun.automation_id.in_(rules), AutomationRun.done_at >= since)
        .group_by(AutomationRun.automation_id, AutomationRun.outcome)
    )
    if accounts is not None:
        theirs = sa.select(Conversation.id).where(Conversation.account_id.in_(accounts))
        query = query.where(AutomationRun.conversation_id.in_(theirs))
    found: dict[int, dict[str, int]] = {}
    for rule_id, outcome, count in session.execute(query):
        found.setdefault(rule_id, {})[outcome or ""] = count
    return found


def counted_of(
    session: Session, rule_id: int, since: datetime, accounts: Collection[int] | None = None
) -> dict[str, int]:
    """Return how often one rule was evaluated since then, by outcome, like :func:`counted`."""
    query = (
        sa.select(AutomationRun.outcome, sa.func.count())
        .where(_IS_RULE, AutomationRun.automation_id == rule_id, AutomationRun.done_at >= since)
        .group_by(AutomationRun.outcome)
    )
    if accounts is not None:
        theirs = sa.select(Conversation.id).where(Conversation.account_id.in_(accounts))
        query = query.where(AutomationRun.conversation_id.in_(theirs))
    return {outcome or "": count for outcome, count in session.execute(query)}


# ---- the last days -------------------------------------------------------------------------------------


class Hit(msgspec.Struct, frozen=True):
    """A message a rule would have matched."""

    conversation_id: int
    contact_name: str | None
    text: str
    at: datetime


class Preview(msgspec.Struct, frozen=True):
    """Preview of a rule: its matches among the messages of the last days, based on today's facts.

    :param looked: number of messages it was tried on; *more*: whether there were more in that period.
    :param passed: number of messages that met each condition, in order.
    :param days: matches per day, oldest first.
    :param missed: number of messages that failed only this condition, by its index.
    """

    looked: int
    more: bool
    passed: Sequence[int]
    matches: int
    days: Sequence[int]
    hits: Sequence[Hit]
    missed: Mapping[int, int]


def may_be_tried(body: Body) -> bool:
    """Return whether a rule is triggered by messages, so it can be tried on past ones: any, or the first of
    a conversation."""
    return body.when in {MESSAGE_RECEIVED, CONVERSATION_CREATED, UNANSWERED}


def preview(
    session: Session,
    workspace_id: int,
    body: Body,
    directory: RuleDirectory,
    now: datetime,
    accounts: Collection[int] | None = None,
) -> Preview:
    """Preview a rule on the messages of the last days. Runs no actions and stores no runs."""
    rows = _messages(session, workspace_id, now, accounts, body.when == CONVERSATION_CREATED)
    there = _seen(session, workspace_id, rows, [body], directory, now)
    passed = [0] * len(body.conditions)
    days = [0] * DAYS
    hits: list[Hit] = []
    missed: Counter[int] = Counter()
    matches = 0
    first = now - timedelta(days=DAYS)
    for row in rows:
        about = there.get(row.id)
        if about is None:
            continue
        holds, trace = decide(body.conditions, about.facts)
        for place, one in enumerate(trace):
            passed[place] += bool(one.holds)
        if holds:
            matches += 1
            days[min(DAYS - 1, (row.sent_at - first) // timedelta(days=1))] += 1
            if len(hits) < 3:
                hits.append(Hit(row.conversation_id, row.name, row.text or "", row.sent_at))
        else:
            failed = next(place for place, one in enumerate(trace) if not one.holds)
            if failed and _fails_there_alone(body, about, failed):
                missed[failed] += 1
    return Preview(len(rows), len(rows) == MOST_LOOKED, passed, matches, days, hits, dict(missed))


def touched(
    session: Session,
    workspace_id: int,
    bodies: Sequence[Body],
    directory: RuleDirectory,
    now: datetime,
    accounts: Collection[int] | None = None,
) -> list[int]:
    """Return how many conversations of the last days each of *bodies* would have matched, in one query."""
    rows = _messages(session, workspace_id, now, accounts) if bodies else ()
    began = {row.id for row in rows if row.is_first}
    there = _seen(session, workspace_id, rows, bodies, directory, now)
    return [
        len(
            {
                about.event.conversation_id
                for id_, about in there.items()
                if body.when == MESSAGE_RECEIVED or id_ in began
                if decide(body.conditions, about.facts)[0]
            }
        )
        for body in bodies
    ]


def _seen(
    session: Session,
    workspace_id: int,
    rows: Sequence[Any],
    bodies: Sequence[Body],
    directory: RuleDirectory,
    now: datetime,
) -> Mapping[int, EventFacts]:
    events = [
        Event(row.id, workspace_id, MESSAGE_RECEIVED, row.conversation_id, row.id, "customer") for row in rows
    ]
    return seen(session, events, needs(bodies), directory, now, {workspace_id: bodies})


def _fails_there_alone(body: Body, about: EventFacts, place: int) -> bool:
    rest = body.conditions[place + 1 :]
    return decide(rest, about.facts)[0]


def _messages(
    session: Session,
    workspace_id: int,
    now: datetime,
    accounts: Collection[int] | None,
    firsts: bool = False,
) -> Sequence[Any]:
    """Return the customers' newest messages of the last days.

    :param firsts: only those that began their conversation, see ``is_first``.
    """
    before = aliased(Message)
    is_first = ~sa.exists().where(
        before.conversation_id == Message.conversation_id,
        before.direction == Direction.INBOUND,
        sa.or_(
            before.sent_at < Message.sent_at,
            sa.and_(before.sent_at == Message.sent_at, before.id < Message.id),
        ),
    )
    query = (
        sa.select(
            *(Message.id, Message.conversation_id, Message.text, Message.sent_at, Contact.name),
            is_first.label("is_first"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(
            Conversation.workspace_id == workspace_id,
            Conversation.last_message_at > now - timedelta(days=DAYS),
            Conversation.spam_at.is_(None),
            Message.direction == Direction.INBOUND,
            Message.imported_at.is_(None),
            Message.unsent_at.is_(None),
            Message.sent_at > now - timedelta(days=DAYS),
        )
        .order_by(Message.id.desc())
        .limit(MOST_LOOKED)
    )
    if firsts:
        query = query.where(is_first)
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(accounts))
    return session.execute(query).all()
