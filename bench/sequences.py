"""Sequences: how long deciding one step takes, and what 10,000 runs due at once cost a direct message.

``python -m bench.sequences decide STEPS`` decides so many steps in this process and prints a line of JSON:
the median and the 99th percentile in microseconds. ``python -m bench.sequences fill DATA COUNT SECONDS``
lets so many runs on the desk in that folder be due in that time.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench import storm
from bench.fill_outbox import connect
from bench.load import Result
from bench.plan import Figure, Plan, medians
from bench.processing import run
from bench.sending import provider
from bench.servers import Desk, product
from demo.processes import clean_environment, free_port
from host import counters
from host.automation.condition_facts import Event, EventFacts
from host.automation.conditions import Facts, Words
from host.core import clock, config, db, secrets
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.reply import Voice
from host.models.inbox import Conversation, Handler
from host.process.serving import HostApplication
from host.sdk.messages import MessageReceived
from host.sequences import body as bodies
from host.sequences import runner
from host.sequences.body import Ask, Body, Branch, Case, End, Say, Starts, Step, Wait
from host.sequences.models import (
    Sequence,
    SequenceAnswer,
    SequenceRun,
    SequenceState,
    SequenceVersion,
    SequenceVisit,
    WaitsFor,
)
from host.users import workspaces

DUE = 10_000
CASES = 8
ACCOUNT = "178414999"
WORDS = ["order", "late", "broken", "refund", "invoice", "size", "colour", "gift"]
STEP_MICROSECONDS = 200.0


def sequences(plan: Plan) -> list[Figure]:
    """Measure deciding a step, and direct messages beside runs that are due and without in turn."""
    steps = 5_000 if plan.quick else 20_000
    took = [run(["bench.sequences", "decide", str(steps)], clean_environment()) for _ in range(plan.rounds)]
    p50, p99 = medians([(one["p50_us"], one["p99_us"]) for one in took])
    deciding = Figure(
        "sequences deciding",
        f"median of deciding a step, branches of {CASES} cases and texts in turn, ÷ 0.2 ms",
        tuple(one["p50_us"] / STEP_MICROSECONDS for one in took),
        1.0,
        False,
        f"p50 {p50:,.0f} µs, p99 {p99:,.0f} µs of processor",
        {"p50_us": p50, "p99_us": p99},
    )
    return [deciding, _beside(plan)]


def _beside(plan: Plan) -> Figure:
    rounds = []
    for _ in range(plan.rounds):
        quiet, quiet_p99, _none = _messages(plan, timedelta(days=1))
        rounds.append((*_messages(plan, timedelta()), quiet, quiet_p99))
    beside, p99, done, quiet, quiet_p99 = medians(rounds)
    return Figure(
        "sequences due",
        f"p50 webhook to screen beside {DUE:,} runs due in the same second ÷ without",
        tuple(one[0] / one[3] for one in rounds),
        1.2,
        False,
        f"{beside:.1f} ms ÷ {quiet:.1f} ms; p99 {p99:.0f} and {quiet_p99:.0f} ms; {done:,.0f} runs went on",
        {"beside_p50_ms": beside, "quiet_p50_ms": quiet},
    )


def _messages(plan: Plan, later: timedelta) -> tuple[float, float, int]:
    """Return the median and 99th percentile of direct messages, and how many runs went on meanwhile."""
    data = plan.folder / "sequences"
    shutil.copytree(plan.desk.data, data)
    desk = Desk(data, plan.desk.workspace, plan.desk.cookies, in_place=True)
    fill = ["bench.sequences", "fill", str(data), str(DUE), str(later.total_seconds())]
    port = free_port()
    settings: dict[str, Any] = {
        "LOBBY_ALLOW_HOSTS": f"127.0.0.1:{port}",
        "LOBBY_ADDON_INSTAGRAM_GRAPH_INSTAGRAM_URL": f"http://127.0.0.1:{port}",
    }
    try:
        command = desk.tree.command(*fill)
        subprocess.run(command, cwd=desk.tree.root, check=True, env=clean_environment(), capture_output=True)
        with provider(port, plan.folder / "sequences.tsv"), product(desk, plan.folder, **settings) as served:
            delays = Result(storm.SECONDS, storm.delays(desk, served, stormy=False))
        engine = sa.create_engine(f"sqlite:///{data / 'lobby.sqlite3'}")
        with engine.connect() as connection:
            done = sa.select(sa.func.count()).select_from(SequenceRun).where(SequenceRun.number > 1)
            went_on = connection.scalar(done) or 0
        engine.dispose()
        return delays.percentile(0.5), delays.percentile(0.99), went_on
    finally:
        shutil.rmtree(data, ignore_errors=True)


# ---- deciding ------------------------------------------------------------------------------------------


class Dry(runner.Walk):
    """A run that decides its steps and writes nothing."""

    said: dict[str, str]
    facts: EventFacts

    def _leave(self, way: str) -> None: ...

    def _enter(self, step: Step) -> None:
        self.run.step, self.run.moved_at = step.id, self.now
        self.run.number += 1

    def _answers(self) -> dict[str, str]:
        return self.said

    def _facts(self) -> Facts:
        return self.facts.facts

    def _queue(self, text: str, content: Mapping[str, Any], voice: Voice, *, part: str = "") -> str:
        return ""


def decided(steps: int) -> dict[str, float]:
    """Decide that many steps; return how long one takes, in microseconds."""
    chance = random.Random(7)
    body = _drawn()
    session = cast("Session", SimpleNamespace(flush=lambda: None, info={}))
    directory = cast("Any", SimpleNamespace(adapter=lambda _channel: None))
    took, number, now = [], 0, datetime(2026, 11, 27, tzinfo=UTC)
    while number < steps:
        state = SequenceRun(id=1, workspace_id=1, number=0, step="", tries=0, started_at=now)
        talk = Conversation(id=1, channel="none", handled_by=Handler.NOBODY)
        walk = Dry(session, state, "Bench", body, talk, directory, now)
        walk.said = {"order": chance.choice([*WORDS, "none"])}
        text = " ".join(chance.choice([*WORDS, "please", "the", "my"]) for _ in range(15))
        event = Event(1, 1, MESSAGE_RECEIVED, 1, 1, "customer")
        walk.facts = EventFacts(event, Facts(text=text, kind="text", actor="customer"), None)
        began = time.process_time()
        walk._go("start", body.steps[0].id)
        took.append((time.process_time() - began) / state.number)
        number += state.number
    took.sort()
    return {"p50_us": took[len(took) // 2] * 1e6, "p99_us": took[len(took) * 99 // 100] * 1e6}


def _drawn() -> Body:
    """Return a sequence that branches by answers and words, speaks in between, and waits at the end."""
    steps: list[Step] = []
    for number in range(10):
        then = f"say{number}"
        cases = [Case(to=then, variable="order", value=word) for word in WORDS[: CASES - 1]]
        words = Words(words=(WORDS[number % len(WORDS)],))
        steps.append(Branch(id=f"by{number}", cases=(*cases, Case(to=then, conditions=(words,)))))
        steps.append(Say(id=then, text="We look at it"))
    return Body(steps=(*steps, Wait(id="wait", hours=1), End(id="end")), starts=Starts(words=("order",)))


# ---- runs that are due ---------------------------------------------------------------------------------


def fill(data: Path, count: int, later: timedelta) -> None:
    """Let *count* customers of an account of their own be in a sequence, whose wait is over after *later*."""
    settings = config.load({"LOBBY_DATA": str(data), "LOBBY_WORKERS": "0"})
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    adapter = HostApplication(settings).generation().directory.adapter("instagram")
    assert adapter is not None
    workspace = db.write(lambda session: workspaces.create(session, "Sequences", None).id)
    account = db.write(connect, workspace, ACCOUNT)
    now = clock.now()
    wrote = [
        Incoming(
            account, adapter, MessageReceived(f"{n:016}", f"in-{ACCOUNT}-{n}", now, text="hi"), now, str(n)
        )
        for n in range(1, count + 1)
    ]
    for start in range(0, count, 500):
        db.write(apply_changes, wrote[start : start + 500])
    db.write(_start_all, workspace, account.id, later)


def _start_all(session: Session, workspace: int, account: int, later: timedelta) -> None:
    now = clock.now()
    # The provider knows messages by their texts, so each customer gets another one.
    steps: tuple[Step, ...] = (
        Wait(id="wait", minutes=1),
        Say(id="say", text='Is it still {{answer.order || "yours"}}?'),
        Wait(id="after", hours=2),
        End(id="end"),
        Ask(id="which", text="Which?", variable="order"),
    )
    kept = Body(steps=steps, starts=Starts(first=True))
    sequence = Sequence(
        workspace_id=workspace,
        name="Bench",
        state=SequenceState.LIVE,
        position=1,
        version=1,
        live_version=1,
        created_at=now,
    )
    session.add(sequence)
    session.flush()
    version = {"sequence_id": sequence.id, "number": 1, "body": bodies.plain(kept)}
    session.add(SequenceVersion(**version, author="Bench", at=now, published_at=now))
    talks = session.execute(
        sa.select(Conversation.id, Conversation.contact_id).where(Conversation.account_id == account)
    ).all()
    runs = [
        SequenceRun(
            workspace_id=workspace,
            sequence_id=sequence.id,
            version=1,
            conversation_id=talk.id,
            contact_id=talk.contact_id,
            active_contact_id=talk.contact_id,
            started_by="first",
            waits_for=WaitsFor.TIME,
            step="wait",
            number=1,
            tries=0,
            due_at=now + later,
            attempts=0,
            cause_id=0,
            root_id=-talk.id,
            depth=1,
            started_at=now,
            moved_at=now,
        )
        for talk in talks
    ]
    session.add_all(runs)
    session.flush()
    session.add_all(SequenceAnswer(run_id=one.id, name="order", value=str(one.id)) for one in runs)
    session.add_all(SequenceVisit(run_id=one.id, number=1, step="wait", at=now) for one in runs)


if __name__ == "__main__":
    if sys.argv[1] == "decide":
        print(json.dumps(decided(int(sys.argv[2]))))
    else:
        fill(Path(sys.argv[2]), int(sys.argv[3]), timedelta(seconds=float(sys.argv[4])))
