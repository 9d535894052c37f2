"""What a message can have besides its content."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from clients.python.tests.standin import Reply, StandIn

from lobby_client import types

Start = Callable[..., StandIn]
Run = Callable[..., Any]
TEXT = {"type": "text", "text": "Hello"}
LATER = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def test_a_message_is_sent_with_all_that_it_can_have(run: Run, stand_in: Start) -> None:
    given: dict[str, Any] = {
        "reply_to": 7,
        "send_at": LATER,
        "unless_written": False,
        "answer": "person",
        "cc": ["a@x.example"],
        "bcc": ["b@x.example"],
        "own_address": "desk@x.example",
        "if_last_message_id": 0,
    }
    desk = stand_in(Reply(201, {"data": []}))
    run(desk, lambda client: client.messages.send(channel_id="c", to="1026", content=TEXT, **given))
    assert desk.asked[0].json == {
        "channelId": "c",
        "to": "1026",
        "content": TEXT,
        "replyTo": 7,
        "sendAt": "2026-11-20T09:30:00+00:00",
        "unlessWritten": False,
        "answer": "person",
        "cc": ["a@x.example"],
        "bcc": ["b@x.example"],
        "ownAddress": "desk@x.example",
        "ifLastMessageId": 0,
    }
    assert set(given) < set(types.SendContent.__dataclass_fields__)
    for form in (types.SendText, types.SendImage, types.SendPost):
        assert set(given) < set(form.__dataclass_fields__), "reply takes them, too"


def test_a_time_is_sent_with_its_zone_or_not_at_all(run: Run, stand_in: Start) -> None:
    desk = stand_in(Reply(200, {"id": 7}))
    run(desk, lambda client: client.messages.reschedule(7, LATER))
    run(desk, lambda client: client.messages.reply(types.SendText("Hi", conversation_id=42, send_at=LATER)))
    assert [one.json["sendAt"] for one in desk.asked] == ["2026-11-20T09:30:00+00:00"] * 2
    with pytest.raises(ValueError, match="needs a time zone"):
        run(desk, lambda client: client.messages.reschedule(7, LATER.replace(tzinfo=None)))
    assert len(desk.asked) == 2
