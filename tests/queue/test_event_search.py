"""Finding events by any id somebody may hold, and replaying one page of them or all that match."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.pages import event_views
from host.models.queue import EventState, InboundEvent
from host.queue import event_search
from host.queue.event_search import EventFilter, first_since
from host.sdk.webhooks import Envelope
from host.users.audit import page as audit_page
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user

Travel = Callable[[timedelta], None]


@pytest.fixture
def admin(desk: Desk, data: Path) -> Browser:
    app = build_app(data, generation=StandInGeneration(directory=desk.generation.directory))
    return client_for(app, make_user(is_admin=True))


def found(wanted: EventFilter, before: int | None = None) -> list[int]:
    with db.read() as session:
        return [row.id for row in event_search.page(session, wanted, before=before).rows]


def text(answer: object) -> str:
    return str(answer.get_data(as_text=True))  # type: ignore[attr-defined]


def fail(desk: Desk, door: Door, travel: Travel, *mids: str) -> None:
    """Let events come that cannot be applied, until they are given up."""
    for number, mid in enumerate(mids):
        desk.toy.broken[mid] = ValueError("a bug")
        door.receive(desk.account.id, mid, contact=f"customer{number}")
    desk.later(travel, timedelta(minutes=3))
    desk.toy.broken.clear()


def test_an_event_is_found_by_every_id_it_has(any_desk: Desk, door: Door) -> None:
    desk = any_desk
    other = desk.connect("kiln")  # letters, which no time or random number has
    door.receive(desk.account.id, "mid-anna", contact="anna-7000")
    door.receive(other.id, "mid-bert", contact="bert-8000")
    desk.drain()
    door.receive(other.id, "mid-late", contact="bert-8000")
    with db.read() as session:
        event = session.get_one(InboundEvent, 1)
    anna, bert, late = 1, 2, 3
    assert found(EventFilter(text="1")) == [anna]
    assert found(EventFilter(text=str(event.request_id))) == [anna]
    assert found(EventFilter(text="mid-anna")) == [anna]
    assert found(EventFilter(text="mid-late")) == [late], "in the body only: it was not applied yet"
    assert found(EventFilter(text="anna-7000")) == [anna]
    assert found(EventFilter(text="bert-8000")) == [late, bert]
    assert found(EventFilter(text="toykiln")) == found(EventFilter(text="kiln")) == [late, bert]
    assert found(EventFilter(text=event.dedupe_key)) == [anna]
    assert found(EventFilter(account_id=desk.account.id)) == [anna]
    assert found(EventFilter(channel="email", state=EventState.PENDING)) == [late]
    assert found(EventFilter(channel="pigeon")) == found(EventFilter(text="nobody-has-it")) == []


def test_an_event_is_found_by_when_it_came(any_desk: Desk, door: Door, travel: Travel) -> None:
    times = []
    for number in range(5):
        travel(timedelta(hours=1))
        times.append(clock.now())
        door.receive(any_desk.account.id, f"m{number}")
    db.write(lambda s: s.execute(sa.delete(InboundEvent).where(InboundEvent.id == 3)) and None)
    with db.read() as session:
        assert [first_since(session, at) for at in times] == [0, 2, 3, 3, 5]
        assert first_since(session, clock.now() + timedelta(days=1)) == 6
    assert found(EventFilter(since=times[1], until=times[4])) == [4, 2]
    assert found(EventFilter(since=times[4])) == [5]
    assert found(EventFilter(until=times[1])) == [1]


def test_a_page_looks_through_some_events_and_says_where_to_go_on(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "WINDOW", 4)
    for number in range(10):
        door.receive(desk.account.id, f"m{number}", contact="rare" if number in {0, 9} else "often")
    wanted, before, seen = EventFilter(text="rare"), None, []
    for _ in range(3):
        with db.read() as session:
            page = event_search.page(session, wanted, before=before)
        before = page.older
        seen.append(([row.id for row in page.rows], page.cut))
    assert seen == [([10], True), ([], True), ([1], False)]
    assert before is None


def test_what_was_given_up_is_found_however_long_ago(
    desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "WINDOW", 2)
    fail(desk, door, travel, "bad")
    for number in range(10):
        door.receive(desk.account.id, f"m{number}")
    assert found(EventFilter(state=EventState.DEAD, channel="email")) == [1]


def test_selected_events_are_replayed_after_a_question(
    desk: Desk, door: Door, admin: Browser, travel: Travel
) -> None:
    fail(desk, door, travel, "a", "b", "c")
    never = Envelope(desk.account.id, "eve", "k", "message", b"{}", set_aside="signed by another account")
    door.journal.ingest(source="/x", channel="email", raw=b"", remote="", envelopes=[never])
    page = text(admin.get("/admin/journal?state=dead"))
    assert len(re.findall(r'name="event" value="\d"', page)) == 4
    asked = admin.post_form("/admin/journal/replay", state="dead", event=["1", "3", "4"])
    assert "Replay 2 events?" in text(asked)
    assert "1 of them is skipped" in text(asked)
    assert desk.event_states() == [EventState.DEAD] * 4
    answer = admin.post_form("/admin/journal/replay", state="dead", event=["1", "3", "4"], confirmed="1")
    assert answer.status_code == 302
    desk.drain()
    assert sorted(desk.texts()) == ["a", "c"]
    assert desk.event_states()[3] == EventState.DEAD, "what was never believed does not get in"
    with db.read() as session:
        line = audit_page(session)[0][0]
    assert (line.action, line.subject, line.details) == ("events.replayed", "2", {"events": [1, 3]})


def test_all_that_match_are_replayed_in_batches(
    desk: Desk, door: Door, admin: Browser, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_views, "BATCH", 2)
    monkeypatch.setattr(event_views, "AT_ONCE", 3)
    other = desk.connect("200")
    fail(desk, door, travel, "a", "b", "c", "d", "e")
    desk.toy.broken["x"] = ValueError("a bug")
    door.receive(other.id, "x")
    desk.later(travel, timedelta(minutes=3))
    desk.toy.broken.clear()
    form = {"state": "dead", "account": str(desk.account.id), "all": "1"}
    asked = text(admin.post_form("/admin/journal/replay", **form))
    assert "Replay 3 events?" in asked
    assert "There are more events." in asked
    admin.post_form("/admin/journal/replay", **form, confirmed="1")
    desk.drain()
    assert sorted(desk.texts()) == ["a", "b", "c"]
    admin.post_form("/admin/journal/replay", **form, confirmed="1")
    desk.drain()
    assert sorted(desk.texts()) == ["a", "b", "c", "d", "e"]
    with db.read() as session:
        lines = [(line.subject, line.details) for line in audit_page(session)[0]]
    matching = {"matching": {"state": "dead", "account": str(desk.account.id)}}
    assert lines == [("2", matching), ("1", matching), ("2", matching)]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"all": "1"},
        {"all": "1", "state": "applied"},
        {"all": "1", "state": "dead", "event": "1"},
        {"event": "x"},
        {"event": "1", "since": "yesterday"},
    ],
)
def test_a_form_that_makes_no_sense_replays_nothing(admin: Browser, form: dict[str, str]) -> None:
    assert admin.post_form("/admin/journal/replay", **form).status_code == 400


@pytest.mark.parametrize(
    "query", ["q=ab", "q=a+b+c", "since=x", "account=x", "channel=" + "x" * 33, "q=" + "x" * 201]
)
def test_a_search_that_makes_no_sense_is_refused_politely(admin: Browser, query: str) -> None:
    assert admin.get(f"/admin/journal?{query}").status_code == 400


def test_the_form_keeps_what_was_asked_in_the_readers_zone(desk: Desk, door: Door, admin: Browser) -> None:
    door.receive(desk.account.id, "mid-1")
    desk.drain()
    admin.set_cookie("lobby-zone", "Europe/Berlin")
    page = text(admin.get("/admin/journal?q=mid-1&channel=email&since=2026-01-05T10:00&state=applied"))
    assert 'value="2026-01-05T10:00"' in page
    assert "since=2026-01-05T09:00:00%2B00:00" in page, "links carry it in UTC"
    assert 'value="mid-1"' in page
    assert re.search(r'data-label="Took" class="nums nowrap">[\d.,]+ ms', page)
