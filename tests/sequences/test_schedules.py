"""No schedule of messages, people, clocks and kills lets a run say anything wrong, twice, or lose a step."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from host.core import clock, db
from host.core.backports.values import replace
from host.inbox.conversation_actions import set_fields
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Direction, Handler, Message, Origin
from host.sequences import sequences
from host.sequences.body import Ask, Body, Say, Starts, Step, Wait, plain, ways_out
from host.sequences.models import Sequence, SequenceRun, SequenceVersion, SequenceVisit, WaitsFor
from host.sequences.proofs import Limits, prove
from tests.helpers import do
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_proving import steps

WINDOW = timedelta(hours=24)
LEAST = 3
"""Fewest steps of a sequence that is worth running."""
MOVES = 14
_numbers = itertools.count()


class KilledError(BaseException):
    """The worker was killed: nothing of the program may catch it."""


def published(found: tuple[Step, ...], person: Any) -> Body | None:
    """Return a sequence of the steps that can be reached, if it may be published."""
    body = Body(steps=found, starts=Starts(words=("order",)), person=person)
    reach = prove(body, Limits(WINDOW)).reach
    kept = []
    for one in found:
        if one.id not in reach:
            continue
        step = replace(one, then=body.following(one)) if hasattr(one, "then") else one
        kept.append(replace(step, variable="x") if isinstance(step, Ask) else step)
    body = replace(body, steps=tuple(kept))
    return None if len(kept) < LEAST or prove(body, Limits(WINDOW)).problems else body


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """Kill the worker at its write with this number, wherever that is."""
    left = number

    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal left
        left -= statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        if left < 0:
            left = 1_000_000
            raise KilledError

    sa.event.listen(Engine, "before_cursor_execute", count)
    try:
        yield
    except KilledError:
        pass
    finally:
        sa.event.remove(Engine, "before_cursor_execute", count)


class Schedule:
    """What happens to one contact and one sequence."""

    def __init__(self, desk: Sequenced, body: Body, choose: random.Random, time: ExitStack) -> None:
        self.desk, self.body, self.choose, self.time = desk, body, choose, time
        self.contact = f"c{next(_numbers)}"
        self.since = desk.position
        self.silenced: int | None = None
        """How many automatic messages there were when a person wrote; None: automation may write."""
        self.left = False
        """Whether a person left it to automation, which may be none."""

    def publish(self) -> None:
        """Publish the body as the newest version of the desk's one sequence, and end what is under way."""

        def use_case(session: Any) -> None:
            for table in (SequenceRun, AutomationRun):
                session.execute(sa.delete(table))
            (sequence,) = session.scalars(sa.select(Sequence)).all()
            sequence.version = sequence.live_version = sequence.version + 1
            row = {"sequence_id": sequence.id, "number": sequence.version, "body": plain(self.body)}
            session.add(SequenceVersion(**row, author="Ada", at=clock.now(), published_at=clock.now()))
            session.flush()

        db.write(use_case)

    # ---- what happens --------------------------------------------------------------------------------

    def says(self) -> None:
        self.desk.said(self.contact, text=self.choose.choice(["order", "hm", "12345", "human", "no order"]))

    def person(self) -> None:
        self.desk.scene.reply(self.contact, "I can help", clock.now())
        self.silenced = len(self.desk.automatic(self.contact))

    def leave(self) -> None:
        self.left = True
        self._set(handled_by=Handler.AUTOMATION)
        self.silenced = None

    def later(self) -> None:
        self.time.enter_context(clock.travel(timedelta(hours=self.choose.choice([0.5, 2, 9, 23, 31]))))

    def again(self) -> None:
        """The consumer reads everything since the beginning once more, after a crash."""
        self.desk.position = self.since

    def run(self) -> None:
        self.desk.run()

    def killed(self) -> None:
        with killed_at(self.choose.randint(0, 30)):
            self.desk.run()

    def _set(self, **changes: Any) -> None:
        do(
            set_fields,
            self.desk.desk.workspace,
            self.desk.scene.conversation(self.contact),
            changes,
            actor=self.desk.desk.mia.id,
        )

    def play(self) -> None:
        self.desk.said(self.contact, text="order")
        ways: list[Callable[[], None]] = [self.says, self.later, self.run, self.killed, self.again]
        weights = [5, 4, 3, 4, 1]
        for _ in range(MOVES):
            person = self.choose.random()
            if person < 0.06:
                self.person()
            elif person < 0.1:
                self.leave()
            else:
                self.choose.choices(ways, weights)[0]()
            self.check()
        for _ in range(3):
            self.run()
            self.time.enter_context(clock.travel(timedelta(seconds=1)))
        self.run()
        self.check()
        self.check_nothing_is_left()

    # ---- what must hold ------------------------------------------------------------------------------

    def check(self) -> None:
        with db.read() as session:
            self._check_messages(session)
            for run in session.scalars(sa.select(SequenceRun)):
                self._check_run(session, run)

    def _check_messages(self, session: Any) -> None:
        talk = self.desk.scene.conversation(self.contact)
        query = sa.select(Message).where(Message.conversation_id == talk).order_by(Message.id)
        wrote, keys, ours = None, [], 0
        for message in session.scalars(query):
            if message.direction == Direction.INBOUND:
                wrote = message.sent_at
            elif message.direction == Direction.OUTBOUND and message.origin == Origin.SYSTEM:
                ours += 1
                keys.append(message.reply_key)
                assert wrote is not None
                assert message.sent_at - wrote < WINDOW, "outside the window"
        assert len(set(keys)) == len(keys), "twice"
        assert self.silenced is None or ours == self.silenced, "after a person"

    def _check_run(self, session: Any, run: SequenceRun) -> None:
        mine = sa.select(SequenceVisit).where(SequenceVisit.run_id == run.id)
        visits = session.scalars(mine.order_by(SequenceVisit.number)).all()
        assert [one.number for one in visits] == list(range(1, run.number + 1))
        path = [self.body.steps[0].id]
        for one, after in itertools.pairwise(visits):
            step = self.body.step(one.step)
            assert step is not None
            assert (one.way, after.step) in set(ways_out(self.body, step))
            path.append(after.step)
        assert [one.step for one in visits] == path[: len(visits)]
        for one in visits:
            if isinstance(self.body.step(one.step), Say | Ask) and one.way not in {None, "closed"}:
                key = f"sequence-{run.id}-{one.number}"
                sent = sa.select(sa.func.count()).where(Message.reply_key == key)
                assert session.scalar(sent) == 1, "its step was lost"
        if run.outcome is None:
            step = self.body.step(run.step)
            assert run.active_contact_id is not None
            assert run.ended_at is None
            assert visits[-1].step == run.step
            assert visits[-1].way is None
            assert run.waits_for != WaitsFor.NOTHING
            assert isinstance(step, Ask if run.waits_for == WaitsFor.ANSWER else Ask | Wait)
        else:
            assert run.outcome in {"done", "people", "stopped"}
            assert (run.active_contact_id, run.due_at, run.waits_for) == (None, None, WaitsFor.NOTHING)
            assert run.ended_at is not None

    def check_nothing_is_left(self) -> None:
        with db.read() as session:
            due = sa.select(sa.func.count()).select_from(SequenceRun).where(SequenceRun.due_at <= clock.now())
            assert session.scalar(due) == 0
            left = sa.select(sa.func.count()).where(AutomationRun.state == RunState.DUE)
            assert session.scalar(left) == 0
            active = session.scalars(sa.select(SequenceRun).where(SequenceRun.outcome.is_(None))).all()
            assert len(active) <= 1
            talk = session.get_one(Conversation, self.desk.scene.conversation(self.contact))
            assert active or self.left or talk.handled_by != Handler.AUTOMATION, "nobody looks at it"


