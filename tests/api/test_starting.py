"""Starting conversations by the API: first, and where a reply window is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.inbox import Contact, Conversation
from host.sdk.channel import AccountRef
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import toys
from tests.inbox.test_onward import TWO_SIDED


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
