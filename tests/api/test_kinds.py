"""One form for every kind of message: what came, what was changed later, and what was taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from host.core import db
from host.sdk.messages import (
    InboundAttachment,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessageUnsent,
)
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.api.golden import told
from tests.inbox import toys
from tests.inbox.custom import POLL, Poll

CONTENTS: dict[str, dict[str, Any]] = {
    MessageKind.QUICK_REPLY: {"payload": "size-s"},
    MessageKind.POSTBACK: {"payload": "hours", "title": "When do you open?"},
    MessageKind.STORY_REPLY: {"story": {"id": "1", "url": "https://cdn.example/story.jpg"}},
    MessageKind.SHARE: {"shared": [{"type": "post", "payload": {"post_media_id": "9", "title": "Mug"}}]},
    MessageKind.REFERRAL: {"referral": {"ref": "spring", "ads_context_data": {"ad_title": "x"}}},
    MessageKind.CUSTOM: POLL.content(Poll("Which glaze?", ("Celadon", "Shino"))),
    MessageKind.UNSUPPORTED: {"event": "message", "odd_key": [1, None, {"a_b": True}]},
}


def receive(desk: ApiDesk, kind: str, **values: Any) -> str:
    values.setdefault("content", CONTENTS.get(kind, {}))
    picture = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/a.jpg")
    files = (picture,) if kind in {MessageKind.IMAGE, MessageKind.STORY_MENTION} else ()
    at = desk.scene.ago(minutes=9)
    return desk.scene.said("ana", "Ana", values.pop("text", ""), at, kind=kind, attachments=files, **values)


def page(desk: ApiDesk) -> list[dict[str, Any]]:
    found = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages", limit=100)
    return list(found["data"])


@pytest.mark.parametrize("kind", [*MessageKind, "a_kind_of_next_year"])
def test_every_kind_has_the_same_form(desk: ApiDesk, kind: str) -> None:
    receive(desk, kind)
    (one,) = page(desk)
    assert (one["kind"], one["direction"], one["origin"], one["state"]) == (kind, "inbound", "customer", None)
    assert told(desk.workspace, [one["id"]])[0]["kind"] == kind
    assert desk.program.get(f"/messages/{one['id']}") == one


def test_what_the_provider_told_keeps_its_own_names(desk: ApiDesk) -> None:
    receive(desk, MessageKind.SHARE)
    receive(desk, MessageKind.UNSUPPORTED)
    shared, odd = page(desk)
    assert shared["content"]["shared"][0]["payload"] == {"post_media_id": "9", "title": "Mug"}
    assert odd["content"] == {"event": "message", "oddKey": [1, None, {"a_b": True}]}


def test_a_kind_of_one_channel_has_a_schema_that_fits_its_data(database: db.Database, data: Path) -> None:
    desk = open_api_desk(data, Everything())
    receive(desk, MessageKind.CUSTOM, text="Which glaze? Celadon, Shino")
    (one,) = page(desk)
    (account,) = desk.program.get("/accounts")["data"]
    (kind,) = account["capabilities"]["customKinds"]
    assert (kind["name"], kind["label"]) == ("poll", "Poll")
    assert one["text"] == "Which glaze? Celadon, Shino"
    assert one["content"]["custom"] == {
        "kind": "poll",
        "data": {"question": "Which glaze?", "choices": ["Celadon", "Shino"], "link": ""},
    }
    shape = jsonschema_rs.validator_for(kind["dataSchema"])
    assert shape.is_valid(one["content"]["custom"]["data"])
    assert not shape.is_valid({"question": 7})


def test_edits_and_reactions_show(desk: ApiDesk) -> None:
    mid = receive(desk, MessageKind.TEXT, text="Is it in stok?")
    at = desk.scene.ago(minutes=8)
    toys.apply(
        desk.inbox.account,
        MessageEdited("ana", mid, at, "Is it in stock?", number=1),
        MessageReacted("ana", mid, at, "😮", name="wow"),
    )
    (one,) = page(desk)
    assert (one["text"], one["editCount"]) == ("Is it in stock?", 1)
    assert one["editedAt"]
    assert [(each["actor"], each["emoji"]) for each in one["reactions"]] == [("customer", "😮")]


def test_of_what_was_taken_back_the_api_tells_who_and_when_and_nothing_else(desk: ApiDesk) -> None:
    secret = "a word nobody else says"
    mid = receive(desk, MessageKind.IMAGE, text=secret, content={"payload": secret})
    quoting = MessageReceived(
        contact="ana", external_id="later", sent_at=desk.scene.ago(minutes=7), text="That one", reply_to=mid
    )
    toys.apply(desk.inbox.account, quoting)
    toys.apply(desk.inbox.account, MessageUnsent("ana", mid, desk.scene.ago(minutes=5)))
    gone, later = page(desk)
    assert gone["unsentAt"]
    assert (gone["text"], gone["content"], gone["attachments"]) == ("", {}, [])
    assert later["replyTo"]["messageId"] == gone["id"]
    conversation = desk.scene.conversation("ana")
    for path in ("/conversations", f"/conversations/{conversation}", f"/messages/{gone['id']}"):
        assert secret not in json.dumps(desk.program.get(path))


def test_a_golden_form_says_nothing_that_differs_from_run_to_run(desk: ApiDesk) -> None:
    receive(desk, MessageKind.IMAGE)
    (one,) = page(desk)
    (fixed,) = told(desk.workspace, [one["id"]])
    assert fixed["id"] == "<id>"
    assert fixed["attachments"][0]["url"] == "/api/v1/attachments/<id>"
    assert "createdAt" not in fixed
