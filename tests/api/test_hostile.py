"""Whatever a program sends, it is answered with a sentence and a status below 500."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.api.http.declare import routes as api_routes
from host.models.inbox import Contact, Message
from tests.api.desks import BASE, ApiDesk, endpoint_ids, kept_ids, sent_ids
from tests.inbox import toys

pytestmark = pytest.mark.slow

MB = 1024 * 1024
TAKE_JSON = [route for route in api_routes() if route.body is not None]

BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "blank": (b"  \n", 400),
    "no JSON": (b"text=hello", 400),
    "cut off": (b'{"text": "hel', 400),
    "two documents": (b'{"text": "a"}{"text": "b"}', 400),
    "a comment": (b'{"text": "a"} // b', 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), 400),
    "invalid UTF-8": (b'{"text": "\xff\xfe"}', 400),
    "half a surrogate pair": (b'{"text": "\\ud800"}', 400),
    "NUL": (b'{"text": "a\\u0000b"}', 400),
    "NUL in a name": (b'{"text\\u0000": "a"}', 400),
    "a key twice": (b'{"text": "a", "text": "b"}', 400),
    "a key twice, deep": (b'{"text": {"a": 1, "a": 2}}', 400),
    "NaN": (b'{"text": NaN}', 400),
    "Infinity": (b'{"text": -Infinity}', 400),
    "a float that is infinite": (b'{"text": 1e999}', 400),
    "a number of 6,000 digits": (b'{"text": ' + b"9" * 6000 + b"}", 400),
    "an array": (b"[]", 400),
    "a string": (b'"text"', 400),
    "null": (b"null", 400),
    "a number": (b"7", 400),
    "depth of 40": (b'{"text": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    "depth of 100,000": (b"[" * 100_000 + b"]" * 100_000, 400),
    "depth of 100,000 objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "100,000 fields": (json.dumps({f"f{n}": n for n in range(60_000)}).encode(), 400),
    "a name of 500 kB": (b'{"' + b"x" * 500_000 + b'": 1}', 400),
    "2 MB": (b'{"text": "' + b"x" * 2 * MB + b'"}', 413),
    "10 MB": (b'{"text": "' + b"x" * 10 * MB + b'"}', 413),
    "10 MB of brackets": (b"[" * 10 * MB, 413),
}


def path_of(desk: ApiDesk, path: str) -> str:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    places = {
        "conversation_id": desk.scene.conversation("ana"),
        "message_id": toys.everything(Message)[0].id,
        "account_id": desk.inbox.account.id,
        "contact_id": toys.everything(Contact)[0].id,
        **(endpoint_ids(desk) if "endpoint_id" in path else {}),
        **kept_ids(desk),
        **sent_ids(desk),
    }
    return path.format_map(places)


@pytest.mark.parametrize("route", TAKE_JSON, ids=lambda route: route.operation)
def test_a_body_that_is_none_is_refused_with_a_sentence(desk: ApiDesk, route: Any) -> None:
    path = path_of(desk, route.path)
    before = len(toys.everything(Message))
    for name, (body, status) in BODIES.items():
        answer = desk.program.call(route.method, path, data=body, content_type="application/json")
        assert answer.status_code == status, f"{name}: {answer.status_code} {answer.text[:300]}"
        assert answer.json is not None, name
        error = answer.json["error"]
        assert error["code"] in {"invalid_body", "too_large"}, name
        assert error["message"], name
        assert error["request_id"] == answer.headers["X-Request-Id"], name
        assert len(answer.data) < 2000, name
    assert len(toys.everything(Message)) == before


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json-patch+json",
        "json",
        "\u00e9",
    ],
)
@pytest.mark.parametrize("route", TAKE_JSON, ids=lambda route: route.operation)
def test_a_body_of_another_type_is_refused(desk: ApiDesk, route: Any, content_type: str | None) -> None:
    path = path_of(desk, route.path)
    status, error = desk.program.refused(route.method, path, data=b"{}", content_type=content_type)
    assert (status, error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;x=y"]
)
def test_json_may_say_more_about_itself(desk: ApiDesk, content_type: str) -> None:
    path = path_of(desk, "/conversations/{conversation_id}/notes")
    answer = desk.program.call("POST", path, data=b'{"text":"a"}', content_type=content_type)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": 5}, "text"),
        ({"text": ["a"]}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"text": "a", "Text": "b"}, "Text"),
        ({"text": "a", "author": 1}, "author"),
        ({"text": "a", "workspaceId": 1}, "workspaceId"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(desk: ApiDesk, body: Any, field: str) -> None:
    path = path_of(desk, "/conversations/{conversation_id}/notes")
    status, error = desk.program.refused("POST", path, body)
    assert (status, error["field"]) == (400, field)
    assert field in error["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"text": "a\\u0000b"}', "text"),
        (b'{"text\\u0000": "a"}', "text\ufffd"),
        (b'{"mentions": [{"a\\ud800": "\\u0000"}]}', "mentions[0].a\ufffd"),
        (b'{"mentions": [1e999]}', "mentions[0]"),
        (b'"\\u0000"', None),
        (b"1e999", None),
    ],
)
def test_what_no_database_stores_is_refused_with_its_place(
    desk: ApiDesk, body: bytes, field: str | None
) -> None:
    path = path_of(desk, "/conversations/{conversation_id}/notes")
    status, error = desk.program.refused("POST", path, data=body, content_type="application/json")
    assert (status, error["code"], error.get("field")) == (400, "invalid_body", field)
    assert error["message"].startswith(f"The field {field} is " if field else "The body is ")


def test_a_page_of_another_site_gets_nothing(desk: ApiDesk) -> None:
    for origin in ("https://evil.example", "null", desk.app.extensions["lobby.config"].public_url):
        asked = desk.app.test_client().options(
            f"{BASE}/conversations",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )
        read = desk.program.call("GET", "/conversations", headers={"Origin": origin})
        for answer in (asked, read):
            assert not [name for name, _value in answer.headers if name.lower().startswith("access-control")]
            assert "Set-Cookie" not in answer.headers


def test_answers_are_kept_by_nobody_and_are_what_they_say(desk: ApiDesk) -> None:
    answer = desk.program.call("GET", "/conversations")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Vary" not in answer.headers or "Cookie" not in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/conversations/", 404, "not_found"),
        ("GET", "/conversations/abc", 404, "not_found"),
        ("GET", "/conversations/-1", 404, "not_found"),
        ("GET", "/conversations/9223372036854775808", 404, "not_found"),
        ("GET", "/conversations/9223372036854775807", 404, "conversation_not_found"),
        ("GET", "/conversations/0", 404, "conversation_not_found"),
        ("GET", "/messages/" + "9" * 400, 404, "not_found"),
        ("GET", "/contacts/1%00", 400, "invalid"),
        ("GET", "/contacts/%FF", 404, "not_found"),
        ("DELETE", "/conversations/1", 405, "method_not_allowed"),
        ("PUT", "/accounts", 405, "method_not_allowed"),
        ("TRACE", "/accounts", 405, "method_not_allowed"),
        ("GET", "/conversations?%00=1", 400, "invalid"),
        ("GET", "/conversations?channel=%ED%A0%80", 200, ""),
    ],
)
def test_an_address_that_is_none_is_told_in_json(
    desk: ApiDesk, method: str, path: str, status: int, code: str
) -> None:
    answer = desk.program.call(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json is not None
    if code:
        assert answer.json["error"]["code"] == code
        assert answer.json["error"]["request_id"]


def test_a_fault_of_the_desk_is_told_without_its_inside(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("host.inbox.queries.list_conversations", broken)
    answer = desk.program.call("GET", "/conversations")
    assert answer.status_code == 500
    assert answer.json is not None
    assert answer.json["error"]["code"] == "internal"
    assert "secret detail" not in answer.text
    assert answer.json["error"]["request_id"] in caplog.text


def test_sentences_are_in_the_readers_language_and_codes_are_not(desk: ApiDesk) -> None:
    from tests.pseudo import pseudo_app

    pseudo_app(desk.app)
    error = desk.program.refused("GET", "/conversations/999999")[1]
    assert error["code"] == "conversation_not_found"
    assert error["message"].startswith("⟦")
