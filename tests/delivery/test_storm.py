"""Thousands of events of one account at once: the customers of the others hardly wait, and order stays."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from host.core import clock, config
from host.delivery import worker
from host.models.queue import EventState
from host.process.webhook_front import LARGE, WebhookFront
from host.queue import account_rotation, policy
from host.queue.account_rotation import AccountRotation, Candidate
from host.queue.journal import PART_EVENTS, CommitQueue, Journal, QueuedDelivery
from host.queue.journal_rows import Rows, Statements
from host.queue.spool import Delivery
from host.queue.wakeups import IN
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


def apply_claimed(desk: Desk, claims: worker._Claimer) -> int:
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
    monkeypatch.setattr(account_rotation, "KNOWN_FOR_TIMES", 1e9)
    monkeypatch.setattr(account_rotation, "KNOWN_FOR_MOST", 1e9)
    desk = any_desk
    quiet = desk.connect("200")
    storm(desk, door)
    claims = worker._claimers()[IN]
    apply_claimed(desk, claims)
    sizes = [apply_claimed(desk, claims) for _ in range(3)]
    assert max(sizes) <= policy.EVENTS_PER_CLAIM, "one write is not for long"
    for number in range(3):
        door.receive(quiet.id, f"hello {number}", contact="anna")
        apply_claimed(desk, claims)
        assert f"hello {number}" in desk.texts(), "it waited for more than one claim of the storm's"
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


@pytest.mark.parametrize(("looked", "known_for"), [(0.04, 0.8), (10, 1)])
def test_accounts_that_have_work_are_looked_up_for_a_twentieth_of_the_time(
    monkeypatch: pytest.MonkeyPatch, looked: float, known_for: float
) -> None:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    known = AccountRotation()
    assert known.needs_accounts()
    known.remember_accounts([1], began=now[0] - looked)
    now[0] += known_for - 0.01
    assert not known.needs_accounts()
    now[0] += 0.02
    assert known.needs_accounts()


def test_an_account_this_process_took_something_in_for_has_its_turn_before_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = AccountRotation()
    account_rotation.note_work([7])
    known.remember_accounts([3], clock.monotonic())
    assert known.next_accounts(9) == [3], "it was looked for after that"
    account_rotation.note_work([5, None])
    assert known.next_accounts(9) == [0, 3, 5]
    monkeypatch.setattr(account_rotation, "NOTED_MOST", 2)
    monkeypatch.setattr(account_rotation, "KNOWN_FOR_MOST", -1.0)
    account_rotation.note_work([8])
    assert known.next_accounts(9) == [3], "what was heard too long ago is let go where there is much of it"


def lanes_of(**accounts: int) -> list[Candidate]:
    return [
        Candidate(f"{name}{n}", int(name[1:]), 0) for name, count in accounts.items() for n in range(count)
    ]


def chosen_of(known: AccountRotation, candidates: list[Candidate], most: int = 32) -> dict[int | None, int]:
    return Counter(one.account_id for one in known.choose(candidates, most))


def test_each_account_gives_as_many_events_however_deep_its_lanes_are() -> None:
    known = AccountRotation(most_events=80)
    candidates = lanes_of(a1=32, a2=32)
    assert chosen_of(known, candidates) == {1: 16, 2: 16}, "nobody knows yet"
    known.note_depths({1: 20.0, 2: 1.0})
    assert chosen_of(known, candidates) == {1: 2, 2: 30}, "two lanes of twenty, and as many as may be of one"
    assert not known.spent
    known.note_depths({1: 20.0, 2: 4.0})
    assert chosen_of(known, candidates) == {1: 2, 2: 10}, "forty of each"
    assert known.spent
    assert chosen_of(known, lanes_of(a1=32, a2=3)) == {1: 3, 2: 3}, "who has less leaves it to the others"
    known.note_depths({1: 1.0, 2: 0.0})
    assert chosen_of(known, candidates) == {1: 16, 2: 16}


def test_a_lane_deeper_than_may_be_is_chosen_all_the_same() -> None:
    known = AccountRotation(most_events=80)
    known.note_depths({1: 500.0})
    assert chosen_of(known, lanes_of(a1=3)) == {1: 1}
    assert known.spent
    assert chosen_of(known, []) == {}
    assert not known.spent


def test_accounts_with_deep_lanes_have_their_turn_one_after_the_other() -> None:
    known = AccountRotation(most_events=80)
    known.note_depths(dict.fromkeys(range(1, 7), 40.0))
    candidates = lanes_of(a1=9, a2=9, a3=9, a4=9, a5=9, a6=9)
    assert [[*chosen_of(known, candidates)] for _ in range(4)] == [[1, 2], [3, 4], [5, 6], [1, 2]]


def item(number: int, account: int, events: int) -> QueuedDelivery:
    envelopes = tuple(envelope(account, f"{number}-{one}") for one in range(events))
    delivery = Delivery(number, "/hook", "email", "", clock.now(), b"{}", envelopes)
    return QueuedDelivery(delivery, Rows(delivery, Statements("sqlite")), threading.Lock())


def batches(*items: QueuedDelivery) -> list[list[int]]:
    """Return the ids of what is committed together, one commit after the other."""
    queue = CommitQueue()
    for one in items:
        queue.append(one)
    found = []
    while queue:
        together = queue.next_batch()
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
    queue = CommitQueue()
    queue.append(failing)
    queue.append(item(1, 1, 1))
    assert [one.delivery.id for one in queue.next_batch()] == [0]
    failing.error = OSError("the disk is full")
    assert failing.part_ended()
    assert not failing.is_stored
    assert [one.delivery.id for one in queue.next_batch()] == [1]


def test_large_requests_come_one_at_a_time_and_small_ones_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.process.webhook_front.LARGE_PATIENCE_SECONDS", 60.0)
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
    monkeypatch.setattr("host.process.webhook_front.LARGE_PATIENCE_SECONDS", 0.01)
    front = WebhookFront(config.load({"LOBBY_DATA": str(tmp_path)}), Journal(tmp_path))
    with front._turn(LARGE + 1), front._turn(LARGE + 1):
        pass
