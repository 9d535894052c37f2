"""Copies, and files with a text, by the API, on a channel that has both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.core import db
from host.core.backports.values import replace
from host.models.inbox import Attachment
from host.sdk.channel import AccountRef, Capabilities, CopyLimits
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.api.test_sending import PNG, refused, send, upload
from tests.inbox import toys


def clean(address: str) -> str | None:
    return address.strip().lower() if address.count("@") == 1 else None


class Mailing(Everything):
    """A toy that sends copies, and files with the text."""

    capabilities: ClassVar[Capabilities] = replace(
        Everything.capabilities,
        text_with_files=True,
        copies=CopyLimits(most=3, clean=clean),
        has_subject=True,
    )
    further: ClassVar[tuple[str, ...]] = ()

    def own_addresses(self, account: AccountRef) -> tuple[str, ...]:
        return self.further


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Mailing())
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=5))
    return opened


def test_a_copy_goes_to_each_address_once(desk: ApiDesk) -> None:
    given: dict[str, Any] = {
        "cc": [" Anna@example.org", "anna@example.org"],
        "bcc": ["b@x.example", "ANNA@example.org"],
    }
    (message,) = send(desk, kind="text", text="Hi", **given)
    assert message["content"] == {"cc": ["anna@example.org"], "bcc": ["b@x.example"]}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"cc": ["nobody"]}, "copy_address"),
        ({"bcc": ["a@b@c"]}, "copy_address"),
        ({"cc": ["a@x", "b@x"], "bcc": ["c@x", "d@x"]}, "too_many_copies"),
    ],
)
def test_what_is_no_copy_sends_nothing(desk: ApiDesk, given: dict[str, Any], code: str) -> None:
    status, error = refused(desk, kind="text", text="Hi", **given)
    assert (status, error["code"]) == (422, code)


def test_a_text_and_its_files_are_one_message(desk: ApiDesk) -> None:
    files = [{"upload": upload(desk, PNG, "a.png")}, {"upload": upload(desk, PNG, "b.png")}]
    (message,) = send(desk, kind="text", text="Here", files=files)
    assert message["kind"] == "text"
    assert [one["name"] for one in message["attachments"]] == ["a.png", "b.png"]


def test_files_that_are_too_large_together_send_nothing(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mailing, "capabilities", replace(Mailing.capabilities, files_bytes=10))
    files = [{"upload": upload(desk, PNG, f"{name}.png")} for name in "abc"]
    status, error = refused(desk, kind="text", text="Here", files=files)
    assert (status, error["code"]) == (413, "too_large_together")
    assert toys.everything(Attachment) == []


def test_elsewhere_copies_are_refused_and_files_come_first(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data, Everything())
    plain.scene.said("ana", "Ana", "Is it in stock?", plain.scene.ago(minutes=5))
    status, error = refused(plain, kind="text", text="Hi", cc=["a@x.example"])
    assert (status, error["code"]) == (409, "copies_not_supported")
    made = send(plain, kind="text", text="Here", files=[{"upload": upload(plain, PNG, "a.png")}])
    assert [one["kind"] for one in made] == ["image", "text"]


def test_a_message_goes_from_an_address_of_its_account(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = desk.program.get("/accounts")["data"][0]
    assert own["ownAddresses"] == []
    monkeypatch.setattr(Mailing, "further", ("orders@x.example",))
    assert desk.program.get("/accounts")["data"][0]["ownAddresses"] == [own["externalId"], "orders@x.example"]
    (message,) = send(desk, kind="text", text="Hi", ownAddress=" ORDERS@x.example")
    assert message["content"] == {"ownAddress": "orders@x.example"}
    assert desk.program.get(f"/messages/{message['id']}")["content"] == message["content"]
    (message,) = send(desk, kind="text", text="Hi", ownAddress=own["externalId"])
    assert message["content"] == {"ownAddress": own["externalId"]}
    (message,) = send(desk, kind="text", text="Hi")
    assert message["content"] == {}
    monkeypatch.setattr(Mailing, "further", ())
    lost = {"conversationId": message["conversationId"], "kind": "text", "text": "Hi"}
    status, error = desk.program.refused("POST", "/messages", lost | {"ownAddress": "orders@x.example"})
    assert (status, error["code"], error["field"]) == (422, "sender_not_own", "ownAddress")


def test_elsewhere_there_is_no_address_to_go_from(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data, Everything())
    plain.scene.said("ana", "Ana", "Is it in stock?", plain.scene.ago(minutes=5))
    status, error = refused(plain, kind="text", text="Hi", ownAddress="a@x.example")
    assert (status, error["code"]) == (422, "sender_not_own")
