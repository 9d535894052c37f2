"""Diagnose: each thing people complain about is a check that sees it, with evidence and a way out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from host.core import clock, db
from host.queue import refusals
from host.sdk import deliveries
from host.sdk.accounts import AccountState, overview
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from tests.instagram import world
from tests.instagram.world import POTTERY, POTTERY_PAGE, Addon, Meta


@pytest.fixture(autouse=True)
def nobody_at_home(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes, Any]]:
    """The desk is not served here; what it would post to itself is kept and answered."""
    posted: list[tuple[str, bytes, Any]] = []

    def post(path: str, body: bytes, headers: Any) -> tuple[int, str]:
        posted.append((path, body, headers))
        return 200, "EVENT_RECEIVED"

    monkeypatch.setattr(deliveries, "post_to_self", post)
    return posted


def verdicts(ig: Addon, account: AccountRef) -> dict[str, Any]:
    return {finding.name: finding for finding in ig.diagnose.diagnosis.diagnose(account)}


def subscribed(ig: Addon, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = list(ig.config.page_fields())


def test_a_healthy_account_fails_nothing(account: AccountRef, ig: Addon, meta: Meta) -> None:
    subscribed(ig, meta)
    meta.wrote()
    found = verdicts(ig, account)
    assert not [name for name, one in found.items() if one.verdict == "fail"], found
    assert [name for name, one in found.items() if one.verdict == "pass"] == [
        "credentials",
        "restriction",
        "token",
        "permissions",
        "professional",
        "allowed",
        "fields",
        "self-test",
        "human-agent",
        "window",
        "recipients",
        "sending",
    ]
    assert all(one.evidence or one.verdict == "pass" for one in found.values())
    assert all(not one.fix for one in found.values() if one.verdict == "pass")


def dead(_ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").valid = False
    meta.token("pottery-long").subcode = 460


def narrowed(_ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").scopes.remove("instagram_manage_messages")


def unlinked(_ig: Addon, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].igid = None


def switched_off(_ig: Addon, meta: Meta) -> None:
    meta.box.world.accounts[POTTERY].allow_messages = False


def unsubscribed(_ig: Addon, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions.clear()


def less(ig: Addon, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = ["feed"]


@pytest.mark.parametrize(
    ("spoil", "name", "evidence", "fix"),
    [
        (dead, "token", "password", "Reconnect the account."),
        (narrowed, "permissions", "instagram_manage_messages", "Create a token that has them"),
        (unlinked, "professional", "linked to an account", "Link this account"),
        (switched_off, "allowed", "Meta reports that it is off.", "Allow access to messages"),
        (unsubscribed, "fields", "No subscription.", "Subscribe the account."),
        (less, "fields", "messaging_postbacks", "Subscribe again."),
    ],
)
def test_what_is_wrong_at_meta_is_found_and_named(
    account: AccountRef,
    ig: Addon,
    meta: Meta,
    spoil: Callable[[Addon, Meta], None],
    name: str,
    evidence: str,
    fix: str,
) -> None:
    subscribed(ig, meta)
    spoil(ig, meta)
    found = verdicts(ig, account)[name]
    assert found.verdict == "fail", found
    assert evidence in found.evidence
    assert fix in found.fix


def test_a_dead_token_that_diagnose_sees_is_on_the_card_too(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    dead(ig, meta)
    assert verdicts(ig, account)["token"].verdict == "fail"
    (shown,) = overview("instagram")
    assert shown.state is AccountState.NEEDS_RECONNECT
    assert "password" in str(shown.state_reason)


def test_meta_that_does_not_answer_diagnose_stops_nothing(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.box.faults.add({"call": "graph", "action": "error", "code": 2, "status": 500})
    assert verdicts(ig, account)["token"].verdict != "pass"
    (shown,) = overview("instagram")
    assert shown.state is AccountState.CONNECTED


def test_subscribing_again_is_one_press(account: AccountRef, ig: Addon, meta: Meta) -> None:
    unsubscribed(ig, meta)
    action = verdicts(ig, account)["fields"].action
    (button,) = [one for one in ig.card.CARD.actions if one.name == action]
    assert "@sample.pottery" in button.run(account, {})
    assert verdicts(ig, account)["fields"].verdict == "pass"


def test_a_wrong_signature_names_the_app_and_shows_nothing_of_the_secret(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    meta.box.world.apps[world.APP_ID].secret = "f" * 32  # made anew at Meta
    refusals.count_refusal("instagram", account.id, "signature", "192.0.2.1")
    found = verdicts(ig, account)["signature"]
    assert found.verdict == "fail"
    assert "1 for @sample.pottery rejected since yesterday" in found.evidence
    assert "has 32 characters" in found.evidence
    assert world.APP_ID in found.fix
    for one in verdicts(ig, account).values():
        assert world.SECRET[:4] not in one.evidence + one.fix
        assert world.TOKEN not in one.evidence + one.fix


def test_the_self_test_is_signed_for_the_accounts_own_address(
    account: AccountRef, ig: Addon, meta: Meta, nobody_at_home: list[tuple[str, bytes, Any]]
) -> None:
    verdicts(ig, account)
    (path, body, headers), *_ = nobody_at_home
    assert path == f"/addons/instagram/webhook/{account.uuid}"
    given = {"x-hub-signature-256": headers["X-Hub-Signature-256"]}
    decision = ig.webhook.verification.authenticate(world.post(body, account=account.uuid, headers=given))
    (envelope,) = decision.envelopes
    assert envelope.ignored.startswith("Test received"), "it makes no conversation"


def test_a_desk_that_cannot_reach_itself_or_is_spoilt_on_the_way_is_said(
    account: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "post_to_self", lambda *_: None)
    assert verdicts(ig, account)["self-test"].verdict == "unknown"
    monkeypatch.setattr(deliveries, "post_to_self", lambda *_: (401, "Unauthorized"))
    assert verdicts(ig, account)["self-test"].verdict == "fail"


def test_nothing_arrived_is_waited_for_and_then_looked_into(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    assert "less than ten minutes ago" in verdicts(ig, account)["webhook"].evidence
    with clock.travel(timedelta(minutes=11)):
        assert ig.config.webhook_url() in verdicts(ig, account)["webhook"].evidence


def test_meta_away_makes_nothing_fail(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("graph", "error", status=503)
    found = verdicts(ig, account)
    assert not [name for name, one in found.items() if one.verdict == "fail"]
    assert found["token"].verdict == "unknown"


def test_lost_keys_are_the_first_thing_said(desk: db.Database, ig: Addon, meta: Meta) -> None:
    from host.core import secrets

    account = world.connect(ig)
    before = secrets.keyring()
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    try:
        (only,) = ig.diagnose.diagnosis.diagnose(account)
    finally:
        secrets.use(before)
    assert (only.name, only.verdict) == ("credentials", "fail")


def test_an_account_without_a_page_is_diagnosed_too(desk: db.Database, ig: Addon, meta: Meta) -> None:
    token = meta.token("pottery-instagram")
    account = world.connect(
        ig,
        flavour=ig.config.Flavour.LOGIN,
        page_id="",
        page_name="",
        token=Secret(token.value),
        scopes=("instagram_business_basic", "instagram_business_manage_messages"),
    )
    meta.box.world.accounts[POTTERY].subscriptions[world.APP_ID] = list(ig.config.login_fields())
    found = verdicts(ig, account)
    assert not [one for one in found.values() if one.verdict == "fail"], found
    meta.box.world.accounts[POTTERY].account_type = "PERSONAL"
    assert verdicts(ig, account)["professional"].verdict == "fail"
