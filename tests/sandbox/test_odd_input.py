"""Whatever a client sends, the answer is an answer: never a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.server import Server
from tests.sandbox.helpers import ANA, Meta

ODD: list[Any] = [None, True, 0, -1, 1.5, "", "x", "{", "\ud800", "x" * 3000, [], {}, [1], [{}], {"a": []}]
MESSAGE = {
    "text": "x",
    "quick_replies": [{"content_type": "text", "title": "R", "payload": "R"}],
    "attachment": {
        "type": "template",
        "payload": {
            "template_type": "generic",
            "elements": [
                {
                    "title": "T",
                    "image_url": "https://cdn.example/a.png",
                    "default_action": {"type": "web_url", "url": "https://shop.example"},
                    "buttons": [{"type": "postback", "title": "A", "payload": "B"}],
                }
            ],
        },
    },
}
ACTIONS: dict[str, Any] = {"call_to_actions": [{"question": "Q", "payload": "P"}], "locale": "default"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("me/messages", {"recipient": {"id": ANA}, "message": MESSAGE, "tag": "HUMAN_AGENT"}),
    (
        "me/messages",
        {
            "recipient": {"id": ANA},
            "message": {"text": "x"},
            "reply_to": {"mid": "m"},
            "messaging_type": "UPDATE",
        },
    ),
    (
        "me/messages",
        {"recipient": {"comment_id": "1"}, "message": {"attachments": [{"type": "image", "payload": {}}]}},
    ),
    (
        "me/messages",
        {
            "recipient": {"id": ANA},
            "sender_action": "react",
            "payload": {"message_id": "m", "reaction": "love"},
        },
    ),
    ("me/message_attachments", {"message": {"attachment": {"type": "image", "payload": {"url": "x"}}}}),
    ("me/subscribed_apps", {"subscribed_fields": ["messages"]}),
    (
        "me/messenger_profile",
        {"platform": "instagram", "ice_breakers": [ACTIONS], "persistent_menu": [ACTIONS]},
    ),
    ("me/moderate_conversations", {"user_ids": [{"id": ANA}], "actions": ["block_user"]}),
    ("me/take_thread_control", {"recipient": {"id": ANA}, "metadata": "x"}),
]
CONTROL: list[tuple[str, dict[str, Any]]] = [
    ("dm", {"customer": ANA, "text": "x", "kind": "reply", "mid": "m", "count": 1}),
    ("events", {"messaging": {"sender": {"id": ANA}, "message": {"mid": "m"}}, "field": "messages"}),
    (
        "webhook",
        {"callback_url": "http://127.0.0.1:9", "verify_token": "v", "fields": ["messages"], "verify": False},
    ),
    ("webhook/raw", {"body": {"a": 1}, "signature": "right"}),
    ("customers", {"name": "x", "username": "x", "igsid": "1026000000000099", "last_message_at": 1}),
    ("tokens", {"page": "100000000000001", "scopes": ["a"], "expires_in": 5, "subcode": 460}),
    ("apps", {"name": "x", "retry_seconds": [1], "webhook_timeout": 1, "roles": ["x"]}),
    ("pages", {"name": "x", "username": "x", "igid": "17841400000000099"}),
    (
        "faults",
        {"call": "send", "action": "error", "code": 1, "match": {"text": "x"}, "times": 1, "note": "n"},
    ),
    ("clock", {"advance": 1}),
    ("wait", {"timeout": 0}),
]


def twisted(value: Any) -> Iterator[Any]:
    """Yield copies of a structure with one place replaced by something odd."""
    yield from ODD
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            for inner in twisted(value[key]):
                changed = copy.copy(value)
                changed[key] = inner
                yield changed


@pytest.mark.parametrize(("path", "body"), CALLS)
def test_graph_calls_with_odd_values(meta: Meta, path: str, body: dict[str, Any]) -> None:
    meta.control("PATCH", "settings", {"fetch_media": False})
    meta.dm()
    for changed in twisted(body):
        answer = meta.graph("POST", path, json=changed)
        assert answer.status_code in (200, 400), (changed, answer.text)
        assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(("path", "body"), CONTROL)
def test_control_calls_with_odd_values(meta: Meta, path: str, body: dict[str, Any]) -> None:
    for changed in twisted(body):
        answer = meta.session.post(f"{meta.url}/control/{path}", json=changed)
        assert answer.status_code in (200, 201, 400, 404, 422), (changed, answer.text)
        assert answer.json() is not None


def test_reading_with_odd_parameters(meta: Meta) -> None:
    thread = meta.dm()["mid"]
    for path in ("me", "me/conversations", ANA, thread, "debug_token", "me/messenger_profile", "me/accounts"):
        for name in ("fields", "limit", "after", "user_id", "input_token", "appsecret_proof", "platform"):
            for value in ("", "x", "-1", "{", "a{b{c}}", "messages.limit(x){id}", "ü🏺", "id,,id"):
                answer = meta.graph("GET", path, params={name: value, "platform": "instagram"})
                assert answer.status_code in (200, 400), (path, name, value, answer.text)
                assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("path", ["/", "/control/desk", "/graph.facebook.com/v26.0/me"])
def test_a_name_that_is_not_the_sandboxs_is_refused(path: str) -> None:
    server = Server().start()
    server.is_reached_at("https://box.example:8443")

    def is_refused(host: str) -> bool:
        answer = requests.get(f"{server.url}{path}", headers={"Host": host}, timeout=30)
        # Meta refuses a call without a token with 400, too, but as JSON.
        return answer.status_code == 400 and "json" not in answer.headers["Content-Type"]

    try:
        for own in (f"127.0.0.1:{server.port}", "localhost", "box.example", "box.example:8443"):
            assert not is_refused(own), own
        for foreign in ("evil.example", "127.0.0.1.evil.example", "box.example.evil", f"evil:{server.port}"):
            assert is_refused(foreign), foreign
    finally:
        server.close()
