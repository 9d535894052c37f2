"""Diagnose names each cause of missing messages that ``docs/whatsapp.md`` lists."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from host.authoring.desk import TrialDesk
from host.channels import diagnosis
from host.core import db
from host.models.channels import ChannelAccount
from host.sdk.cards import Verdict
from host.sdk.channel import AccountRef
from host.sdk.http import FetchError

if TYPE_CHECKING:
    from conftest import Customer

NUMBER, BUSINESS = "106540352242922", "102290129340398"
VALUES = {
    "number": NUMBER,
    "business": BUSINESS,
    "token": "EAAsampleTokenOfTheStandIn0001",
    "app_secret": "0123456789abcdef0123456789abcdef",
}
DOCS = Path(__file__).parents[3] / "docs" / "whatsapp.md"
NAMED = re.findall(r"^\| [^|]+ \| `([a-z-]+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

LACKING = {
    "responders": "standby",
    "fields": "messages",
    "echoes": "smb_message_echoes",
    "calls": "calls",
    "history": "history",
}
TOLD = {
    "warning-restricted": ["DISABLED_UPDATE", "ACCOUNT_RESTRICTION"],
    "warning-connection": ["PARTNER_REMOVED", "PARTNER_APP_UNINSTALLED", "ACCOUNT_OFFBOARDED"],
}


def found(desk: TrialDesk, account: AccountRef) -> dict[str, Any]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, account.id)
    return {one.name: one for one in diagnosis.diagnose(desk.module("card").CARD, row)}


def test_the_list_is_complete() -> None:
    assert set(NAMED) == {*LACKING, *TOLD, "entry-points", "deliveries", "token", "reach"}


def test_what_cannot_be_read_is_said_so(desk: TrialDesk, account: AccountRef) -> None:
    one = found(desk, account)["entry-points"]
    assert (one.verdict, "cannot be read" in one.evidence) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(("name", "field"), LACKING.items())
def test_a_missing_field_is_named(
    desk: TrialDesk,
    account: AccountRef,
    whatsapp: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    field: str,
) -> None:
    assert found(desk, account)[name].verdict is Verdict.PASS
    fields = [one for one in whatsapp.app_webhook["fields"].split(",") if one != field]
    monkeypatch.setattr(whatsapp, "app_webhook", {**whatsapp.app_webhook, "fields": ",".join(fields)})
    one = found(desk, account)[name]
    assert one.verdict is (Verdict.FAIL if name == "fields" else Verdict.UNKNOWN)
    assert "save" in one.fix


@pytest.mark.parametrize("override", [None, {"override_callback_uri": "https://other.example/webhook"}])
def test_another_address_is_named(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, monkeypatch: pytest.MonkeyPatch, override: Any
) -> None:
    monkeypatch.setattr(whatsapp, "override", override)
    assert found(desk, account)["deliveries"].verdict is Verdict.FAIL


@pytest.mark.parametrize(("attribute", "value"), [("token", "another"), ("scopes", [])])
def test_a_token_that_ended_is_named(
    desk: TrialDesk,
    account: AccountRef,
    whatsapp: Any,
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    value: object,
) -> None:
    monkeypatch.setattr(whatsapp, attribute, value)
    assert found(desk, account)["token"].verdict is Verdict.FAIL


def test_a_meta_that_cannot_be_reached_is_named(
    desk: TrialDesk, account: AccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: object) -> None:
        raise FetchError("no answer")

    monkeypatch.setattr(desk.module("checks"), "token_facts", away)
    assert found(desk, account)["reach"].verdict is Verdict.FAIL


@pytest.mark.parametrize(("name", "event"), [(name, one) for name, every in TOLD.items() for one in every])
def test_what_meta_tells_of_the_account_is_named(
    desk: TrialDesk, account: AccountRef, customer: Callable[[], Customer], name: str, event: str
) -> None:
    ann, value = customer(), {"event": event, "ban_info": {"waba_ban_state": "DISABLE"}}
    change = {"field": "account_update", "value": value}
    entry = {"id": BUSINESS, "time": int(time.time()), "changes": [change]}
    ann.told({"object": "whatsapp_business_account", "entry": [entry]})
    one = found(desk, account)[name]
    assert one.verdict is Verdict.FAIL
    assert one.evidence
    assert one.fix
    desk.connect("whatsapp", VALUES, account=account)  # which ends its warnings
    assert name not in found(desk, account)
