"""Somebody holds a row for long. Its customer waits; the messages of all others arrive and are applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.delivery import inbound, merging
from host.delivery.blocked_lanes import SetAside
from host.delivery.worker import Workers
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.models.queue import EventState, InboundEvent, Lane
from host.models.users import Workspace
from host.queue import lanes, policy
from host.queue.account_rotation import AccountRotation
from host.queue.lanes import Lease
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, _workspace, envelope

pytestmark = [
    pytest.mark.services,
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]


@pytest.fixture
def desk(any_database: db.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    db.take_undone()
    monkeypatch.setattr(inbound, "_set_aside", SetAside())
    return Desk()


@contextmanager
def holding(model: type[db.Base], *where: sa.ColumnElement[bool]) -> Iterator[None]:
    """Hold rows, as somebody does at the database's prompt."""
    key = sa.inspect(model).primary_key
    with db.current().write_engine.connect() as connection:
        # The host's own connections must not stand still for so long, so this one is not used again.
        limit = (
            "SET idle_in_transaction_session_timeout = 0"
            if connection.dialect.name == "postgresql"
            else "SET idle_transaction_timeout = 0"
        )
        connection.exec_driver_sql(limit)
        assert connection.execute(sa.select(*key).where(*where).with_for_update()).all()
        yield
        connection.exec_driver_sql("SELECT 1")  # it was not undone meanwhile
        connection.rollback()
        connection.invalidate()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pending() -> set[str]:
    """Return the lanes in which events wait."""
    with db.read() as session:
        return set(
            session.scalars(sa.select(InboundEvent.lane).where(InboundEvent.state == EventState.PENDING))
        )


def lane(account_id: int, contact: str) -> str:
    return lanes.lane_key("in", account_id, contact)


def held_row(what: str, account_id: int) -> tuple[type[db.Base], sa.ColumnElement[bool]]:
    """Return the row of *what* that belongs to Anna, or to the account or workspace she is a customer of."""
    with db.read() as session:
        query = sa.select(ContactIdentity).where(
            ContactIdentity.account_id == account_id, ContactIdentity.external_id == "anna"
        )
        anna = session.scalars(query).one()
    return {
        "conversations": (Conversation, Conversation.identity_id == anna.id),
        "contact_identities": (ContactIdentity, ContactIdentity.id == anna.id),
        "contacts": (Contact, Contact.id == anna.contact_id),
        "channel_accounts": (ChannelAccount, ChannelAccount.id == account_id),
        "workspaces": (Workspace, Workspace.id == anna.workspace_id),
        "lanes": (Lane, Lane.key == lane(account_id, "anna")),
    }[what]


ROWS = ["conversations", "contact_identities", "contacts", "channel_accounts", "workspaces", "lanes"]


@pytest.mark.parametrize("what", ROWS)
def test_others_go_on_while_a_row_of_one_customer_is_held(desk: Desk, door: Door, what: str) -> None:
    with_anna = desk.account.id
    if what == "workspaces":
        desk.workspace_id = db.write(_workspace)
    elsewhere = desk.connect("elsewhere").id
    names = [f"c{number}" for number in range(6)]
    for account, contact in [(with_anna, "anna"), *((elsewhere, name) for name in names)]:
        door.receive(account, f"first of {contact}", contact=contact)
    desk.drain()
    assert not pending()
    workers = Workers(lambda: desk.generation, receivers=1, senders=0)  # type: ignore[arg-type,return-value]
    try:
        with holding(*held_row(what, with_anna)):
            workers.start()  # not before: housekeeping removes idle lanes
            for turn in range(3):
                door.receive(with_anna, f"{turn} of anna", contact="anna")
                for name in [*names, f"new {turn}"]:
                    door.receive(elsewhere, f"{turn} of {name}", contact=name)
                workers.wake("in")
                until(lambda: pending() <= {lane(with_anna, "anna")})
            assert not door.journal.spool
        workers.wake("in")
        until(lambda: not pending())
    finally:
        workers.stop()
    theirs = [text for text in desk.texts() if text.endswith(" of anna")]
    assert theirs == ["first of anna", "0 of anna", "1 of anna", "2 of anna"]
    assert db.take_undone() == {}, "a write waited until the database gave it up"


def test_a_held_conversation_is_not_waited_for(desk: Desk, door: Door) -> None:
    """Not even for the moment a lock may take: the others of its batch are written in the same turn."""
    for contact in ("anna", "bert"):
        door.receive(desk.account.id, f"first of {contact}", contact=contact)
    desk.drain()
    waits: list[float] = []
    with holding(*held_row("conversations", desk.account.id)), pytest.MonkeyPatch.context() as patch:
        each = inbound._write_each
        patch.setattr(
            inbound,
            "_write_each",
            lambda plans, **how: waits.extend([1.0] * len(plans)) or each(plans, **how),
        )
        for contact in ("anna", "bert"):
            door.receive(desk.account.id, f"second of {contact}", contact=contact)
        leases = db.write(lanes.claim, "in", limit=9, rotation=AccountRotation())
        inbound.work(leases, desk.generation.directory)
        assert pending() == {lane(desk.account.id, "anna")}
        assert not waits
        # It is due again soon, and not tried before.
        (due,) = [one.next_at for one in desk.lanes() if one.next_at is not None]
        assert due <= clock.now() + timedelta(seconds=policy.SET_ASIDE_DELAYS[0])
    assert db.take_undone() == {}


