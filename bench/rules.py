"""Rules: how long deciding 200 of them takes, and what 20 of them cost applying.

``python -m bench.rules EVENTS`` decides them for so many messages in this process and prints a line of JSON:
the median and the 99th percentile in microseconds.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from bench.plan import Figure, Plan, medians
from bench.processing import applied, run
from demo.processes import clean_environment
from host.automation.condition_facts import Event, EventFacts
from host.automation.conditions import Facts
from host.channels.directory import Directory
from host.core import clock
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.rules import body
from host.rules import rules as rule_cases
from host.rules.evaluation import Active, judge
from host.rules.models import RuleState
from host.users.actor import DESK, UnitOfWork

MANY = 200
FEW = 20
WORDS = [
    f"{stem}{end}" for stem in ("order", "late", "broken", "refund", "invoice") for end in ("", "s", "ed")
]
PATTERNS = (
    r"#\d{4,}",
    r"\b(return|exchange)\b.*\bsize\b",
    r"[\w.]+@[\w.]+",
    r"\b\d{2}[./-]\d{2}[./-]\d{4}\b",
)


def rules(plan: Plan) -> list[Figure]:
    """Measure deciding, and applying with rules and without in turn."""
    events, most = (1_000, 4_000) if plan.quick else (5_000, 20_000)
    took = [run(["bench.rules", str(events)], clean_environment()) for _ in range(plan.rounds)]
    rates = []
    for _ in range(plan.rounds):
        bare, ruled = (applied(plan.desk, plan.folder, most, rules=number)["seconds"] for number in (0, FEW))
        rates.append((most / ruled, most / bare))
    p50, p99 = medians([(one["p50_us"], one["p99_us"]) for one in took])
    ruled, bare = medians(rates)
    return [
        Figure(
            "rules deciding",
            f"99th percentile of deciding {MANY} rules for a message ÷ 1 ms",
            tuple(one["p99_us"] / 1000 for one in took),
            1.0,
            False,
            f"p50 {p50:,.0f} µs, p99 {p99:,.0f} µs of processor",
            {"p50_us": p50, "p99_us": p99},
        ),
        Figure(
            "rules F8",
            f"the events/s of F8 with {FEW} rules, one of which labels a tenth ÷ without",
            tuple(one / other for one, other in rates),
            0.9,
            True,
            f"{ruled:,.0f}/s ÷ {bare:,.0f}/s",
            {"with_per_second": ruled, "without_per_second": bare},
        ),
    ]


def drawn(chance: random.Random) -> body.Body:
    """Return a rule as somebody would write it: words mostly, a pattern now and then."""
    asked: list[dict[str, Any]] = [
        {"if": "words", "words": chance.sample(WORDS, 5), "has": chance.choice(("any", "all"))},
        {"if": "conversation", "filter": {"status": "open", "assignee": "nobody", "no_labels": [1, 2]}},
        {"if": "any", "of": [{"if": "hours", "open": False}, {"if": "words", "words": ["help", "please"]}]},
        {"if": "before", "yes": chance.random() < 0.5},
        {"if": "pattern", "pattern": chance.choice(PATTERNS)},
    ]
    given = {
        "when": MESSAGE_RECEIVED,
        "conditions": chance.sample(asked, chance.randint(1, 3), counts=(4, 3, 2, 1, 1)),
        "actions": [{"do": "note", "text": "Look"}],
    }
    return body.given(given)


def known(chance: random.Random, number: int) -> EventFacts:
    """Return what is known of a message that nobody wrote before: 5 words mostly, and 150 now and then."""
    (length,) = chance.choices((5, 15, 40, 150), weights=(50, 30, 15, 5))
    text = " ".join(
        chance.choice((*WORDS, "please", "the", "my", "size", f"#{number}")) for _ in range(length)
    )
    facts = Facts(
        text=f"{text} {number}",
        kind="text",
        actor="customer",
        labels=frozenset({chance.randint(1, 9)}),
        wrote_before=datetime(2026, 11, 1, tzinfo=UTC) if chance.random() < 0.5 else None,
        is_open=chance.random() < 0.5,
    )
    return EventFacts(Event(number, 1, MESSAGE_RECEIVED, number, number, "customer"), facts, None)


def decided(events: int) -> dict[str, float]:
    """Decide :data:`MANY` rules for that many messages; return how long one takes, in microseconds."""
    chance = random.Random(7)
    kept = [Active(number, 1, f"Rule {number}", 1, True, drawn(chance)) for number in range(MANY)]
    judge(kept, known(chance, 0))  # patterns are compiled once
    took = []
    for number in range(1, events + 1):
        about = known(chance, number)
        began = time.process_time()
        verdicts = judge(kept, about)
        took.append(time.process_time() - began)
        assert len(verdicts) == MANY
    took.sort()
    return {"p50_us": took[events // 2] * 1e6, "p99_us": took[events * 99 // 100] * 1e6}


def add(session: Session, workspace: int, count: int) -> None:
    """Have a workspace ask that many rules for each message; the first labels a tenth of them."""
    work = UnitOfWork(session, workspace, DESK, clock.now())
    label = labels.create(work, name="Seven", tone=LabelTone.BLUE)
    what = rule_cases.there(session, workspace, Directory())
    for number in range(count):
        asked: dict[str, Any] = {"if": "words", "words": [WORDS[number % len(WORDS)], f"code {number}"]}
        if not number:
            asked = {"if": "pattern", "pattern": r"number \d*7\b"}
        given = {
            "when": MESSAGE_RECEIVED,
            "conditions": [asked, {"if": "conversation", "filter": {"status": "open"}}],
            "actions": [{"do": "label", "label": label.id}],
        }
        rule_cases.create(
            work, name=f"Rule {number}", body=body.given(given), what=what, state=RuleState.LIVE
        )


if __name__ == "__main__":
    print(json.dumps(decided(int(sys.argv[1]))))
