"""Customers, people, an assistant and kills in every order: nothing is answered twice, nobody after a person.

Operations are drawn one after the other, each a write of its own, as they interleave between processes:
somebody writes, the record is read, a turn is taken, a model answers, an answer is settled or its worker dies
or comes back late, a person answers here or in the provider's app, closes, takes over, leaves it to
automation, stops the assistant, changes its mode; time goes by. Several threads draw them at once where the
database has more than one writer. After each answer, and at the end, what must never be is looked for.
``test_proof.py`` says how many; with ``ASSISTANT_OPERATIONS=100000`` in the environment it draws others.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from host.assistants import results, turn_worker
from host.assistants.models import AssistantTurn, Mode, TurnState
from host.assistants.results import TurnResult
from host.assistants.values import Cap, Cited, Limits
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.conversation_actions import set_fields
from host.models.inbox import Conversation, Direction, Handler, Message, Origin
from tests.assistants.assisting import Assisted
from tests.helpers import do

PEOPLE = 40
"""Customers who write."""
OPERATIONS = (
    *("say",) * 6,
    *("read",) * 6,
    *("begin",) * 6,
    *("settle",) * 6,
    *("later",) * 3,
    *("kill", "reply", "echo", "close", "take", "leave"),
    *("late", "mode", "stop"),
)


@dataclass
class Held:
    """A try that a worker holds."""

    turn_id: int
    fence: int
    done: TurnResult | None


@dataclass
class Found:
    """What was seen."""

    orders: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Proof:
    """A desk on which operations are drawn."""

    def __init__(self, one: Assisted, seed: int) -> None:
        self.one = one
        self.random = random.Random(seed)
        self.found = Found()
        self.held: list[Held] = []
        self.dead: list[Held] = []
        self.directory = one.desk.generation.directory
        self.lock = threading.Lock()

    def draw(self) -> str:
        """Do one operation and return its name."""
        name = self.random.choice(OPERATIONS)
        with suppress(LobbyError):
            getattr(self, name)()
        self.found.orders += 1
        self.found.counts[name] += 1
        return name

    def who(self) -> str:
        return f"c{self.random.randrange(PEOPLE)}"

    # ---- what happens ----------------------------------------------------------------------------------

    def say(self) -> None:
        self.one.said(self.who(), text=f"Question {self.found.orders}?")

    def read(self) -> None:
        with self.lock:
            self.one.read()

    def begin(self) -> None:
        due = self.one.due()
        if not due:
            return
        turn_id = self.random.choice(due)
        begun = db.write(turn_worker._begin, turn_id, self.directory, clock.now())
        if isinstance(begun, tuple):
            self.held.append(Held(turn_id, begun[0], begun[1]))
        elif begun is not None:
            self.held.append(Held(turn_id, begun.fence, None))

    def settle(self) -> None:
        if self.held:
            self._settle(self.held.pop(self.random.randrange(len(self.held))))

    def late(self) -> None:
        """A worker that everybody took for dead comes back."""
        if self.dead:
            self._settle(self.dead.pop(self.random.randrange(len(self.dead))))

    def kill(self) -> None:
        if self.held:
            self.dead.append(self.held.pop(self.random.randrange(len(self.held))))
            del self.dead[:-20]

    def later(self) -> None:
        seconds = self.random.choice((1, 3, 10, 10, 60, 400))
        clock._offset += timedelta(seconds=seconds)

    def reply(self) -> None:
        self.one.scene.reply(self.who(), "I am on it", clock.now())

    def echo(self) -> None:
        self.one.scene.echo(self.who(), "From the app", clock.now())

    def close(self) -> None:
        self.one.scene.close(self.who(), self.one.desk.mia.id, clock.now())

    def take(self) -> None:
        self._set({"handled_by": Handler.PERSON})

    def leave(self) -> None:
        self._set({"handled_by": Handler.AUTOMATION})

    def mode(self) -> None:
        self.one.change(mode=self.random.choice((Mode.ANSWER, Mode.ANSWER, Mode.ANSWER, Mode.SUGGEST)))

    def stop(self) -> None:
        self.one.stop(self.random.random() < 0.2)

    def _set(self, changes: Any) -> None:
        do(
            set_fields,
            self.one.desk.workspace,
            self.one.scene.conversation(self.who()),
            changes,
            actor=self.one.desk.mia.id,
        )

    def _settle(self, held: Held) -> None:
        made = held.done or self._made()
        before = self._handled(held.turn_id)
        state = db.write(results.settle, held.turn_id, held.fence, made, self.directory, clock.now())
        self.found.counts[f"-> {state}"] += 1
        if state == TurnState.SENT and before == Handler.PERSON and not self.one.threads:
            self.found.wrong.append(f"turn {held.turn_id} was answered although a person had it")

    def _made(self) -> TurnResult:
        drawn = self.random.random()
        if drawn < 0.1:
            return TurnResult(reason="model_failed", failed=True, again=self.random.random() < 0.7)
        if drawn < 0.2:
            return TurnResult(reason="no_source")
        text = f"Answer {self.random.randrange(10**9)}."
        return TurnResult(text=text, cited=[Cited(1, "Shipping", entry=7)])

    def _handled(self, turn_id: int) -> str | None:
        with db.read() as session:
            query = sa.select(Conversation.handled_by).join(
                AssistantTurn, AssistantTurn.conversation_id == Conversation.id
            )
            return session.scalar(query.where(AssistantTurn.id == turn_id))

    # ---- what must never be ----------------------------------------------------------------------------

    def end(self) -> None:
        """Let everything come to its end, and look for what must never be."""
        self.one.stop(False)
        self.held.clear()
        for _round in range(6):
            self.one.read()
            clock._offset += timedelta(seconds=120)
            while due := self.one.due():
                for turn_id in due:
                    self.one.think_about(turn_id)
        clock._offset += timedelta(minutes=10)
        while turn_worker.give_forgotten():
            pass
        self.found.wrong += check()


def check() -> list[str]:
    """Return what must never be, of all conversations of the desk."""
    wrong = []
    with db.read() as session:
        turns = {f"assistant-{row.id}": row for row in session.scalars(sa.select(AssistantTurn))}
        for conversation in session.scalars(sa.select(Conversation)):
            wrong += _wrong_in(session, conversation, turns)
    return wrong


def _wrong_in(session: Any, conversation: Conversation, turns: dict[str, AssistantTurn]) -> list[str]:
    """Return what is wrong in a conversation.

    :param turns: by the key of their answer; what is told at a handoff has another ending.
    """
    wrong, answered, person = [], 0, 0
    # By the customer's clock, as the desk has it: threads write down in another order what was said before.
    newest = (datetime.min.replace(tzinfo=UTC), 0)
    query = sa.select(Message).where(
        Message.conversation_id == conversation.id, Message.direction != Direction.INTERNAL
    )
    for message in session.scalars(query.order_by(Message.id)):
        if message.direction == Direction.INBOUND:
            newest = max(newest, (message.sent_at, message.id))
        elif message.origin != Origin.SYSTEM:
            person = message.id
        elif (turn := turns.get((message.reply_key or "").removesuffix("-handoff"))) is not None:
            handed = turn.state in {TurnState.HANDED_OVER, TurnState.FAILED}
            if (turn.sent_id != message.id) != handed:
                wrong.append(f"message {message.id} is not what its turn, {turn.state}, says")
            if turn.message_id != newest[1]:
                wrong.append(f"message {message.id} answers {turn.message_id}, and {newest[1]} was newer")
            if answered == turn.message_id:
                wrong.append(f"message {message.id} is the second answer to {turn.message_id}")
            if person > turn.message_id:
                wrong.append(f"message {message.id} came after a person's, {person}")
            answered = turn.message_id
        else:
            wrong.append(f"message {message.id} is of no turn")
    waits = conversation.status == "open" and conversation.waiting_since is not None
    if waits and conversation.handled_by == Handler.AUTOMATION:
        wrong.append(f"conversation {conversation.id} waits, and nobody has it")
    return wrong


def run(one: Assisted, orders: int, seed: int, threads: int = 1) -> Found:
    """Draw *orders* operations and return what was seen."""
    one.attach(Mode.ANSWER, limits=Limits(conversation=Cap(), day=Cap()), announces=False)
    one.threads = threads > 1
    proofs = [Proof(one, seed + number) for number in range(threads)]
    before = clock._offset
    try:
        with one.knowing():
            if threads == 1:
                for _ in range(orders):
                    proofs[0].draw()
            else:
                _together(proofs, orders // threads)
            proofs[0].end()
    finally:
        clock._offset = before
    found = proofs[0].found
    for other in proofs[1:]:
        found.orders += other.found.orders
        found.counts += other.found.counts
        found.wrong += other.found.wrong
    return found


def _together(proofs: list[Proof], each: int) -> None:
    shared = threading.Lock()
    failures: list[BaseException] = []

    def draw(proof: Proof) -> None:
        proof.lock = shared
        try:
            for _ in range(each):
                proof.draw()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    drawing = [threading.Thread(target=draw, args=(one,)) for one in proofs]
    for one in drawing:
        one.start()
    for one in drawing:
        one.join()
    if failures:
        raise failures[0]
