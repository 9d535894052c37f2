"""Replies that wait, and answers that are due, as the inbox shows them and forms ask for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.inbox import queries
from host.inbox.pages import conversation_view, send_times
from host.inbox.queries import ConversationFilter, Order
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationStatus, Message
from host.models.media import Upload
from host.models.queue import OutboxEntry
from host.models.users import Role, Workspace
from host.sdk.channel import AccountRef
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data, toys.RICH)


@pytest.fixture
def talk(desk: Desk) -> int:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=5))
    return scene.conversation("ana")


def post(desk: Desk, path: str, browser: helpers.Browser | None = None, **fields: str) -> Any:
    browser = browser or desk.browser
    headers = {"Accept": "application/json"}
    return browser.post(desk.path(path), data={"csrf_token": browser.csrf(), **fields}, headers=headers)


def reply(desk: Desk, talk: int, text: str = "Yes, it is", **fields: str) -> Any:
    key = f"key-{sha256(text.encode()).hexdigest()[:20]}"
    return post(desk, f"/{talk}/reply", text=text, reply_key=key, **{"undo": "1", **fields})


def here(talk: int) -> Conversation:
    with db.read() as session:
        return session.get_one(Conversation, talk)


def messages() -> list[Message]:
    with db.read() as session:
        query = sa.select(Message).where(Message.direction == "outbound").order_by(Message.id)
        return list(session.scalars(query))


def test_a_reply_of_the_composer_can_be_undone_and_comes_back_as_it_was(desk: Desk, talk: int) -> None:
    noted = '{"quote": {"id": "7"}}'
    answer = reply(desk, talk, "  Yes,\r\nit is", draft=noted)
    assert answer.status_code == 200
    (id_,) = answer.get_json()["ids"]
    assert "data-leaves" in answer.get_json()["messages"]
    again = reply(desk, talk, "  Yes,\r\nit is", draft=noted)  # Enter twice
    assert again.get_json()["ids"] == [id_]
    other = helpers.client_for(desk.app, helpers.make_user(name="Bo", workspace=desk.workspace))
    assert post(desk, f"/{talk}/messages/{id_}/undo", other).status_code == 403
    back = post(desk, f"/{talk}/messages/{id_}/undo").get_json()
    assert back["draft"]["text"] == "  Yes,\r\nit is"
    assert back["draft"]["composer"] == noted
    assert messages() == []
    assert post(desk, f"/{talk}/messages/{id_}/undo").status_code == 404


def test_without_scripts_the_words_stand_in_the_composer_again(desk: Desk, talk: int) -> None:
    (id_,) = reply(desk, talk).get_json()["ids"]
    page = desk.browser.post_form(desk.path(f"/{talk}/messages/{id_}/undo"))
    assert "Yes, it is</textarea>" in page.text
    assert "was not sent" in page.text
    page = desk.browser.post_form(desk.path(f"/{talk}/messages/{id_}/send_now"))
    assert page.status_code in {303, 404}


def test_files_wait_again_and_go_out_with_the_next(desk: Desk, talk: int) -> None:
    def upload(session: Any) -> None:
        session.add(
            Upload(
                uuid="a" * 32,
                workspace_id=desk.workspace,
                user_id=desk.mia.id,
                kind="image",
                name="mug.png",
                content_type="image/png",
                size=10,
                storage_key="k" * 20,
                created_at=clock.now(),
            )
        )

    db.write(upload)
    answer = reply(desk, talk, "With a picture", upload="a" * 32)
    first = answer.get_json()["ids"][0]
    assert len(answer.get_json()["ids"]) == 2
    assert post(desk, f"/{talk}/messages/{first}/undo").status_code == 200
    assert toys.only(Upload).attached_at is None
    assert reply(desk, talk, "With a picture", upload="a" * 32).status_code == 200


def test_send_and_close_is_undone_with_the_reply(desk: Desk, talk: int) -> None:
    before = here(talk).waiting_since
    (id_,) = reply(desk, talk, then="close").get_json()["ids"]
    assert here(talk).status == ConversationStatus.CLOSED
    assert post(desk, f"/{talk}/messages/{id_}/undo").status_code == 200
    after = here(talk)
    assert (after.status, after.waiting_since, after.last_direction) == ("open", before, "inbound")
    (id_,) = reply(desk, talk, "Again", then="snooze").get_json()["ids"]
    assert here(talk).snooze_kind == "reply"
    post(desk, f"/{talk}/messages/{id_}/undo")
    assert (here(talk).snooze_kind, here(talk).waiting_since) == (None, before)


def test_a_workspace_chooses_how_long(desk: Desk, talk: int) -> None:
    toys.change_row(Workspace, desk.workspace, undo_seconds=0)
    assert "data-leaves" not in reply(desk, talk).get_json()["messages"]
    owner = helpers.client_for(
        desk.app, helpers.make_user(name="Olu", workspace=desk.workspace, role=Role.OWNER)
    )
    page = f"/w/{desk.workspace}/settings/general"
    owner.post_form(page, name="Sample Pottery", undo="30")
    assert toys.only(Workspace).undo_seconds == 30
    owner.post_form(page, name="Sample Pottery", undo="7")
    assert toys.only(Workspace).undo_seconds == 30


def test_a_reply_is_planned_changed_and_listed(desk: Desk, talk: int) -> None:
    at = clock.now() + timedelta(hours=3)
    answer = reply(desk, talk, later=at.isoformat(), unless_written="1")
    (id_,) = answer.get_json()["ids"]
    assert "Scheduled" in answer.get_json()["messages"]
    assert here(talk).scheduled_at == at
    assert "later</span>" in desk.browser.get(desk.path()).text
    listed = desk.browser.get(desk.path("?only=scheduled&status=any&shelf=any")).text
    assert "Ana Q." in listed
    moved = (clock.now() + timedelta(hours=4)).astimezone(UTC).replace(second=0, microsecond=0)
    fields = {"later": "own", "later_at": f"{moved:%Y-%m-%dT%H:%M}"}
    assert post(desk, f"/{talk}/messages/{id_}/reschedule", **fields).status_code == 200
    entry = toys.only(OutboxEntry)
    assert (entry.not_before, entry.unless_written, entry.open) == (moved, False, False)
    assert post(desk, f"/{talk}/messages/{id_}/reschedule", later="soon").status_code == 400
    assert post(desk, f"/{talk}/messages/{id_}/send_now").status_code == 200
    assert toys.only(OutboxEntry).open


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"later": "soon"}, "not a valid time"),
        ({"later": "own", "later_at": "2026-02-30T10:00"}, "not a valid time"),
        ({"later": "2020-01-01T10:00:00+00:00"}, "in the past"),
        ({"later": "2099-01-01T10:00:00+00:00"}, "60 days"),
    ],
)
def test_a_time_that_cannot_be_loses_nothing(
    desk: Desk, talk: int, fields: dict[str, str], words: str
) -> None:
    answer = reply(desk, talk, **fields)
    assert answer.status_code == 400
    assert words in answer.get_json()["error"]["message"]
    assert messages() == []


def test_what_lies_outside_the_window_is_locked_with_the_reason(desk: Desk, talk: int) -> None:
    row = here(talk)
    assert row.last_inbound_at is not None
    at = row.last_inbound_at + timedelta(hours=24, minutes=1)
    answer = reply(desk, talk, later=at.isoformat())
    assert (answer.status_code, messages()) == (400, [])
    assert "Only a person can reply by then" in answer.get_json()["error"]["message"]
    toys.change_row(Conversation, talk, last_inbound_at=clock.now() - timedelta(hours=23))
    page = desk.browser.get(desk.path(f"/{talk}")).text
    assert "only a person can reply. Choose an earlier time." in page
    assert " disabled>" in page[page.index("send-later") :]


def test_what_is_offered_when_clocks_are_put_back(
    desk: Desk, talk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)  # noon in Berlin, on the day before
    with db.read() as session:
        row = queries.get_row(session, desk.workspace, talk, accounts=None)
    assert row is not None
    known = type("Known", (), {"zone": berlin, "local": staticmethod(lambda at: at.astimezone(berlin))})
    known.date_text = staticmethod(lambda at, _pattern: f"{at:%a}")  # type: ignore[attr-defined]
    monkeypatch.setattr(send_times, "reader", lambda: known)
    monkeypatch.setattr(send_times, "_", lambda text, **_values: text)
    found = {
        one.name: (one.when, one.at)
        for one in send_times.offered(toys.TOY, row.account, row.last_inbound_at, now).times
    }
    assert found["Tomorrow morning"] == ("Sun 09:00", "2026-10-25T08:00:00+00:00")
    assert found["This evening"] == ("18:00", "2026-10-24T16:00:00+00:00")


# Due


def late(account: AccountRef, **values: Any) -> list[int]:
    with db.read() as session:
        filter_ = ConversationFilter(late=True, **values)
        rows = queries.list_conversations(session, account.workspace_id, None, filter_).rows
        assert queries.count_some(session, account.workspace_id, None, filter_) == len(rows)
        both = queries.count_each(
            session, account.workspace_id, 0, [filter_, ConversationFilter(late=False)], 50
        )
        assert both == [len(rows), len(toys.everything(Conversation)) - len(rows)]
        return [row.id for row in rows]


def test_what_is_late_is_found_on_every_database(any_database: db.Database) -> None:
    account = toys.make_account(toys.make_workspace())
    toys.apply(account, toys.received("Hello"), toys.received("Hi", contact="ben", external_id="b"))
    first, second = sorted(one.id for one in toys.everything(Conversation))
    toys.change_row(Conversation, first, waiting_since=clock.now() - timedelta(minutes=61))
    toys.change_row(Conversation, second, waiting_since=clock.now() - timedelta(minutes=59))
    assert late(account) == []
    toys.change_row(ChannelAccount, account.id, reply_target=60)
    assert late(account) == [first]
    for values in ({"snooze_kind": "reply"}, {"spam_at": clock.now()}, {"status": "closed"}):
        toys.change_row(Conversation, first, **values)
        assert late(account) == []
        toys.change_row(Conversation, first, snooze_kind=None, spam_at=None, status="open")
    assert late(account) == [first]


def test_the_list_is_sorted_by_when_an_answer_is_due(desk: Desk) -> None:
    scene = Scene(desk)
    quick = toys.make_account(desk.workspace, reply_target=30)
    scene.said("old", "Old", "Hello", scene.ago(minutes=50))
    scene.said("new", "New", "Hello", scene.ago(minutes=20), account=quick)
    scene.said("none", "None", "Hello", scene.ago(minutes=300), account=toys.make_account(desk.workspace))
    toys.change_row(ChannelAccount, desk.account.id, reply_target=120)
    page = desk.browser.get(desk.path("?sort=due")).text
    assert page.index(">New<") < page.index(">Old<") < page.index(">None<")
    assert "due 9 min" in page or "due 10 min" in page
    with clock.travel(timedelta(minutes=20)):
        page = desk.browser.get(desk.path("?only=late")).text
        assert "overdue 10 min" in page
        assert ">Old<" not in page
        assert "Response was due" in desk.browser.get(desk.path(f"/{scene.conversation('new')}")).text
    with db.read() as session:
        rows = queries.list_closing(
            session,
            desk.workspace,
            desk.mia.id,
            ConversationFilter(),
            queries.targets(session, desk.workspace),
            clock.now(),
            limit=1,
            order=Order.DUE,
        )
        assert [row.id for row in rows.rows] == [scene.conversation("new")]
        assert rows.next is not None


def test_it_is_said_when_little_is_left_and_the_window_goes_first(desk: Desk, talk: int) -> None:
    now = clock.now()

    def shown(target: int, waited: timedelta) -> str:
        toys.change_row(ChannelAccount, desk.account.id, reply_target=target)
        toys.change_row(Conversation, talk, waiting_since=now - waited)
        with db.read() as session:
            row = queries.get_row(session, desk.workspace, talk, accounts=None)
        assert row is not None
        due = conversation_view.due(row, now)
        assert due is not None
        return due.text if due.shown else ""

    minute = timedelta(minutes=1)
    assert shown(60, 29 * minute) == ""
    assert shown(60, 31 * minute) == "due 29 min"
    assert shown(480, 359 * minute) == ""
    assert shown(480, 361 * minute) == "due 1 h"
    assert shown(60, 68 * minute) == "overdue 8 min"
