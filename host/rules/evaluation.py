"""Evaluate all rules of a workspace for one event, and run those that match, in one write.

The consumer of the event log evaluates them first, with facts it reads for many events at once. If a rule
matches, or may match because of an addon's condition, it creates one run for the event: a *pass*. The pass is
done later, like every run: under the locks that sending a reply takes, all rules are evaluated again, with
the facts from before any of them acted. So a rule never sees the effects of another, two workers do a pass
only once, and if a person and a rule act concurrently, the second sees the result of the first. The actions
of rules do not start another pass.

A run is kept for each evaluated rule that met its first condition, with the result of each condition.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import routing
from host.automation.condition_facts import Event, EventFacts, is_ours, needs, seen
from host.automation.conditions import AnyOf, Condition, OfAddon, Trace, decide
from host.automation.deciding import RunKind
from host.automation.runs import DueRun, finish, row_of
from host.core import db
from host.core.ports import RuleDirectory
from host.core.statements import Statement
from host.events.kinds.conversations import (
    CONVERSATION_ASSIGNED,
    CONVERSATION_LABELLED,
    CONVERSATION_TEAM_ASSIGNED,
    CONVERSATION_UNLABELLED,
    OfAssignment,
    OfLabel,
    OfTeam,
)
from host.events.kinds.messages import (
    MESSAGE_FAILED,
    MESSAGE_REACTED,
    MESSAGE_READ,
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    MESSAGE_UNCONFIRMED,
    MESSAGE_UNSENT,
    OfMessage,
)
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.inbox.bulk import undoable
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Message
from host.rules import actions, campaigns
from host.rules.body import UNANSWERED, Action, Body, read, sends
from host.rules.campaigns import Took
from host.rules.models import Rule, RuleState, RuleVersion
from host.users.actor import UnitOfWork
from host.working_hours import hours

TOO_OLD = timedelta(days=1)
"""Age from which events no longer start rules, such as after an outage of the workers."""
PATIENCE = timedelta(hours=1)
"""Longest time a public answer waits for the outcome of the private reply; later, it would seem odd."""
MOST_PER_HOUR = 20
"""Most effective passes per conversation and hour, to stop loops with a program that answers rules."""
_OURS = frozenset(
    {
        MESSAGE_SENT,
        MESSAGE_FAILED,
        MESSAGE_UNCONFIRMED,
        MESSAGE_READ,
        MESSAGE_REACTED,
        MESSAGE_UNSENT,
    }
)
"""Events whose message may be Lobby's automatic one, in which case they start nothing."""


class Active(msgspec.Struct, frozen=True):
    """A rule that is live or in shadow mode, with its body."""

    id: int
    workspace_id: int
    name: str
    version: int
    live: bool
    body: Body

    @property
    def takes_people(self) -> bool:
        """Return whether it is a campaign that records the result for each person."""
        return self.live and self.body.campaign is not None


def active(session: Session, workspaces: Iterable[int]) -> dict[int, list[Active]]:
    """Return the rules of *workspaces* that are live or in shadow mode, in order. Rules that a newer Lobby
    wrote and this one cannot read are left out."""
    found: dict[int, list[Active]] = defaultdict(list)
    asked = {"workspaces": db.padded(set(workspaces))}
    for id_, workspace_id, name, version, state, text in _active.rows(session.connection(), asked):
        body = _body(text)
        if body is not None:
            live = state == RuleState.LIVE
            found[workspace_id].append(Active(id_, workspace_id, name, version, live, body))
    return found


_active = Statement(
    sa.select(
        *(Rule.id, Rule.workspace_id, Rule.name, Rule.version, Rule.state),
        sa.cast(RuleVersion.body, sa.Text).label("body"),
    )
    .join(RuleVersion, sa.and_(RuleVersion.rule_id == Rule.id, RuleVersion.number == Rule.version))
    .where(
        Rule.workspace_id.in_(sa.bindparam("workspaces", expanding=True)),
        Rule.state.in_([RuleState.LIVE, RuleState.SHADOW]),
    )
    .order_by(Rule.workspace_id, Rule.position, Rule.id)
)


@lru_cache(maxsize=2048)
def _body(text: str) -> Body | None:
    """Return the body of a rule version, cached because versions never change."""
    return read(json.loads(text))


