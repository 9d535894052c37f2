"""Who is on duty, and what is wrong with an account, by the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from host.channels.accounts import disconnect_account
from host.channels.directory import Directory
from host.core import clock, db
from host.models.users import Role
from host.sdk.cards import Finding, Verdict
from tests import helpers
from tests.api.desks import ApiDesk, Program, make_key
from tests.channels.toy import toy_card
from tests.inbox import toys


def on_duty(desk: ApiDesk) -> dict[str, Any]:
    return {one["name"]: one["onDutySince"] for one in desk.program.get("/members")["data"]}


def test_a_person_is_put_on_duty_and_taken_off(desk: ApiDesk) -> None:
    path = f"/members/{desk.inbox.mia.id}/duty"
    first = desk.program.send("PUT", path, {"on": True})
    assert (first["name"], on_duty(desk)["Mia R."]) == ("Mia R.", first["onDutySince"])
    with clock.travel(timedelta(hours=1)):
        assert desk.program.send("PUT", path, {"on": True}) == first, "they stay where they are in the queue"
    assert desk.program.send("PUT", path, {"on": False})["onDutySince"] is None
    assert on_duty(desk)["Mia R."] is None


def test_only_who_can_reply_is_on_duty(desk: ApiDesk) -> None:
    auditor = helpers.make_user(workspace=desk.workspace, role=Role.AUDITOR).id
    elsewhere = helpers.make_user(workspace=helpers.make_workspace("Studio")).id
    for member in (auditor, elsewhere, 2**40):
        status, error = desk.program.refused("PUT", f"/members/{member}/duty", {"on": True})
        assert (status, error["code"]) == (404, "member_not_found")


@pytest.fixture
def findings(desk: ApiDesk) -> list[Finding]:
    """The findings of the channel's own checks; tests change them."""
    found = [
        Finding("webhook", "Webhook", Verdict.PASS),
        Finding("token", "Token", Verdict.FAIL, "It expired.", "Sign in again.", seen_at=clock.now()),
    ]
    card = replace(toy_card(), channel=toys.WINDOWED.key, diagnose=lambda _account: found)
    desk.inbox.generation.directory = Directory((toys.WINDOWED,), cards=(card,))
    return found


def test_an_account_is_diagnosed(desk: ApiDesk, findings: list[Finding]) -> None:
    path = f"/accounts/{desk.inbox.account.id}/diagnosis"
    made = desk.program.send("POST", path, None)
    assert made["accountId"] == desk.inbox.account.id
    first, *others = made["data"]
    assert (first["name"], first["verdict"], first["evidence"], first["fix"]) == (
        "token",
        "fail",
        "It expired.",
        "Sign in again.",
    )
    assert first["seenAt"] is not None
    assert [(one["name"], one["verdict"]) for one in others] == [
        ("webhook", "pass"),
        ("channel-column", "pass"),
    ]
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("POST", path)[0] == 404
    db.write(disconnect_account, desk.inbox.account.id)
    assert desk.program.refused("POST", path)[1]["code"] == "account_disconnected"


def test_a_channel_without_checks_says_so(desk: ApiDesk) -> None:
    status, error = desk.program.refused("POST", f"/accounts/{desk.inbox.account.id}/diagnosis")
    assert (status, error["code"]) == (409, "no_diagnosis")
