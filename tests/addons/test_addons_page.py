"""The addons page says how each addon fares: its last day, its last error, what switching it off means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import health, lifecycle, listing
from host.addons.metrics import in_process
from host.core import clock, db
from host.delivery.worker import drain
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, DeliveryState, Message
from host.models.queue import EventState, InboundEvent, OutboxEntry
from host.models.users import User
from host.process.serving import HostApplication
from host.users import workspaces
from host.web import plots
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_toy_channel import connect, deliver

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    yield
    in_process.reset()


def switched_on(desk: HostApplication, toy_zip: MakeZip) -> Admin:
    admin = Admin(desk)
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    return admin


def connected(desk: HostApplication) -> str:
    """Connect an account in a workspace; return where its provider posts to."""
    with db.read() as session:
        mia = session.scalars(sa.select(User.id)).one()
    return f"/addons/toy/webhook/{connect(desk, db.write(workspaces.create, 'Pottery', mia).id)}"


def replied(states: list[DeliveryState], *, ago: timedelta = timedelta()) -> None:
    """Write replies down that stand as told."""

    def use_case(session: db.Session) -> None:
        conversation = session.scalars(sa.select(Conversation)).one()
        for state in states:
            at = clock.now() - ago
            message = Message(
                workspace_id=conversation.workspace_id,
                conversation_id=conversation.id,
                account_id=conversation.account_id,
                direction="outbound",
                origin="agent",
                kind="text",
                text="Yes.",
                content={},
                state=state,
                sent_at=at,
                created_at=at,
            )
            session.add(message)
            session.flush()
            entry = OutboxEntry(
                message_id=message.id,
                account_id=conversation.account_id,
                lane="out:test",
                recipient="bo",
                open=False,
            )
            session.add(entry)

    db.write(use_case)


def card(admin: Admin) -> str:
    """Return what the toy's card says."""
    page = admin.get("/admin/addons").text
    return unescape(page.split('id="addon-toy"')[1].split("</article>")[0])


def test_the_last_day_is_counted_on_every_database(any_desk: HostApplication, toy_zip: MakeZip) -> None:
    desk = any_desk
    admin = switched_on(desk, toy_zip)
    desk.start()
    address = connected(desk)
    assert "Last 24 h: no messages." in card(admin)
    with clock.travel(-timedelta(hours=30)):
        assert deliver(desk, address, "too old to count").status_code == 200
    with clock.travel(-timedelta(hours=5)):
        assert deliver(desk, address, "one", "two").status_code == 200
    assert deliver(desk, address, "three").status_code == 200
    drain(desk.generation())
    replied([DeliveryState.SENT, DeliveryState.READ, DeliveryState.FAILED, DeliveryState.QUEUED])
    replied([DeliveryState.SENT], ago=timedelta(hours=25))
    with db.read() as session:
        newest = session.scalars(sa.select(sa.func.max(InboundEvent.id))).one()
    dead = sa.update(InboundEvent).where(InboundEvent.id == newest).values(state=EventState.DEAD)
    db.write(lambda session: session.execute(dead))

    found = health.of_last_day()["toy"]
    assert (found.received, found.sent, found.failed, found.dead, found.more) == (3, 2, 1, 1, False)
    assert found.hours == (*[0] * 18, 2, 0, 0, 0, 0, 1)
    assert "Last 24 h: 3 received, 2 sent, 1 failed, 1 unreadable" in card(admin)
    assert "Events in each of the last 24 hours, 2 in the busiest" in card(admin)