# ---- what the record says ------------------------------------------------------------------------------


def counts(event: Recorded, now: datetime) -> bool:
    """Return whether *event* may start a rule: it was not caused by rules or other automation."""
    if event.conversation_id is None or event.cause_id is not None or now - event.at > TOO_OLD:
        return False
    return event.kind != MESSAGE_RECEIVED or not event.facts(OfMessage).late


def runs(
    session: Session,
    events: Sequence[Recorded],
    directory: RuleDirectory,
    now: datetime,
    since: datetime | None = None,
) -> list[Mapping[str, Any]]:
    """Return the runs to write for *events*: passes, waits, and rules that nearly matched.

    :param since: customers who have waited since before then are left to people; None: no limit.
    """
    rules = active(session, {one.workspace_id for one in events})
    if not rules:
        return []
    mine = [one for one in events if _waited_for(rules.get(one.workspace_id, ()), one.kind)]
    if not mine:
        return []
    asked = {one.id: _event(one) for one in mine}
    bodies = {id_: [rule.body for rule in its] for id_, its in rules.items()}
    wanted = needs([rule.body for its in rules.values() for rule in its])
    # No addon is called in this write: the pass asks what is assumed here.
    there = seen(session, list(asked.values()), wanted, directory, now, bodies, assumed=True)
    works = any(rule.body.working for its in rules.values() for rule in its)
    theirs = hours.load(session, set(rules)) if works else None
    found: list[Mapping[str, Any]] = []
    sending = [one for one in mine if any(_speaks(rule, one.kind) for rule in rules[one.workspace_id])]
    undo = undoable.of_events(session, sending)
    for event in mine:
        about = there.get(event.id)
        if about is None or _is_nothing(about) or _is_peoples(event, about, since):
            continue
        found += _waits(rules[event.workspace_id], event, about, theirs, now)
        verdicts = judge(rules[event.workspace_id], about)
        if any(one.matches or (one.is_near and one.is_assumed) for one in verdicts):
            details: dict[str, Any] = {
                "when": event.kind,
                "actor": about.event.actor,
                "concerns": dict(about.event.concerns),
            }
            mine_too = [
                one.rule.id
                for one in verdicts
                if one.matches and one.rule.takes_people and not one.is_assumed
            ]
            if mine_too:
                details["campaigns"] = mine_too
            due = None
            if event.id in undo and any(one.matches and _speaks(one.rule, event.kind) for one in verdicts):
                due, details["undo"] = undo[event.id].until, undo[event.id].bulk_id
            found.append(row_of(event, RunKind.RULES, event.workspace_id, 0, now, facts=details, due_at=due))
        else:
            found += [_near(event, one, now) for one in verdicts if one.is_near]
    return found


def _speaks(rule: Active, kind: str) -> bool:
    """Return whether an event of *kind* can make *rule* send something to the customer."""
    return rule.live and rule.body.when == kind and sends(rule.body)


def _waited_for(rules: Iterable[Active], kind: str) -> bool:
    kinds = {rule.body.when for rule in rules}
    return kind in kinds or (kind == MESSAGE_RECEIVED and UNANSWERED in kinds)


def _event(one: Recorded) -> Event:
    assert one.conversation_id is not None
    return Event(
        one.id,
        one.workspace_id,
        one.kind,
        one.conversation_id,
        one.message_id,
        str(one.actor_kind or ActorKind.SYSTEM),
        _concerns(one),
    )


def _concerns(one: Recorded) -> dict[str, int]:
    if one.kind in {CONVERSATION_LABELLED, CONVERSATION_UNLABELLED}:
        return {"label": one.facts(OfLabel).label}
    if one.kind == CONVERSATION_ASSIGNED:
        return {"person": one.facts(OfAssignment).assignee}
    if one.kind == CONVERSATION_TEAM_ASSIGNED:
        return {"team": one.facts(OfTeam).team}
    return {}


def _is_nothing(about: EventFacts) -> bool:
    """Return whether an event starts nothing after all: Lobby's own message, or one from the past."""
    if about.row.imported_at is not None:
        return True
    return about.event.kind in _OURS and is_ours(about.row)


