"""People who hide, show, change and pass on their ids, while the workers that hear of it are killed."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Conversation, Direction, Message
from host.models.queue import EventState, InboundEvent
from tests.delivery.desk import Desk
from tests.delivery.test_kill import Runner, Sender, folder, settle
from tests.helpers import make_user

__all__ = ["folder"]

PEOPLE = int(os.environ.get("TEST_PEOPLE", "200"))
KILLS = 10
SENDERS = 8
AT_ONCE = 20
"""People who write at the same time to each sender."""


class Person:
    """What one person does, in order: the events that the provider sends of it.

    :param phone: a number that was somebody else's before.
    """

    def __init__(self, number: int, phone: str = "") -> None:
        self.number = number
        self.user, self.phone = f"U{number}", phone or f"49{number:06}"
        self.chance = random.Random(number)
        self.texts: list[str] = []
        self.ours: list[str] = []
        self.known_from: int | None = None
        """The first of their messages that names both ids: before, nobody can know their order."""
        self.first = "shown" if phone else self.chance.choice(["shown", "hidden", "number only"])
        self.heir: Person | None = None

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Yield events, by whichever ids are shown just then, and those of who gets their number next.

        None: nothing happens until what was sent is applied.
        """
        yield self.wrote(self.first)
        if self.first != "shown":
            yield self.wrote("number only")
            yield self.wrote("shown")
        yield from self.is_heard()
        given_up = ""
        for what in self.chance.sample(["answer", "hidden", "shown", "number only", "number", "user"], 5):
            match what:
                case "answer":
                    yield from self.read_an_answer()
                case "number":
                    yield self.wrote("shown")
                    given_up, self.phone = self.phone, f"48{self.number:06}"
                    yield self.told("number", [self.phone, self.user, f"-{given_up}"])
                    yield from self.shows_what_is_new()
                case "user":
                    yield self.wrote("shown")
                    before, self.user = self.user, f"U{self.number}b"
                    yield self.told("id", [self.user, f"-{before}"])
                    yield from self.shows_what_is_new()
                case _:
                    yield self.wrote(what)
        yield self.wrote("shown")
        if self.heir is not None:
            self.heir.phone = given_up or self.phone  # without a word, where they have not changed it
            yield from self.heir.events()
            yield self.wrote("hidden")

    def shows_what_is_new(self) -> Iterator[dict[str, Any] | None]:
        yield self.wrote("shown")
        yield from self.is_heard()

    def is_heard(self) -> Iterator[None]:
        """Wait until their newest message is applied: before, nobody can know whose its ids are."""
        while not is_applied(self.texts[-1]):
            yield None

    def wrote(self, how: str) -> dict[str, Any]:
        text = self.next_text()
        if how == "number only":
            return {"mid": text, "from": self.phone}
        if how == "hidden":
            return {"mid": text, "from": self.user, "ids": [self.user]}
        if self.known_from is None:
            self.known_from = len(self.texts) - 1
        return {"mid": text, "from": self.user, "ids": [self.phone, self.user]}

    def next_text(self) -> str:
        self.texts.append(f"{self.number}.{len(self.texts)}")
        return self.texts[-1]

    def told(self, changed: str, ids: Sequence[str]) -> dict[str, Any]:
        mid = f"{self.number}:{changed}"
        return {"mid": mid, "kind": "nothing", "from": self.user, "ids": list(ids), "changed": changed}

    def read_an_answer(self) -> Iterator[dict[str, Any]]:
        """Yield an answer to one of the ids, and its receipt by the other."""
        yield self.wrote("shown")
        one, other = self.chance.sample([self.user, self.phone], 2)
        self.ours.append(text := self.next_text())
        yield {"mid": text, "kind": "echo", "from": one}
        yield {"mid": f"{text} read", "kind": "read", "from": other, "about": text}


def is_applied(text: str) -> bool:
    """Return whether the message *text* is in the inbox."""
    with db.read() as session:
        return session.scalar(sa.select(Message.id).where(Message.external_id == text)) is not None


class People(Sender):
    """Sends what some people do: of each in order, of all of them mixed."""

    def __init__(self, runner: Runner, name: str, people: Sequence[Person]) -> None:
        super().__init__(runner, name)
        self.people = people
        self.chance = random.Random(name)

    def send_all(self) -> None:
        left = [one.events() for one in self.people]
        at_once = [left.pop() for _ in range(min(AT_ONCE, len(left)))]
        while at_once:
            events = self.chance.choice(at_once)
            try:
                event = next(events)
            except StopIteration:
                at_once.remove(events)
                at_once += [left.pop()] if left else []
                continue
            if event is None:
                threading.Event().wait(0.01)
            else:
                self.until_acknowledged(event)


@pytest.mark.slow
def test_as_many_contacts_as_people(any_database: db.Database, any_desk: Desk, folder: Path) -> None:
    owners = [Person(number) for number in range(PEOPLE * 4 // 5)]
    heirs = [Person(PEOPLE + number, "later") for number in range(PEOPLE // 5)]
    for owner, heir in zip(owners[::4], heirs, strict=True):
        owner.heir = heir
    url = any_database.url.render_as_string(hide_password=False)
    runner = Runner(url, folder, any_desk.account.id, make_user().id)
    senders = [People(runner, f"s{number}", owners[number::SENDERS]) for number in range(SENDERS)]
    try:
        for _ in range(1 if any_database.is_sqlite else 2):
            runner.start()
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            threading.Event().wait(random.uniform(0.5, 3.0))
            runner.kill(random.choice(list(runner.living)))
            runner.start()
        for sender in senders:
            sender.join(300)
        assert [sender.trouble for sender in senders] == [None] * SENDERS
        settle(folder)
    finally:
        runner.close()
    check([*owners, *heirs])


def check(people: Sequence[Person]) -> None:
    with db.read() as session:
        told = sa.select(InboundEvent.state, InboundEvent.kind, InboundEvent.reason)
        states = Counter(map(tuple, session.execute(told)))
        rows = session.execute(
            sa.select(Message.id, Message.external_id, Message.state, Conversation.contact_id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.direction != Direction.INTERNAL)
        ).all()
    assert {state for state, _kind, _reason in states} == {EventState.APPLIED}, states
    found = {row.external_id: row for row in rows}
    assert found.keys() == {text for one in people for text in one.texts}, "lost, or nobody's"
    contacts: dict[int, set[int]] = defaultdict(set)
    for one in people:
        mine = [found[text] for text in one.texts]
        contacts[one.number] = {row.contact_id for row in mine}
        received = [text for text in one.texts if text not in one.ours]
        places = [found[text].id for text in received]
        since = places[one.known_from or 0 :]  # no answer is before it
        assert since == sorted(since), (received, places)
        assert max(places[: one.known_from], default=0) < since[0], (received, places)
        assert {found[text].state for text in one.ours} <= {"read"}, one.ours
    assert {len(one) for one in contacts.values()} == {1}, "one person, several contacts"
    assert len(set.union(*contacts.values())) == len(people), "several people, one contact"
