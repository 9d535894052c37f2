"""Typing, seen, read, and which app has a conversation, by the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.channels.accounts import disconnect_account
from host.core import db
from host.inbox.thread_control import is_elsewhere
from host.models.inbox import ConversationRead
from host.models.users import Role
from host.queue import signals
from host.queue.signals import Signal
from host.sdk.channel import ProviderProblem
from tests import helpers
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk


@pytest.fixture
def adapter() -> Everything:
    return Everything()


@pytest.fixture
def desk(database: db.Database, data: Path, adapter: Everything) -> Iterator[ApiDesk]:
    opened = open_api_desk(data, adapter)
    opened.scene.said("ana", "Ana", "Hello?", opened.scene.ago(minutes=5))
    signals.current().clear()
    yield opened
    signals.current().clear()


def path(desk: ApiDesk, what: str, contact: str = "ana") -> str:
    return f"/conversations/{desk.scene.conversation(contact)}/{what}"


def offered() -> list[tuple[str, Signal]]:
    waiting = []
    while not signals.current()._queue.empty():
        one = signals.current()._queue.get_nowait()
        assert one is not None
        waiting.append((one.contact, one.signal))
    return waiting


def test_the_customer_is_shown_that_somebody_writes_and_has_read(desk: ApiDesk) -> None:
    for what, body in (("typing", {}), ("typing", {"on": False}), ("seen", None)):
        assert desk.program.call("POST", path(desk, what), body).status_code == 204
    assert offered() == [("ana", Signal.TYPING), ("ana", Signal.STOPPED), ("ana", Signal.SEEN)]


def test_nothing_is_shown_where_no_program_may_write(desk: ApiDesk) -> None:
    desk.scene.said("old", "Old", "Two days ago", desk.scene.ago(days=2))
    desk.scene.said("gone", "Gone", "Nine days ago", desk.scene.ago(days=9))
    for contact, code in (("old", "people_only"), ("gone", "window_closed")):
        for what, body in (("typing", {}), ("seen", None)):
            assert desk.program.refused("POST", path(desk, what, contact), body)[1]["code"] == code
    assert desk.program.refused("POST", "/conversations/999/typing", {})[0] == 404
    assert offered() == []


def test_a_channel_that_shows_nothing_says_so(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data)
    plain.scene.said("ana", "Ana", "hi", plain.scene.ago(minutes=5))
    for what, body in (("typing", {}), ("seen", None)):
        assert plain.program.refused("POST", path(plain, what), body)[1]["code"] == "signal_not_supported"
    for what, body in (("take", {}), ("pass", {"to": "1"}), ("release-control", {})):
        error = plain.program.refused("POST", path(plain, what), body)[1]
        assert error["code"] == "thread_control_not_supported"


def test_a_conversation_is_taken_and_passed_on(desk: ApiDesk, adapter: Everything) -> None:
    desk.scene.said("ana", "Ana", "And now?", desk.scene.now, content={"standby": True})
    with db.read() as session:
        assert is_elsewhere(session, desk.scene.conversation("ana"))
    answer = desk.program.send("POST", path(desk, "take"), {"note": "a person"})
    assert answer["id"] == desk.scene.conversation("ana")
    with db.read() as session:
        assert not is_elsewhere(session, desk.scene.conversation("ana"))
    desk.program.send("POST", path(desk, "pass"), {"to": " 263902037430900 "})
    with db.read() as session:
        assert is_elsewhere(session, desk.scene.conversation("ana"))
    desk.program.send("POST", path(desk, "take"), {})
    desk.program.send("POST", path(desk, "release-control"), {"note": "Answered."})
    with db.read() as session:
        assert is_elsewhere(session, desk.scene.conversation("ana"))
    assert adapter.handed == [
        ("take", "ana", "a person"),
        ("pass", "ana", "263902037430900", ""),
        ("take", "ana", ""),
        ("release", "ana", "Answered."),
    ]
    lines = desk.program.get(path(desk, "messages"))["data"][-4:]
    assert [(one["content"]["what"], one["content"]["by"]) for one in lines] == [
        ("thread_taken", "Shop"),
        ("thread_passed", "Shop"),
        ("thread_taken", "Shop"),
        ("thread_released", "Shop"),
    ]
    desk.scene.said("ana", "Ana", "Thank you", desk.scene.ago(minutes=-1))
    with db.read() as session:
        assert not is_elsewhere(session, desk.scene.conversation("ana"))


@pytest.mark.parametrize("to", ["", "  ", "a b", "x" * 65, 7])
def test_what_is_no_app_is_refused(desk: ApiDesk, adapter: Everything, to: object) -> None:
    status, error = desk.program.refused("POST", path(desk, "pass"), {"to": to})
    assert (status, error["field"]) == (400, "to")
    assert adapter.handed == []


def test_what_the_provider_says_is_passed_on_and_nothing_is_noted(desk: ApiDesk, adapter: Everything) -> None:
    before = desk.program.get(path(desk, "messages"))["data"]
    for problem, message in (
        (ProviderProblem("10", "It was not handed over.", "Ask them."), "It was not handed over."),
        (RuntimeError("secret"), "The addon of this channel failed."),
    ):
        adapter.problem = problem
        answer = desk.program.call("POST", path(desk, "take"), {})
        assert answer.status_code == 502
        assert answer.json is not None
        assert (answer.json["error"]["code"], answer.json["error"]["message"]) == (
            "provider_refused",
            message,
        )
    assert desk.program.get(path(desk, "messages"))["data"] == before
    db.write(disconnect_account, desk.inbox.account.id)
    assert desk.program.refused("POST", path(desk, "take"), {})[1]["code"] == "account_disconnected"


# Read and unread


def reads() -> list[tuple[int, int, bool]]:
    with db.read() as session:
        rows = session.scalars(sa.select(ConversationRead)).all()
    return [(one.user_id, one.seen_count, one.marked) for one in rows]


def test_a_program_marks_a_conversation_as_read_for_the_team(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "And the blue one?", desk.scene.ago(minutes=4))
    first = desk.program.get(path(desk, "messages"))["data"][0]["id"]
    assert desk.program.send("POST", path(desk, "read"), {"until": first})["unreadCount"] == 1
    assert desk.program.send("POST", path(desk, "read"), {})["unreadCount"] == 0
    assert reads() == []
    assert offered() == [], "the customer is not told"


def test_a_program_marks_a_conversation_for_a_person(desk: ApiDesk) -> None:
    mia = desk.inbox.mia.id
    assert desk.program.send("POST", path(desk, "read"), {"memberId": mia})["unreadCount"] == 0
    assert reads() == [(mia, 1, False)]
    assert desk.program.send("POST", path(desk, "unread"), {"memberId": mia})["unreadCount"] == 0
    assert reads() == [(mia, 1, True)]
    desk.program.send("POST", path(desk, "read"), {"memberId": mia})
    assert reads() == [(mia, 1, False)]


def test_only_who_may_reply_there_has_read_or_not(desk: ApiDesk) -> None:
    auditor = helpers.make_user(workspace=desk.workspace, role=Role.AUDITOR).id
    elsewhere = helpers.make_user(workspace=helpers.make_workspace("Studio")).id
    for member in (auditor, elsewhere, 2**40):
        for what in ("read", "unread"):
            status, error = desk.program.refused("POST", path(desk, what), {"memberId": member})
            assert (status, error["code"], error["field"]) == (400, "not_a_member", "memberId")
    assert desk.program.refused("POST", path(desk, "unread"), {})[1]["field"] == "memberId"
    assert desk.program.refused("POST", "/conversations/999/read", {})[0] == 404
    assert reads() == []