def _is_peoples(event: Recorded, about: EventFacts, since: datetime | None) -> bool:
    """Return whether an event is a timeout for a customer who has waited since before *since*."""
    waits = about.row.waiting_since
    return since is not None and event.actor_kind == ActorKind.SYSTEM and waits is not None and waits < since


class Verdict(NamedTuple):
    """The result of one rule for an event.

    :param trace: the result of each condition.
    """

    rule: Active
    matches: bool
    trace: Trace

    @property
    def is_near(self) -> bool:
        """Return whether it met its first condition but did not match."""
        return not self.matches and bool(self.trace) and bool(self.trace[0].holds)

    @property
    def is_assumed(self) -> bool:
        """Return whether a condition of an addon was met on the way."""
        asked = zip(self.rule.body.conditions, self.trace, strict=True)
        return any(one.holds and _is_of_addon(condition, one.which) for condition, one in asked)


def _is_of_addon(condition: Condition, which: int | None) -> bool:
    """Return whether a condition, or the one of its group that was met, is an addon's."""
    met = condition.of[which] if isinstance(condition, AnyOf) and which is not None else condition
    return isinstance(met, OfAddon)


def judge(rules: Iterable[Active], about: EventFacts, when: str | None = None) -> list[Verdict]:
    """Evaluate each of *rules* that is triggered by the event, up to one that matches and stops.

    :param when: the trigger; None: the kind of the event.
    """
    verdicts = []
    kind = when or about.event.kind
    for rule in rules:
        if rule.body.when != kind:
            continue
        matches, trace = decide(rule.body.conditions, about.facts)
        verdicts.append(Verdict(rule, matches, trace))
        if matches and rule.live and rule.body.stops:
            break  # rules in shadow mode don't stop others
    return verdicts


def _waits(
    rules: Iterable[Active],
    event: Recorded,
    about: EventFacts,
    theirs: hours.LoadedHours | None,
    now: datetime,
) -> list[Mapping[str, Any]]:
    """Return a run for each rule that acts on unanswered messages, for the first such message."""
    row = about.row
    # The wait starts with the first message since the last answer.
    if event.kind != MESSAGE_RECEIVED or row.waiting_since != row.sent_at:
        return []
    return [
        row_of(event, RunKind.WAIT, rule.id, rule.version, now, due_at=_until(rule, row, theirs))
        for rule in rules
        if rule.body.when == UNANSWERED
    ]


def _until(rule: Active, row: Any, theirs: hours.LoadedHours | None) -> datetime:
    since: datetime = row.waiting_since
    length = rule.body.wait
    if theirs is None or not rule.body.working:
        return since + length
    return theirs.of(row.workspace_id, row.team_id).after(since, length) or since + length


def _near(event: Recorded, verdict: Verdict, now: datetime) -> Mapping[str, Any]:
    row = row_of(event, RunKind.RULE, verdict.rule.id, verdict.rule.version, now, facts=_kept(verdict))
    return {**row, "state": RunState.SKIPPED, "reason": "condition", "due_at": None, "done_at": now}


def _kept(verdict: Verdict, done: actions.ActionResults | None = None) -> dict[str, Any]:
    """Return the stored form of a verdict: whether each condition was met and the value it saw.

    For groups, ``which`` has the index of the deciding condition by the index of the group.
    """
    kept: dict[str, Any] = {"trace": [[one.holds, one.saw] for one in verdict.trace]}
    which = {str(at): one.which for at, one in enumerate(verdict.trace) if one.which is not None}
    if which:
        kept["which"] = which
    return kept if done is None else {**kept, "done": [list(one) for one in done.steps]}


# ---- the pass ------------------------------------------------------------------------------------------


def may_send(rules: Iterable[Active]) -> bool:
    """Return whether one of *rules* may send something, so that the ordered queue must be locked first."""
    return any(sends(one.body) for one in rules)


def do_pass(due: DueRun, rules: Sequence[Active]) -> None:
    """Evaluate again those of *rules* that the event of a run triggers, and run those that match."""
    facts = due.run.facts
    if undoable.is_undone(due.session, int(facts.get("undo", 0))):
        give_up(due.work, due.run, due.conversation, rules, "undone")
        return
    _do(due, rules, str(facts.get("when", "")))


