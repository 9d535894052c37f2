"""Sending by the API: every kind, to a conversation or a contact, within the limits or not at all."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from host.api import fetching
from host.api.http.declare import Refused
from host.api.http.refusals import FILES, FORWARDS, PARTS, REACTIONS
from host.channels.accounts import disconnect_account
from host.core import db, guard
from host.inbox import outcome
from host.media import links
from host.media.api import uploads
from host.models.inbox import Attachment, Contact, ContactIdentity, Message
from host.models.queue import OutboxEntry
from host.sdk.capabilities import Ask
from tests import helpers
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.core.servers import always, answer, serving
from tests.inbox import toys
from tests.media import samples

# werkzeug leaves the closing of a body it refused to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*nclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
PNG = samples.picture("PNG")


@pytest.fixture
def adapter() -> Everything:
    return Everything()


@pytest.fixture
def desk(database: db.Database, data: Path, adapter: Everything) -> ApiDesk:
    opened = open_api_desk(data, adapter)
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=5))
    return opened


def conversation(desk: ApiDesk, contact: str = "ana") -> int:
    return desk.scene.conversation(contact)


def send(desk: ApiDesk, status: int = 201, **body: Any) -> list[dict[str, Any]]:
    body.setdefault("conversationId", conversation(desk))
    return list(desk.program.send("POST", "/messages", body, status)["data"])


def refused(desk: ApiDesk, **body: Any) -> tuple[int, dict[str, Any]]:
    body.setdefault("conversationId", conversation(desk))
    before = len(toys.everything(Message))
    got = desk.program.refused("POST", "/messages", body)
    assert len(toys.everything(Message)) == before
    assert len(toys.everything(OutboxEntry)) == 0
    return got


def refused_with(desk: ApiDesk, code: str, **body: Any) -> bool:
    body.setdefault("conversationId", conversation(desk))
    return bool(desk.program.refused("POST", "/messages", body)[1]["code"] == code)


def upload(desk: ApiDesk, content: bytes, name: str = "file") -> str:
    response = desk.program.call("POST", "/uploads", data={"file": (io.BytesIO(content), name)})
    assert response.status_code == 201, response.text
    assert response.json is not None
    return str(response.json["id"])


# Every kind


def test_a_text_waits_to_be_sent(desk: ApiDesk) -> None:
    (message,) = send(desk, kind="text", text="  Yes, two.\r\nShall I set one aside?  ")
    assert message["text"] == "Yes, two.\nShall I set one aside?"
    assert (message["kind"], message["direction"], message["origin"]) == ("text", "outbound", "api")
    assert (message["state"], message["author"], message["externalId"]) == ("queued", None, None)
    entry = toys.only(OutboxEntry)
    assert (entry.message_id, entry.recipient) == (message["id"], "ana")
    assert desk.program.get(f"/messages/{message['id']}") == message
    db.write(outcome.record_sent, message["id"], "mid-1")
    later = desk.program.get(f"/messages/{message['id']}")
    assert (later["state"], later["externalId"]) == ("sent", "mid-1")


def test_a_text_may_offer_answers(desk: ApiDesk) -> None:
    offered = [{"title": "Small", "payload": "size-s"}, {"title": "Large"}]
    (message,) = send(desk, kind="text", text="Which size?", quickReplies=offered)
    assert message["content"] == {
        "quickReplies": [{"title": "Small", "payload": "size-s"}, {"title": "Large", "payload": "Large"}]
    }


@pytest.mark.parametrize(
    ("kind", "content", "content_type"),
    [
        ("image", PNG, "image/png"),
        ("video", samples.MP4, "video/mp4"),
        ("audio", samples.WAV, "audio/wav"),
        ("file", samples.PDF, "application/pdf"),
    ],
    ids=["image", "video", "audio", "file"],
)
def test_an_uploaded_file_is_sent(desk: ApiDesk, kind: str, content: bytes, content_type: str) -> None:
    id_ = upload(desk, content, "a name.bin")
    (message,) = send(desk, kind=kind, files=[{"upload": id_}])
    (file,) = message["attachments"]
    assert (message["kind"], file["kind"]) == (kind, kind)
    assert (file["contentType"], file["name"]) == (content_type, "a name.bin")
    assert file["url"] == f"/api/v1/attachments/{file['id']}"


def test_pictures_go_together_as_far_as_the_channel_takes_them(desk: ApiDesk) -> None:
    files = [{"upload": upload(desk, PNG)} for _number in range(4)]
    messages = send(desk, kind="image", files=files)
    assert [len(one["attachments"]) for one in messages] == [3, 1]
    assert messages[0]["attachments"][0]["width"] == 60


def test_a_heart_cards_products_and_a_post(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(desk, kind="sticker")[0]["content"] == {"sticker": "heart"}
    cards = [
        {
            "title": "Blue mug",
            "subtitle": "18 €",
            "image": {"url": "https://example.com/mug.jpg"},
            "url": "https://example.com/mug",
            "buttons": [
                {"title": "Look", "url": "https://example.com/mug"},
                {"title": "Hold", "payload": "hold-mug"},
            ],
        },
        {"title": "Plate", "image": {"upload": upload(desk, PNG)}},
    ]
    assert refused_with(desk, "not_reachable", kind="template", elements=cards)
    monkeypatch.setattr(links, "_base", "https://desk.example.com")
    (template,) = send(desk, kind="template", elements=cards)
    first, second = template["content"]["template"]["elements"]
    assert first["imageUrl"] == "https://example.com/mug.jpg"
    assert first["buttons"] == cards[0]["buttons"]
    assert second == {"title": "Plate", "file": 0}
    assert len(template["attachments"]) == 1
    (products,) = send(desk, kind="product", products=["17", "18"])
    assert (products["kind"], products["content"]) == ("template", {"products": ["17", "18"]})
    (post,) = send(desk, kind="post", post="17900000000000001")
    assert (post["kind"], post["content"]) == ("share", {"ownPost": "17900000000000001"})
    (place,) = send(desk, kind="location", latitude=52.5163, longitude=13.3777, name="Our workshop")
    assert (place["kind"], place["text"]) == ("location", "Our workshop")
    assert place["content"] == {
        "location": {"latitude": 52.5163, "longitude": 13.3777, "name": "Our workshop"}
    }
    zoe = {"name": "Zoe", "phones": ["+49 30 1234"]}
    (cards,) = send(desk, kind="contacts", contacts=[zoe])
    assert (cards["kind"], cards["text"]) == ("contacts", "Zoe, +49 30 1234")
    assert cards["content"] == {"contacts": [{**zoe, "emails": []}]}
    assert {"location", "contacts"} <= set(desk.reader.get("/accounts")["data"][0]["capabilities"]["kinds"])


def test_a_message_may_quote_another(desk: ApiDesk) -> None:
    quoted = desk.program.get(f"/conversations/{conversation(desk)}/messages")["data"][0]
    (message,) = send(desk, kind="text", text="This one", replyTo=quoted["id"])
    assert message["replyTo"] == {"externalId": quoted["externalId"], "messageId": quoted["id"]}


# What is too long


def test_a_long_text_is_split_cut_or_refused_as_asked(desk: ApiDesk) -> None:
    text = "é" * 700  # 1,400 bytes
    parts = send(desk, kind="text", text=text)
    assert "".join(one["text"] for one in parts) == text
    assert len(parts) == 2
    (cut,) = send(desk, kind="text", text=text, overflow="truncate")
    assert text.startswith(cut["text"])
    assert len(cut["text"].encode()) <= 1000
    body = {"conversationId": conversation(desk), "kind": "text", "text": text, "overflow": "reject"}
    status, error = desk.program.refused("POST", "/messages", body)
    assert (status, error["code"], error["limit"]) == (400, "too_long", 1000)


# To whom


def test_a_contact_of_an_account_is_reached_by_its_external_id(desk: ApiDesk) -> None:
    body = {"accountId": desk.inbox.account.id, "to": "ana", "kind": "text", "text": "Hello"}
    (message,) = desk.program.send("POST", "/messages", body, 201)["data"]
    assert message["conversationId"] == conversation(desk)


def test_somebody_who_never_wrote_cannot_be_written_to(desk: ApiDesk) -> None:
    body = {"accountId": desk.inbox.account.id, "to": "nobody", "kind": "text", "text": "Hello"}
    status, error = desk.program.refused("POST", "/messages", body)
    assert (status, error["code"], error["field"]) == (422, "not_written_first", "to")
    second = toys.make_account(desk.workspace)
    body["accountId"], body["to"] = second.id, "ana"
    assert desk.program.refused("POST", "/messages", body)[0] == 422


def test_a_contact_we_know_who_has_no_conversation_has_not_written(desk: ApiDesk) -> None:
    def use_case(session: Any) -> None:
        contact = Contact(workspace_id=desk.workspace, name="Bo", created_at=desk.scene.now)
        session.add(contact)
        session.flush()
        values = {"workspace_id": desk.workspace, "contact_id": contact.id, "profile": {}}
        session.add(
            ContactIdentity(
                **values, account_id=desk.inbox.account.id, external_id="bo", created_at=desk.scene.now
            )
        )

    db.write(use_case)
    body = {"accountId": desk.inbox.account.id, "to": "bo", "kind": "text", "text": "Hello"}
    assert desk.program.refused("POST", "/messages", body)[0] == 422


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({}, "conversationId"),
        ({"accountId": 1}, "to"),
        ({"to": "ana"}, "accountId"),
        ({"conversationId": 1, "to": "ana"}, "conversationId"),
        ({"conversationId": 1, "accountId": 1, "to": "ana"}, "conversationId"),
    ],
)
def test_a_target_is_one_thing_or_the_other(desk: ApiDesk, target: dict[str, Any], field: str) -> None:
    status, error = desk.program.refused("POST", "/messages", {**target, "kind": "text", "text": "Hello"})
    assert (status, error["field"]) == (400, field)


def test_a_conversation_or_account_of_another_workspace_is_not_there(desk: ApiDesk) -> None:
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    text = {"kind": "text", "text": "Hello"}
    here = {"conversationId": conversation(desk)}, {"accountId": desk.inbox.account.id, "to": "ana"}
    nowhere = {"conversationId": 2**40}, {"accountId": 2**40, "to": "ana"}
    for theirs, nobodys in zip(here, nowhere, strict=True):
        got = stranger.refused("POST", "/messages", {**theirs, **text})
        assert got[0] == 404
        missing = stranger.refused("POST", "/messages", {**nobodys, **text})[1]
        assert got[1] | {"request_id": "", "requestId": ""} == missing | {"request_id": "", "requestId": ""}
    own = {**text, "conversationId": conversation(desk), "replyTo": 2**40}
    assert desk.program.refused("POST", "/messages", own)[0] == 404


def test_a_file_of_another_workspace_cannot_be_sent(desk: ApiDesk) -> None:
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    theirs = stranger.call("POST", "/uploads", data={"file": (io.BytesIO(PNG), "x")}).json
    assert theirs is not None
    status, error = refused(desk, kind="image", files=[{"upload": theirs["id"]}])
    assert (status, error["code"]) == (409, "upload_gone")


# When nothing may be sent


def test_outside_the_window_and_late_the_api_may_not_write(desk: ApiDesk) -> None:
    for contact, hours, code in (("late", 30, "people_only"), ("gone", 24 * 8, "window_closed")):
        desk.scene.said(contact, contact, "Hello", desk.scene.ago(hours=hours))
        status, error = refused(desk, conversationId=conversation(desk, contact), kind="text", text="Hi")
        assert (status, error["code"]) == (409, code)


def test_a_disconnected_account_sends_nothing(desk: ApiDesk) -> None:
    db.write(disconnect_account, desk.inbox.account.id)
    assert refused(desk, kind="text", text="Hi")[1]["code"] == "account_disconnected"


def test_a_channel_nobody_brings_sends_nothing(desk: ApiDesk) -> None:
    from host.channels.directory import Directory

    desk.inbox.generation.directory = Directory(())
    assert refused(desk, kind="text", text="Hi")[1]["code"] == "unknown_channel"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "sticker"},
        {"kind": "template", "elements": [{"title": "a", "subtitle": "b"}]},
        {"kind": "product", "products": ["1"]},
        {"kind": "post", "post": "1"},
        {"kind": "location", "latitude": 1, "longitude": 1},
        {"kind": "contacts", "contacts": [{"name": "Zoe", "phones": ["+49 30 1234"]}]},
    ],
)
def test_a_kind_the_channel_has_not_is_refused(database: db.Database, data: Path, body: Any) -> None:
    plain = open_api_desk(data)
    plain.scene.said("ana", "Ana", "Hello", plain.scene.ago(minutes=1))
    assert refused(plain, **body)[1]["code"] == "kind_not_supported"
    status, error = refused(plain, kind="text", text="a", quickReplies=[{"title": "b"}])
    assert (status, error["code"], error["field"]) == (409, "quick_replies_not_supported", "quickReplies")


@pytest.mark.parametrize(
    ("body", "code", "limit"),
    [
        ({"kind": "text", "text": "a", "quickReplies": [{"title": "b"}] * 4}, "too_many_quick_replies", 3),
        ({"kind": "text", "text": "a", "quickReplies": [{"title": "b" * 21}]}, "quick_reply_title", 20),
        ({"kind": "template", "elements": [{"title": "a", "subtitle": "b"}] * 4}, "too_many_cards", 3),
        ({"kind": "template", "elements": [{"title": "a"}]}, "card_bare", None),
        ({"kind": "template", "elements": [{"title": "a" * 81, "subtitle": "b"}]}, "card_text", 80),
        ({"kind": "product", "products": ["1", "2", "3"]}, "too_many_products", 2),
        ({"kind": "product", "products": ["../x"]}, "product_id", None),
        ({"kind": "post", "post": "javascript:alert(1)"}, "own_post", None),
        ({"kind": "contacts", "contacts": [{"name": "Zoe"}]}, "contact_card", None),
        ({"kind": "text", "text": " \t\n"}, "empty", None),
        ({"kind": "text", "text": "\u00a0"}, "empty", None),
    ],
)
def test_what_breaks_a_limit_is_refused_with_the_limit(
    desk: ApiDesk, body: Any, code: str, limit: int | None
) -> None:
    status, error = refused(desk, **body)
    assert 400 <= status < 500
    assert (error["code"], error.get("limit")) == (code, limit)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "poem", "text": "a"}, "kind"),
        ({"text": "a"}, "kind"),
        ({"kind": "text", "text": "a", "overflow": "wrap"}, "overflow"),
        ({"kind": "text", "text": "a", "elements": []}, "elements"),
        ({"kind": "image", "files": []}, "files"),
        ({"kind": "image", "files": [{}]}, "files[0]"),
        ({"kind": "image", "files": [{"url": "https://a.example/", "upload": "b"}]}, "files[0]"),
        ({"kind": "image", "files": [{"path": "/etc/passwd"}]}, "files[0].path"),
        ({"kind": "template", "elements": [{"title": "a", "image": {}}]}, "elements[0].image"),
        ({"kind": "template", "elements": [{"title": "a", "buttons": [{}]}]}, "elements[0].buttons[0].title"),
    ],
)
def test_a_body_that_is_not_of_its_kind_names_the_field(desk: ApiDesk, body: Any, field: str) -> None:
    status, error = refused(desk, **body)
    assert (status, error["code"], error["field"]) == (400, "invalid_body", field)


# Files


def test_an_upload_tells_what_it_is(desk: ApiDesk) -> None:
    response = desk.program.call("POST", "/uploads", data={"file": (io.BytesIO(PNG), "mug.exe")})
    assert response.json is not None
    shown = response.json | {"id": "", "size": 0}
    assert shown == {
        "id": "",
        "kind": "image",
        "name": "mug.exe",
        "contentType": "image/png",
        "size": 0,
        "width": 60,
        "height": 40,
    }


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"picture": (io.BytesIO(b"x"), "x")},
        {"file": "text"},
        {"file": (io.BytesIO(b"x"), "x"), "account": "1"},
        {"file": [(io.BytesIO(b"x"), "x"), (io.BytesIO(b"y"), "y")]},
    ],
)
def test_an_upload_is_one_file_and_nothing_else(desk: ApiDesk, form: dict[str, Any]) -> None:
    got = desk.program.refused("POST", "/uploads", data=form, content_type="multipart/form-data")
    assert (got[0], got[1]["code"], got[1]["field"]) == (400, "invalid_body", "file")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty"),
        (PNG[:200], 422, "broken_picture"),
        (samples.HEIC, 422, "picture_type"),
        (b"x" * (25 * 1024 * 1024 + 1), 413, "too_large"),
        (b"x" * (26 * 1024 * 1024), 413, "too_large"),
    ],
    ids=["empty", "cut", "HEIC", "25 MB and a byte", "26 MB"],
)
def test_a_file_that_cannot_be_taken_is_refused(
    desk: ApiDesk, content: bytes, status: int, code: str
) -> None:
    got = desk.program.refused("POST", "/uploads", data={"file": (io.BytesIO(content), "x")})
    assert (got[0], got[1]["code"]) == (status, code)


def test_an_upload_without_a_key_is_not_even_read(desk: ApiDesk) -> None:
    class Untouched(io.BytesIO):
        """A body nobody should read."""

        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

    with desk.app.test_client() as client:
        response = client.post(
            "/api/v1/uploads",
            input_stream=Untouched(b"--x"),
            content_type="multipart/form-data; boundary=x",
            content_length=10_000_000,
        )
        assert response.status_code == 401


def test_uploads_of_programs_are_limited(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_WAITING", 2)
    ids = [upload(desk, PNG) for _number in range(2)]
    got = desk.program.refused("POST", "/uploads", data={"file": (io.BytesIO(PNG), "x")})
    assert (got[0], got[1]["code"], got[1]["limit"]) == (429, "too_many_uploads", 2)
    send(desk, kind="image", files=[{"upload": ids[0]}])
    upload(desk, PNG)


def test_an_upload_is_sent_once(desk: ApiDesk) -> None:
    id_ = upload(desk, PNG)
    send(desk, kind="image", files=[{"upload": id_}])
    body = {"conversationId": conversation(desk), "kind": "image", "files": [{"upload": id_}]}
    status, error = desk.program.refused("POST", "/messages", body)
    assert (status, error["code"]) == (409, "upload_gone")


# Files by their address


@contextmanager
def site(body: bytes, **more: Any) -> Iterator[str]:
    """Serve one answer at an address the guard lets tests go to."""
    with serving(always(answer(body, **more))) as server:
        guard.allow((f"127.0.0.1:{server.port}",))
        try:
            yield f"http://127.0.0.1:{server.port}/pictures/blue%20mug.png?size=1"
        finally:
            guard.allow(())


def test_a_picture_is_fetched_and_sent_without_where_it_was_taken(desk: ApiDesk) -> None:
    with site(samples.picture("JPEG")) as url:
        (message,) = send(desk, kind="image", files=[{"url": url}])
    (file,) = message["attachments"]
    assert (file["contentType"], file["name"]) == ("image/jpeg", "blue mug.png")
    kept = toys.only(Attachment)
    from host.core import storage

    with storage.open_stored(kept.storage_key) as stored:
        assert samples.GPS not in stored.read()


def test_a_repeated_request_fetches_and_sends_once(desk: ApiDesk) -> None:
    headers = {"Idempotency-Key": "picture-1"}
    with site(PNG) as url:
        body = {"conversationId": conversation(desk), "kind": "image", "files": [{"url": url}]}
        first = desk.program.send("POST", "/messages", body, 201, headers=headers)
    # The site is gone by now.
    assert desk.program.send("POST", "/messages", body, 201, headers=headers) == first
    assert len(toys.everything(OutboxEntry)) == 1


@pytest.mark.parametrize(
    ("body", "more", "code"),
    [
        (b"gone", {"status": "404 Not Found"}, "fetch_failed"),
        (b"wait", {"status": "503 Service Unavailable"}, "fetch_failed"),
        (b"", {"status": "302 Found", "headers": b"location: http://127.0.0.1:1/\r\n"}, "fetch_failed"),
        (b"", {"status": "302 Found", "headers": b"location: file:///etc/passwd\r\n"}, "fetch_failed"),
        (b"", {"status": "302 Found", "headers": b"location: /again\r\n"}, "fetch_failed"),
        (b"", {"status": "302 Found"}, "fetch_failed"),
        (b"", {}, "empty"),
        (samples.HTML, {}, "kind_not_allowed"),
        (samples.PDF, {}, "renamed"),
        (samples.WEBM, {}, "type_not_allowed"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, {}, "broken_picture"),
        (samples.picture("PNG") + b"\0" * (26 * 1024 * 1024), {}, "fetch_failed"),
    ],
    ids=range(12),
)
def test_an_address_that_leads_to_no_picture_is_refused(
    desk: ApiDesk, body: bytes, more: Any, code: str
) -> None:
    with site(body, **more) as url:
        status, error = refused(desk, kind="image", files=[{"url": url}])
    assert 400 <= status < 500
    if code == "kind_not_allowed":
        assert error["code"] in {"kind_not_allowed", "type_not_allowed"}
    else:
        assert error["code"] == code, error
    assert error["field"] in {"files[0]", "files[0].url"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:22/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/x.png",
        "https://localhost/x.png",
        "https://user:pass@example.com/x.png",
        "http://example.com/x.png",
        "https://example.com:8443/x.png",
        "file:///etc/passwd",
        "ftp://example.com/x.png",
        "gopher://127.0.0.1:25/_",
        "//example.com/x.png",
        "/etc/passwd",
        "https://",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://[::1",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
    ],
)
def test_an_address_inside_or_of_no_file_is_never_asked(desk: ApiDesk, url: str) -> None:
    status, error = refused(desk, kind="image", files=[{"url": url}])
    assert (status, error["code"], error["field"]) == (422, "fetch_failed", "files[0].url")


def test_nothing_is_fetched_for_a_message_that_may_not_be_sent(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("the address was asked")

    monkeypatch.setattr(fetching.Client, "request", asked)
    desk.scene.said("late", "Late", "Hello", desk.scene.ago(hours=30))
    body = {"kind": "image", "files": [{"url": "https://example.com/x.png"}]}
    assert refused(desk, conversationId=conversation(desk, "late"), **body)[1]["code"] == "people_only"


def test_fetching_waits_its_turn_and_then_gives_up(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_SECONDS", 0.01)
    for _place in range(fetching.AT_ONCE):
        fetching._places.acquire()
    try:
        body = {
            "conversationId": conversation(desk),
            "kind": "image",
            "files": [{"url": "https://example.com/x.png"}],
        }
        response = desk.program.call("POST", "/messages", body)
    finally:
        for _place in range(fetching.AT_ONCE):
            fetching._places.release()
    assert response.status_code == 503
    assert "Retry-After" in response.headers


# The document


def codes_raised(*folders: str) -> set[str]:
    """Return the codes of refusals that are made where they are raised, read from the source."""
    found = set()
    for folder in folders:
        for path in (ROOT / "host" / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
                    "NotSendableError",
                    "FileRefusedError",
                }:
                    assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
                    found.add(str(node.args[0].value))
    return found


def test_the_document_lists_every_code_a_part_or_a_file_may_be_refused_with() -> None:
    listed = {one.code for one in (*PARTS, *FILES, *REACTIONS, *FORWARDS) if isinstance(one, Refused)}
    assert codes_raised("inbox", "inbox/composition", "media") == listed


def stored(desk: ApiDesk, message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    with db.read() as session:
        row = session.get_one(Message, message["id"])
        return row.kind, row.content


def test_a_text_with_buttons(desk: ApiDesk) -> None:
    buttons = [{"title": "Yes", "payload": "hold"}, {"title": "Look", "url": "https://shop.example/mug"}]
    (message,) = send(desk, kind="buttons", text=" Set it aside? ", buttons=buttons)
    kept = {"text": "Set it aside?", "buttons": buttons}
    assert stored(desk, message) == ("template", {"template": kept})
    assert message["content"]["template"] == kept
    shown = desk.program.get(f"/conversations/{conversation(desk)}")
    assert shown["lastMessage"]["preview"] == "Set it aside?"


def test_a_quick_reply_asks_for_a_number(desk: ApiDesk) -> None:
    (message,) = send(desk, kind="text", text="Call you?", quickReplies=[{"ask": "phone"}, {"title": "No"}])
    offered = [{"ask": "phone"}, {"title": "No", "payload": "No"}]
    assert stored(desk, message) == ("text", {"quick_replies": offered})


def test_a_channel_that_withdrew_an_ask_says_why(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "The provider disabled this on 5 October 2026."
    monkeypatch.setattr(Everything, "withdrawn_asks", {Ask.PHONE: reason})
    status, error = refused(desk, kind="text", text="Call you?", quickReplies=[{"ask": "phone"}])
    assert (status, error["code"], error["field"]) == (409, "quick_reply_ask", "quickReplies[0].ask")
    assert reason in error["message"]


def test_files_the_provider_has_go_by_its_ids(desk: ApiDesk) -> None:
    given = [{"providerId": f"68779999998054{n}"} for n in range(4)]
    three, one = send(desk, kind="image", files=given)
    assert stored(desk, three)[1] == {"provider_files": [each["providerId"] for each in given[:3]]}
    assert stored(desk, one) == ("image", {"provider_files": [given[3]["providerId"]]})
    assert len(send(desk, kind="video", files=given[:2])) == 2


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"kind": "buttons", "text": "x" * 61, "buttons": [{"title": "a"}]}, 422, "buttons_text", "text"),
        ({"kind": "buttons", "text": " ", "buttons": [{"title": "a"}]}, 422, "buttons_text", "text"),
        (
            {"kind": "buttons", "text": "x", "buttons": [{"title": "a"}] * 3},
            422,
            "too_many_buttons",
            "buttons",
        ),
        ({"kind": "buttons", "text": "x", "buttons": []}, 400, "invalid_body", "buttons"),
        (
            {"kind": "buttons", "text": "x", "buttons": [{"title": "a" * 21}]},
            422,
            "card_text",
            "buttons[0].title",
        ),
        (
            {"kind": "text", "text": "x", "quickReplies": [{"ask": "email"}]},
            409,
            "quick_reply_ask",
            "quickReplies[0].ask",
        ),
        (
            {"kind": "text", "text": "x", "quickReplies": [{"ask": "age"}]},
            400,
            "invalid_body",
            "quickReplies[0].ask",
        ),
        (
            {"kind": "text", "text": "x", "quickReplies": [{"ask": "phone", "title": "a"}]},
            400,
            "invalid_body",
            "quickReplies[0]",
        ),
        ({"kind": "image", "files": [{"providerId": "1"}, {"upload": "x"}]}, 400, "invalid_body", "files"),
        ({"kind": "image", "files": [{"providerId": "../1"}]}, 422, "provider_file", "files"),
        ({"kind": "image", "files": [{"providerId": "1", "upload": "x"}]}, 400, "invalid_body", "files"),
    ],
)
def test_what_the_newer_kinds_refuse(
    desk: ApiDesk, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    got = desk.program.refused("POST", "/messages", {"conversationId": conversation(desk), **body})
    assert (got[0], got[1]["code"], got[1]["field"]) == (status, code, field)


def test_a_channel_without_the_newer_kinds_says_so(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data)
    plain.scene.said("ana", "Ana", "hi", plain.scene.ago(minutes=5))
    for body in (
        {"kind": "buttons", "text": "x", "buttons": [{"title": "a"}]},
        {"kind": "text", "text": "x", "quickReplies": [{"ask": "phone"}]},
        {"kind": "image", "files": [{"providerId": "1"}]},
    ):
        status, error = plain.program.refused(
            "POST", "/messages", {"conversationId": plain.scene.conversation("ana"), **body}
        )
        assert status == 409, error
