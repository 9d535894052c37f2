"""The numbers of a sequence: who reached each step, who left where."""

from __future__ import annotations

from datetime import timedelta

from host.core import clock, db
from host.sequences import numbers, runner, sequences
from host.sequences.body import Ask, Hand, Say, Wait
from host.sequences.numbers import Numbers
from tests.sequences.sequenced import Sequenced

ASK = Ask(id="ask", text="Which?", kind="number", variable="order")


def numbers_of(desk: Sequenced, id_: int) -> Numbers:
    with db.read() as session:
        version = sequences.get(session, desk.desk.workspace, id_).version
        body = runner.body_of(session, id_, version)
        assert body is not None
        now = clock.now()
        return numbers.of_version(
            session, id_, version, body, now - timedelta(days=30), now + timedelta(days=1)
        )


def test_the_funnel(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    id_ = desk.sequence(ASK, Say(id="say", text="Thanks"), Wait(id="wait", hours=1), Hand(id="people"))
    for contact in ("ana", "bo", "cy", "di"):
        desk.said(contact, text="order")
    desk.run()
    desk.said("ana", text="12345")
    desk.said("bo", text="777")
    desk.said("cy", text="human")
    desk.run()
    with clock.travel(timedelta(hours=2)):
        desk.run()
        found = numbers_of(desk, id_)
    assert dict(found.started) == {"words": 4}
    assert (found.all, found.active, found.done, found.planned, found.asked) == (4, 1, 0, 2, 1)
    assert [(one.step, one.reached, one.here, one.left_here) for one in found.steps] == [
        ("ask", 4, 1, 1),
        ("say", 2, 0, 0),
        ("wait", 2, 0, 0),
        ("people", 2, 0, 0),
    ]
    waited = found.steps[2].time
    assert waited is not None
    assert waited >= timedelta(hours=1)
    assert dict(found.steps[0].left) == {"asked": 1}


def test_who_sees_some_accounts_counts_only_their_customers(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    id_ = desk.sequence(ASK, Hand(id="people"))
    desk.said("ana", text="order")
    desk.run()
    account = desk.desk.account.id
    with db.read() as session:
        body = runner.body_of(session, id_, 1)
        assert body is not None
        now = clock.now()
        period = now - timedelta(days=1), now + timedelta(days=1)
        for accounts, count in ((None, 1), (frozenset({account}), 1), (frozenset[int](), 0)):
            found = numbers.of_version(session, id_, 1, body, *period, accounts=accounts)
            assert (found.all, found.steps[0].reached, found.steps[0].here) == (count, count, count)


def test_a_step_that_is_reached_again_counts_once(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    again = Ask(id="ask", text="Another?", hours=1, silent="people", then="ask")
    id_ = desk.sequence(again, Hand(id="people"))
    for text in ("order", "one", "two"):
        desk.said("ana", text=text)
        desk.run()
    assert len(desk.visits()) == 3
    found = numbers_of(desk, id_)
    assert [(one.reached, one.here) for one in found.steps] == [(1, 1), (0, 0)]


def test_nothing_yet(sequenced: Sequenced) -> None:
    id_ = sequenced.sequence(ASK, Hand(id="people"))
    found = numbers_of(sequenced, id_)
    assert (found.all, found.alone, found.time) == (0, 0, None)
    assert [one.reached for one in found.steps] == [0, 0]
