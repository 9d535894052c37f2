"""The rules every channel keeps, run over Telegram with one of each kind of update."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from host.sdk.webhooks import Envelope


def sample(kind: str = "message", **said: Any) -> Envelope:
    person = {"id": 501, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "annlee"}
    body = {"message_id": 7, "from": person, "chat": {"id": 501, "type": "private"}, "date": 1_790_000_000}
    update = {"update_id": 9001, kind: {**body, **said}}
    return Envelope(1, "501", f"{kind}:501:7:9001", "message", json.dumps(update).encode())


FILE = {"file_id": "AgACAgIAAx0", "file_unique_id": "AQADx", "file_size": 1200, "mime_type": "video/mp4"}


class TestTelegram(AdapterContract):
    samples = (
        sample(text="Are you open? 👋🏽"),
        sample(photo=[{**FILE, "width": 90}, {**FILE, "width": 800}], caption="This one"),
        sample(video=FILE),
        sample(animation=FILE, document=FILE),
        sample(voice={**FILE, "mime_type": "audio/ogg"}),
        sample(document={**FILE, "file_name": "order.pdf", "mime_type": "application/pdf"}),
        sample(sticker={**FILE, "emoji": "👍", "is_animated": True, "thumbnail": FILE}),
        sample(text="That", reply_to_message={"message_id": 6, "date": 1_789_999_999}),
        sample(location={"latitude": 1.5, "longitude": 2.5}),
        sample("edited_message", text="Are you open today?", edit_date=1_790_000_060),
    )

    @pytest.fixture
    def adapter(self, desk: TrialDesk) -> ChannelAdapter:
        return desk.adapter("telegram")