def do_wait(due: DueRun, rules: Sequence[Active]) -> None:
    """Run the rule among *rules* whose time without an answer has passed, if there is still no answer."""
    run, conversation = due.run, due.conversation
    asked = sa.select(Message.sent_at).where(Message.id == run.message_id)
    wrote = due.session.scalar(asked)
    since = conversation.waiting_since
    put_away = conversation.snooze_kind is not None or conversation.spam_at is not None
    if wrote is None or since is None or since > wrote or put_away:
        due.finish(RunState.SKIPPED, reason="answered")
        return
    _do(due, [rule for rule in rules if rule.id == run.automation_id], UNANSWERED)


def _do(due: DueRun, rules: Sequence[Active], when: str) -> None:
    session, run, conversation, now = due.session, due.run, due.conversation, due.now
    if run.due_at is not None and now - run.due_at > TOO_OLD:
        give_up(due.work, run, conversation, rules, "late")
        return
    rules = _not_asked(session, run, rules)
    event = Event(
        run.id,
        run.workspace_id,
        when,
        conversation.id,
        run.message_id,
        str(run.facts.get("actor", "")),
        run.facts.get("concerns", {}),
    )
    bodies = [one.body for one in rules]
    there = seen(session, [event], needs(bodies), due.directory, now, {run.workspace_id: bodies})
    about = there.get(run.id)
    if about is None:
        finish(run, RunState.SKIPPED, now, reason="taken_back")
        return
    verdicts = judge(rules, about)
    matched = [one for one in verdicts if one.matches]
    if any(one.rule.live for one in matched) and _passes(session, conversation.id, now) >= MOST_PER_HOUR:
        give_up(due.work, run, conversation, rules, "too_often")
        return
    waited_for = set(campaigns.names(run.facts))
    for verdict in verdicts:
        rule, asks = verdict.rule, None
        if rule.takes_people and (verdict.matches or rule.id in waited_for):
            asks = campaigns.asker(session, rule.id, conversation.contact_id)
        why = _hindrance(due, rule, about, asks) if verdict.matches else "condition"
        took = Took(why)
        if not why:
            took = _act(due, verdict, about)
        elif verdict.matches or verdict.is_near:
            _note(due, verdict, RunState.SKIPPED, reason=why, facts=_kept(verdict))
        if not verdict.matches and rule.id in waited_for:
            took = Took("taken_back" if about.row.unsent_at is not None else "changed")
        if asks is not None and run.message_id is not None:
            comment = _Comment(run.message_id, about.row.sent_at)
            campaigns.note(session, rule.id, conversation, comment, took, now, asks)
    # The row of the pass records whether, and how often, an action was done for the event.
    done = any(one.rule.live for one in matched)
    finish(run, RunState.DONE if done else RunState.SKIPPED, now, outcome="rules" if done else None)


class _Comment(NamedTuple):
    """A person's message with the data that a campaign stores."""

    id: int
    sent_at: datetime


def give_up(
    work: UnitOfWork, run: AutomationRun, conversation: Conversation, rules: Sequence[Active], reason: str
) -> None:
    """Do nothing for the event of *run*, and record that in its campaigns."""
    finish(run, RunState.SKIPPED, work.now, reason=reason)
    mine = set(campaigns.names(run.facts))
    comment = sa.select(Message.id, Message.sent_at).where(Message.id == run.message_id)
    for rule in rules:
        if rule.id in mine and rule.takes_people:
            found = work.session.execute(comment).one_or_none()
            if found is not None:
                campaigns.note(work.session, rule.id, conversation, found, Took(reason), work.now)


def _not_asked(session: Session, run: AutomationRun, rules: Sequence[Active]) -> list[Active]:
    """Return those of *rules* that were not yet evaluated for the event of *run* or its root event."""
    query = sa.select(AutomationRun.automation_id).where(
        AutomationRun.root_id == run.root_id, AutomationRun.kind == RunKind.RULE
    )
    asked = set(session.scalars(query))
    return [one for one in rules if one.id not in asked]


