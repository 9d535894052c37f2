"""The rules every channel keeps, run over WhatsApp with one of each kind of event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from host.sdk.webhooks import Envelope

PHONE = "16505551234"


def message(sort: str, **said: Any) -> Envelope:
    told = {"from": PHONE, "id": "wamid.HBg1", "timestamp": "1790000000", "type": sort, **said}
    about = {"profile": {"name": "Ann Lee", "username": "@annlee"}, "wa_id": PHONE}
    body = json.dumps({"person": PHONE, "contact": about, "message": told}).encode()
    return Envelope(1, PHONE, "message:wamid.HBg1", "message", body)


def other(**told: Any) -> Envelope:
    return Envelope(1, PHONE, "other:1", "other", json.dumps({"person": PHONE, **told}).encode())


def form(answers: dict[str, Any], *, name: str = "flow", body: str = "Sent") -> Envelope:
    filled = {"name": name, "body": body, "response_json": json.dumps(answers)}
    return message("interactive", interactive={"type": "nfm_reply", "nfm_reply": filled})


FILE = {"id": "1013859600285441", "mime_type": "image/jpeg", "sha256": "x"}
STATUS = {"id": "wamid.OUT1", "timestamp": "1790000060", "recipient_id": PHONE}


class TestWhatsApp(AdapterContract):
    samples = (
        message("text", text={"body": "Are you open? 👋🏽"}, context={"from": "1", "id": "wamid.OUT1"}),
        message("image", image={**FILE, "caption": "This one"}),
        message("video", video={**FILE, "mime_type": "video/mp4"}),
        message("audio", audio={**FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True}),
        message("document", document={**FILE, "filename": "order.pdf", "mime_type": "application/pdf"}),
        message("sticker", sticker={**FILE, "mime_type": "image/webp", "animated": False}),
        message(
            "location", location={"latitude": 52.52, "longitude": 13.4, "name": "Kiln", "address": "Mill 4"}
        ),
        message(
            "contacts", contacts=[{"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+49 30 1"}]}]
        ),
        message("reaction", reaction={"message_id": "wamid.OUT1", "emoji": "👍"}),
        message("reaction", reaction={"message_id": "wamid.OUT1"}),
        message(
            "interactive", interactive={"type": "button_reply", "button_reply": {"id": "s", "title": "S"}}
        ),
        message("interactive", interactive={"type": "list_reply", "list_reply": {"id": "m", "title": "M"}}),
        message(
            "interactive", interactive={"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent"}}
        ),
        form({"screen_0_Which_day_0": "Sunday", "people": 2}),
        form({"values": {"name": "Ann", "city": "Berlin"}}, name="address_message", body="Ann, Berlin"),
        message("button", button={"payload": "yes", "text": "Yes"}),
        message(
            "order", order={"product_items": [{"product_retailer_id": "mug", "quantity": 2}], "text": "Hi"}
        ),
        message("system", system={"body": "Ann changed their number", "type": "user_changed_number"}),
        message("unsupported", errors=[{"code": 131051, "title": "Message type unknown"}]),
        message(
            "edit",
            edit={"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "x"}}},
        ),
        message("revoke", revoke={"original_message_id": "wamid.1"}),
        message(
            "text", text={"body": "Hi"}, referral={"source_type": "ad", "source_id": "12", "headline": "Mugs"}
        ),
        other(status={**STATUS, "status": "delivered"}),
        other(status={**STATUS, "status": "read"}),
        other(status={**STATUS, "status": "failed", "errors": [{"code": 131047, "title": "Re-engagement"}]}),
        other(
            echo={
                "to": PHONE,
                "id": "wamid.APP1",
                "timestamp": "1790000000",
                "type": "text",
                "text": {"body": "x"},
            }
        ),
    )

    @pytest.fixture
    def adapter(self, desk: TrialDesk) -> ChannelAdapter:
        return desk.adapter("whatsapp")
