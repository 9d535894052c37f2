"""Canaries: planted credentials appear in no log, repr, exception, result, card or page."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.sdk.cards import ConnectRequest
from host.sdk.channel import AccountRef, SearchRequest, SendRequest
from host.sdk.messages import MessageKind, OutgoingPart
from host.sdk.secrets import Secret
from tests import helpers
from tests.instagram import world
from tests.instagram.test_overview import admin, pages  # noqa: F401 - fixtures
from tests.instagram.world import ANA, POTTERY, POTTERY_PAGE, Addon, Meta, entry, message, payload

TOKEN = "EAACanaryTokenThatMustNeverShow0123456789"
SECRET = "c0ffee00c0ffee00c0ffee00c0ffee00"
CANARIES = (TOKEN, SECRET)


@pytest.fixture
def canary(ig: Addon, meta: Meta, desk: db.Database) -> AccountRef:
    """An account whose token and secret are the canaries, at Meta too."""
    known = meta.token("pottery-long")
    meta.box.world.tokens[TOKEN] = known
    meta.box.world.apps[world.APP_ID].secret = SECRET
    return world.connect(ig, token=Secret(TOKEN), app_secret=Secret(SECRET))


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], ig: Addon) -> Iterator[None]:
    """Whatever a test did, nothing of it may have been logged or printed."""
    caplog.set_level(logging.DEBUG)
    yield
    out, err = capfd.readouterr()
    proof = ig.graph.proof(Secret(SECRET), Secret(TOKEN))
    for record in caplog.records:
        told = f"{record.getMessage()} {record.exc_text or ''} {record.args!r}"
        if record.exc_info:
            told += "".join(traceback.format_exception(*record.exc_info))
        for canary in (*CANARIES, proof):
            assert canary not in told, record.name
    for canary in (*CANARIES, proof):
        assert canary not in out + err


def request(account: AccountRef) -> SendRequest:
    return SendRequest(account, ANA, OutgoingPart(MessageKind.TEXT, text="a"), "f" * 32)


FAULTS: list[dict[str, Any]] = [
    {},
    {"action": "error", "code": 190, "subcode": 463, "message": f"Malformed access token {TOKEN}"},
    {"action": "error", "code": 100, "message": f"Invalid appsecret {SECRET} for {TOKEN[:30]}"},
    {"action": "error", "code": 1, "message": f"{world.APP_ID}|{SECRET}"},
    {"action": "garbage", "text": TOKEN},
    {
        "action": "garbage",
        "text": f'{{"error_type":"OAuthException","error_message":"{TOKEN}"}}',
        "status": 400,
    },
    {"action": "reset"},
]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_result_of_a_call_shows_a_credential(
    canary: AccountRef, ig: Addon, meta: Meta, fault: dict[str, Any]
) -> None:
    meta.wrote()
    if fault:
        meta.fault("graph", **fault)
    adapter = ig.channel.InstagramAdapter()
    part = request(canary).part
    results = [
        adapter.send(request(canary)),
        adapter.search(SearchRequest(canary, ANA, part, "f" * 32, clock.now())),
        adapter.fetch_profile(canary, ANA),
        adapter.fetch_profiles(canary, [ANA, world.KIT]),
    ]
    for shown in map(repr, results):
        assert not any(secret in shown for secret in CANARIES)
        assert TOKEN[:20] not in shown
    ig.monitoring.watchdog.watch()
    try:
        ig.connect.connecting.disconnect(canary)
    except ig.graph.GraphError as error:
        told = "".join(traceback.format_exception(error))
        assert not any(secret in told for secret in CANARIES)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_of_connecting_shows_a_credential(
    canary: AccountRef, ig: Addon, meta: Meta, fault: dict[str, Any]
) -> None:
    if fault:
        meta.fault("graph", **fault)
    values = {
        "name": "A",
        "page_id": POTTERY_PAGE,
        "ig_user_id": POTTERY,
        "page_access_token": TOKEN,
        "app_secret": SECRET,
    }
    asked = ConnectRequest(1, None, values, lambda _: None)
    assert not any(secret in repr(asked) for secret in CANARIES)
    answer = repr(ig.connect.connecting.connect(asked))
    assert not any(secret in answer for secret in CANARIES)


def test_what_holds_a_credential_does_not_show_it(canary: AccountRef, ig: Addon) -> None:
    found = ig.accounts.credentials(canary.id)
    book = ig.accounts.book.get()
    with db.read() as session:
        row = ig.accounts.find(session, canary.id)
    held = (
        found,
        found.graph(),
        book,
        book.by_uuid[canary.uuid],
        row,
        world.details(ig, token=Secret(TOKEN)),
    )
    for each in held:
        for shown in (repr(each), str(each), f"{each}"):
            assert not any(secret in shown for secret in CANARIES), type(each)
    with pytest.raises(TypeError):
        pickle.dumps(found.token)


def test_no_address_holds_the_token_but_the_one_question_that_must(
    canary: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    from host.sdk.http import Client

    asked: list[tuple[str, dict[str, str]]] = []
    original = Client.request

    def watch(self: Client, method: str, url: str, **more: Any) -> Any:
        asked.append((url, dict(more.get("params") or {})))
        return original(self, method, url, **more)

    monkeypatch.setattr(Client, "request", watch)
    meta.wrote()
    adapter = ig.channel.InstagramAdapter()
    adapter.send(request(canary))
    adapter.fetch_profile(canary, ANA)
    adapter.fetch_profiles(canary, [ANA, world.KIT])
    adapter.search(SearchRequest(canary, ANA, request(canary).part, "f" * 32, clock.now()))
    ig.monitoring.watchdog.watch()
    found = ig.accounts.credentials(canary.id)
    found.graph().token_facts()
    for url, params in asked:
        assert not any(secret in url for secret in CANARIES)
        assert SECRET not in params.values()
        if not url.endswith("/debug_token"):
            assert TOKEN not in params.values()
    assert [params["input_token"] for url, params in asked if url.endswith("/debug_token")] == [TOKEN]
    assert all("appsecret_proof" in params for _, params in asked)


def test_the_card_and_the_admins_page_show_none(
    canary: AccountRef,
    ig: Addon,
    admin: helpers.Browser,  # noqa: F811
) -> None:
    shown = repr(ig.card.status(canary)) + admin.get("/admin/addons/instagram/settings").get_data(
        as_text=True
    )
    assert not any(secret in shown for secret in CANARIES)


def test_the_database_holds_them_encrypted_only(canary: AccountRef, desk: db.Database) -> None:
    with desk.read_engine.connect() as connection:
        for table in sa.inspect(connection).get_table_names():
            for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"'):
                assert not any(secret in repr(row) for secret in CANARIES), table


def test_a_delivery_with_a_wrong_signature_tells_nothing(canary: AccountRef, ig: Addon) -> None:
    body = payload(entry(message()))
    assert not any(
        secret in repr(ig.webhook.verification.authenticate(world.post(body, secret="x")))
        for secret in CANARIES
    )
    assert not any(
        secret in repr(ig.webhook.verification.authenticate(world.post(body, secret=SECRET)))
        for secret in CANARIES
    )
