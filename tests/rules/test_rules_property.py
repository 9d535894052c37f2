"""Whatever rules there are and whatever happens: it comes to an end, and nothing is there twice."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from host.automation import routing, running
from host.automation.deciding import BUDGET, RunKind
from host.core import clock, db
from host.core.errors import LobbyError
from host.events.models import DomainEvent
from host.inbox.conversation_actions import set_fields
from host.inbox.labels import labels
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, ConversationStatus, Direction, Message, Origin, Snooze, SnoozeKind
from host.rules import rules as rule_cases
from host.rules.body import EVENTS
from host.rules.models import Rule, RuleState
from tests.helpers import do
from tests.rules.ruled import Ruled

MOST_ROUNDS = 30
"""Rounds after which what goes on and on would be found: each does all that is due."""
LABELS = ("One", "Other")
_numbers = itertools.count(1)

CONDITIONS: Sequence[dict[str, Any]] = (
    {"if": "words", "words": ["help"]},
    {"if": "words", "words": ["help", "now"], "has": "none"},
    {"if": "by", "actor": "customer"},
    {"if": "by", "actor": "user"},
    {"if": "conversation", "filter": {"status": "open"}},
    {"if": "conversation", "filter": {"needs_reply": True}},
    {"if": "conversation", "filter": {"assignee": "nobody"}},
    {"if": "window", "to": "programs"},
    {"if": "before", "yes": False},
    {"if": "any", "of": [{"if": "hours", "open": False}, {"if": "sent", "kinds": ["text"]}]},
)
ACTIONS: Sequence[dict[str, Any]] = (
    *({"do": "say", "text": text} for text in ("One.", "Two.", "Three.")),
    {"do": "note", "text": "Look"},
    *({"do": what, "label": label} for what in ("label", "unlabel") for label in (0, 1)),
    {"do": "close"},
    {"do": "spam"},
    {"do": "snooze", "when": "reply"},
    {"do": "assignNobody"},
    *({"do": what, "team": 0} for what in ("team", "giveOut", "tell")),
)


def _always(*actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "when": "message.received",
        "conditions": [],
        "actions": list(actions),
        "stops": False,
        "once": "",
        "state": RuleState.LIVE,
    }


EACH = [
    _always(ACTIONS[0]),
    *(
        _always(*(one for one in ACTIONS if one["do"] in kinds))
        for kinds in ({"note", "label", "tell"}, {"giveOut"}, {"close"})
    ),
]
"""Rules that do what the drawn ones may happen to leave out."""


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    when = draw(st.sampled_from([*EVENTS, *["message.received"] * 40]))
    return {
        "when": when,
        "conditions": draw(st.lists(st.sampled_from(CONDITIONS), max_size=draw(st.integers(0, 2)))),
        "actions": draw(st.lists(st.sampled_from(ACTIONS), min_size=2, max_size=4)),
        "stops": draw(st.sampled_from([False, False, False, True])),
        "once": draw(st.sampled_from(["", "", "conversation", "contact"])),
        "state": draw(st.sampled_from([RuleState.LIVE] * 4 + [RuleState.SHADOW, RuleState.OFF])),
        **({"hours": 1} if when == "conversation.unanswered" else {}),
    }


def _does(changes: Any) -> Callable[[Ruled, str], None]:
    def happens(desk: Ruled, contact: str) -> None:
        do(
            set_fields,
            desk.desk.workspace,
            desk.scene.conversation(contact),
            changes(),
            actor=desk.desk.mia.id,
        )

    return happens


def _labels(desk: Ruled, contact: str) -> None:
    do(
        labels.set_labels,
        desk.desk.workspace,
        desk.scene.conversation(contact),
        add=[desk_labels(desk)[0]],
        actor=desk.desk.mia.id,
    )


def desk_labels(desk: Ruled) -> list[int]:
    with db.read() as session:
        return [one.id for one in labels.all_of(session, desk.desk.workspace)]


HAPPENS: Mapping[str, Callable[[Ruled, str], object]] = {
    "asks": lambda desk, contact: desk.said(contact, text="help me"),
    "thanks": lambda desk, contact: desk.said(contact, text="thanks now"),
    "reply": lambda desk, contact: desk.scene.reply(contact, "Here.", clock.now()),
    "sent": lambda desk, contact: desk.scene.sent(contact, "Here.", clock.now()),
    "note": lambda desk, contact: desk.scene.note(contact, "Hm", clock.now(), desk.desk.mia.id),
    "close": _does(lambda: {"status": ConversationStatus.CLOSED}),
    "open": _does(lambda: {"status": ConversationStatus.OPEN}),
    "spam": _does(lambda: {"spam": True}),
    "no spam": _does(lambda: {"spam": False}),
    "snooze": _does(lambda: {"snooze": Snooze(SnoozeKind.UNTIL, clock.now() + timedelta(hours=1))}),
    "wake": _does(lambda: {"snooze": None}),
    "label": _labels,
    "run": lambda desk, contact: finished(desk),
}


def finished(desk: Ruled) -> None:
    """Read and do all there is, as workers would."""
    desk.read()
    for _ in range(MOST_ROUNDS):
        more = running.run_due(desk.desk.generation.directory)
        if not (more or routing.give_waiting(clock.now())):
            return
    raise AssertionError("it does not end")


def state() -> tuple[Any, ...]:
    """Return all that rules can have done."""
    with db.read() as session:
        runs = session.execute(
            sa.select(
                AutomationRun.root_id, AutomationRun.kind, AutomationRun.automation_id, AutomationRun.state
            )
        )
        messages = session.execute(sa.select(Message.id, Message.kind, Message.text))
        events = session.execute(sa.select(DomainEvent.id).where(DomainEvent.kind.is_not(None)))
        talks = session.execute(sa.select(Conversation.id, Conversation.status, Conversation.assignee_id))
        return tuple(sorted(map(tuple, one)) for one in (runs, messages, events, talks))


def _check(first_message: int, first_run: int) -> Counter[str]:
    """What runs say they did is there, once, and nothing else is. Return how often each was done."""
    with db.read() as session:
        ran = session.scalars(
            sa.select(AutomationRun).where(AutomationRun.id > first_run, AutomationRun.kind == RunKind.RULE)
        ).all()
        wanted = Counter(
            what
            for one in ran
            if one.outcome != "shadow"
            for what, why in one.facts.get("done", [])
            if not why
        )
        found = session.execute(
            sa.select(Message.conversation_id, Message.direction, Message.id)
            .where(
                Message.id > first_message,
                sa.or_(
                    sa.and_(Message.direction == Direction.OUTBOUND, Message.origin == Origin.SYSTEM),
                    sa.and_(Message.kind == "note", Message.origin == Origin.SYSTEM),
                    Message.direction == Direction.INBOUND,
                ),
            )
            .order_by(Message.id)
        ).all()
        due = session.scalar(
            sa.select(sa.func.count()).where(
                AutomationRun.state == RunState.DUE, AutomationRun.due_at <= clock.now()
            )
        )
        failed = session.scalar(sa.select(sa.func.count()).where(AutomationRun.attempts > 0))
        told = session.scalar(
            sa.select(sa.func.count()).where(
                DomainEvent.kind == "rule.told", DomainEvent.root_id.in_([one.root_id for one in ran])
            )
        )
    counted = Counter(str(row.direction) for row in found)
    assert counted["outbound"] == wanted["say"]
    assert counted["internal"] == wanted["note"]
    assert told == wanted["tell"]
    assert (due, failed) == (0, 0)
    # Never more in a row than the budget.
    said: Counter[int] = Counter()
    for row in found:
        said[row.conversation_id] = said[row.conversation_id] + 1 if row.direction == "outbound" else 0
        assert said[row.conversation_id] <= BUDGET or row.direction != "outbound"
    return wanted


@pytest.mark.parametrize("examples", [20, pytest.param(50, marks=pytest.mark.slow)])
def test_it_ends_and_nothing_is_there_twice(automated: Ruled, examples: int) -> None:
    desk = automated
    named = [desk.label(name) for name in LABELS]
    team = desk.team(desk.person("Ana"), desk.person("Bo", on=False))

    def real(action: dict[str, Any]) -> dict[str, Any]:
        ids = {"label": lambda at: named[at], "team": lambda _at: team}
        return {name: ids[name](value) if name in ids else value for name, value in action.items()}

    done: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.lists(bodies(), min_size=2, max_size=6),
        st.lists(st.tuples(st.sampled_from(sorted(HAPPENS)), st.sampled_from("ab")), min_size=3, max_size=14),
    )
    @example(EACH, [("asks", "a"), ("run", "a"), ("thanks", "a")])
    def check(drawn: list[dict[str, Any]], events: list[tuple[str, str]]) -> None:
        with db.read() as session:
            rules = list(session.scalars(sa.select(Rule.id)))
            message = session.scalar(sa.select(sa.func.max(Message.id))) or 0
            run = session.scalar(sa.select(sa.func.max(AutomationRun.id))) or 0
        for rule in rules:
            do(rule_cases.delete, desk.desk.workspace, rule)
        desk.read()  # what was left of the time before
        start, case = desk.position, next(_numbers)
        for number, one in enumerate(drawn):
            desk.rule(
                *map(real, one["actions"]),
                name=f"{number}",
                **{name: value for name, value in one.items() if name != "actions"},
            )
        for contact in "ab":
            desk.said(f"{contact}{case}", text="help")
        for what, contact in events:
            with suppress(LobbyError):  # such as a snooze of what is closed
                HAPPENS[what](desk, f"{contact}{case}")
        finished(desk)
        done.update(_check(message, run))
        before = state()
        for _again in range(2):
            desk.position = start
            finished(desk)
        assert state() == before

    check()
    assert min(done[what] for what in ("say", "note", "label", "close", "tell", "giveOut")) > 0, done
