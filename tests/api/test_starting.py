"""Starting conversations by the API: first, and where a reply window is closed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db, storage
from host.inbox import approved_fetching
from host.models.inbox import Contact, Conversation
from host.sdk.channel import AccountRef
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import phones, toys
from tests.inbox.test_onward import TWO_SIDED
from tests.media import samples


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, TWO_SIDED)
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(days=9))
    toys.change_row(Contact, toys.only(Contact).id, email="ana@example.org")
    return opened


@pytest.fixture
def mail(desk: ApiDesk) -> AccountRef:
    return toys.make_account(desk.workspace, settings={"mail": True}, name="Shop mail")


def path() -> str:
    return f"/contacts/{toys.everything(Contact)[0].id}/conversations"


def test_both_conversations_know_each_other(desk: ApiDesk, mail: AccountRef) -> None:
    old = toys.only(Conversation).id
    wish = {"accountId": mail.id, "previousId": old, "subject": "Your mug", "text": "It is back."}
    made = desk.program.send("POST", path(), wish, 201)
    new = made["conversation"]
    assert (new["previousId"], new["nextId"], new["subject"]) == (old, None, "Your mug")
    assert new["contact"]["externalId"] == "ana@example.org"
    (message,) = made["messages"]
    assert (message["conversationId"], message["origin"], message["state"]) == (new["id"], "api", "queued")
    before = desk.program.get(f"/conversations/{old}")
    assert (before["nextId"], before["status"]) == (new["id"], "closed")
    assert [one["nextId"] for one in desk.program.get("/conversations?status=closed")["data"]] == [new["id"]]
    assert desk.program.refused("POST", path(), wish)[1]["code"] == "goes_on_already"


def test_the_same_idempotency_key_starts_one(desk: ApiDesk, mail: AccountRef) -> None:
    wish = {"accountId": mail.id, "text": "Hello"}
    first, second = (
        desk.program.call("POST", path(), wish, headers={"Idempotency-Key": "one-of-them"}) for _ in "ab"
    )
    assert first.json == second.json
    assert len(toys.everything(Conversation)) == 2


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"accountId": 4711, "text": "Hi"}, "account_not_found"),
        ({"text": "Hi", "to": "nobody@else.example"}, "cannot_write_first"),
        ({"text": "Hi", "previousId": 4711}, "conversation_not_found"),
        ({"text": ""}, "invalid_body"),
        ({"text": " "}, "empty"),
        ({"text": "Hi", "cc": ["a@x.example"]}, "copies_not_supported"),
    ],
)
def test_a_refusal_writes_nothing(desk: ApiDesk, mail: AccountRef, wish: dict[str, Any], code: str) -> None:
    assert desk.program.refused("POST", path(), {"accountId": mail.id, **wish})[1]["code"] == code
    assert len(toys.everything(Conversation)) == 1


def test_an_account_with_a_window_cannot_start(desk: ApiDesk) -> None:
    wish = {"accountId": desk.inbox.account.id, "text": "Hi"}
    assert desk.program.refused("POST", path(), wish)[1]["code"] == "cannot_write_first"


def test_a_conversation_of_another_contact_is_none(desk: ApiDesk, mail: AccountRef) -> None:
    desk.scene.said("bo", "Bo", "Hello", desk.scene.ago(days=9))
    wish = {"accountId": mail.id, "previousId": desk.scene.conversation("bo"), "text": "Hi"}
    assert desk.program.refused("POST", path(), wish)[1]["code"] == "conversation_not_found"


def test_an_automatic_key_is_held_to_an_opt_out(desk: ApiDesk, mail: AccountRef) -> None:
    toys.change_row(Contact, toys.only(Contact).id, opted_out_at=desk.scene.now)
    bot = Program(desk.app, make_key(desk.workspace, name="Bot", automatic=True))
    wish = {"accountId": mail.id, "text": "Hi"}
    assert bot.refused("POST", path(), wish)[1]["code"] == "opted_out"
    desk.program.send("POST", path(), wish, 201)


def test_a_key_for_reading_starts_nothing(desk: ApiDesk, mail: AccountRef) -> None:
    assert desk.reader.refused("POST", path(), {"accountId": mail.id, "text": "Hi"})[0] == 403


# ---- with an approved template -----------------------------------------------------------------------------


class Numbers:
    """A desk with an account of phone numbers, where a template is all that can be sent first."""

    def __init__(self, desk: ApiDesk) -> None:
        self.desk = desk
        self.scene = phones.Scene(desk.inbox)
        self.path = f"/contacts/{self.scene.contact}/conversations"

    def wish(self, template: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        given = {"templateId": "order-en", "parameters": {"first_name": "Ana", "order": "B-9"}}
        return {"accountId": self.scene.phones.id, "template": {**given, **(template or {})}, **more}


@pytest.fixture
def numbers(database: db.Database, data: Path, tmp_path: Path) -> Iterator[Numbers]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    phones.opened_up(data)
    yield Numbers(open_api_desk(data, toys.WINDOWED, phones.PHONES))
    phones.PHONES.reset()
    approved_fetching.forget_pages()


def test_a_template_is_sent_to_a_number_and_continues_a_conversation(numbers: Numbers) -> None:
    program, old = numbers.desk.program, numbers.scene.old
    made = program.send("POST", numbers.path, numbers.wish(previousId=old), 201)
    new, (message,) = made["conversation"], made["messages"]
    assert (new["contact"]["externalId"], new["previousId"]) == (phones.NUMBER, old)
    assert (message["kind"], message["state"]) == ("approved_template", "queued")
    assert message["text"] == "Hello Ana, your order B-9 is on its way."
    again = program.send("POST", numbers.path, numbers.wish(to=phones.NUMBER), 201)
    assert again["conversation"]["id"] == new["id"], "their only conversation there"
    itself = program.send("POST", numbers.path, numbers.wish(previousId=new["id"]), 201)["conversation"]
    assert (itself["id"], itself["status"]) == (new["id"], "open")
    assert (itself["previousId"], itself["nextId"]) == (old, None)


def test_what_exists_does_not_continue_itself(numbers: Numbers) -> None:
    new = numbers.desk.program.send("POST", numbers.path, numbers.wish(), 201)["conversation"]
    again = numbers.desk.program.send("POST", numbers.path, numbers.wish(previousId=new["id"]), 201)
    found = again["conversation"]
    assert (found["id"], found["status"]) == (new["id"], "open")
    assert (found["previousId"], found["nextId"]) == (None, None)


def test_a_template_with_a_file_is_sent_with_it(numbers: Numbers) -> None:
    picture = {"file": (io.BytesIO(samples.picture("PNG")), "mug.png")}
    upload = numbers.desk.program.call("POST", "/uploads", data=picture).json["id"]
    given = {"templateId": "catalog-en", "parameters": None, "file": {"upload": upload}}
    made = numbers.desk.program.send("POST", numbers.path, numbers.wish(given), 201)
    assert len(made["messages"][0]["attachments"]) == 1


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"template": None}, "invalid_body", "text"),
        ({"text": "Hi"}, "invalid_body", "text"),
        ({"files": [{"url": "https://shop.example/a.png"}]}, "invalid_body", "files"),
        ({"template": {"templateId": "order-en"}}, "template_parameter", "template.parameters.first_name"),
        ({"template": {"templateId": "old-en"}}, "template_not_approved", "template.templateId"),
        ({"template": {"templateId": ""}}, "invalid_body", "template.templateId"),
        ({"template": {"templateId": "catalog-en", "file": {}}}, "invalid_body", "template.file"),
        ({"template": None, "text": "Hello"}, "window_closed", None),
        ({"to": "4915100000000"}, "cannot_write_first", None),
    ],
)
def test_a_refused_template_says_which_value_and_starts_nothing(
    numbers: Numbers, wish: dict[str, Any], code: str, field: str | None
) -> None:
    error = numbers.desk.program.refused("POST", numbers.path, {**numbers.wish(), **wish})[1]
    assert (error["code"], error.get("field")) == (code, field)
    assert len(toys.everything(Conversation)) == 1


def test_an_account_without_templates_sends_none(desk: ApiDesk, mail: AccountRef) -> None:
    wish = {"accountId": mail.id, "template": {"templateId": "order-en"}}
    assert desk.program.refused("POST", path(), wish)[1]["code"] == "kind_not_supported"
