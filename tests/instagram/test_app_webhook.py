"""The Meta app's own webhook: set by Lobby where it holds id and secret, by hand where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from host.channels import connecting
from host.sdk import settings
from host.sdk.accounts import overview, warn
from host.sdk.cards import Connection, ConnectRequest, Verdict
from host.sdk.channel import AccountRef
from host.sdk.webhooks import Verified, WebhookRequest
from sandbox.world import FIELDS
from tests.instagram import signing_in, world
from tests.instagram.test_connect import PASTED
from tests.instagram.world import Addon, Meta

ALSO = ("messaging_optins", "response_feedback", "message_edit")
"""The fields that are asked for besides, in the order in which Meta surely takes them."""


@pytest.fixture
def address(ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch, alone: None) -> Iterator[str]:
    """The desk's address as Meta reaches it: questions are answered by the addon."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            account = parts.path.rpartition("/webhook")[2].strip("/") or None
            request = WebhookRequest("GET", account, {}, dict(parse_qsl(parts.query)), b"")
            decision = ig.webhook.verification.verify(request)
            fine = isinstance(decision, Verified)
            self.send_response(200 if fine else 403)
            self.end_headers()
            self.wfile.write((decision.challenge if fine else "no").encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.undo()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.provide("", {"public_url": url})
    yield url
    server.shutdown()
    server.server_close()


def app(meta: Meta) -> Any:
    return meta.box.world.apps[world.APP_ID]


def finding(ig: Addon, account: AccountRef) -> Any:
    look = {one.name: one for one in ig.diagnose.diagnosis.diagnose(account)}
    return look["app-fields"]


def test_connecting_enters_address_token_and_fields_at_meta(
    desk: Any, ig: Addon, meta: Meta, address: str
) -> None:
    workspace = world.workspace()
    made = ig.connect.connecting.connect(ConnectRequest(workspace, None, PASTED, lambda _: None))
    assert isinstance(made, Connection)
    app(meta).fields = ["comments"]
    account = connecting.save(workspace_id=workspace, channel="instagram", connection=made)
    assert app(meta).callback_url == f"{address}/addons/instagram/webhook"
    assert set(app(meta).fields) == {*ALSO, *ig.config.object_fields()}
    assert app(meta).verify_token == next(
        one.value for one in ig.card.status(account).copyables if one.label == "Verify Token"
    )
    assert [one["verified"] for one in meta.entries("verification")] == [True]


@pytest.mark.parametrize("way", ["facebook_login", "instagram_login"])
def test_people_who_sign_in_copy_nothing_either(
    desk: Any, ig: Addon, meta: Meta, address: str, way: str
) -> None:
    signing_in.set_up(ig, meta)
    account = signing_in.journey(getattr(ig.connect, way).SIGN_IN, world.workspace())
    assert isinstance(account, AccountRef)
    assert app(meta).callback_url == f"{address}/addons/instagram/webhook"
    assert app(meta).verify_token == ig.config.verify_token()


def test_an_app_that_delivers_elsewhere_is_left_alone_until_somebody_asks(
    account: AccountRef, ig: Addon, meta: Meta, address: str
) -> None:
    app(meta).callback_url = "https://shop.example.com/hook"
    ig.connect.app_webhook.after_connecting(account)
    assert app(meta).callback_url == "https://shop.example.com/hook"
    found = finding(ig, account)
    assert (found.verdict, found.action) == (Verdict.FAIL, "app-webhook")
    (action,) = [one for one in ig.card.CARD.actions if one.name == found.action]
    assert action.confirm
    assert "now points to this desk" in action.run(account, {})
    assert finding(ig, account).verdict == Verdict.PASS


def test_fields_that_are_missing_are_added_and_others_stay(
    account: AccountRef, ig: Addon, meta: Meta, address: str
) -> None:
    own = ig.config.account_webhook_url(account.uuid)
    app(meta).callback_url, app(meta).fields = own, ["comments", "messages"]
    assert finding(ig, account).verdict == Verdict.FAIL
    assert ig.connect.app_webhook.lead_here(account) is ig.connect.app_webhook.Led.HERE
    assert set(app(meta).fields) == {"comments", *ALSO, *ig.config.object_fields()}
    assert app(meta).callback_url == own, "the account's own address does as well"


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_where_meta_does_not_know_a_field_the_others_are_entered(
    account: AccountRef, ig: Addon, meta: Meta, address: str, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    unknown = ALSO[taken:]
    known = tuple(name for name in FIELDS["instagram"] if name not in unknown)
    monkeypatch.setitem(FIELDS, "instagram", known)
    ig.connect.app_webhook.after_connecting(account)
    assert set(app(meta).fields) == {*ALSO[:taken], *ig.config.object_fields()}
    assert app(meta).callback_url == ig.config.webhook_url()
    assert finding(ig, account).verdict == Verdict.PASS


def test_what_meta_refuses_is_left_to_be_done_by_hand(
    account: AccountRef, ig: Addon, meta: Meta, address: str
) -> None:
    meta.fault(f"/*{world.APP_ID}/subscriptions", "error", code=100, message="is not supported")
    ig.connect.app_webhook.after_connecting(account)
    with pytest.raises(ValueError, match=r"not supported.*yourself"):
        ig.card.lead_here(account, {})


def test_without_id_and_secret_of_the_app_the_manual_way_stays(
    desk: Any, ig: Addon, meta: Meta, address: str
) -> None:
    account = world.connect(ig, flavour=ig.config.Flavour.LOGIN, way="instagram", person_id="1", page_id="")
    assert ig.connect.app_webhook.lead_here(account) is ig.connect.app_webhook.Led.NOT_HELD
    assert finding(ig, account).verdict == Verdict.UNKNOWN
    with pytest.raises(ValueError, match="yourself"):
        ig.card.lead_here(account, {})


def test_a_webhook_that_lost_messages_is_mended_by_the_inspection(
    account: AccountRef, ig: Addon, meta: Meta, address: str
) -> None:
    app(meta).callback_url, app(meta).fields = ig.config.webhook_url(), ["standby"]
    warn(account.id, "app-webhook", "It delivers no messages.")
    ig.monitoring.inspection.look_again()
    assert "messages" in app(meta).fields
    assert overview("instagram")[0].warnings == ()
