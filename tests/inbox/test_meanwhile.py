"""Two answers at once: whoever is second is told, on every database; and who is where."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest

from host.core import db
from host.events.models import DomainEvent
from host.inbox import errors, presence
from host.inbox.conversation_actions import set_fields
from host.models.inbox import Conversation, ConversationStatus, Presence, PresenceState
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.toys import apply, echoed, received

NOW = toys.START + timedelta(hours=1)
ROUNDS = 12
LONG_ROUNDS = 334
"""On three databases: a thousand races."""


class Race:
    """Two members who answer the same customer."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.workspace = toys.make_workspace()
        self.account = toys.make_account(self.workspace)
        self.members = [toys.make_user(self.workspace, name) for name in ("Mia R.", "Bo T.")]
        apply(self.account, received("Is it in stock?"))
        self.id = toys.only(Conversation).id

    def newest(self) -> int:
        return max(message.id for message in toys.thread(self.id))

    def send(self, user: int, text: str, seen: int | None) -> None:
        do(
            queue_reply,
            self.workspace,
            self.id,
            text,
            reply_key=f"key-{text}".replace(" ", "-"),
            adapter=toys.TOY,
            seen_id=seen,
            actor=user,
            now=NOW,
        )

    def run(self, number: int) -> tuple[int, int]:
        """Let both send at once; return how many were sent, and how many were told of the other."""
        seen, gate = self.newest(), threading.Barrier(2)
        told: list[tuple[int, ...]] = []
        sent: list[int] = []
        failed: list[BaseException] = []

        def member(user: int) -> None:
            pause = self.random.random() * 0.004
            gate.wait()
            threading.Event().wait(pause)
            try:
                self.send(user, f"{number:06d}-{user}", seen)
            except errors.AnsweredMeanwhileError as error:
                told.append(error.newer)
            except BaseException as error:  # noqa: BLE001 - shown by the test itself
                failed.append(error)
            else:
                sent.append(user)

        threads = [threading.Thread(target=member, args=[user]) for user in self.members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert all(newer == (self.newest(),) for newer in told), "the other's answer is shown"
        return len(sent), len(told)


def race(rounds: int, seed: int) -> None:
    both = Race(seed)
    found = [both.run(number) for number in range(rounds)]
    assert found == [(1, 1)] * rounds, f"seed {seed}: an answer crossed another unnoticed"


@pytest.mark.parametrize("seed", [20261122])
def test_of_two_who_send_at_once_one_is_asked(any_database: db.Database, seed: int) -> None:
    race(ROUNDS, seed)


@pytest.mark.slow
def test_a_thousand_races(any_database: db.Database) -> None:
    race(LONG_ROUNDS, 7)


def test_what_counts_as_an_answer_of_somebody_else(any_database: db.Database) -> None:
    both = Race(1)
    mia, bo = both.members
    seen = both.newest()
    both.send(mia, "my first", seen)
    both.send(mia, "my second", seen)  # one's own is no surprise
    apply(both.account, received("Hello?", at=30))
    with pytest.raises(errors.AnsweredMeanwhileError) as told:
        both.send(bo, "theirs", seen)
    assert [message.text for message in toys.thread() if message.id in told.value.newer] == [
        "my first",
        "my second",
    ]
    both.send(bo, "theirs", max(told.value.newer))  # having seen them
    seen = both.newest()
    apply(both.account, echoed("from the app", at=60))
    with pytest.raises(errors.AnsweredMeanwhileError):
        both.send(mia, "beside the app", seen)
    both.send(mia, "without asking", None)
    # The same form once more is what it was, whatever came between.
    both.send(bo, "theirs", seen)


def close(both: Race, user: int | None, status: str = "closed") -> None:
    do(set_fields, both.workspace, both.id, {"status": ConversationStatus(status)}, actor=user, now=NOW)


def test_who_writes_while_it_is_closed_is_asked(any_database: db.Database) -> None:
    both = Race(1)
    mia, bo = both.members
    seen = both.newest()
    close(both, bo)
    both.send(bo, "below my own", seen)
    seen = both.newest()
    close(both, bo, "open")
    close(both, mia)
    with pytest.raises(errors.ClosedMeanwhileError) as told:
        both.send(bo, "theirs", seen)
    [line] = [one for one in toys.thread(both.id) if one.id in told.value.newer]
    assert (line.author_id, line.content["what"]) == (mia, "closed")
    close(both, mia, "open")
    both.send(bo, "it is open again", seen)
    close(both, None)  # a rule is somebody else, too
    with pytest.raises(errors.ClosedMeanwhileError) as by_a_rule:
        both.send(bo, "theirs", seen)
    both.send(bo, "theirs", max(by_a_rule.value.newer))


def test_an_answer_and_a_closing_are_told_at_once(any_database: db.Database) -> None:
    both = Race(1)
    mia, bo = both.members
    seen = both.newest()
    both.send(mia, "my answer", seen)
    close(both, mia)
    with pytest.raises(errors.AnsweredMeanwhileError) as told:
        both.send(bo, "theirs", seen)
    assert told.value.closed
    assert len(told.value.newer) == 2


# Who is where


def be(both: Race, user: int, state: PresenceState | None, at: float = 0, **where: Any) -> bool:
    place = {"workspace_id": both.workspace, "conversation_id": both.id} | where
    now = NOW + timedelta(seconds=at)
    return db.write(presence.be_present, user_id=user, state=state, now=now, **place, accounts=None)


def here(both: Race, at: float = 0, **values: Any) -> list[tuple[str, str]]:
    with db.read() as session:
        found = presence.present(session, both.workspace, NOW + timedelta(seconds=at), **values)
    return [(one.name, one.state.value) for one in found]


def test_who_has_a_conversation_open(any_database: db.Database) -> None:
    both = Race(1)
    mia, bo = both.members
    assert be(both, mia, PresenceState.VIEWING)
    assert not be(both, mia, PresenceState.VIEWING, at=20), "nothing new: browsers are not told"
    assert be(both, bo, PresenceState.TYPING)
    assert here(both, at=25) == [("Bo T.", "typing"), ("Mia R.", "viewing")]
    assert here(both, at=25, accounts=frozenset()) == []
    assert here(both, at=25, accounts=frozenset({both.account.id})) != []
    assert here(both, at=31) == [("Mia R.", "viewing")], "whoever is not heard of is forgotten"
    assert be(both, mia, None, at=32)
    assert not be(both, mia, None, at=32)
    assert here(both, at=32) == []
    topics = [one.topic for one in toys.everything(DomainEvent)]
    assert topics.count("presence") == 3
    assert {one.kind for one in toys.everything(DomainEvent) if one.topic == "presence"} == {None}


def test_presence_leaves_no_rows_behind(any_database: db.Database) -> None:
    both = Race(1)
    for number in range(20):
        apply(both.account, received("hi", contact=f"c{number}"))
    ids = [one.id for one in toys.everything(Conversation)]
    for at, id_ in enumerate(ids):
        be(both, both.members[0], PresenceState.VIEWING, at=60 * at, conversation_id=id_)
    assert len(toys.everything_of(Presence)) <= 2


def test_no_presence_in_another_workspace(any_database: db.Database) -> None:
    both = Race(1)
    other = toys.make_workspace("Other")
    for id_, workspace in ((both.id, other), (999, both.workspace)):
        with pytest.raises(errors.ConversationNotFoundError):
            be(both, both.members[0], PresenceState.VIEWING, conversation_id=id_, workspace_id=workspace)
    assert toys.everything_of(Presence) == []
