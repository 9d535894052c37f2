"""Leases: one holder at a time, none for ever, and everybody gets a turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.queue import Lane
from host.queue import account_rotation as rotas
from host.queue import lanes, policy
from host.queue.account_rotation import AccountRotation
from host.queue.journal_rows import Statements
from host.queue.lane_waking import LaneRow
from host.queue.lanes import Lease, lane_key

Travel = Callable[[timedelta], None]


AGO = timedelta(seconds=-1)
"""The clock of the database is measured again now and then, so a lane due this very moment may be early."""


def make(*contacts: str, account_id: int | None = 1, at: timedelta = AGO) -> None:
    def use_case(session: Session) -> None:
        for contact in contacts:
            key = lane_key("in", account_id, contact)
            lanes.schedule(session, key, "in", account_id, clock.now() + at)

    db.write(use_case)


def claim(limit: int = 10, rotation: AccountRotation | None = None) -> list[Lease]:
    return db.write(lanes.claim, "in", limit=limit, rotation=rotation or AccountRotation())


def one() -> Lane:
    with db.read() as session:
        return session.scalars(sa.select(Lane)).one()


def give_back(lease: Lease, at: object = None) -> None:
    db.write(lanes.release, [(lease, at)])  # type: ignore[list-item]


def test_keys_fit_their_column_whatever_the_customer_is_called() -> None:
    for contact in ("", "a", "\ud800", "x" * 10_000, "ключ"):
        key = lane_key("out", 2**63 - 1, contact)
        assert len(key) <= 64
        assert key.isascii()
    assert lane_key("in", 1, "a") != lane_key("in", 1, "A")
    assert lane_key("in", None, "a") != lane_key("in", 1, "a")


def test_a_lane_has_one_holder_until_it_gives_it_back(any_database: db.Database) -> None:
    make("anna")
    (lease,) = claim()
    assert (claim(), lease.fence) == ([], 1)
    give_back(lease)
    assert claim() == []
    make("anna")
    (again,) = claim()
    assert again.fence == 2


def test_a_lease_that_ran_out_can_be_taken_and_the_first_holder_finds_out(
    any_database: db.Database, travel: Travel
) -> None:
    make("anna")
    (first,) = claim()
    assert first.alive()
    travel(policy.LEASE)
    assert not first.alive()
    (second,) = claim()
    assert db.write(lanes.held, [first]) == set()
    assert first.lost
    assert db.write(lanes.held, [second]) == {second.key}
    give_back(first)
    assert one().owner == second.owner, "who lost the lease releases nothing"


def test_of_leases_given_back_together_the_lost_one_is_left_to_its_holder(
    any_database: db.Database, travel: Travel
) -> None:
    make("anna", "bert", "carl")
    first = claim()
    travel(policy.LEASE / 2)
    db.write(lanes.renew, first[1:])
    travel(policy.LEASE / 2)
    (second,) = claim()
    assert second.key == first[0].key
    db.write(lanes.release, [(lease, None) for lease in first])
    with db.read() as session:
        owners = dict(session.execute(sa.select(Lane.key, Lane.owner)).all())  # type: ignore[arg-type]
    assert owners == {first[0].key: second.owner, first[1].key: None, first[2].key: None}


def test_a_renewed_lease_lasts(any_database: db.Database, travel: Travel) -> None:
    make("anna")
    (lease,) = claim()
    for _ in range(5):
        travel(policy.LEASE / 2)
        db.write(lanes.renew, [lease])
        assert lease.alive()
        assert claim() == []
    travel(policy.LEASE)
    assert len(claim()) == 1
    db.write(lanes.renew, [lease])
    assert lease.lost


def test_work_that_arrives_during_a_lease_is_due_after_it(any_database: db.Database, travel: Travel) -> None:
    for wanted in (None, clock.now() + timedelta(hours=1)):
        make("anna")
        (lease,) = claim()
        make("anna")
        db.write(lanes.renew, [lease])
        assert claim() == []
        give_back(lease, wanted)
        (lease,) = claim()
        give_back(lease)
    assert one().next_at is None


def test_a_lane_given_back_for_later_is_due_then(any_database: db.Database, travel: Travel) -> None:
    make("anna")
    (lease,) = claim()
    give_back(lease, clock.now() + timedelta(seconds=10))
    assert claim() == []
    travel(timedelta(seconds=11))
    assert len(claim()) == 1


def test_scheduling_later_never_delays(any_database: db.Database) -> None:
    make("anna")
    make("anna", at=timedelta(hours=1))
    assert len(claim()) == 1


def test_the_lane_that_waited_longest_comes_first(any_database: db.Database) -> None:
    for number in (3, 1, 2):
        make(f"c{number}", at=timedelta(seconds=-number))
    assert [lease.key for lease in claim()] == [lane_key("in", 1, f"c{n}") for n in (3, 2, 1)]


def test_accounts_take_turns_however_much_one_of_them_has(any_database: db.Database) -> None:
    make(*(f"c{number}" for number in range(30)), at=timedelta(minutes=-5))
    make("x", account_id=2)
    make("y", account_id=3)
    make("z", account_id=None)
    rotation = AccountRotation()
    order = [claim(1, rotation)[0].account_id for _ in range(8)]
    assert set(order[:4]) == {None, 1, 2, 3}
    assert order[4:] == [1, 1, 1, 1]
    assert {lease.account_id for lease in claim(4, rotation)} == {1}


def test_among_a_few_due_lanes_an_account_nobody_announced_has_its_turn(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane comes due by itself, or through another process: it is seen although all else is remembered."""
    monkeypatch.setattr(rotas, "KNOWN_FOR_TIMES", 1e9)
    monkeypatch.setattr(rotas, "KNOWN_FOR_MOST", 1e9)
    make(*(f"c{number}" for number in range(6)), at=timedelta(minutes=-5))
    make("x", account_id=2)
    rotation = AccountRotation()
    rotation.remember_accounts([1], clock.monotonic() - 1)
    assert {lease.account_id for lease in claim(2, rotation)} == {1, 2}


