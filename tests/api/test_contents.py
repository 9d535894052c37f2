"""The other form of a message to send: `channelId`, `to` and `content`, in camelCase and in snake_case."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.models.inbox import Message
from host.sdk.http import Client, Response
from tests import helpers
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import toys
from tests.media import samples

PRODUCT = {
    "title": "Summer Collection",
    "subtitle": "Check out",
    "imageUrl": "https://example.com/summer.jpg",
}
BUTTONS = [
    {"type": "web_url", "title": "Shop Now", "url": "https://example.com/summer-collection"},
    {"type": "postback", "title": "Learn More", "payload": "SUMMER_INFO"},
]
CARD = {"title": "A", "subtitle": "B"}
OFFERED = [
    {"contentType": "text", "title": "New Arrivals", "payload": "BROWSE_NEW"},
    {"title": "Track Order"},
    {"contentType": "user_phone_number"},
]
CARDS = {"type": "template", "template": {"type": "generic", "elements": [{**PRODUCT, "buttons": BUTTONS}]}}


@pytest.fixture
def adapter() -> Everything:
    return Everything()


@pytest.fixture
def desk(database: db.Database, data: Path, adapter: Everything) -> ApiDesk:
    opened = open_api_desk(data, adapter)
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=5))
    return opened


def body_of(desk: ApiDesk, content: Any, **more: Any) -> dict[str, Any]:
    return {"channelId": desk.inbox.account.uuid, "to": "ana", "content": content, **more}


def send(desk: ApiDesk, content: Any) -> dict[str, Any]:
    (message,) = desk.program.send("POST", "/messages", body_of(desk, content), 201)["data"]
    return dict(message)


def snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", k): snake(v) for k, v in value.items()}
    return [snake(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Files by the ends of their addresses, which the desk finds on the internet."""
    files = {".jpg": samples.picture("JPEG"), ".mp4": samples.MP4, ".wav": samples.WAV, ".pdf": samples.PDF}

    def there(_client: Client, _method: str, url: str, **_: Any) -> Response:
        return Response(200, {}, files[Path(url).suffix])

    monkeypatch.setattr(Client, "request", there)
    return files


@pytest.mark.parametrize("written", [lambda given: given, snake], ids=["camelCase", "snake_case"])
def test_each_content_becomes_the_same_message_as_in_the_apis_own_form(
    desk: ApiDesk, fetched: dict[str, bytes], written: Any
) -> None:
    def stored(content: dict[str, Any]) -> tuple[str, str, Any, list[str]]:
        whole = written(body_of(desk, content))
        (message,) = desk.program.send("POST", "/messages", whole, 201)["data"]
        kinds = [file["contentType"] for file in message["attachments"]]
        return message["kind"], message["text"], message["content"], kinds

    assert stored({"type": "text", "text": "How can I help?"}) == ("text", "How can I help?", {}, [])
    assert stored({"type": "text", "text": "Which?", "quickReplies": OFFERED})[2] == {
        "quickReplies": [
            {"title": "New Arrivals", "payload": "BROWSE_NEW"},
            {"title": "Track Order", "payload": "Track Order"},
            {"ask": "phone"},
        ]
    }
    for kind, suffix, content_type in (
        ("image", ".jpg", "image/jpeg"),
        ("video", ".mp4", "video/mp4"),
        ("audio", ".wav", "audio/wav"),
        ("file", ".pdf", "application/pdf"),
    ):
        content = {"type": kind, kind: {"url": f"https://example.com/product{suffix}"}}
        assert stored(content) == (kind, "", {}, [content_type])
    assert stored({"type": "sticker", "sticker": {"id": "like"}})[2] == {"sticker": "heart"}
    (card,) = stored(CARDS)[2]["template"]["elements"]
    assert card == {
        "title": "Summer Collection",
        "subtitle": "Check out",
        "imageUrl": "https://example.com/summer.jpg",
        "buttons": [
            {"title": "Shop Now", "url": "https://example.com/summer-collection"},
            {"title": "Learn More", "payload": "SUMMER_INFO"},
        ],
    }


def test_a_content_has_what_every_message_can_have(desk: ApiDesk) -> None:
    text = {"type": "text", "text": "This one"}
    conversation = desk.program.get("/conversations")["data"][0]["id"]
    quoted = desk.program.get(f"/conversations/{conversation}/messages")["data"][0]
    later = (clock.now() + timedelta(hours=1)).isoformat()
    body = body_of(desk, text, replyTo=quoted["id"], sendAt=later, unlessWritten=False)
    (message,) = desk.program.send("POST", "/messages", body, 201)["data"]
    assert message["replyTo"]["messageId"] == quoted["id"]
    assert (message["state"], datetime.fromisoformat(message["sendAt"])) == (
        "queued",
        datetime.fromisoformat(later),
    )
    for field, value, code in (
        ("replyTo", 2**40, "message_not_found"),
        ("sendAt", "2000-01-01T00:00:00Z", "send_time"),
        ("cc", ["x"], "copies_not_supported"),
    ):
        error = desk.program.refused("POST", "/messages", body_of(desk, text, **{field: value}))[1]
        assert (error["code"], error["field"]) == (code, field)