def _act(due: DueRun, verdict: Verdict, about: EventFacts) -> Took:
    """Run the actions of a rule and store its run; return the part that a campaign stores."""
    rule = verdict.rule
    if not rule.live:
        facts = _kept(verdict) | {"done": [[_tag(one), ""] for one in rule.body.actions]}
        _note(due, verdict, RunState.DONE, outcome="shadow", facts=facts)
        return Took()
    done = actions.Acting(due, rule.id, rule.name, rule.body, about).do()
    state, outcome = (RunState.FAILED, "refused") if done.refused else (RunState.DONE, "did")
    noted = _note(due, verdict, state, outcome=outcome, reason=done.refused, facts=_kept(verdict, done))
    noted.sent_id = max(done.sent, default=None)
    if len(done.sent) > 1:
        noted.facts = {**noted.facts, "sent": done.sent}
    _answer_later(due, rule, done)
    give_out(due, rule, done)
    return done.took


def _answer_later(due: DueRun, rule: Active, done: actions.ActionResults) -> None:
    """Make the public answers of a rule wait for the outcome of its private reply."""
    if not done.awaited:
        return
    waits = new_run(due.run, RunKind.PUBLIC_ANSWER, rule, due.now)
    waits.facts = {"private": done.private_id, "steps": done.awaited}
    waits.due_at = due.now + PATIENCE
    due.session.add(waits)


def give_out(due: DueRun, rule: Active, done: actions.ActionResults) -> None:
    """Assign a conversation to a member of a team who is on duty, if a rule requested it."""
    if done.given is None:
        return
    given = new_run(due.run, RunKind.GIVE_OUT, rule, due.now)
    given.team_id = done.given
    due.session.add(given)
    due.session.flush()
    routing.give_out(due.session, given, due.conversation, due.now)


def _hindrance(due: DueRun, rule: Active, about: EventFacts, asks: campaigns.Asker | None) -> str:
    """Return why a matching rule does nothing, as a key of the reasons, or an empty string."""
    if asks is not None and rule.body.campaign is not None:
        return campaigns.hindrance(due.session, rule.id, rule.body.campaign, about.row, asks, due.now)
    return "once" if rule.body.once and _had(due.session, rule, due.conversation) else ""


def _had(session: Session, rule: Active, conversation: Conversation) -> bool:
    """Return whether a rule that acts only once has already acted."""
    acted = sa.select(AutomationRun.id).where(
        AutomationRun.kind == RunKind.RULE,
        AutomationRun.automation_id == rule.id,
        AutomationRun.outcome.in_(["did", "refused"] if rule.live else ["shadow"]),
    )
    if rule.body.once == "conversation":
        acted = acted.where(AutomationRun.conversation_id == conversation.id)
    else:
        campaigns.lock_person(session, conversation.contact_id)
        theirs = sa.select(Conversation.id).where(Conversation.contact_id == conversation.contact_id)
        acted = acted.where(AutomationRun.conversation_id.in_(theirs))
    return session.scalar(acted.limit(1)) is not None


def _passes(session: Session, conversation_id: int, now: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        AutomationRun.conversation_id == conversation_id,
        AutomationRun.outcome == "rules",
        AutomationRun.done_at > now - timedelta(hours=1),
    )
    return session.scalar(query) or 0


def _note(
    due: DueRun,
    verdict: Verdict,
    state: RunState,
    *,
    facts: dict[str, Any],
    outcome: str | None = None,
    reason: str | None = None,
) -> AutomationRun:
    """Store the run of one rule, in addition to the run of its pass."""
    row = new_run(due.run, RunKind.RULE, verdict.rule, due.now)
    row.facts = facts
    finish(row, state, due.now, outcome=outcome, reason=reason or None)
    due.session.add(row)  # written together with the others
    return row


def new_run(run: AutomationRun, kind: RunKind, rule: Active, now: datetime) -> AutomationRun:
    return AutomationRun(
        workspace_id=run.workspace_id,
        kind=kind,
        automation_id=rule.id,
        automation_version=rule.version,
        conversation_id=run.conversation_id,
        message_id=run.message_id,
        cause_id=run.cause_id,
        root_id=run.root_id,
        depth=run.depth,
        state=RunState.DUE,
        attempts=0,
        facts={},
        created_at=now,
    )


def _tag(action: Action) -> str:
    return str(action.__struct_config__.tag)