def test_a_lane_that_is_held_again_and_again_is_tried_less_often(any_database: db.Database) -> None:
    aside = SetAside()
    delays = [aside.put("a lane", 1) for _ in range(8)]
    assert delays == [*policy.SET_ASIDE_DELAYS, 1.0, 1.0]
    assert aside.left("a lane")
    aside.clear(["a lane"])
    assert aside.left("a lane") is None


def test_customers_of_a_held_account_do_not_hold_up_a_batch_each(desk: Desk, door: Door) -> None:
    """After a few of them, the others are not written together with anybody, tried yet or not."""
    elsewhere = desk.connect("elsewhere").id
    names = ["anna", "berta", "clara", "dora", "emma"]
    for account, contact in [*((desk.account.id, name) for name in names), (elsewhere, "zoe")]:
        door.receive(account, f"first of {contact}", contact=contact)
    desk.drain()
    together: list[set[str]] = []
    write = inbound._write_together
    with holding(*held_row("channel_accounts", desk.account.id)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            inbound,
            "_write_together",
            lambda plans: together.append({plan.lease.key for plan in plans}) or write(plans),
        )
        for turn in (names[:3], names[3:]):
            for account, contact in [*((desk.account.id, name) for name in turn), (elsewhere, "zoe")]:
                door.receive(account, f"second of {contact}", contact=contact)
            inbound.work(
                db.write(lanes.claim, "in", limit=9, rotation=AccountRotation()), desk.generation.directory
            )
    assert len(together[0]) == 4
    assert together[1] == {lane(elsewhere, "zoe")}
    desk.drain()


def test_once_an_account_is_free_what_waited_is_written_together(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["anna", *(f"c{number}" for number in range(11))]
    for contact in names:
        door.receive(desk.account.id, f"first of {contact}", contact=contact)
    desk.drain()
    written: list[int] = []
    write_all = inbound._write_all
    with holding(*held_row("channel_accounts", desk.account.id)):
        for contact in names:
            door.receive(desk.account.id, f"second of {contact}", contact=contact)
        desk.drain()
        assert len(pending()) == len(names)
    monkeypatch.setattr(
        inbound,
        "_write_all",
        lambda session, plans, *how: written.append(len(plans)) or write_all(session, plans, *how),
    )
    with clock.travel(timedelta(seconds=2)):
        monkeypatch.setattr(inbound.clock, "monotonic", lambda: time.monotonic() + 2)
        desk.drain()
    assert not pending()
    assert written == [1, len(names) - 1]


def test_what_was_written_for_a_lost_lease_is_undone_and_the_rest_is_kept(desk: Desk, door: Door) -> None:
    for contact in ("anna", "bert"):
        door.receive(desk.account.id, f"hello of {contact}", contact=contact)
    leases = db.write(lanes.claim, "in", limit=9, rotation=AccountRotation())
    (lost,) = [one for one in leases if one.key == lane(desk.account.id, "anna")]
    db.write(
        lambda session: (
            session.execute(
                sa.update(Lane).where(Lane.key == lost.key).values(owner="another", fence=Lane.fence + 1)
            )
            and None
        )
    )
    inbound.work(leases, desk.generation.directory)
    assert lost.lost
    assert desk.texts() == ["hello of bert"]
    assert pending() == {lost.key}


def test_a_locked_lane_does_not_keep_the_others_from_being_renewed(desk: Desk, door: Door) -> None:
    for contact in ("anna", "bert"):
        door.receive(desk.account.id, f"hello of {contact}", contact=contact)
    leases = db.write(lanes.claim, "in", limit=9, rotation=AccountRotation())
    before = {one.key: one.until for one in leases}
    locked = lane(desk.account.id, "anna")
    with holding(Lane, Lane.key == locked), clock.travel(timedelta(seconds=1)):
        db.write(lanes.renew, leases)
    prolonged = {one.key for one in leases if one.until > before[one.key]}
    assert prolonged == {one.key for one in leases} - {locked}
    assert not any(one.lost for one in leases)
    assert db.take_undone() == {}


def test_history_of_a_customer_whose_lane_a_worker_has_is_undone(desk: Desk, door: Door) -> None:
    """It writes before it asks for the lane, as a worker does."""
    door.receive(desk.account.id, "hello", contact="anna")
    leases: list[Lease] = db.write(lanes.claim, "in", limit=9, rotation=AccountRotation())
    assert leases
    change = desk.toy.parse(envelope(desk.account.id, "earlier", contact="anna"))
    items = merging.incoming(desk.account, desk.toy, change, None)
    with pytest.raises(merging.BusyError):
        db.write(merging.merge, desk.account, "anna", items, [])
    assert desk.texts() == []
    inbound.work(leases, desk.generation.directory)
    assert desk.texts() == ["hello"]
