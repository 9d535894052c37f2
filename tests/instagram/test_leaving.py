"""Leaving: at once here, told to Meta when it can be, and nothing kept that nobody needs."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel
from sqlalchemy.orm import Session

from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.models.queue import InboundEvent
from host.sdk.accounts import AccountState, overview
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret, unseal
from tests.instagram import world
from tests.instagram.test_renewal import later
from tests.instagram.world import POTTERY, POTTERY_PAGE, SECRET, Addon, Meta


def row(ig: Addon, account: AccountRef) -> Any:
    with db.read() as session:
        return ig.accounts.find(session, account.id)


def secret_of(ig: Addon, account: AccountRef, column: str) -> str:
    found = row(ig, account)
    return unseal(getattr(found, column), ig.accounts.place(found, column)).reveal()


def gone(ig: Addon, account: AccountRef) -> None:
    db.write(disconnect_account, account.id)
    ig.connect.connecting.disconnect(account)


def subscribed(meta: Meta) -> dict[str, list[str]]:
    return meta.box.world.pages[POTTERY_PAGE].subscriptions


@pytest.fixture(autouse=True)
def at_meta(meta: Meta) -> None:
    subscribed(meta)[world.APP_ID] = ["messages"]


def test_the_token_goes_and_the_app_secret_stays_for_late_deliveries(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    gone(ig, account)
    assert subscribed(meta) == {}
    assert ig.accounts.credentials(account.id) is None
    assert secret_of(ig, account, "token") == ""
    assert secret_of(ig, account, "app_secret") == SECRET


def test_with_meta_down_it_is_told_later(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("graph", "error", status=503)
    with pytest.raises(ig.graph.GraphError):
        gone(ig, account)
    assert secret_of(ig, account, "token") == world.TOKEN, "it takes the token to tell"
    ig.connect.clean_up.tidy()
    assert subscribed(meta), "not before an hour"
    with later(meta, hours=1, minutes=1):
        ig.connect.clean_up.tidy()
        assert subscribed(meta)
    meta.box.faults.remove()
    with later(meta, hours=3):
        ig.connect.clean_up.tidy()
        assert subscribed(meta) == {}
        assert secret_of(ig, account, "token") == ""


def test_a_dead_token_has_nothing_to_tell(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").valid = False
    gone(ig, account)
    assert secret_of(ig, account, "token") == ""


def test_after_a_week_it_is_given_up(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("graph", "error", status=503)
    with pytest.raises(ig.graph.GraphError):
        gone(ig, account)
    with later(meta, days=7, hours=1):
        ig.connect.clean_up.tidy()
        assert secret_of(ig, account, "token") == ""
        assert row(ig, account).leave_due_at is None


def test_connecting_again_meanwhile_keeps_everything(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("graph", "error", status=503)
    with pytest.raises(ig.graph.GraphError):
        gone(ig, account)
    meta.box.faults.remove()
    world.connect(ig, workspace_id=account.workspace_id)
    with later(meta, hours=2):
        ig.connect.clean_up.tidy()
    assert secret_of(ig, account, "token") == world.TOKEN
    assert subscribed(meta)


def late(ig: Addon, account: AccountRef) -> Any:
    body = world.payload(world.entry(world.item(message={"mid": "m", "text": "too late"})))
    return ig.webhook.verification.authenticate(world.post(body))


def test_a_late_delivery_is_believed_answered_and_dropped(account: AccountRef, ig: Addon, meta: Meta) -> None:
    gone(ig, account)
    ig.accounts.book.forget()
    decision = late(ig, account)
    (envelope,) = decision.envelopes
    assert envelope.account_id == account.id
    assert "nothing of it is kept" in envelope.ignored
    assert decision.keep_raw is False
    assert b"too late" not in envelope.body


def test_the_row_goes_30_days_after_the_last_delivery(account: AccountRef, ig: Addon, meta: Meta) -> None:
    gone(ig, account)
    with later(meta, days=25):
        now = clock.now()

        def deliver(session: Session) -> None:
            values = {"request_id": 1, "channel": "instagram", "account_id": account.id, "lane": "l"}
            more = {"account_key": str(account.id), "dedupe_key": "k", "kind": "message", "body": b"{}"}
            session.execute(
                sa.insert(InboundEvent).values(**values, **more, received_at=now, state="ignored", attempts=0)
            )

        db.write(deliver)
    for days, there in ((29, True), (31, True), (54, True), (56, False)):
        with later(meta, days=days):
            ig.connect.clean_up.tidy()
            assert (row(ig, account) is not None) is there, days
    assert not ig.accounts.load_book().by_account


# Meta's callbacks


def signed(secret: str = SECRET, **said: Any) -> str:
    payload = {"algorithm": "HMAC-SHA256", "issued_at": 1, "user_id": "218471", **said}
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    signature = hmac.digest(secret.encode(), encoded, "sha256")
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{encoded.decode()}"


@pytest.fixture
def client(ig: Addon, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    app = Flask("callbacks")
    Babel(app)
    app.register_blueprint(ig.connect.clean_up.bp, url_prefix="/addons/instagram")
    monkeypatch.setattr(
        ig.connect.clean_up,
        "external_url",
        lambda _name, code: f"https://desk.example.com/addons/instagram/deletion?code={code}",
    )
    return app.test_client()


@pytest.fixture
def by_somebody(desk: db.Database, ig: Addon, meta: Meta) -> AccountRef:
    return world.connect(ig, POTTERY, person_id="218471")


def test_who_removes_our_access_has_to_sign_in_again(
    by_somebody: AccountRef, ig: Addon, client: FlaskClient
) -> None:
    assert client.post("/addons/instagram/deauthorize", data={"signed_request": signed()}).status_code == 200
    (found,) = overview("instagram")
    assert found.state is AccountState.NEEDS_RECONNECT
    assert found.state_reason == "The person who signed in removed Lobby's access at Meta."


def test_a_deletion_drops_what_is_held_and_says_so_in_words(
    by_somebody: AccountRef, ig: Addon, client: FlaskClient
) -> None:
    answer = client.post("/addons/instagram/deletion", data={"signed_request": signed()}).get_json()
    assert set(answer) == {"url", "confirmation_code"}
    assert secret_of(ig, by_somebody, "token") == ""
    page = client.get("/addons/instagram/deletion", query_string={"code": answer["confirmation_code"]})
    assert answer["confirmation_code"] in page.text
    assert "is complete" in page.text
    assert client.get("/addons/instagram/deletion?code=other").status_code == 404


@pytest.mark.parametrize(
    "request_",
    [
        "",
        ".",
        "a.b",
        "nonsense",
        signed("another secret"),
        signed(algorithm="none"),
        signed() + "x",
        signed(user_id=None),
        signed(user_id=["218471"]),
        "é.é",
        "." + signed().partition(".")[2],
    ],
)
def test_what_no_app_of_ours_signed_changes_nothing(
    by_somebody: AccountRef, ig: Addon, client: FlaskClient, request_: str
) -> None:
    for name in ("deauthorize", "deletion"):
        answer = client.post(f"/addons/instagram/{name}", data={"signed_request": request_})
        assert answer.status_code == 400
    (found,) = overview("instagram")
    assert found.state is AccountState.CONNECTED
    assert secret_of(ig, by_somebody, "token") == world.TOKEN


def test_somebody_elses_request_concerns_nobody_here(
    by_somebody: AccountRef, ig: Addon, client: FlaskClient
) -> None:
    answer = client.post("/addons/instagram/deletion", data={"signed_request": signed(user_id="999")})
    assert answer.status_code == 200
    assert secret_of(ig, by_somebody, "token") == world.TOKEN
    with clock.travel(timedelta(days=1)):
        assert overview("instagram")[0].state is AccountState.CONNECTED


@pytest.mark.parametrize("login", [True, False])
def test_an_account_that_moved_to_another_workspace_stays_subscribed(
    desk: db.Database, ig: Addon, meta: Meta, login: bool
) -> None:
    how: dict[str, Any] = {}
    if login:
        token = Secret(f"IGAASANDBOXPotteryLong{POTTERY}")
        how = {"flavour": ig.config.Flavour.LOGIN, "page_id": "", "token": token}
    held = meta.box.world.accounts[POTTERY].subscriptions if login else subscribed(meta)
    held[world.APP_ID] = ["messages"]
    old = world.connect(ig, **how)
    db.write(disconnect_account, old.id)
    new = world.connect(ig, workspace_id=world.workspace("Other"), **how)
    ig.connect.connecting.disconnect(old)
    assert held == {world.APP_ID: ["messages"]}
    assert ig.accounts.credentials(old.id) is None
    assert ig.accounts.credentials(new.id) is not None
