"""Accounts connected and disconnected by the API, with the same checks and lines as on the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import db
from host.models.api_keys import IdempotentRequest
from host.models.channels import ChannelAccount
from host.models.users import AuditEntry
from host.sdk.cards import Asked, Problems
from host.users.api_keys import GRANTABLE, Scope
from tests import helpers
from tests.api.desks import ApiDesk, Program, make_key
from tests.channels.toy import ToyProvider, toy_card
from tests.inbox import toys

SECRET = "s3cret-of-the-toy"
VALUES = {"name": "Shop", "toy_id": "42", "toy_secret": SECRET}
KEY = toys.WINDOWED.key


@pytest.fixture
def provider(desk: ApiDesk) -> ToyProvider:
    made = ToyProvider()
    card = replace(toy_card(made), channel=KEY)
    desk.inbox.generation.directory = Directory((toys.WINDOWED,), cards=(card,))
    return made


def connect(desk: ApiDesk, **values: str) -> Any:
    return desk.program.send("POST", "/accounts", {"channel": KEY, "values": VALUES | values})


def refused(caller: Program, channel: str = KEY, **values: Any) -> tuple[int, str, Any]:
    status, error = caller.refused("POST", "/accounts", {"channel": channel, "values": VALUES | values})
    return status, error["code"], error.get("field")


def lines() -> list[tuple[str, str, Any]]:
    entries = [one for one in toys.everything(AuditEntry) if one.action.startswith("account.")]
    return [(one.action, one.subject, one.details) for one in entries]


def test_an_account_is_connected_and_disconnected(desk: ApiDesk, provider: ToyProvider) -> None:
    made = connect(desk)
    account = made["account"]
    assert (account["externalId"], account["state"], made["asked"]) == ("42", "connected", None)
    assert provider.requests[0].values["toy_secret"] == SECRET
    path = f"/accounts/{account['id']}"
    gone = desk.program.send("DELETE", path, None)
    assert (gone["account"]["state"], gone["providerNotified"]) == ("disconnected", True)
    assert [one.external_id for one in provider.disconnected] == ["42"]
    desk.program.send("DELETE", path, None)
    assert len(provider.disconnected) == 1
    assert lines() == [
        ("account.connected", "@42", {"channel": KEY, "name": "Shop", "way": "pasted", "by": "Shop"}),
        ("account.disconnected", "@42", {"channel": KEY, "by": "Shop"}),
    ]
    assert connect(desk)["account"]["id"] == account["id"], "it keeps its conversations"


def test_a_credential_is_never_returned_or_kept(desk: ApiDesk, provider: ToyProvider) -> None:
    body = {"channel": KEY, "values": VALUES}
    for _ in range(2):
        answer = desk.program.call("POST", "/accounts", body, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 200
        assert SECRET not in answer.text
    assert len(provider.requests) == 1
    assert SECRET not in toys.only(IdempotentRequest).answer
    provider.connect = lambda _request: Problems({"toy_secret": "This secret is wrong."})
    assert SECRET not in desk.program.call("POST", "/accounts", body).text


def test_a_wrong_value_is_named(desk: ApiDesk, provider: ToyProvider) -> None:
    assert refused(desk.program, toy_id="x") == (422, "not_connected", "values.toy_id")
    assert refused(desk.program, toy_secret="") == (422, "not_connected", "values.toy_secret")
    assert refused(desk.program, colour="red") == (400, "invalid_body", "values.colour")
    assert refused(desk.program, channel="carrier-pigeon") == (400, "invalid_body", "channel")
    assert provider.requests == []
    for problems, field in (({"toy_id": "Unknown."}, "values.toy_id"), ({"": "No."}, None), ({}, None)):
        provider.connect = lambda _request, problems=problems: Problems(problems)
        assert refused(desk.program) == (422, "not_connected", field)
    provider.connect = lambda _request: 1 / 0  # type: ignore[assignment,return-value]
    assert refused(desk.program) == (422, "not_connected", None)
    assert len(toys.everything(ChannelAccount)) == 1


def test_an_account_of_another_workspace_stays_there(desk: ApiDesk, provider: ToyProvider) -> None:
    connect(desk)
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert refused(stranger) == (422, "not_connected", "values.toy_id")
    account = toys.everything(ChannelAccount)[-1].id
    assert stranger.refused("DELETE", f"/accounts/{account}")[0] == 404
    with db.read() as session:
        assert session.get_one(ChannelAccount, account).workspace_id == desk.workspace


def test_somebody_may_have_to_approve_first(desk: ApiDesk, provider: ToyProvider) -> None:
    provider.connect = lambda _request: Asked("The owner of the domain was asked.")  # type: ignore[assignment,return-value]
    assert connect(desk) == {"account": None, "asked": "The owner of the domain was asked."}


def test_it_needs_a_scope_of_its_own(desk: ApiDesk, provider: ToyProvider) -> None:
    for scopes in (GRANTABLE - {Scope.ACCOUNTS_WRITE}, {Scope.READ, Scope.WRITE}):
        other = Program(desk.app, make_key(desk.workspace, *scopes))
        assert refused(other)[1] == "scope_missing"
        status, error = other.refused("DELETE", f"/accounts/{desk.inbox.account.id}")
        assert (status, error["code"]) == (403, "scope_missing")
    assert provider.requests == []


def test_the_fields_of_a_channel_are_listed(desk: ApiDesk, provider: ToyProvider) -> None:
    (channel,) = desk.program.get("/channels")["data"]
    assert channel["key"] == KEY
    fields = {one["name"]: (one["required"], one["secret"]) for one in channel["fields"]}
    assert fields["toy_secret"] == (True, True)
    assert fields["note"] == (False, False)
    assert channel["fields"][0]["help"] == "Visible only to your team."