def test_more_than_can_be_counted_is_said_to_be_more(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = switched_on(desk, toy_zip)
    desk.start()
    assert deliver(desk, connected(desk), "one", "two", "three").status_code == 200
    monkeypatch.setattr(health, "MOST", 2)
    found = health.of_last_day()["toy"]
    assert (found.received, found.more) == (2, True)
    assert "of the newest 2 only" in card(admin)


@pytest.mark.slow
def test_the_page_takes_as_many_queries_for_twenty_addons_as_for_one(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on(desk, toy_zip)
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def count() -> int:
        asked.clear()
        listing.cards(desk.config, desk.generation())
        return len(asked)

    engine = db.current().read_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        count()  # what is asked once of a process is asked here
        one = count()
        cards: Any = lifecycle.installed
        monkeypatch.setattr(listing, "installed", lambda: list(cards()) * 20)
        assert count() == one
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_the_last_error_is_said_in_plain_words_with_details(desk: HostApplication, toy_zip: MakeZip) -> None:
    admin = switched_on(desk, toy_zip)
    note = in_process.metrics().note
    with clock.travel(-timedelta(hours=25)):
        note("toy", "1.0.0", "parse", 0.1, ValueError("long ago"))
    assert "Show last error" not in card(admin)
    with clock.travel(-timedelta(hours=1)):
        note("toy", "1.0.0", "send", 0.1, ValueError("an hour ago"))
    note("toy", "1.0.0", "job sweep", 0.1, KeyError("<script>"))
    shown = card(admin)
    assert "The scheduled job “sweep” failed." in shown
    assert "KeyError: '<script>'" in shown
    assert "<script>" not in admin.get("/admin/addons").text.split('id="addon-toy"')[1]
    assert "job sweep: 1 of 1 calls failed" in shown
    assert "addon 1.0.0 · host " in shown
    assert "an hour ago" not in shown


@pytest.mark.parametrize(
    "what", ["parse", "receiver ear", "page toy_pages.about", "action rotate", "addon_activated"]
)
def test_whatever_fails_there_is_a_sentence_for_it(
    what: str, desk: HostApplication, toy_zip: MakeZip
) -> None:
    admin = switched_on(desk, toy_zip)
    in_process.metrics().note("toy", "1.0.0", what, 0.1, ValueError("no"))
    assert re.search(r"<b>[A-Z][^<]+ failed( in “[^<]+”)?\.</b>", card(admin))


@pytest.mark.slow
def test_each_question_names_what_stops_and_what_stays(desk: HostApplication, toy_zip: MakeZip) -> None:
    admin = switched_on(desk, toy_zip)
    assert "Deactivate Toy channel?" in card(admin)
    assert "No account is connected." in card(admin)
    connected(desk)
    path = toy_zip(version="1.1.0")
    assert "1.0.0 keeps running until 1.1.0 has passed every step" in admin.upload(path).text
    admin.install(path)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ChannelAccount)) == 1
    questions = re.findall(r'data-confirm="([^"]+)"', card(admin))
    assert [one.split("?")[0] for one in questions] == [
        "Roll Toy channel back to 1.0.0",
        "Deactivate Toy channel",
    ]
    assert "1 connected account neither receives nor sends" in questions[1]
    for question in questions:
        assert "Stops: " in question
        assert "Kept: " in question


def test_hours_are_drawn_from_left_to_right() -> None:
    points = [
        tuple(map(float, point.split(",")))
        for point in plots.spark((*[0] * 23, 4), width=400, height=34).split()
    ]
    assert points[0] == (0, 32)
    assert points[-1] == (400, 2)
    assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_what_an_installed_addon_holds_can_be_read_again(
    desk: HostApplication, toy_zip: MakeZip, admin: Admin
) -> None:
    admin.install(toy_zip())
    link = re.search(
        r'href="(/admin/addons/uploads/\d+)"[^>]*>(?:<svg.*?</svg>)?Planned steps</a>', card(admin)
    )
    assert link is not None
    shown = admin.get(link[1]).text
    assert "None of its code runs until you activate it." in shown
    assert "toy_accounts" in shown
    admin.activate()
    assert f'href="{link[1]}"' in card(admin)
    assert "Contents of the release that is installed and active." in admin.get(link[1]).text


def test_an_addon_without_a_page_of_settings_says_where_they_are(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    admin = switched_on(desk, toy_zip)
    assert "under Settings → Channels" not in card(admin)
    none = {"toy/addon.py": lambda text: text.replace("return [AdminPage(", "return []\n    [AdminPage(")}
    admin.install(toy_zip(none, version="1.1.0"))
    assert "/admin/addons/toy/settings" not in card(admin)
    assert "under Settings → Channels" in card(admin)
    admin.deactivate()
    assert "under Settings → Channels" not in card(admin)
