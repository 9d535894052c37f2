"""Thousands of events of one account at once: the customers of the others hardly wait, and order stays."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from host import clock, config
from host.delivery import policy, rota, worker
from host.delivery.batching import PART_EVENTS, Item, Queue
from host.delivery.journal import Journal
from host.delivery.models import EventState
from host.delivery.rota import Candidate, Rota
from host.delivery.rows import Rows, Statements
from host.delivery.spool import Delivery
from host.delivery.wakeups import IN
from host.front import LARGE, WebhookFront
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, envelope

CUSTOMERS, EACH = 100, 20


def storm(desk: Desk, door: Door) -> None:
    """Let every one of many customers of the first account have written much, in requests of five hundred."""
    envelopes = [
        envelope(desk.account.id, f"{customer}-{number}", contact=f"c{customer}")
        for number in range(EACH)
        for customer in range(CUSTOMERS)
    ]
    for start in range(0, len(envelopes), 500):
        some = envelopes[start : start + 500]
        door.journal.ingest(source="/hook", channel="email", raw=b"{}", remote="", envelopes=some)


def helping(desk: Desk, claims: worker._Desk) -> int:
    """Let a worker do one piece of work; return how many events it applied."""
    before = desk.event_states().count(EventState.APPLIED)
    leases = claims.claim()
    assert leases
    worker._work(leases, lambda: desk.generation, claims)
    return desk.event_states().count(EventState.APPLIED) - before


@pytest.mark.slow
def test_a_message_to_a_quiet_account_comes_next(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who has work is not looked up again while the storm lasts: what this process took in, it knows of.
    monkeypatch.setattr(rota, "KNOWN_FOR_TIMES", 1e9)
    monkeypatch.setattr(rota, "KNOWN_FOR_MOST", 1e9)
    desk = any_desk
    quiet = desk.connect("200")
    storm(desk, door)
    claims = worker._desks()[IN]
    helping(desk, claims)
    sizes = [helping(desk, claims) for _ in range(3)]
    assert max(sizes) <= policy.EVENTS_PER_HELPING, "one write is not for long"
    for number in range(3):
        door.receive(quiet.id, f"hello {number}", contact="anna")
        helping(desk, claims)
        assert f"hello {number}" in desk.texts(), "it waited for more than one helping of the storm's"
    waiting = desk.event_states().count(EventState.PENDING)
    assert waiting > CUSTOMERS * EACH // 4, "the storm was nearly over, so nothing was shown"
    desk.drain()
    spoken: dict[int, list[str]] = defaultdict(list)
    for text in desk.texts():
        if "-" in text:
            customer, number = text.split("-")
            spoken[int(customer)].append(int(number))  # type: ignore[arg-type]
    assert all(numbers == sorted(numbers) and len(numbers) == EACH for numbers in spoken.values())
    assert len(spoken) == CUSTOMERS


def test_accounts_that_have_work_are_looked_up_for_a_twentieth_of_the_time() -> None:
    known = Rota()
    assert known.is_old()
    known.remember([1], clock.monotonic() - 0.04)
    assert not known.is_old()
    assert 0.8 <= known._known_for <= rota.KNOWN_FOR_MOST
    known.remember([1], clock.monotonic() - 10)
    assert known._known_for == rota.KNOWN_FOR_MOST


def test_an_account_this_process_took_something_in_for_has_its_turn_before_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rota, "_heard", {})
    known = Rota()
    rota.hear([7])
    known.remember([3], clock.monotonic())
    assert known.turn(9) == [3], "it was looked for after that"
    rota.hear([5, None])
    assert known.turn(9) == [0, 3, 5]
    monkeypatch.setattr(rota, "_HEARD_MOST", 2)
    monkeypatch.setattr(rota, "KNOWN_FOR_MOST", -1.0)
    rota.hear([8])
    assert rota._heard == {}


def lanes_of(**accounts: int) -> list[Candidate]:
    return [
        Candidate(f"{name}{n}", int(name[1:]), 0) for name, count in accounts.items() for n in range(count)
    ]


def chosen_of(known: Rota, candidates: list[Candidate], most: int = 32) -> dict[int | None, int]:
    return Counter(one.account_id for one in known.choose(candidates, most))


def test_each_account_gives_as_many_events_however_deep_its_lanes_are() -> None:
    known = Rota(most_events=80)
    candidates = lanes_of(a1=32, a2=32)
    assert chosen_of(known, candidates) == {1: 16, 2: 16}, "nobody knows yet"
    known.note({1: 20.0, 2: 1.0})
    assert chosen_of(known, candidates) == {1: 2, 2: 30}, "two lanes of twenty, and as many as may be of one"
    assert not known.spent
    known.note({1: 20.0, 2: 4.0})
    assert chosen_of(known, candidates) == {1: 2, 2: 10}, "forty of each"
    assert known.spent
    assert chosen_of(known, lanes_of(a1=32, a2=3)) == {1: 3, 2: 3}, "who has less leaves it to the others"
    known.note({1: 1.0, 2: 0.0})
    assert chosen_of(known, candidates) == {1: 16, 2: 16}


def test_a_lane_deeper_than_may_be_is_chosen_all_the_same() -> None:
    known = Rota(most_events=80)
    known.note({1: 500.0})
    assert chosen_of(known, lanes_of(a1=3)) == {1: 1}
    assert known.spent
    assert chosen_of(known, []) == {}
    assert not known.spent


def test_accounts_with_deep_lanes_have_their_turn_one_after_the_other() -> None:
    known = Rota(most_events=80)
    known.note(dict.fromkeys(range(1, 7), 40.0))
    candidates = lanes_of(a1=9, a2=9, a3=9, a4=9, a5=9, a6=9)
    assert [[*chosen_of(known, candidates)] for _ in range(4)] == [[1, 2], [3, 4], [5, 6], [1, 2]]


def item(number: int, account: int, events: int) -> Item:
    envelopes = tuple(envelope(account, f"{number}-{one}") for one in range(events))
    delivery = Delivery(number, "/hook", "email", "", clock.now(), b"{}", envelopes)
    return Item(delivery, Rows(delivery, Statements("sqlite")))


def batches(*items: Item) -> list[list[int]]:
    """Return the ids of what is committed together, one commit after the other."""
    queue = Queue()
    for one in items:
        queue.append(one)
    found = []
    while queue:
        together = queue.take()
        found.append([one.delivery.id for one in together])
        for one in together:
            one.part_ended()
    return found


def test_small_requests_are_committed_before_large_ones_but_not_before_their_own_accounts() -> None:
    plan = [(1, PART_EVENTS)] * 3 + [(2, 1), (1, 1), (3, 1), (3, PART_EVENTS), (3, 1), (2, 1)]
    found = batches(*(item(number, *one) for number, one in enumerate(plan)))
    assert found == [[0, 1], [2, 3, 4, 5, 8], [6, 7]]


def test_a_request_that_is_larger_than_a_batch_is_committed_in_parts_and_others_go_between() -> None:
    large = 2 * PART_EVENTS + 1
    delivery = item(0, 1, large).delivery
    whole = Rows(delivery, Statements("sqlite"))
    parts = whole.parts(PART_EVENTS)
    assert [len(part.events) for part in parts] == [PART_EVENTS, PART_EVENTS, 1]
    assert [part.request is None for part in parts] == [False, True, True]
    assert [event for part in parts for event in part.events] == whole.events
    assert {name for part in parts for name in part.lanes} == set(whole.lanes)
    assert batches(item(0, 1, large), item(1, 1, 1), item(2, 2, 1)) == [[0, 2], [0], [0, 1]]


def test_a_request_whose_part_fails_is_not_gone_on_with() -> None:
    failing = item(0, 1, 2 * PART_EVENTS + 1)
    queue = Queue()
    queue.append(failing)
    queue.append(item(1, 1, 1))
    assert [one.delivery.id for one in queue.take()] == [0]
    failing.error = OSError("the disk is full")
    failing.part_ended()
    assert failing.done.acquire(blocking=False)
    assert not failing.is_stored
    assert [one.delivery.id for one in queue.take()] == [1]


def test_large_requests_come_one_at_a_time_and_small_ones_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.front.LARGE_PATIENCE_SECONDS", 60.0)
    front = WebhookFront(config.load({"LOBBY_DATA": str(tmp_path)}), Journal(tmp_path))
    entered = threading.Event()

    def second() -> None:
        with front._turn(LARGE + 1):
            entered.set()

    thread = threading.Thread(target=second)
    with front._turn(LARGE + 1):
        thread.start()
        with front._turn(LARGE):
            assert not entered.is_set()
    thread.join(60)
    assert entered.is_set()


def test_a_large_request_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.front.LARGE_PATIENCE_SECONDS", 0.01)
    front = WebhookFront(config.load({"LOBBY_DATA": str(tmp_path)}), Journal(tmp_path))
    with front._turn(LARGE + 1), front._turn(LARGE + 1):
        pass
