"""The form of a reply: every field of it, with and without scripts, and what is said of a bad one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from host.core import db, storage
from host.inbox.pages.composer import drafts_from_request
from host.media import uploads
from host.models.inbox import Conversation, Message
from host.models.media import Upload
from host.models.queue import OutboxEntry
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import RICH, apply, received
from tests.media import samples

# werkzeug leaves the closing of a body it refused to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*nclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY = "0123456789abcdef"
JSON = {"Accept": "application/json"}


@pytest.fixture
def desk(database: db.Database, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    monkeypatch.setattr(type(RICH), "reply_policy", toys.Toy.reply_policy)
    opened = open_desk(data, RICH)
    apply(opened.account, received("Is it in stock?", external_id="question"), adapter=RICH)
    return opened


def reply(desk: Desk, **fields: Any) -> Any:
    headers = fields.pop("headers", JSON)
    fields.setdefault("reply_key", KEY)
    path = desk.path(f"/{toys.only(Conversation).id}/reply")
    return desk.browser.post(path, data={"csrf_token": desk.browser.csrf(), **fields}, headers=headers)


def sent() -> list[Message]:
    return [message for message in toys.thread() if message.direction == "outbound"]


def test_everything_a_form_can_hold_is_sent_in_order(desk: Desk) -> None:
    pdf = uploads.keep_upload(
        io.BytesIO(samples.PDF), "a.pdf", workspace_id=desk.workspace, user_id=desk.mia.id
    ).id
    answer = reply(
        desk,
        text="Which one?",
        upload=[pdf],
        template=json.dumps({"elements": [{"title": "A lamp", "subtitle": "Brass"}]}),
        product=["17", "18"],
        own_post="17900000000000001",
        location=json.dumps({"at": "52.5163, 13.3777", "name": "Our workshop"}),
        contact=[json.dumps({"name": "Zoe", "reach": "+49 30 1234, zoe@example.org"})],
        heart="1",
        quick_reply=["Red|COLOR_RED", "A|B|A|B"],
        reply_to=str(toys.only(Message).id),
    )
    assert answer.status_code == 200, answer.text
    found = sent()
    kinds = ["file", "template", "template", "share", "location", "contacts", "sticker", "text"]
    assert [one.kind for one in found] == kinds
    assert (found[4].text, found[5].text) == ("Our workshop", "Zoe, +49 30 1234, zoe@example.org")
    assert found[7].content == {
        "quick_replies": [{"title": "Red", "payload": "COLOR_RED"}, {"title": "A|B", "payload": "A|B"}]
    }
    assert [one.reply_to for one in found] == [None] * 7 + ["question"]
    assert {one.author_id for one in found} == {desk.mia.id}
    assert answer.json["messages"]


def test_a_heart_goes_alone(desk: Desk) -> None:
    assert reply(desk, heart="1").status_code == 200
    assert [one.kind for one in sent()] == ["sticker"]


def test_without_scripts_the_files_come_with_the_form(desk: Desk) -> None:
    files = [
        (io.BytesIO(samples.picture("PNG")), "one.png", "image/png"),
        (io.BytesIO(samples.PDF), "two.pdf", "application/pdf"),
        (io.BytesIO(b""), "", "application/octet-stream"),
    ]
    answer = reply(desk, headers={}, text="Both", file=files)
    assert answer.status_code == 303
    assert [one.kind for one in sent()] == ["image", "file", "text"]
    again = [(io.BytesIO(samples.picture("PNG")), "one.png"), (io.BytesIO(samples.PDF), "two.pdf")]
    assert reply(desk, headers={}, text="Both", file=again).status_code == 303, "a second press is harmless"
    assert len(sent()) == 3


def test_a_file_that_cannot_be_sent_keeps_the_text_on_the_page(desk: Desk) -> None:
    answer = reply(desk, headers={}, text="See this", file=[(io.BytesIO(samples.AAC), "a.aac")])
    assert answer.status_code == 422
    assert "AAC" in answer.text
    assert "See this" in answer.text
    assert sent() == []
    assert toys.everything(Upload) == []


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"text": ""}, 400, "empty"),
        ({"upload": ["nobody"]}, 409, "upload_gone"),
        ({"text": "a", "upload": [""]}, 409, "upload_gone"),
        ({"text": "a", "upload": ["x" * 5000]}, 409, "upload_gone"),
        ({"text": "a", "reply_to": "nothing"}, 400, "invalid"),
        ({"text": "a", "reply_to": str(10**30)}, 400, "invalid"),
        ({"text": "a", "reply_to": "99999"}, 404, "message_not_found"),
        ({"text": "a", "quick_reply": ["Red"] * 4}, 422, "too_many_quick_replies"),
        ({"text": "a", "quick_reply": ["|"]}, 422, "quick_reply_title"),
        ({"quick_reply": ["Red"]}, 422, "quick_replies_need_text"),
        ({"text": "a", "quick_reply_ask": ["email"]}, 409, "quick_reply_ask"),
        ({"text": "a", "quick_reply_ask": ["age"]}, 422, "bad_content"),
        ({"button": ['{"title":"Yes"}']}, 422, "buttons_text"),
        ({"text": "a", "button": ['{"title":"Yes"}'] * 3}, 422, "too_many_buttons"),
        ({"text": "a", "button": ["{"]}, 422, "bad_content"),
        ({"text": "a", "button": ['{"title":"Yes"}'], "quick_reply": ["Red"]}, 422, "bad_content"),
        ({"template": "{"}, 422, "bad_content"),
        ({"template": "[" * 20_000}, 422, "bad_content"),
        ({"template": '{"elements":[{"title":"x"}]}'}, 422, "card_bare"),
        ({"product": ["1", "2", "3"]}, 422, "too_many_products"),
        ({"own_post": "../.."}, 422, "own_post"),
        ({"location": "{"}, 422, "bad_content"),
        ({"location": '{"at": "over there"}'}, 422, "bad_content"),
        ({"contact": ["{"]}, 422, "bad_content"),
        ({"text": "a", "contact": ['{"name": "Zoe"}']}, 422, "contact_card"),
        ({"text": "a", "reply_key": "no"}, 400, "reply_key"),
        ({"text": "a", "overflow": "burn"}, 400, "reply_key"),
    ],
)
def test_a_bad_field_is_answered_with_its_sentence_and_nothing_is_sent(
    desk: Desk, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = reply(desk, **fields)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"]
    assert sent() == []
    assert toys.everything(OutboxEntry) == []


def test_a_text_goes_with_buttons_or_asks_for_a_number(desk: Desk) -> None:
    button = '{"title":"Look","url":"https://shop.example/mug"}'
    assert reply(desk, text="Set it aside?", button=['{"title":"Yes"}', button]).status_code == 200
    asking = {"text": "Call you?", "quick_reply": ["No|No"], "quick_reply_ask": ["phone"]}
    answer = reply(desk, **asking, reply_key="another-key")
    assert "Their phone number" in answer.json["messages"]
    first, second = sent()
    assert (first.kind, first.text) == ("template", "")
    assert first.content["template"] == {
        "text": "Set it aside?",
        "buttons": [
            {"title": "Yes", "payload": "Yes"},
            {"title": "Look", "url": "https://shop.example/mug"},
        ],
    }
    assert second.content == {"quick_replies": [{"title": "No", "payload": "No"}, {"ask": "phone"}]}
    page = desk.browser.get(desk.path(f"/{first.conversation_id}")).text
    assert "Set it aside?" in page
    assert "https://shop.example/mug" in page


def test_a_refusal_without_scripts_shows_the_page_with_what_was_written(desk: Desk) -> None:
    answer = reply(desk, headers={"Accept": "text/html"}, text="Yes", quick_reply=["Red"] * 4)
    assert answer.status_code == 422
    assert "at most 3" in answer.text
    assert "Yes" in answer.text


@pytest.mark.parametrize(
    ("raw", "title", "payload"),
    [
        ("Red|COLOR_RED", "Red", "COLOR_RED"),
        ("Red", "Red", ""),
        ("Red|", "Red", ""),
        ("Red|Red", "Red", "Red"),
        ("A|B|A|B", "A|B", "A|B"),
        ("A|B|C", "A", "B|C"),
        ("|", "", ""),
    ],
)
def test_title_and_payload_share_a_field(raw: str, title: str, payload: str) -> None:
    with Flask(__name__).test_request_context(method="POST", data={"text": "Which?", "quick_reply": raw}):
        (draft,) = drafts_from_request(1, 1, RICH)
    assert draft.content == {"quick_replies": [{"title": title, "payload": payload}]}