def play(desk: Sequenced, found: tuple[Step, ...], person: Any, seed: int) -> None:
    body = published(found, person)
    assume(body is not None)
    assert body is not None
    with ExitStack() as time:
        schedule = Schedule(desk, body, random.Random(seed), time)
        schedule.publish()
        schedule.play()


SEEDS = st.integers(0, 2**32)
PERSONS = st.sampled_from(["end", "pause"])
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow]


@pytest.fixture
def one(sequenced: Sequenced) -> Sequenced:
    sequenced.sequence(Say(id="say", text="Hi", then="end"), Wait(id="end", hours=1), publish=False)
    db.write(_live)
    return sequenced


def _live(session: Any) -> None:
    (sequence,) = session.scalars(sa.select(Sequence)).all()
    sequence.live_version, sequence.state = 1, sequences.SequenceState.LIVE


@settings(max_examples=8, deadline=None, suppress_health_check=CHECKS, derandomize=True)
@given(found=steps(), person=PERSONS, seed=SEEDS)
def test_no_schedule_breaks_a_run(one: Sequenced, found: tuple[Step, ...], person: Any, seed: int) -> None:
    play(one, found, person, seed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=CHECKS)
@given(found=steps(), person=PERSONS, seed=SEEDS)
def test_no_schedule_breaks_a_run_long(
    one: Sequenced, found: tuple[Step, ...], person: Any, seed: int
) -> None:
    play(one, found, person, seed)
