"""Events that a listener cannot handle are set aside, and it goes on with other conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import data as addon_data
from host.addons import lifecycle
from host.addons.running import parked_events
from host.core import clock, db
from host.events import consuming, reading
from host.events.kinds.contacts import OfContact
from host.events.models import Consumer, DomainEvent
from host.events.reading import Recorded
from host.events.writing import Happened, record
from host.features import registry
from host.models.addons import ParkedEvent
from host.process.serving import HostApplication
from tests import helpers
from tests.addons.conftest import MakeZip, configuration
from tests.addons.test_listeners import HEARS, Toy, audited, until
from tests.helpers import do_desk

NAME = "listener.toy.parcels"
DAY = timedelta(hours=24)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "MOST_PAUSE_SECONDS", 0.02)


class Hearer:
    """A listener without a desk around it: remembers what it was passed and what it handled."""

    name = NAME
    from_beginning = True
    shown = False
    batch = 50
    lease = timedelta(seconds=120)
    gives_up_after = DAY

    def __init__(self) -> None:
        self.parked_events = parked_events.ParkedEvents(NAME, lambda error: type(error).__name__)
        self.passed: list[int] = []
        self.handled: list[int] = []
        self.fails: Callable[[int], bool] = lambda _id: False

    def consume(self, session: db.Session, events: Sequence[Recorded]) -> None:
        """Do nothing."""

    def chosen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        return events

    def work(self, events: Sequence[Recorded]) -> None:
        for event in events:
            self.passed.append(event.id)
            if self.fails(event.id):
                raise ValueError("a customer's words")
            self.handled.append(event.id)

    def skip(self, session: db.Session, event: Recorded) -> None:
        raise AssertionError("skipped in its place")


class Reading:
    """Reads for a hearer step by step, in this thread."""

    def __init__(self, hearer: Hearer) -> None:
        self.hearer = hearer
        self.reader = consuming._Reader(hearer)
        db.write(consuming._make_rows, [hearer])

    def step(self) -> None:
        reading.number_all()
        try:
            self.reader._step()
        except BaseException as error:  # noqa: BLE001 - as in the thread
            self.reader._note(error)

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(200):
            if condition():
                return
            self.step()
        raise AssertionError("it did not happen")

    def rest(self) -> None:
        """Do all that is due."""
        for _ in range(12):
            self.step()


@pytest.fixture
def hearer() -> Hearer:
    return Hearer()


@pytest.fixture
def at_it(any_database: db.Database, hearer: Hearer) -> Reading:
    helpers.make_workspace()
    return Reading(hearer)


def say(conversation: int | None = None, *, contact: int = 0, workspace: int = 1) -> int:
    """Write an event; return its id."""

    def write(session: db.Session) -> int:
        facts = OfContact(contact=contact) if contact else None
        kind = "contact.changed" if contact else "note.added"
        record(session, Happened(workspace, kind, conversation_id=conversation, facts=facts))
        return session.scalars(sa.select(sa.func.max(DomainEvent.id))).one()

    return db.write(write)


def rows() -> list[ParkedEvent]:
    with db.read() as session:
        return list(session.scalars(sa.select(ParkedEvent).order_by(ParkedEvent.id)))


def parked_ids() -> list[int]:
    return [row.event_id for row in rows()]


def test_others_go_on_and_a_conversation_keeps_its_order(at_it: Reading, hearer: Hearer) -> None:
    bad, good, after, more = say(1), say(2), say(1), say(2)
    hearer.fails = lambda id_: id_ == bad
    at_it.until(lambda: parked_ids() == [bad, after])
    at_it.rest()
    assert hearer.handled == [good, more]
    assert hearer.passed.count(bad) == 1 + consuming.TRIES, "once with the others, then alone"
    first, second = rows()
    assert (first.tries, second.tries, second.failing_since) == (consuming.TRIES, 0, None)
    assert first.problem == "ValueError", "a customer's words are kept"
    last = say(1)
    at_it.until(lambda: last in parked_ids())
    hearer.fails = lambda _id: False
    with clock.travel(timedelta(minutes=2)):
        at_it.until(lambda: rows() == [])
        assert hearer.handled == [good, more, bad, after, last]
        newest = say(1)
        at_it.rest()
    assert hearer.handled[-1] == newest


def test_what_came_before_the_bad_one_is_passed_twice_at_most(database: db.Database) -> None:
    hearer = Hearer()
    at_it = Reading(hearer)
    ids = [say(number) for number in range(1, 21)]
    hearer.fails = lambda id_: id_ == ids[14]
    at_it.until(lambda: hearer.handled.count(ids[19]) == 1)
    times = Counter(hearer.handled)
    assert {times[one] for one in ids[:14]} == {2}
    assert {times[one] for one in ids[15:]} == {1}


def test_events_without_a_conversation_wait_for_their_contact_or_for_themselves(
    at_it: Reading, hearer: Hearer
) -> None:
    alone, theirs, others = say(), say(contact=5), say(contact=6)
    hearer.fails = lambda id_: id_ in {alone, theirs}
    at_it.until(lambda: parked_ids() == [alone, theirs])
    also_alone, also_theirs = say(), say(contact=5)
    at_it.until(lambda: also_alone in hearer.handled)
    assert hearer.handled == [others, also_alone]
    assert parked_ids() == [alone, theirs, also_theirs]


def test_a_process_that_dies_before_it_is_noted_passes_the_event_again(
    at_it: Reading, hearer: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, after = say(1), say(1)
    hearer.fails = lambda id_: id_ == bad
    parks = parked_events.ParkedEvents.park

    def dies(*_: Any) -> None:
        raise sa.exc.OperationalError("the power fails", None, Exception())

    monkeypatch.setattr(parked_events.ParkedEvents, "park", dies)
    at_it.until(lambda: hearer.passed.count(bad) > consuming.TRIES + 2)
    with db.read() as session:
        assert session.get_one(Consumer, NAME).event_id < bad, "it moved without setting the event aside"
    monkeypatch.setattr(parked_events.ParkedEvents, "park", parks)
    at_it.until(lambda: parked_ids() == [bad, after])

    hearer.fails = lambda _id: False
    notes = parked_events.ParkedEvents.retried
    monkeypatch.setattr(parked_events.ParkedEvents, "retried", dies)
    with clock.travel(timedelta(minutes=2)):
        at_it.until(lambda: hearer.handled == [bad])
        monkeypatch.setattr(parked_events.ParkedEvents, "retried", notes)
        another = Reading(hearer)  # a new process, once the lease of the dead one ends
        with clock.travel(timedelta(minutes=5)):
            db.write(lambda session: session.execute(sa.update(Consumer).values(owner=None)))
            another.until(lambda: rows() == [])
    assert hearer.handled == [bad, bad, after], "at least once, and in order"


def test_pauses_grow_and_after_a_day_the_event_is_skipped_with_a_line(at_it: Reading, hearer: Hearer) -> None:
    bad, after = say(1), say(1)
    hearer.fails = lambda id_: id_ == bad
    at_it.until(lambda: parked_ids() == [bad, after])
    began = rows()[0].failing_since
    assert began is not None
    pauses = []
    while bad in parked_ids():
        due = rows()[0].retry_at
        with clock.travel(due + timedelta(seconds=1) - clock.now()):
            row = rows()[0]
            at_it.until(lambda row=row: (row.tries, bad) != (rows()[0].tries, rows()[0].event_id))
            if bad in parked_ids():
                pauses.append(rows()[0].retry_at - due)
            else:
                at_it.until(lambda: after in hearer.handled)
                assert DAY <= clock.now() - began < DAY + timedelta(minutes=5)
    hours = [round(one / timedelta(hours=1)) for one in pauses[:-1]]
    assert pauses[0] < timedelta(minutes=3)
    assert hours == sorted(hours)
    assert hours[-1] == 1
    assert 24 < len(pauses) < 50
    (entry,) = audited("addon.event_skipped")
    assert entry.details == {"event": "note.added", "number": bad, "conversation": 1}
    assert rows() == []


def test_a_listener_that_fails_everywhere_stops_in_its_place_and_recovers(
    at_it: Reading, hearer: Hearer
) -> None:
    ids = [say(number) for number in range(1, 9)]
    hearer.fails = lambda _id: True
    at_it.until(lambda: hearer.passed.count(ids[5]) > 2 * consuming.TRIES)
    assert parked_ids() == ids[: parked_events.IN_A_ROW]
    with db.read() as session:
        row = session.get_one(Consumer, NAME)
        assert (row.problem, row.failing_since is not None) == ("all: ValueError", True)

    db.write(lambda session: session.execute(sa.update(Consumer).values(owner=None)))
    restarted = Reading(hearer)
    restarted.until(lambda: hearer.passed.count(ids[5]) > 5 * consuming.TRIES)
    assert parked_ids() == ids[: parked_events.IN_A_ROW], "a restart set more aside"

    hearer.fails = lambda _id: False
    restarted.until(lambda: ids[7] in hearer.handled)
    with clock.travel(timedelta(minutes=2)):
        restarted.until(lambda: rows() == [])
    assert sorted(set(hearer.handled)) == ids


def test_single_events_that_fail_between_good_ones_are_all_set_aside(at_it: Reading, hearer: Hearer) -> None:
    ids = [say(number) for number in range(1, 15)]
    hearer.fails = lambda id_: ids.index(id_) % 2 == 0
    at_it.until(lambda: len(rows()) == 7)
    at_it.until(lambda: ids[-1] in hearer.handled)
    assert parked_ids() == ids[::2]


def test_no_more_than_the_most_are_set_aside(
    at_it: Reading, hearer: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked_events, "MOST", 2)
    bad, after = say(1), say(1)
    hearer.fails = lambda id_: id_ == bad
    at_it.until(lambda: parked_ids() == [bad, after])
    third, other = say(1), say(2)
    at_it.rest()
    assert parked_ids() == [bad, after]
    assert hearer.handled == [], "it went on past an event for which there was no room"
    with db.read() as session:
        assert session.get_one(Consumer, NAME).problem == parked_events.FULL
    assert do_desk(parked_events.skip, "toy", rows()[0].id)
    at_it.until(lambda: other in hearer.handled)
    at_it.until(lambda: rows() == [])
    assert [one for one in hearer.handled if one != other] == [after, third]


def test_a_press_retries_or_skips_only_the_first_of_a_conversation_of_that_addon(
    at_it: Reading, hearer: Hearer
) -> None:
    bad, after, other = say(1), say(1), say(2)
    hearer.fails = lambda id_: id_ in {bad, other}
    at_it.until(lambda: parked_ids() == [bad, after, other])
    first, second, third = rows()
    for press in (parked_events.retry, parked_events.skip):
        assert do_desk(press, "toys", first.id) is None
        assert do_desk(press, "toy", second.id) is None
        assert do_desk(press, "toy", third.id + 1) is None
    tried = hearer.passed.count(bad)
    assert do_desk(parked_events.retry, "toy", first.id)
    at_it.until(lambda: hearer.passed.count(bad) == tried + 1)
    at_it.rest()
    assert hearer.passed.count(bad) == tried + 1, "it is passed again without a pause"
    assert rows()[0].tries == consuming.TRIES + 1
    assert do_desk(parked_events.skip, "toy", first.id)
    at_it.until(lambda: hearer.handled == [after])
    assert parked_ids() == [other]


def test_an_event_whose_first_one_is_gone_when_it_is_set_aside_is_passed_soon(
    at_it: Reading, hearer: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = say(1)
    hearer.fails = lambda id_: id_ == bad
    at_it.until(lambda: parked_ids() == [bad])
    waits = parked_events.ParkedEvents.wait

    def skipped_meanwhile(
        self: parked_events.ParkedEvents, session: db.Session, events: Sequence[Recorded]
    ) -> None:
        session.execute(sa.delete(ParkedEvent))
        waits(self, session, events)

    monkeypatch.setattr(parked_events.ParkedEvents, "wait", skipped_meanwhile)
    after, last = say(1), say(1)
    at_it.until(lambda: hearer.handled == [after, last])
    assert rows() == []


def test_an_event_gone_from_the_log_holds_nothing_up(at_it: Reading, hearer: Hearer) -> None:
    bad, after = say(1), say(1)
    hearer.fails = lambda id_: id_ == bad
    at_it.until(lambda: parked_ids() == [bad, after])
    db.write(lambda session: session.execute(sa.delete(DomainEvent).where(DomainEvent.id == bad)))
    with clock.travel(timedelta(minutes=2)):
        at_it.until(lambda: hearer.handled == [after])


def test_erased_customers_and_deleted_workspaces_are_forgotten(at_it: Reading, hearer: Hearer) -> None:
    ids = [say(1), say(1), say(contact=5), say(contact=6), say(3, workspace=2)]
    hearer.fails = lambda id_: id_ != ids[1]
    at_it.until(lambda: parked_ids() == ids)
    db.write(addon_data.forget_contacts, ids=[5], conversations=[1])
    assert parked_ids() == ids[3:]
    removing: dict[str, Any] = {"workspace_id": 2, "accounts": (), "most": 100}
    while db.write(lambda session: registry.hooks().remove_workspace(session=session, **removing)):
        pass
    assert parked_ids() == [ids[3]]
    hearer.fails = lambda _id: False
    later = say(1)
    at_it.until(lambda: later in hearer.handled)


def test_nothing_is_asked_while_nothing_is_set_aside(database: db.Database) -> None:
    hearer = Hearer()
    at_it = Reading(hearer)
    at_it.step()
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "parked_events" in statement:
            asked.append(statement)

    engines = database.engines
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        good = say(1)
        at_it.until(lambda: good in hearer.handled)
        assert asked == []
        bad = say(1)
        hearer.fails = lambda id_: id_ == bad
        at_it.until(lambda: parked_ids() == [bad])
        other = say(2)
        while other not in hearer.handled:
            asked.clear()
            at_it.step()
            assert len(asked) <= 2, "what is due, and who waits"
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)


# On a desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[HostApplication]:
    application = HostApplication(configuration(database, data, LOBBY_WORKERS="1"))
    yield application
    application.close()


@pytest.fixture
def toy(desk: HostApplication, toy_zip: MakeZip) -> Toy:
    """A started desk whose listener remembers what it hears, and fails on the texts in ``fails_on``."""
    return Toy(desk, toy_zip, HEARS, {})


def set_aside(toy: Toy, *texts: str) -> list[ParkedEvent]:
    """Have Bo write what the listener cannot handle, and what follows; wait until all is set aside."""
    toy.write("hello")
    until(lambda: toy.texts == ["hello"])
    toy.code.fails_on.add(texts[0])
    for text in texts:
        toy.write(text)
    until(lambda: len(rows()) == len(texts))
    return rows()


def press(toy: Toy, what: str, row: ParkedEvent) -> str:
    assert toy.admin.post(f"/admin/addons/toy/parked/{row.id}/{what}").status_code == 302
    text: str = toy.admin.get("/admin/addons/toy/parked").text
    return text


def test_another_customer_is_heard_at_once_and_the_admin_retries(toy: Toy) -> None:
    toy.write("hello")
    until(lambda: toy.texts == ["hello"])
    toy.code.fails_on.add("bad news")
    toy.write("bad news")
    toy.write("afterwards")
    until(lambda: "bad news" in toy.code.tries)
    toy.write("another", customer="eve")
    until(lambda: toy.texts == ["hello", "another"])
    until(lambda: len(rows()) == 2)

    page = toy.admin.get("/admin/addons/toy/parked").text
    assert "message.received" in page
    assert "ValueError (toy/listeners.py, line " in page
    assert "it cannot be done" not in page
    assert "bad news" not in page, "an admin reads a customer's words"
    assert f"/w/{toy.workspace}/inbox/" in page
    assert "1 later event of the same conversations waits" in page
    health = toy.admin.get("/admin/health").text
    assert "“toy.parcels” of the addon toy could not handle 1 event." in health
    assert "/admin/addons/toy/parked" in health
    assert "/admin/addons/toy/parked" in toy.admin.get("/admin/addons").text

    toy.code.fails_on.clear()
    first = rows()[0]
    assert "Lobby passes the event again" in press(toy, "retry", first)
    until(lambda: len(toy.texts) == 4)
    assert toy.texts == ["hello", "another", "bad news", "afterwards"]
    until(lambda: rows() == [])
    assert "no longer set aside" in press(toy, "retry", first)
    (entry,) = audited("addon.event_retried")
    assert (entry.subject, entry.details["number"], entry.user_id is None) == (
        "toy.parcels",
        first.event_id,
        False,
    )
    assert "toy.parcels" not in toy.admin.get("/admin/health").text
    assert "Nothing is set aside" in toy.admin.get("/admin/addons/toy/parked").text


def test_the_admin_skips_an_event_and_those_behind_it_follow(toy: Toy) -> None:
    first, *_ = set_aside(toy, "bad", "after")
    press(toy, "skip", first)
    until(lambda: toy.texts == ["hello", "after"])
    (entry,) = audited("addon.event_dropped")
    assert entry.details["event"] == "message.received"
    assert audited("addon.event_skipped") == []


def test_deactivation_deletes_what_is_set_aside(toy: Toy) -> None:
    set_aside(toy, "bad", "after")
    lifecycle.deactivate(toy.desk.config, "toy", host=toy.desk)
    assert rows() == []
