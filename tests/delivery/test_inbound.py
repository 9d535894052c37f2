"""Applying journalled events: each once, in order, and a bad one harms nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.running.contributions import ADAPTER_METHODS
from host.core import clock, db, storage
from host.delivery import inbound
from host.delivery.held_lanes import wake_active_channels
from host.inbox.apply.changes import Applied
from host.inbox.apply.incoming import Incoming
from host.models.channels import AccountState, AccountWarning
from host.models.inbox import Attachment, Message
from host.models.notifications import Notification
from host.models.queue import EventState, InboundEvent, Lane
from host.models.users import Role
from host.queue import policy
from host.queue.replay import EventNotFoundError, NotReplayableError, replay
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.helpers import do_desk
from tests.inbox import toys

Travel = Callable[[timedelta], None]

PENDING, APPLIED, IGNORED, DEAD = (
    EventState.PENDING,
    EventState.APPLIED,
    EventState.IGNORED,
    EventState.DEAD,
)


def test_events_are_applied_in_order_and_once(any_desk: Desk, door: Door) -> None:
    account = any_desk.account.id
    for number in range(50):
        door.receive(account, f"m{number:02}", contact=f"c{number % 3}")
    door.receive(account, "m00", contact="c0")
    assert any_desk.drain() == 3 + 0
    assert sorted(any_desk.texts()) == [f"m{number:02}" for number in range(50)]
    for contact in range(3):
        parsed = [mid for mid in any_desk.toy.parsed if int(mid[1:]) % 3 == contact]
        assert parsed == sorted(parsed)
    assert set(any_desk.event_states()) == {APPLIED}
    assert all(lane.next_at is None and lane.owner is None for lane in any_desk.lanes())
    assert any_desk.drain() == 0


def test_a_lane_with_more_than_one_helping_is_finished(desk: Desk, door: Door) -> None:
    count = policy.EVENTS_PER_LANE * 2 + 5
    for number in range(count):
        door.receive(desk.account.id, f"m{number:03}")
    assert desk.drain() == 3
    assert desk.toy.parsed == [f"m{number:03}" for number in range(count)]


def test_an_event_that_arrives_while_its_lane_is_worked_on_is_not_forgotten(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = inbound.apply_changes
    arrivals = ["second"]

    def slow(session: Session, items: object, **more: bool) -> Applied:
        return original(session, items, **more)  # type: ignore[arg-type]

    read = inbound.read_pending

    def reading(session: Session, *which: list[str]) -> object:
        found = read(session, *which)
        if arrivals:
            door.receive(any_desk.account.id, arrivals.pop())
        return found

    monkeypatch.setattr(inbound, "apply_changes", slow)
    monkeypatch.setattr(inbound, "read_pending", reading)
    door.receive(any_desk.account.id, "first")
    assert any_desk.drain() == 2
    assert any_desk.texts() == ["first", "second"]


def test_a_poison_event_becomes_a_dead_letter_and_the_rest_goes_on(
    any_desk: Desk, door: Door, travel: Travel
) -> None:
    account = any_desk.account.id
    any_desk.toy.broken["bad"] = ValueError("cannot read that")
    for mid in ("a", "bad", "b"):
        door.receive(account, mid)
    door.receive(account, "neighbour", contact="bert")
    began = clock.now()
    any_desk.drain()
    assert sorted(any_desk.texts()) == ["a", "neighbour"]
    for attempt in range(2, policy.EVENT_TRIES + 1):
        door.receive(account, f"hurry{attempt}")
        before = len(any_desk.toy.parsed)
        any_desk.drain()
        assert len(any_desk.toy.parsed) == before, "nothing hurries the next try, and nothing overtakes it"
        bad = any_desk.events()[1]
        assert bad.state == PENDING
        assert bad.attempts == attempt - 1
        assert bad.retry_at is not None
        travel(bad.retry_at - clock.now() + timedelta(milliseconds=1))
        any_desk.drain()
    assert timedelta(seconds=110) < clock.now() - began < timedelta(seconds=130)
    bad = any_desk.events()[1]
    assert (bad.state, bad.attempts, bad.reason) == (DEAD, 5, "ValueError: cannot read that")
    assert any_desk.texts()[-5:] == ["b", "hurry2", "hurry3", "hurry4", "hurry5"]


def test_what_is_about_a_message_of_somebody_else_is_in_the_journal_with_its_reason(
    any_desk: Desk, door: Door
) -> None:
    account = any_desk.account.id
    door.receive(account, "a")
    any_desk.drain()
    door.receive(account, "e1", kind="edit", contact="bert", about="a", text="forged")
    door.receive(account, "b", contact="bert")
    any_desk.drain()
    assert any_desk.texts() == ["a", "b"]
    refused = any_desk.events()[1]
    assert (refused.state, refused.reason) == (IGNORED, "It is about a message of somebody else.")
    assert (refused.applied_at, refused.body is None) == (None, False)
    assert any_desk.event_states() == [APPLIED, IGNORED, APPLIED]


def test_of_what_a_stranger_says_about_a_message_taken_back_nothing_is_kept(desk: Desk, door: Door) -> None:
    account = desk.account.id
    door.receive(account, "a")
    door.receive(account, "u1", kind="unsend", about="a")
    desk.drain()
    door.receive(account, "e1", kind="edit", contact="bert", about="a", text="a, once more")
    desk.drain()
    assert (desk.events()[-1].state, desk.events()[-1].body) == (IGNORED, None)


def test_an_event_that_recovers_is_applied_in_its_place(desk: Desk, door: Door, travel: Travel) -> None:
    desk.toy.broken["bad"] = ValueError("not today")
    for mid in ("a", "bad", "b"):
        door.receive(desk.account.id, mid)
    desk.drain()
    desk.toy.broken.clear()
    travel(timedelta(seconds=6))
    desk.drain()
    assert desk.texts() == ["a", "bad", "b"]
    assert desk.events()[1].reason is None


def fail_for(monkeypatch: pytest.MonkeyPatch, mid: str, error: Exception) -> None:
    """Let the inbox refuse the message *mid*, in a batch or alone."""
    original = inbound.apply_changes

    def apply(session: Session, items: object, **more: bool) -> Applied:
        assert isinstance(items, (list, tuple))
        applied = original(session, items, **more)
        if any(item.change.external_id == mid for item in items):
            raise error
        return applied

    monkeypatch.setattr(inbound, "apply_changes", apply)


def test_a_batch_that_fails_is_applied_one_by_one(
    any_desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "bad", RuntimeError("the inbox does not like it"))
    for mid in ("a", "bad", "b"):
        door.receive(any_desk.account.id, mid)
    door.receive(any_desk.account.id, "neighbour", contact="bert")
    any_desk.drain()
    assert sorted(any_desk.texts()) == ["a", "neighbour"]
    bad = any_desk.events()[1]
    assert (bad.state, bad.attempts) == (PENDING, 1)
    any_desk.later(travel, timedelta(minutes=3))
    assert sorted(any_desk.texts()) == ["a", "b", "neighbour"]
    bad = any_desk.events()[1]
    assert (bad.state, bad.reason) == (DEAD, "RuntimeError: the inbox does not like it")


def test_a_database_that_is_away_is_no_events_fault(
    desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.receive(desk.account.id, "a")
    gone = sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    def away(*_: object, **_more: object) -> None:
        monkeypatch.setattr(db.Database, "read", broken)
        raise gone

    def broken(_self: db.Database) -> object:
        raise gone

    read = db.Database.read
    monkeypatch.setattr(inbound, "apply_changes", away)
    with pytest.raises(sa.exc.OperationalError):
        desk.drain()
    monkeypatch.undo()
    assert db.Database.read is read
    assert (desk.events()[0].attempts, desk.events()[0].state) == (0, PENDING)
    travel(policy.LEASE)
    desk.drain()
    assert desk.texts() == ["a"]


def test_results_are_discarded_when_the_lease_was_lost(
    any_desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = inbound.read_pending

    def robbed(session: Session, lanes: list[str], *more: list[str]) -> object:
        found = read(session, lanes, *more)
        theirs = clock.now() + policy.LEASE
        db.write(
            lambda writing: (
                writing.execute(
                    sa.update(Lane)
                    .where(Lane.key.like("%" + lanes[0][-10:]))
                    .values(fence=Lane.fence + 1, owner="somebody else", lease_until=theirs, next_at=theirs)
                )
                and None
            )
        )
        return found

    monkeypatch.setattr(inbound, "read_pending", robbed)
    door.receive(any_desk.account.id, "a")
    door.receive(any_desk.account.id, "b", contact="bert")
    any_desk.drain()
    monkeypatch.undo()
    assert len(any_desk.texts()) == 1
    assert sorted(any_desk.event_states()) == [APPLIED, PENDING]
    (robbed_lane,) = [lane for lane in any_desk.lanes() if lane.owner == "somebody else"]
    assert robbed_lane.lease_until is not None
    travel(policy.LEASE)
    any_desk.drain()
    assert sorted(any_desk.texts()) == ["a", "b"]


def test_events_of_a_channel_nobody_brings_wait_for_its_addon(desk: Desk, door: Door, travel: Travel) -> None:
    desk.generation.directory.adapters.clear()
    door.receive(desk.account.id, "a")
    desk.drain()
    desk.later(travel, timedelta(hours=5), step=timedelta(minutes=30))
    assert (desk.event_states(), desk.events()[0].attempts) == ([PENDING], 0)
    wake_active_channels(desk.generation.directory)
    desk.drain()
    assert desk.event_states() == [PENDING]
    desk.generation.directory.adapters["email"] = desk.toy
    wake_active_channels(desk.generation.directory)
    desk.drain()
    assert desk.texts() == ["a"]


def test_nothing_for_the_inbox_is_ignored_with_the_reason(desk: Desk, door: Door) -> None:
    door.receive(desk.account.id, "n", kind="nothing")
    door.receive(desk.account.id, "e", kind="empty")
    door.receive(None, "orphan")
    door.receive(9999, "removed")
    desk.drain()
    assert [(one.state, one.reason) for one in desk.events()] == [
        (IGNORED, "a test"),
        (IGNORED, "Nothing in it is for the inbox."),
        (IGNORED, "It names no connected account."),
        (IGNORED, "Its account was removed."),
    ]


def test_an_adapter_that_makes_something_else_of_it_fails_the_event(desk: Desk, door: Door) -> None:
    door.receive(desk.account.id, "g", kind="garbage")
    desk.drain()
    assert desk.events()[0].reason == "TypeError: the adapter made a str of it, which is no inbound change"


def test_after_a_disconnect_only_what_came_before_is_applied(desk: Desk, door: Door, travel: Travel) -> None:
    door.receive(desk.account.id, "before")
    travel(timedelta(seconds=1))
    desk.set_account(state=AccountState.DISCONNECTED, disconnected_at=clock.now())
    travel(timedelta(seconds=1))
    door.receive(desk.account.id, "after")
    desk.drain()
    assert desk.texts() == ["before"]
    assert [one.state for one in desk.events()] == [APPLIED, IGNORED]


def test_an_account_that_needs_a_reconnect_still_receives(desk: Desk, door: Door) -> None:
    desk.set_account(state=AccountState.NEEDS_RECONNECT)
    door.receive(desk.account.id, "a")
    desk.drain()
    assert desk.texts() == ["a"]


def test_files_that_came_with_a_message_are_kept(any_desk: Desk, door: Door) -> None:
    door.receive(any_desk.account.id, "a", files=["one", "two"])
    any_desk.drain()
    with db.read() as session:
        rows = session.scalars(sa.select(Attachment).order_by(Attachment.id)).all()
    contents = []
    for row in rows:
        assert row.storage_key is not None
        with storage.open_stored(row.storage_key) as file:
            contents.append(file.read())
    assert contents == [b"one", b"two"]


def test_bytes_that_went_with_another_message_meanwhile_are_there_after_all(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logo below every mail: the last message that had it goes while the next one is being written."""
    before = inbound.apply_changes

    def apply(session: Session, items: Sequence[Incoming], **more: bool) -> Applied:
        for item in items:
            for key in item.stored.values():
                storage.current().remove(key, in_use=lambda: False)
        return before(session, items, **more)

    monkeypatch.setattr(inbound, "apply_changes", apply)
    door.receive(desk.account.id, "a", files=["logo"])
    desk.drain()
    with db.read() as session:
        key = session.scalars(sa.select(Attachment.storage_key)).one()
    assert key is not None
    with storage.open_stored(key) as file:
        assert file.read() == b"logo"