def test_an_upload_takes_the_place_of_an_address(desk: ApiDesk, fetched: dict[str, bytes]) -> None:
    given = {"data": {"file": (io.BytesIO(fetched[".jpg"]), "mug.jpg")}}
    response = desk.program.call("POST", "/uploads", **given)
    assert response.json is not None
    message = send(desk, {"type": "image", "image": {"upload": response.json["id"]}})
    assert message["attachments"][0]["name"] == "mug.jpg"


def test_who_never_wrote_cannot_be_written_to(desk: ApiDesk) -> None:
    body = body_of(desk, {"type": "text", "text": "Hello"}, to="nobody")
    status, error = desk.program.refused("POST", "/messages", body)
    assert (status, error["code"], error["field"]) == (422, "not_written_first", "to")


def test_a_channel_of_another_workspace_is_one_that_is_not_there(desk: ApiDesk) -> None:
    body = body_of(desk, {"type": "text", "text": "Hello"})
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    theirs = stranger.refused("POST", "/messages", body)
    nobodys = desk.program.refused("POST", "/messages", {**body, "channelId": "0" * 32})
    assert theirs[0] == nobodys[0] == 404
    for _status, error in (theirs, nobodys):
        assert (error["code"], error["field"]) == ("account_not_found", "channelId")
    db.write(disconnect_account, desk.inbox.account.id)
    assert desk.program.refused("POST", "/messages", body)[1]["code"] == "account_disconnected"


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        ({"type": "text"}, "invalid_body", "content.text"),
        ({"type": "text", "text": ""}, "invalid_body", "content.text"),
        ({"type": "text", "text": "  "}, "empty", "content.text"),
        ({"type": "image", "image": {}}, "invalid_body", "content.image"),
        ({"type": "image", "image": {"url": "http://10.0.0.1/a.jpg"}}, "fetch_failed", "content.image.url"),
        ({"type": "image", "file": {"url": "https://example.com/a"}}, "invalid_body", "content.file"),
        ({"type": "sticker", "sticker": {"id": "boot"}}, "invalid_body", "content.sticker.id"),
        ({"type": "song"}, "invalid_body", "content.type"),
        ({}, "invalid_body", "content.type"),
        ("Hello", "invalid_body", "content"),
        (
            {"type": "text", "text": "Which?", "quickReplies": [{"payload": "x"}]},
            "invalid_body",
            "content.quickReplies[0]",
        ),
        (
            {"type": "text", "text": "Which?", "quickReplies": [{"title": "A"}, {"title": "x" * 99}]},
            "quick_reply_title",
            "content.quickReplies[1].title",
        ),
        (
            {"type": "template", "template": {"elements": [CARD, {"title": "B", "imageUrl": "ftp://a/b"}]}},
            "card_address",
            "content.template.elements[1].imageUrl",
        ),
        (
            {"type": "template", "template": {"elements": [{"title": "Bare"}]}},
            "card_bare",
            "content.template.elements[0]",
        ),
        (
            {"type": "text", "text": "a", "quickReplies": [], "quick_replies": []},
            "invalid_body",
            "quickReplies",
        ),
    ],
)
def test_an_error_names_the_place_in_the_body_that_was_sent(
    desk: ApiDesk, content: Any, code: str, field: str
) -> None:
    before = len(toys.everything(Message))
    status, error = desk.program.refused("POST", "/messages", body_of(desk, content))
    assert (error["code"], error.get("field")) == (code, field), error
    assert status in {400, 422}
    assert len(toys.everything(Message)) == before


def test_the_two_forms_do_not_mix(desk: ApiDesk) -> None:
    text = {"type": "text", "text": "Hello"}
    for more in ({"kind": "text"}, {"accountId": 1}, {"conversationId": 1}):
        error = desk.program.refused("POST", "/messages", body_of(desk, text, **more))[1]
        assert (error["code"], error["field"]) == ("invalid_body", next(iter(more)))
    for channel in (3, "", None):
        error = desk.program.refused("POST", "/messages", {**body_of(desk, text), "channelId": channel})[1]
        assert (error["code"], error["field"]) == ("invalid_body", "channelId")


def test_an_idempotency_key_holds_for_this_form_too(desk: ApiDesk) -> None:
    body = body_of(desk, {"type": "text", "text": "Once"})
    first, again = (
        desk.program.call("POST", "/messages", body, headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert (first.status_code, first.data) == (again.status_code, again.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert toys.texts().count("Once") == 1


def test_an_account_is_found_by_its_channel_id(desk: ApiDesk, adapter: Everything) -> None:
    uuid, id_ = desk.inbox.account.uuid, desk.inbox.account.id
    (listed,) = desk.program.get("/accounts")["data"]
    assert (listed["channelId"], listed["id"]) == (uuid, id_)
    assert desk.program.get(f"/accounts/{uuid}") == desk.program.get(f"/accounts/{id_}") == listed
    asked = {"locales": {"default": [{"question": "Are you open?", "payload": "HOURS"}]}}
    assert desk.program.send("PUT", f"/accounts/{uuid}/ice-breakers", asked) == asked
    assert [one.payload for one in adapter.kept["default"]] == ["HOURS"]
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    for path in (f"/accounts/{uuid}", f"/accounts/{uuid}/menu"):
        assert stranger.refused("GET", path)[1]["code"] == "account_not_found"
    assert desk.program.refused("GET", f"/accounts/{'7' * 32}")[0] == 404
    assert desk.program.refused("GET", f"/accounts/{uuid}0")[0] == 404
