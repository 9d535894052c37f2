"""Comments by a program: posts, the one private reply, how a comment stands at the provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox import outcome
from host.models.inbox import DeliveryState
from host.models.posts import MessageModeration
from host.sdk.channel import Moderated
from host.sdk.messages import PostKind
from tests.api.desks import ApiDesk, open_api_desk
from tests.inbox import toys
from tests.inbox.boards import Board


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    return open_api_desk(data, toys.PUBLIC)


@pytest.fixture
def board(desk: ApiDesk) -> Board:
    return Board(desk.inbox)


def send(desk: ApiDesk, conversation: int, text: str, status: int = 201, **more: Any) -> Any:
    body = {"conversationId": conversation, "kind": "text", "text": text, **more}
    return desk.program.send("POST", "/messages", body, status)


def test_posts_are_listed_and_their_conversations_found(desk: ApiDesk, board: Board) -> None:
    first = board.post(picture_url="https://provider.example/secret.jpg")
    second = board.post("p2", "Rim plates, live", kind=PostKind.LIVE, ended_at=board.now)
    board.said("kit", "Kit L.", "TIDE", board.ago(hours=2))
    board.said("olu", "Olu P.", "Late?", board.ago(hours=1), post="p2")
    page = desk.reader.get("/posts", limit=1)
    assert [one["id"] for one in page["data"]] == [second]
    page = desk.reader.get("/posts", limit=1, cursor=page["next"])
    assert ([one["id"] for one in page["data"]], page["next"]) == ([first], None)
    assert desk.reader.get("/posts", account=999999)["data"] == []
    shown = desk.reader.get(f"/posts/{first}")
    assert shown | {"publishedAt": ""} == {
        "id": first,
        "accountId": desk.inbox.account.id,
        "externalId": "p1",
        "kind": "post",
        "text": "Tide mugs are back. Twelve of them.",
        "url": "https://provider.example/p/1",
        "owner": "",
        "publishedAt": "",
        "endedAt": None,
        "goneAt": None,
    }
    assert desk.reader.refused("GET", "/posts/999999")[1]["code"] == "post_not_found"
    found = desk.reader.get("/conversations", post=second)["data"]
    assert [(one["post"]["kind"], one["post"]["id"]) for one in found] == [("live", second)]
    assert desk.reader.get("/conversations", post=999999)["data"] == []
    talk = desk.reader.get(f"/conversations/{board.conversation('kit')}")
    assert talk["post"] == shown


def test_a_comment_is_answered_publicly_and_once_privately(desk: ApiDesk, board: Board) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "TIDE", board.ago(hours=2), mid="c1")
    newest = board.said("kit", "Kit L.", "Please?", board.ago(hours=1), mid="c2")
    talk = board.conversation("kit")
    (public,) = send(desk, talk, "You have a letter from us")["data"]
    assert (public["private"], public["replyTo"]["messageId"]) == (False, newest)
    (private,) = send(desk, talk, "Here is the link", private=True, replyTo=about)["data"]
    assert (private["private"], private["replyTo"]["externalId"], private["ledTo"]) == (True, "c1", None)
    assert "private" not in private["content"]
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("Once more", {"private": True, "replyTo": about}, "private_reply_used"),
        ("x" * 101, {"private": True, "replyTo": newest}, "too_long"),
        ("x" * 301, {}, "too_long"),
        ("To whom?", {"private": True}, "private_not_supported"),
        ("To us", {"private": True, "replyTo": public["id"]}, "message_not_found"),
        ("Later", {"private": True, "replyTo": newest, "sendAt": "2030-01-01T00:00:00Z"}, "send_time"),
    ]
    for text, more, code in wrong:
        body = {"conversationId": talk, "kind": "text", "text": text, **more}
        assert desk.program.refused("POST", "/messages", body)[1]["code"] == code, code
    late = board.said("olu", "Olu P.", "TIDE", board.ago(days=8))
    body = {"conversationId": board.conversation("olu"), "kind": "text", "text": "Hi", "private": True}
    status, error = desk.program.refused("POST", "/messages", body | {"replyTo": late})
    assert (status, error["code"]) == (409, "private_reply_ended")
    assert "Seven days have passed." in error["message"]
    db.write(outcome.record_sent, private["id"], "m1")
    board.sent_privately("kit", "Kit L.", "m1", "Here is the link", board.ago(minutes=5))
    direct = board.wrote("kit", "Kit L.", "Thanks", board.ago(minutes=1))
    shown = desk.reader.get(f"/messages/{private['id']}")
    led = shown["ledTo"]
    assert (led["conversationId"], led["read"], led["answered"]) == (direct, True, True)
    listed = desk.reader.get(f"/conversations/{talk}/messages")["data"]
    assert [one["ledTo"] for one in listed if one["private"]] == [led]


def test_the_direct_message_of_a_private_reply_has_its_author(desk: ApiDesk, board: Board) -> None:
    board.post()
    ask = board.said("kit", "Kit L.", "TIDE", board.ago(hours=2))
    board.private(ask, "Here is the link", board.ago(hours=1), "m1")
    direct = board.sent_privately("kit", "Kit L.", "m1", "Here is the link", board.ago(hours=1))
    (shown,) = desk.reader.get(f"/conversations/{direct}/messages")["data"]
    assert shown["author"] == {"id": board.desk.mia.id, "name": board.desk.mia.name}


def test_a_comment_is_hidden_shown_and_deleted(desk: ApiDesk, board: Board) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "Spam", board.ago(hours=1))
    at = f"/messages/{about}/moderation"
    assert desk.reader.get(f"/messages/{about}")["moderation"] is None
    assert desk.program.send("PUT", at, {"state": "shown"}, 200)["moderation"] is None
    found = desk.program.send("PUT", at, {"state": "hidden"}, 200)["moderation"]
    assert found | {"at": ""} == {
        "state": "shown",
        "wanted": "hidden",
        "delivery": "queued",
        "author": "Shop",
        "at": "",
        "error": None,
    }
    toys_fail(about)
    found = desk.reader.get(f"/messages/{about}")["moderation"]
    assert (found["delivery"], found["error"]["sentence"]) == ("failed", "No.")
    assert desk.program.send("PUT", at, {"state": "deleted"}, 200)["moderation"]["wanted"] == "deleted"
    for body in ({}, {"state": "liked"}, {"state": None}, {"state": "hidden", "why": "spam"}):
        assert desk.program.refused("PUT", at, body)[0] == 400
    assert desk.reader.refused("PUT", at, {"state": "hidden"})[0] == 403
    ours = board.private(about, "Psst", board.ago(minutes=5))
    refused = desk.program.refused("PUT", f"/messages/{ours}/moderation", {"state": "hidden"})
    assert (refused[0], refused[1]["code"]) == (409, "moderation_not_supported")
    gone = board.said("kit", "Kit L.", "Oops", board.ago(hours=1), mid="c9")
    board.took_back("kit", "c9", board.ago(minutes=1))
    refused = desk.program.refused("PUT", f"/messages/{gone}/moderation", {"state": "hidden"})
    assert refused[1]["code"] == "message_gone"
    assert desk.program.refused("PUT", "/messages/999999/moderation", {"state": "hidden"})[0] == 404


def toys_fail(message_id: int) -> None:
    def use_case(session: Any) -> None:
        row = session.get_one(MessageModeration, message_id)
        row.state, row.error, row.stood = DeliveryState.FAILED, {"sentence": "No."}, Moderated.SHOWN

    db.write(use_case)


def test_what_an_account_of_comments_can_do_is_declared(desk: ApiDesk) -> None:
    (account,) = desk.reader.get("/accounts")["data"]
    can = account["capabilities"]
    assert (can["public"], can["moderation"]) == (True, ["delete", "hide"])
    assert can["privateReplies"] == {"textLimitBytes": 100, "quickReplies": None, "perHour": None}