def test_a_full_disk_delays_the_message_and_does_not_lose_it(
    desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_content: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "store", full)
    door.receive(desk.account.id, "a", files=["one"])
    desk.drain()
    assert desk.texts() == []
    monkeypatch.undo()
    travel(timedelta(seconds=6))
    desk.drain()
    assert desk.texts() == ["a"]


def test_a_megabyte_in_one_event_is_applied(any_desk: Desk, door: Door) -> None:
    door.receive(any_desk.account.id, "big", text="x" * 900_000)
    door.receive(any_desk.account.id, "small")
    any_desk.drain()
    assert [len(text) for text in any_desk.texts()] == [900_000, 5]


def test_more_than_fits_into_memory_is_applied_in_several_helpings(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.delivery.inbound.MOST_BYTES", 250_000)
    for number in range(6):
        door.receive(desk.account.id, f"m{number}", text=f"{number}" * 100_000)
    assert desk.drain() >= 3
    assert [text[0] for text in desk.texts()] == ["0", "1", "2", "3", "4", "5"]


def test_a_noisy_account_cannot_starve_the_others(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "INBOUND_LANES", 4)
    quiet = any_desk.connect("200")
    for number in range(40):
        door.receive(any_desk.account.id, f"noise{number}", contact=f"c{number}")
    door.receive(quiet.id, "please", contact="anna")
    any_desk.drain()
    assert any_desk.toy.parsed.index("please") < 4
    assert len(any_desk.texts()) == 41


def test_a_dead_letter_can_be_replayed(any_desk: Desk, door: Door, travel: Travel) -> None:
    any_desk.toy.broken["bad"] = ValueError("a bug of ours")
    door.receive(any_desk.account.id, "bad")
    any_desk.later(travel, timedelta(minutes=3))
    (bad,) = any_desk.events()
    assert bad.state == DEAD
    any_desk.toy.broken.clear()
    do_desk(replay, bad.id)
    any_desk.drain()
    assert any_desk.texts() == ["bad"]
    with pytest.raises(NotReplayableError):
        do_desk(replay, bad.id)


def test_an_event_that_was_too_old_can_be_replayed(desk: Desk, door: Door, travel: Travel) -> None:
    door.receive(desk.account.id, "old")
    db.write(
        lambda session: (
            session.execute(sa.update(InboundEvent).values(state=IGNORED, reason="older than 90 days"))
            and None
        )
    )
    do_desk(replay, desk.events()[0].id)
    desk.drain()
    assert desk.texts() == ["old"]


def test_what_was_never_believed_cannot_be_replayed(desk: Desk, door: Door) -> None:
    from host.sdk.webhooks import Envelope

    for number, more in enumerate(({"set_aside": "signed with another account's secret"}, {})):
        account = desk.account.id if more else None
        one = Envelope(account, "anna", f"k{number}", "message", b"{}", **more)
        door.journal.ingest(source="/x", channel="email", raw=b"", remote="", envelopes=[one])
    desk.drain()
    for event in desk.events():
        with pytest.raises(NotReplayableError):
            do_desk(replay, event.id)
    with pytest.raises(EventNotFoundError):
        do_desk(replay, 999)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == 0


def test_no_code_of_an_addon_runs_while_received_events_are_written(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs there would hold every other write up."""
    called: list[str] = []

    def watched(name: str) -> Callable[..., object]:
        real = getattr(desk.toy, name)

        def call(*args: object) -> object:
            called.append(name)
            assert not getattr(db.current()._inside, "active", False), f"{name} in a transaction"
            return real(*args)

        return call

    for name in ADAPTER_METHODS:
        monkeypatch.setattr(desk.toy, name, watched(name), raising=False)
    links = {"shows": "image", "links": ["https://cdn.example/1"]}
    door.receive(desk.account.id, "m1", files=["a file"])
    door.receive(desk.account.id, "m2", kind="echo", **links)
    desk.drain()
    assert set(desk.event_states()) == {APPLIED}
    assert called.count("inbound_media") >= 2


def test_what_the_provider_says_of_an_account_reaches_the_people_responsible(
    any_desk: Desk, door: Door
) -> None:
    def warnings() -> list[AccountWarning]:
        with db.read() as session:
            return list(session.scalars(sa.select(AccountWarning)))

    owner = toys.make_user(any_desk.account.workspace_id, role=Role.OWNER)
    door.receive(any_desk.account.id, "spam", kind="notice", contact="")
    door.receive(any_desk.account.id, "m1")
    any_desk.drain()
    (one,) = warnings()
    assert (one.kind, one.sentence % one.details, one.tone) == ("policy", "Blocked: spam", "bad")
    assert any_desk.texts() == ["m1"], "what came with it is applied"
    with db.read() as session:
        assert session.scalars(sa.select(Notification.user_id)).all() == [owner]
    assert {event.state for event in any_desk.events()} == {APPLIED}
    door.receive(any_desk.account.id, "over", kind="notice", contact="")
    any_desk.drain()
    assert warnings() == []
    for _ in range(2):
        door.receive(any_desk.account.id, "soon", kind="notice", contact="")
        any_desk.drain()
    assert warnings() == [], "nothing would tell that it is over"
    with db.read() as session:
        assert session.scalars(sa.select(Notification.user_id)).all() == [owner] * 2
