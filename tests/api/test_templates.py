"""Approved templates by a program: listed with their parameters, and sent outside the reply window."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db, storage
from host.inbox import approved_fetching
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Contact, Conversation
from host.sdk.channel import ProviderProblem
from host.users.api_keys import Scope
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import toys
from tests.inbox.approving import APPROVING
from tests.inbox.toys import WINDOWED, apply, received
from tests.media import samples

VALUES = {"first_name": "Zoe", "order": "B-9"}


@pytest.fixture
def desk(database: db.Database, data: Path, tmp_path: Path) -> Iterator[ApiDesk]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    opened = open_api_desk(data, APPROVING)
    apply(opened.inbox.account, received("Is it in stock?"), adapter=APPROVING)
    yield opened
    APPROVING.reset()
    approved_fetching.forget_pages()


def listed(desk: ApiDesk) -> str:
    return f"/accounts/{desk.inbox.account.id}/templates"


def body(template: str = "order-en", **more: Any) -> dict[str, Any]:
    return {
        "conversationId": toys.only(Conversation).id,
        "kind": "approved_template",
        "templateId": template,
        "parameters": VALUES,
        **more,
    }


def test_templates_are_listed_page_by_page(desk: ApiDesk) -> None:
    page = desk.reader.get(listed(desk))
    assert page["data"][0] == {
        "id": "order-en",
        "name": "order_shipped",
        "language": "en",
        "state": "approved",
        "reason": "",
        "category": "Utility",
        "price": "4 cents",
        "promotional": False,
        "header": {"kind": "text", "text": "Order {{order}}"},
        "body": "Hello {{first_name}}, your order {{order}} is on its way.",
        "footer": "Reply STOP to opt out.",
        "buttons": [
            {"title": "Track it", "url": "https://toy.example/track/{{order}}", "phone": ""},
            {"title": "Thanks", "url": "", "phone": ""},
        ],
        "parameters": [
            {"key": "first_name", "label": "First name", "example": "Zoe", "maxLength": 1000},
            {"key": "order", "label": "Order number", "example": "A-17", "maxLength": 20},
        ],
    }
    found = page["data"]
    while page["next"] is not None:
        page = desk.reader.get(listed(desk), cursor=page["next"])
        found += page["data"]
    assert [(one["state"], one["reason"]) for one in found[3:]] == [
        ("paused", "Too many people blocked the account after it."),
        ("rejected", "The provider rejected it."),
    ]
    assert "approved_template" in desk.reader.get("/accounts")["data"][0]["capabilities"]["kinds"]
    assert APPROVING.asked == ["list", "list 2", "list 4"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "AAAAAGE", "ü"])
def test_a_cursor_of_another_list_asks_nobody(desk: ApiDesk, cursor: str) -> None:
    refused = desk.reader.refused("GET", listed(desk), query_string={"cursor": cursor})
    assert refused[1]["code"] == "invalid_cursor"
    assert APPROVING.asked == []


def test_what_the_provider_says_is_passed_on(desk: ApiDesk) -> None:
    APPROVING.problem = ProviderProblem("190", "The sign-in has expired.", "Reconnect the account.")
    answer = desk.reader.call("GET", listed(desk))
    assert (answer.status_code, answer.json["error"]["code"]) == (502, "templates_not_listed")
    assert answer.json["error"]["message"].startswith("The sign-in has expired.")


def test_only_accounts_of_the_key_with_templates_have_a_list(desk: ApiDesk) -> None:
    assert desk.reader.refused("GET", "/accounts/999999/templates")[1]["code"] == "account_not_found"
    bare = Program(desk.app, make_key(desk.workspace, Scope.CONTACTS_READ))
    assert bare.refused("GET", listed(desk))[0] == 403
    toys.change_row(ChannelAccount, desk.inbox.account.id, state=AccountState.DISCONNECTED)
    assert desk.reader.refused("GET", listed(desk))[1]["code"] == "account_disconnected"
    assert APPROVING.asked == []


def test_a_channel_without_templates_says_so(database: db.Database, data: Path) -> None:
    desk = open_api_desk(data, WINDOWED)
    apply(desk.inbox.account, received("Hello"), adapter=WINDOWED)
    assert desk.reader.refused("GET", listed(desk))[1]["code"] == "kind_not_supported"
    toys.change_row(Conversation, toys.only(Conversation).id, last_inbound_at=clock.now())
    assert desk.program.refused("POST", "/messages", body())[1]["code"] == "kind_not_supported"


def test_one_is_sent_when_the_window_is_closed_and_once(desk: ApiDesk) -> None:
    text = {**body(), "kind": "text", "text": "Hello"}
    del text["templateId"], text["parameters"]
    assert desk.program.refused("POST", "/messages", text)[1]["code"] == "window_closed"
    once = {"headers": {"Idempotency-Key": "order-1"}}
    (sent,) = desk.program.send("POST", "/messages", body(), 201, **once)["data"]
    assert (sent["kind"], sent["state"]) == ("approved_template", "queued")
    assert sent["text"] == "Hello Zoe, your order B-9 is on its way."
    assert sent["content"]["approvedTemplate"]["parameters"] == VALUES
    assert desk.program.send("POST", "/messages", body(), 201, **once)["data"] == [sent]
    assert len([one for one in toys.thread() if one.direction == "outbound"]) == 1


def test_a_preview_fills_it_in_and_sends_nothing(desk: ApiDesk) -> None:
    (shown,) = desk.program.send("POST", "/messages/preview", body())["data"]
    assert (shown["kind"], shown["text"]) == (
        "approved_template",
        "Hello Zoe, your order B-9 is on its way.",
    )
    assert [one for one in toys.thread() if one.direction == "outbound"] == []
    refused = desk.program.refused(
        "POST", "/messages/preview", body("catalog-en", file={"url": "https://example.com/a.png"})
    )
    assert refused[1]["field"] == "file.url"


def test_a_file_stands_above_it(desk: ApiDesk) -> None:
    picture = {"file": (io.BytesIO(samples.picture("PNG")), "mug.png")}
    upload = desk.program.call("POST", "/uploads", data=picture).json["id"]
    wanted = body("catalog-en", parameters={}, file={"upload": upload})
    (sent,) = desk.program.send("POST", "/messages", wanted, 201)["data"]
    assert [one["kind"] for one in sent["attachments"]] == ["image"]


@pytest.mark.parametrize(
    ("template", "more", "status", "code", "field"),
    [
        ("order-en", {"parameters": {"order": "B-9"}}, 422, "template_parameter", "parameters.first_name"),
        ("order-en", {"parameters": None}, 422, "template_parameter", "parameters.first_name"),
        ("order-en", {"parameters": {**VALUES, "x": "1"}}, 422, "template_parameter_unknown", "parameters"),
        ("old-en", {}, 409, "template_not_approved", "templateId"),
        ("catalog-en", {"parameters": {}}, 422, "template_file", "file"),
        ("\x01", {}, 404, "template_not_found", "templateId"),
    ],
)
def test_what_is_refused_names_the_field(
    desk: ApiDesk, template: str, more: dict[str, Any], status: int, code: str, field: str
) -> None:
    refused = desk.program.refused("POST", "/messages", body(template, **more))
    assert (refused[0], refused[1]["code"], refused[1].get("field")) == (status, code, field)


def test_an_automatic_key_writes_to_nobody_who_opted_out(desk: ApiDesk) -> None:
    toys.change_row(Contact, toys.only(Conversation).contact_id, opted_out_at=clock.now())
    bot = Program(desk.app, make_key(desk.workspace, automatic=True))
    assert bot.refused("POST", "/messages", body())[1]["code"] == "opted_out"
    desk.program.send("POST", "/messages", body(), 201)
