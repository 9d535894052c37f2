"""Snoozes and spam: times by the clock of whoever chooses, what wakes them, once, and back at the top."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.core import clock, db
from host.events.models import DomainEvent
from host.inbox import queries, snoozing
from host.inbox.conversation_actions import Changes, set_fields
from host.inbox.errors import NotSnoozableError, SnoozeTimeError
from host.inbox.queries import ConversationFilter
from host.models.inbox import Conversation, ConversationStatus, Snooze, SnoozeKind
from host.models.users import Role
from host.sdk.channel import AccountRef
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene

BERLIN = ZoneInfo("Europe/Berlin")
LATER = timedelta(hours=5)


@pytest.fixture
def anywhere(any_database: db.Database) -> AccountRef:
    account = toys.make_account(toys.make_workspace())
    toys.apply(account, toys.received("Hello"), toys.received("Hi", contact="ben", external_id="b"))
    return account


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def of(contact_at: int = 0) -> Conversation:
    found: list[Conversation] = sorted(toys.everything(Conversation), key=lambda one: one.id)
    return found[contact_at]


def change(account: AccountRef, conversation: int, changes: Changes) -> bool:
    return do(set_fields, account.workspace_id, conversation, changes)


def listed(account: AccountRef, **values: object) -> list[int]:
    filter_ = ConversationFilter(**{"snoozed": False, "spam": False, **values})  # type: ignore[arg-type]
    with db.read() as session:
        return [
            row.id for row in queries.list_conversations(session, account.workspace_id, None, filter_).rows
        ]


def kinds() -> list[str]:
    found = sorted(toys.everything(DomainEvent), key=lambda one: one.id)
    return [str(one.kind) for one in found if one.kind and ("snooz" in one.kind or "woken" in one.kind)]


def post(browser: helpers.Browser, path: str, fields: dict[str, str] | None = None) -> Any:
    """POST a form and return the page it leads to."""
    data = {"csrf_token": browser.csrf(), **(fields or {})}
    return browser.post(path, data=data, follow_redirects=True)


# Times


def test_what_is_offered_in_the_morning_and_at_night() -> None:
    morning = datetime(2026, 11, 20, 9, 8, tzinfo=UTC)  # a Friday, 10:08 in Berlin
    at = {key: f"{one.astimezone(BERLIN):%a %H:%M}" for key, one in snoozing.presets(morning, BERLIN).items()}
    assert at == {
        "hour": "Fri 11:00",
        "later": "Fri 13:00",
        "evening": "Fri 18:00",
        "tomorrow": "Sat 09:00",
        "monday": "Mon 09:00",
        "week": "Fri 09:00",
    }
    night = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)  # a Sunday
    assert list(snoozing.presets(night, BERLIN)) == ["hour", "tomorrow", "week"]


@given(
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "UTC"]),
)
def test_what_is_offered_is_to_come(now: datetime, zone: str) -> None:
    found = snoozing.presets(now, ZoneInfo(zone))
    assert all(now < at <= now + timedelta(days=8) for at in found.values())
    assert {"hour", "tomorrow", "week"} <= found.keys()
    if zone != "Australia/Lord_Howe":  # its clocks are put on by half an hour
        assert {at.astimezone(ZoneInfo(zone)).minute for at in found.values()} == {0}
    assert timedelta(minutes=30) <= found["hour"] - now <= timedelta(minutes=90)


# What wakes


@pytest.mark.parametrize("kind", list(SnoozeKind))
def test_a_message_wakes_all_but_one_kind(anywhere: AccountRef, kind: SnoozeKind) -> None:
    one, other = of(0).id, of(1).id
    until = None if kind is SnoozeKind.REPLY else clock.now() + LATER
    change(anywhere, one, {"snooze": Snooze(kind, until)})
    assert listed(anywhere) == [other]
    assert listed(anywhere, snoozed=True) == [one]
    toys.apply(anywhere, toys.received("And now?", at=60, external_id="again"))
    toys.apply(anywhere, toys.received("And now?", at=60, external_id="again"))
    asleep = kind is SnoozeKind.FIXED
    assert listed(anywhere) == ([other] if asleep else [one, other])
    assert kinds() == ["conversation.snoozed"] + ([] if asleep else ["conversation.woken"])
    assert (of(0).woken_at is None) is asleep


def test_waking_is_once_and_puts_it_at_the_top(anywhere: AccountRef) -> None:
    one, other = of(0).id, of(1).id
    before = listed(anywhere)
    change(anywhere, before[-1], {"snooze": Snooze(SnoozeKind.FIXED, clock.now() + LATER)})
    assert snoozing.wake_due() == 0
    with clock.travel(LATER + timedelta(seconds=1)):
        ids = [before[-1]]
        # Two workers that found it at the same time.
        assert [db.write(snoozing.wake, ids, clock.now()) for _ in range(2)] == [1, 0]
        assert snoozing.wake_due() == 0
        assert listed(anywhere) == [before[-1], before[0]]
    assert kinds() == ["conversation.snoozed", "conversation.woken"]
    assert {one, other} == set(before)


def test_pages_of_the_list_hold_each_once_while_some_are_back(anywhere: AccountRef) -> None:
    for number in range(12):
        toys.apply(anywhere, toys.received("x", at=number, contact=f"c{number}", external_id=f"x{number}"))
    for conversation in [one.id for one in toys.everything(Conversation)][::3]:
        change(anywhere, conversation, {"snooze": Snooze(SnoozeKind.REPLY)})
        change(anywhere, conversation, {"snooze": None})
    whole, seen, before = listed(anywhere), [], None
    while True:
        with db.read() as session:
            page = queries.list_conversations(
                session, anywhere.workspace_id, None, ConversationFilter(), before=before, limit=4
            )
        seen += [row.id for row in page.rows]
        before = page.next
        if before is None:
            break
    assert seen == whole
    assert len(set(seen)) == 14


def test_what_cannot_be_snoozed(anywhere: AccountRef) -> None:
    one = of(0).id
    now = clock.now()
    for snooze in (
        Snooze(SnoozeKind.UNTIL, now - timedelta(seconds=1)),
        Snooze(SnoozeKind.UNTIL),
        Snooze(SnoozeKind.REPLY, now + LATER),
        Snooze(SnoozeKind.FIXED, now + timedelta(days=4000)),
    ):
        with pytest.raises(SnoozeTimeError):
            change(anywhere, one, {"snooze": snooze})
    change(anywhere, one, {"spam": True})
    with pytest.raises(NotSnoozableError):
        change(anywhere, one, {"snooze": Snooze(SnoozeKind.REPLY)})


def test_closing_ends_a_snooze_without_a_word(anywhere: AccountRef) -> None:
    one = of(0).id
    change(anywhere, one, {"snooze": Snooze(SnoozeKind.FIXED, clock.now() + LATER)})
    change(anywhere, one, {"status": ConversationStatus.CLOSED})
    with clock.travel(LATER * 2):
        assert snoozing.wake_due() == 0
    assert kinds() == ["conversation.snoozed"]


# Spam


def test_spam_is_in_no_view_but_its_own_and_tells_nobody(anywhere: AccountRef) -> None:
    one, other = of(0).id, of(1).id
    change(anywhere, one, {"spam": True})
    assert listed(anywhere) == [other]
    assert listed(anywhere, spam=True, snoozed=None) == [one]
    before = max(event.id for event in toys.everything(DomainEvent))
    toys.apply(anywhere, toys.received("Buy now", at=60, external_id="again"))
    topics = [(e.kind, e.topic) for e in toys.everything(DomainEvent) if e.id > before and e.message_id]
    assert topics == [("message.received", "changed")]
    assert toys.texts(one) == ["Hello", "Buy now"]
    with db.read() as session:
        assert queries.count(session, anywhere.workspace_id, 0, ConversationFilter()).open == 1
    change(anywhere, one, {"spam": False})
    assert set(listed(anywhere)) == {one, other}


# The pages


def test_a_person_snoozes_and_the_pages_say_until_when(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    at = desk.path(f"/{scene.conversation('ana')}")
    past = post(desk.browser, f"{at}/snooze", {"when": "own", "until": "2020-01-01T09:00"})
    assert "That time is in the past" in past.text
    post(desk.browser, f"{at}/snooze", {"when": "reply"})
    assert "Snoozed: Until they write" in " ".join(
        desk.browser.get(at).text.replace("</svg>", "").replace("</span>", "").split()
    )
    assert "data-row" not in desk.browser.get(desk.path()).text
    assert "until they write" in desk.browser.get(desk.path("?shelf=snoozed")).text
    post(desk.browser, f"{at}/wake")
    assert "Back</span>" in desk.browser.get(desk.path()).text
    post(desk.browser, f"{at}/spam")
    assert "data-row" not in desk.browser.get(desk.path()).text
    assert "data-row" in desk.browser.get(desk.path("?shelf=spam&status=any")).text
    auditor = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.AUDITOR))
    assert post(auditor, f"{at}/unspam").status_code == 403


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "UTC"]
)
def test_what_the_page_offers_is_what_is_stored(desk: Desk, zone: str) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    at = desk.path(f"/{scene.conversation('ana')}")
    desk.browser.set_cookie("lobby-zone", zone)
    page = desk.browser.get(at).text
    named = f"Times in the time zone {zone.replace('_', ' ')}"
    assert page.count(named) == 2, "when snoozing, and when scheduling"
    offered = re.findall(
        r'name="when" value="(\w+@[^"]+)".*?<span class="push[^>]*>([^<]+)</span>', page, re.DOTALL
    )
    assert len(offered) >= 3
    stay = {"fixed": "1"}
    for value, when in offered:
        post(desk.browser, f"{at}/snooze", {"when": value, **stay})
        until = of().snoozed_until
        assert until is not None
        assert f"{until.astimezone(ZoneInfo(zone)):%H:%M}" == when[-5:]
        assert value.startswith("hour") or when.endswith(":00")
        post(desk.browser, f"{at}/wake")
    fields = dict(re.findall(r'name="(until(?:_page)?)" value="([^"]*)"', page))
    assert fields["until_page"].endswith(f"[{zone}]")
    desk.browser.set_cookie("lobby-zone", "Asia/Tokyo")
    post(desk.browser, f"{at}/snooze", {"when": "own", **fields, **stay})
    until = of().snoozed_until
    assert until is not None
    assert f"{until.astimezone(ZoneInfo(zone)):%H:%M}" == "09:00", (
        "by the clock of the page, not of the journey"
    )


def test_a_snooze_far_away_names_the_zone(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    at = desk.path(f"/{scene.conversation('ana')}")
    desk.browser.set_cookie("lobby-zone", "America/New_York")
    far, near = ((clock.now() + timedelta(days=days)).isoformat() for days in (7, 1))
    post(desk.browser, f"{at}/snooze", {"when": f"week@{far}"})
    assert (
        "(America/New York), " in (there := desk.browser.get(at).text) or "(America/New York)</span>" in there
    )
    post(desk.browser, f"{at}/wake")
    post(desk.browser, f"{at}/snooze", {"when": f"tomorrow@{near}"})
    assert "(America/New York)" not in desk.browser.get(at).text
