"""A preview by the API is what sending would do: the same messages, refused for the same reasons."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.api import fetching
from host.channels.accounts import disconnect_account
from host.core import db
from host.core.backports.values import replace
from host.models.inbox import Message
from host.models.media import Upload
from host.sdk.capabilities import Capabilities
from host.sdk.channel import SendRequest
from tests import helpers
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import toys
from tests.media import samples

PNG = samples.picture("PNG")


class Letters(Everything):
    """A channel that lays its messages out."""

    capabilities: ClassVar[Capabilities] = replace(
        Everything.capabilities, formatting=True, text_with_files=True
    )

    def preview(self, request: SendRequest) -> str:
        return f"<p>{request.part.text}</p><p>To {request.recipient_name}</p>"


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    return opened(data, Everything())


def opened(data: Path, adapter: Any) -> ApiDesk:
    made = open_api_desk(data, adapter)
    made.scene.said("ana", "Ana", "Is it in stock?", made.scene.ago(minutes=5))
    return made


def body_of(desk: ApiDesk, **body: Any) -> dict[str, Any]:
    return {"conversationId": desk.scene.conversation("ana"), **body}


def preview(desk: ApiDesk, **body: Any) -> Any:
    before = len(toys.everything(Message))
    answer = desk.program.send("POST", "/messages/preview", body_of(desk, **body))
    assert len(toys.everything(Message)) == before
    return answer


def test_it_shows_the_messages_that_sending_then_makes(desk: ApiDesk) -> None:
    text = "A long answer. " * 150
    for overflow in ("split", "truncate"):
        body = {"kind": "text", "text": text, "overflow": overflow}
        shown = preview(desk, **body)
        made = desk.program.send("POST", "/messages", body_of(desk, **body), 201)["data"]
        assert [one["text"] for one in shown["data"]] == [one["text"] for one in made]
        assert all(one["bytes"] == len(one["text"].encode()) <= 1000 for one in shown["data"])
        assert shown["conversationId"] == desk.scene.conversation("ana")
    assert len(shown["data"]) == 1


def test_uploads_are_named_and_can_still_be_sent(desk: ApiDesk) -> None:
    upload = desk.program.call("POST", "/uploads", data={"file": (io.BytesIO(PNG), "mug.png")}).json
    assert upload is not None
    body = {"kind": "text", "text": "This one", "files": [{"upload": upload["id"]}]}
    shown = preview(desk, **body)["data"]
    assert [(one["kind"], one["files"]) for one in shown] == [("image", [upload["id"]]), ("text", [])]
    desk.program.send("POST", "/messages", body_of(desk, **body), 201)
    assert (
        desk.program.refused("POST", "/messages/preview", body_of(desk, **body))[1]["code"] == "upload_gone"
    )


def test_no_file_is_fetched(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "fetch", lambda *_, **__: pytest.fail("it was fetched"))
    body = body_of(desk, kind="image", files=[{"url": "https://example.com/mug.jpg"}])
    status, error = desk.program.refused("POST", "/messages/preview", body)
    assert (status, error["code"], error["field"]) == (400, "invalid_body", "files[0].url")
    assert toys.everything(Upload) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "text", "text": "é" * 700, "overflow": "reject"}, "too_long"),
        ({"kind": "text", "text": " "}, "empty"),
        ({"kind": "text", "text": "a", "quickReplies": [{"title": "b" * 21}]}, "quick_reply_title"),
        ({"kind": "text", "text": "a", "ownAddress": "x@example.org"}, "sender_not_own"),
        ({"kind": "text", "text": "a", "sendAt": "2000-01-01T00:00:00Z"}, "send_time"),
        ({"kind": "template", "elements": [{"title": "a"}]}, "card_bare"),
        ({"kind": "text", "text": "a", "replyTo": 2**40}, "message_not_found"),
    ],
)
def test_it_is_refused_as_sending_is(desk: ApiDesk, body: Any, code: str) -> None:
    theirs = [
        desk.program.refused("POST", path, body_of(desk, **body))
        for path in ("/messages/preview", "/messages")
    ]
    shown, made = [(status, error | {"request_id": "", "requestId": ""}) for status, error in theirs]
    assert shown == made
    assert shown[1]["code"] == code


def test_it_says_that_nothing_can_be_sent_now(desk: ApiDesk) -> None:
    desk.scene.said("late", "Late", "Hello", desk.scene.ago(hours=30))
    text = {"kind": "text", "text": "Hi"}
    late = text | {"conversationId": desk.scene.conversation("late")}
    assert desk.program.refused("POST", "/messages/preview", late)[1]["code"] == "people_only"
    newest = desk.program.get("/messages", limit=1)["data"][0]["id"]
    desk.program.send("POST", "/messages", body_of(desk, **text), 201)
    body = body_of(desk, **text, ifLastMessageId=newest)
    assert desk.program.refused("POST", "/messages/preview", body)[1]["code"] == "answered_meanwhile"
    db.write(disconnect_account, desk.inbox.account.id)
    body = body_of(desk, **text)
    assert desk.program.refused("POST", "/messages/preview", body)[1]["code"] == "account_disconnected"
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("POST", "/messages/preview", body)[0] == 404


def test_a_content_with_a_channel_id_is_previewed_too(desk: ApiDesk) -> None:
    body = {
        "channelId": desk.program.get("/accounts")["data"][0]["channelId"],
        "to": "ana",
        "content": {"type": "text", "text": "Yes, it is."},
    }
    assert desk.program.send("POST", "/messages/preview", body)["data"][0]["text"] == "Yes, it is."
    body["to"] = "nobody"
    assert desk.program.refused("POST", "/messages/preview", body)[1]["field"] == "to"


def test_a_channel_with_a_layout_shows_it(database: db.Database, data: Path) -> None:
    letters = opened(data, Letters())
    (shown,) = preview(letters, kind="text", text="Yes.")["data"]
    assert shown["html"] == "<p>Yes.</p><p>To Ana</p>"


def test_a_channel_without_a_layout_has_none(desk: ApiDesk) -> None:
    (shown,) = preview(desk, kind="text", text="Yes.")["data"]
    assert shown["html"] is None
