"""WhatsApp: nothing a program sends makes the sandbox fail."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.cloud import ANA, NUMBER, WABA, Cloud

ODD: list[Any] = [None, 7, -1.5, True, "", "x" * 5000, [], {}, [7], [[]], [{}], {"a": 1}, "\u0000", "[", "{}"]
ROWS = [{"title": "s", "rows": [{"id": "1", "title": "One", "description": "d"}]}]
MESSAGES: list[dict[str, Any]] = [
    {"type": "text", "text": {"body": "hi", "preview_url": True}, "context": {"message_id": "wamid.x"}},
    {"type": "image", "image": {"link": "http://127.0.0.1:9/x.png", "caption": "c"}},
    {"type": "document", "document": {"id": "1", "filename": "f"}},
    {"type": "location", "location": {"latitude": 1, "longitude": 2, "name": "n", "address": "a"}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "A", "first_name": "A"}, "phones": []}]},
    {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}},
    {
        "type": "interactive",
        "interactive": {
            "type": "button",
            "header": {"type": "text", "text": "h"},
            "body": {"text": "b"},
            "footer": {"text": "f"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "One"}}]},
        },
    },
    {
        "type": "interactive",
        "interactive": {"type": "list", "body": {"text": "b"}, "action": {"button": "B", "sections": ROWS}},
    },
    {
        "type": "template",
        "template": {
            "name": "spring_sale",
            "language": {"code": "en"},
            "components": [
                {
                    "type": "header",
                    "parameters": [{"type": "image", "image": {"link": "http://127.0.0.1:9/x.png"}}],
                },
                {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
                {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"payload": "P"}]},
                {"type": "button", "sub_type": "url", "index": "2", "parameters": [{"text": "s"}]},
            ],
        },
    },
    {"status": "read", "message_id": "wamid.x", "typing_indicator": {"type": "text"}},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside another."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy with another value at a place."""
    found = copy.deepcopy(value)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return found


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.get("type", "read"))
def test_odd_messages_are_refused(cloud: Cloud, message: dict[str, Any]) -> None:
    cloud.meta.control("PATCH", "settings", {"fetch_media": False})
    cloud.act()
    whole = {
        "messaging_product": "whatsapp",
        "to": ANA,
        "recipient_type": "individual",
        "biz_opaque_callback_data": "x",
        **message,
    }
    for at, path in enumerate(places(whole)):
        for odd in ODD[at % 3 :: 3]:
            body = changed(whole, path, odd)
            answer = cloud.call("POST", f"{NUMBER}/messages", json=body)
            assert answer.status_code < 500, (path, odd, answer.text)
            assert answer.json()
            if answer.status_code == 200:
                cloud.meta.idle()
    assert cloud.meta.session.get(f"{cloud.meta.url}/whatsapp/view").status_code == 200


@pytest.mark.parametrize("odd", ["", "x", "-1", "99999", "{", "id{", "\u0000", "[]"])
@pytest.mark.parametrize("name", ["fields", "limit", "after", "name", "status"])
def test_odd_queries(cloud: Cloud, name: str, odd: str) -> None:
    for path in (f"{WABA}/message_templates", f"{WABA}/phone_numbers", NUMBER, WABA):
        assert cloud.call("GET", path, params={name: odd}).status_code < 500


@pytest.mark.parametrize("odd", ODD)
def test_odd_subscriptions(cloud: Cloud, odd: Any) -> None:
    for body in ({"override_callback_uri": odd, "verify_token": "v"}, {"verify_token": odd}, odd):
        assert cloud.call("POST", f"{WABA}/subscribed_apps", json=body).status_code < 500
    assert cloud.call("POST", NUMBER, json={"webhook_configuration": odd}).status_code < 500
    pin = {"messaging_product": "whatsapp", "pin": odd}
    assert cloud.call("POST", f"{NUMBER}/register", json=pin).status_code == 400
    assert cloud.meta.session.get(
        f"{cloud.meta.url}/lookaside.fbsbx.com/whatsapp_business/attachments/", params={"ext": str(odd)}
    ).status_code in (401, 404)