def test_two_claimers_never_get_the_same_lane(any_database: db.Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    make(*(f"c{number}" for number in range(60)))
    with ThreadPoolExecutor(4) as pool:
        found = [lease.key for done in [pool.submit(claim, 5) for _ in range(24)] for lease in done.result()]
    rest = [lease.key for lease in claim(100)]
    assert len(found) + len(rest) == len({*found, *rest}) == 60


def test_the_owner_of_the_file_frees_what_the_dead_held(database: db.Database) -> None:
    make("anna")
    (lease,) = claim()
    db.write(lanes.void_leases)
    assert len(claim()) == 1
    assert db.write(lanes.held, [lease]) == set()


def test_a_claim_is_an_index_seek(database: db.Database) -> None:
    with db.read() as session:
        plan = session.execute(
            sa.text(
                "EXPLAIN QUERY PLAN SELECT key FROM lanes WHERE direction='in' AND next_at <= '2026' "
                "AND (lease_until IS NULL OR lease_until <= '2026') ORDER BY next_at LIMIT 4"
            )
        ).all()
    assert "ix_lanes_due" in str(plan)
    assert "SCAN" not in str(plan)


def test_lanes_somebody_works_on_already_are_left_out(database: db.Database) -> None:
    make("anna", "bert")
    mine = lane_key("in", 1, "anna")

    def use_case(session: Session) -> list[str]:
        found = lanes.candidates(session, "in", limit=10, rotation=AccountRotation(), but_not={mine})
        return [one.key for one in found]

    assert db.write(use_case) == [lane_key("in", 1, "bert")]


@pytest.mark.parametrize("known", [None, "idle", -60, 0, 60])
def test_the_journals_own_insert_makes_a_lane_due_as_the_use_cases_do(
    any_database: db.Database, known: str | int | None
) -> None:
    statements = Statements(any_database.dialect)
    now = clock.now().replace(microsecond=0)

    def use_case(session: Session) -> None:
        if known is not None:
            at = None if known == "idle" else now + timedelta(seconds=int(known))
            session.add_all(
                [Lane(key=key, direction="in", next_at=at, fence=7) for key in ("ours", "theirs")]
            )
            session.flush()
        lanes.schedule(session, "ours", "in", 1, now)
        cursor = session.connection().connection.cursor()
        statements.lane.run(cursor, [LaneRow("theirs", "in", 1, statements.time(now), 0)])

    db.write(use_case)
    with db.read() as session:
        found = {lane.key: lane for lane in session.scalars(sa.select(Lane))}
    earliest = now - timedelta(seconds=60) if known == -60 else now
    assert found["ours"].next_at == found["theirs"].next_at == earliest
    assert found["ours"].fence == found["theirs"].fence == (0 if known is None else 7)
