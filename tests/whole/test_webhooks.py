"""Which requests to the webhook address are believed, and what becomes of those that are."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.whole.rig import Rig, running, until
from tests.whole.shops import (
    ADMIN,
    APP_SECRET,
    CAFE,
    POTTERY,
    POTTERY_OWNER,
    SECOND_APP_SECRET,
    STUDIO,
    Shop,
    furnish,
    point_webhooks,
)

_numbers = itertools.count(1)
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Rig]:
    """A running desk with two workspaces; the sandbox knows its webhook address."""
    for rig in running(tmp_path_factory.mktemp("webhooks")):
        furnish(rig, addon_zip)
        rig.start()
        point_webhooks(rig)
        yield rig


@pytest.fixture(params=["shared", "account", "host", "host, with a slash"])
def address(request: pytest.FixtureRequest, desk: Rig) -> str:
    """Each form the webhook address of the Pottery's account has."""
    return addresses(desk, POTTERY)[request.param]


def addresses(desk: Rig, shop: Shop) -> dict[str, str]:
    uuid = desk.value("SELECT uuid FROM channel_accounts WHERE external_id = ?", shop.igid)
    return {
        "shared": f"{desk.url}/addons/instagram/webhook",
        "account": f"{desk.url}/addons/instagram/webhook/{uuid}",
        "host": f"{desk.url}/webhooks/instagram/{uuid}",
        "host, with a slash": f"{desk.url}/webhooks/instagram/{uuid}/",
    }


def shared(desk: Rig) -> str:
    return f"{desk.url}/addons/instagram/webhook"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(
    shop: Shop, text: str, *, mid: str = "", at: int | None = None, customer: str = ""
) -> dict[str, Any]:
    return {
        "sender": {"id": customer or shop.customer},
        "recipient": {"id": shop.igid},
        "timestamp": now_ms() if at is None else at,
        "message": {"mid": mid or new_mid(), "text": text},
    }


def new_mid() -> str:
    return f"aWdfZAG1faXRlbToxOk-{time.time_ns()}-{next(_numbers)}"


def entry(shop: Shop, *events: object) -> dict[str, Any]:
    return {"id": shop.igid, "time": now_ms(), "messaging": list(events)}


def body_of(*entries: object) -> bytes:
    return json.dumps({"object": "instagram", "entry": list(entries)}, separators=(",", ":")).encode()


def sign(raw: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def post(url: str, raw: bytes, signature: str | None) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    return requests.post(url, data=raw, headers=headers, timeout=10)


def deliver(desk: Rig, raw: bytes, secret: str = APP_SECRET) -> None:
    answer = post(shared(desk), raw, sign(raw, secret))
    assert answer.status_code == 200, answer.text


def shown(desk: Rig, text: str) -> list[Any]:
    return desk.rows(
        "SELECT m.*, a.external_id AS account, c.workspace_id AS home FROM messages m "
        "JOIN channel_accounts a ON a.id = m.account_id JOIN conversations c ON c.id = m.conversation_id "
        "WHERE m.text = ?",
        text,
    )


def stored(desk: Rig) -> tuple[int, ...]:
    """Count everything a delivery may leave behind."""
    tables = ("inbound_requests", "inbound_events", "messages", "contacts", "conversations", "lanes")
    return tuple(desk.value(f"SELECT COUNT(*) FROM {table}") for table in tables)


def settled(desk: Rig) -> bool:
    return desk.value("SELECT COUNT(*) FROM inbound_events WHERE state = 'pending'") == 0


def refused(desk: Rig, shop: Shop) -> int:
    """Count the requests about one account that were not believed."""
    account = desk.value("SELECT id FROM channel_accounts WHERE external_id = ?", shop.igid)
    query = "SELECT COALESCE(SUM(count), 0) FROM refused_deliveries WHERE account_key = ?"
    return int(desk.value(query, str(account)))


def unique(text: str) -> str:
    return f"{text} {next(_numbers)}"


# Signatures


@pytest.mark.parametrize(
    "written",
    [
        '"{text} 💙 naïve"',
        r'"{text} \ud83d\udc99 na\u00efve"',
        r'"{text} \uD83D\uDC99 na\u00EFve"',
    ],
    ids=["as UTF-8", "escaped", "escaped in capitals"],
)
def test_the_signature_covers_the_bytes_as_they_came(desk: Rig, address: str, written: str) -> None:
    text = unique("Hello")
    raw = body_of(entry(POTTERY, event(POTTERY, "PLACE"))).replace(
        b'"PLACE"', written.replace("{text}", text).encode()
    )
    raw = raw.replace(b'"object":', b' "object" :\t').replace(b"instagram", rb"inst\u0061gram", 1)
    assert post(address, raw, sign(raw, APP_SECRET)).status_code == 200
    until(lambda: shown(desk, f"{text} 💙 naïve"), "the message")


def test_the_same_json_in_other_bytes_is_another_body(desk: Rig, address: str) -> None:
    raw = body_of(entry(POTTERY, event(POTTERY, unique("Hello 💙"))))
    before = stored(desk)
    again = json.dumps(json.loads(raw), ensure_ascii=False).encode()
    assert post(address, again, sign(raw, APP_SECRET)).status_code == 401
    assert stored(desk) == before


def bad_signatures() -> dict[str, str | None]:
    right = "sha256=" + "0" * 64
    return {
        "none": None,
        "empty": "",
        "wrong": right,
        "sha1": "sha1=" + "0" * 40,
        "short": right[:-1],
        "long": right + "0",
        "not hex": "sha256=" + "g" * 64,
        "capitals": "SHA256=" + "0" * 64,
        "not ascii": "sha256=" + "é" * 64,
    }


def test_a_wrong_signature_leaves_nothing_but_a_count(desk: Rig) -> None:
    before, counted = stored(desk), refused(desk, CAFE)
    raw = body_of(entry(CAFE, event(CAFE, unique("Believe me"))))
    asked = list(itertools.product(addresses(desk, CAFE).values(), bad_signatures().values()))
    for address, given in asked:
        headers = {} if given is None else {"X-Hub-Signature-256": given.encode("latin-1")}
        answer = requests.post(address, data=raw, headers=headers, timeout=10)  # type: ignore[arg-type]
        assert (answer.status_code, answer.text) == (401, "Unauthorized"), given
    assert stored(desk) == before
    until(lambda: refused(desk, CAFE) == counted + len(asked), "counting what was refused")


def test_one_answer_for_every_reason_not_to_believe(desk: Rig) -> None:
    known, unknown = (body_of(entry(shop, event(shop, "Hm"))) for shop in (POTTERY, POTTERY))
    unknown = unknown.replace(POTTERY.igid.encode(), b"17849999999999999")
    stranger = f"{desk.url}/addons/instagram/webhook/11111111-2222-4333-8444-555555555555"
    wrong = "sha256=" + "0" * 64
    answers = [
        post(shared(desk), known, wrong),
        post(shared(desk), unknown, wrong),
        post(shared(desk), b"not json", wrong),
        post(stranger, known, wrong),
        post(stranger, known, sign(known, APP_SECRET)),
        post(stranger.replace("/addons/instagram/webhook", "/webhooks/instagram"), known, wrong),
        post(stranger.replace("/addons/instagram/webhook", "/webhooks/instagram") + "/", known, wrong),
    ]
    seen = {(one.status_code, one.text, tuple(sorted(set(one.headers) - {"Date"}))) for one in answers}
    assert len(seen) == 1
    assert answers[0].status_code == 401


def test_an_account_address_takes_its_own_secret_only(desk: Rig) -> None:
    raw = body_of(entry(POTTERY, event(POTTERY, unique("Whose"))))
    for form in ("account", "host", "host, with a slash"):
        assert post(addresses(desk, POTTERY)[form], raw, sign(raw, SECOND_APP_SECRET)).status_code == 401


# Whose an entry is


def test_accounts_that_share_an_app_share_its_address(desk: Rig) -> None:
    """Both workspaces' accounts belong to one Meta app: a body may hold entries of both, on either's URL."""
    mine, theirs = unique("to the pottery"), unique("to the studio")
    raw = body_of(entry(POTTERY, event(POTTERY, mine)), entry(STUDIO, event(STUDIO, theirs)))
    assert post(addresses(desk, POTTERY)["account"], raw, sign(raw, APP_SECRET)).status_code == 200
    until(lambda: shown(desk, mine) and shown(desk, theirs), "both messages")
    assert [row["account"] for row in shown(desk, mine)] == [POTTERY.igid]
    assert [row["account"] for row in shown(desk, theirs)] == [STUDIO.igid]


@pytest.mark.parametrize("form", ["shared", "account", "host"])
def test_a_secret_opens_no_door_to_another_workspace(desk: Rig, form: str) -> None:
    """The Cafe's own app secret signs a body in which a message for the Pottery hides."""
    forged, honest = unique("forged"), unique("honest")
    raw = body_of(
        entry(POTTERY, event(POTTERY, forged)),
        entry(CAFE, event(CAFE, honest)),
        entry(POTTERY, event(POTTERY, forged)),
    )
    answer = post(addresses(desk, CAFE)[form], raw, sign(raw, SECOND_APP_SECRET))
    assert answer.status_code == 200, "the provider is not to blame, and would switch the app off"
    until(lambda: shown(desk, honest), "the Cafe's own message")
    until(lambda: settled(desk), "everything being applied")
    assert shown(desk, forged) == []
    kept = desk.rows("SELECT * FROM inbound_events WHERE CAST(body AS TEXT) LIKE ?", f"%{forged}%")
    assert {row["state"] for row in kept} == {"dead"}
    assert {row["account_id"] for row in kept} == {None}
    assert all("another account's app" in row["reason"] for row in kept)
    assert forged not in desk.person(POTTERY_OWNER).open("/")


def test_a_body_may_not_lie_about_its_events_either(desk: Rig) -> None:
    """The entry names the Cafe, the event inside says it is for the Pottery: the entry counts."""
    text = unique("crossed")
    lie = {**event(CAFE, text), "recipient": {"id": POTTERY.igid}}
    deliver(desk, body_of(entry(CAFE, lie)), SECOND_APP_SECRET)
    until(lambda: settled(desk), "everything being applied")
    assert {row["account"] for row in shown(desk, text)} <= {CAFE.igid}


def test_a_good_signature_with_an_unknown_id_is_kept_aside(desk: Rig) -> None:
    text = unique("for nobody")
    conversations = desk.value("SELECT COUNT(*) FROM conversations")
    raw = body_of(entry(POTTERY, event(POTTERY, text))).replace(POTTERY.igid.encode(), b"17849999999999999")
    deliver(desk, raw)
    kept = until(
        lambda: desk.rows("SELECT * FROM inbound_events WHERE CAST(body AS TEXT) LIKE ?", f"%{text}%"),
        "its journal row",
    )
    assert [row["state"] for row in kept] == ["dead"]
    assert "no connected account" in kept[0]["reason"]
    assert desk.value("SELECT COUNT(*) FROM conversations") == conversations


# What cannot be read


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 20_000,
        b'{"object":"instagram","entry":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"object":"instagram","entry":[{"id":' + b"9" * 5000 + b"}]}",
        b'{"object":"instagram"}',
        b'{"object":"instagram","entry":{"id":7}}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_cannot_be_read_is_a_dead_letter_with_its_reason(desk: Rig, raw: bytes) -> None:
    conversations = desk.value("SELECT COUNT(*) FROM conversations")
    last = desk.value("SELECT COALESCE(MAX(id), 0) FROM inbound_events")
    for _ in range(2):
        deliver(desk, raw)
    until(lambda: settled(desk), "everything being applied")
    kept = desk.rows("SELECT * FROM inbound_events WHERE id > ?", last)
    assert len(kept) == 1, "the same bytes again are the same event"
    assert kept[0]["state"] in {"dead", "ignored"}
    assert kept[0]["reason"]
    assert desk.value("SELECT COUNT(*) FROM conversations") == conversations


BROKEN: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"sender": None, "recipient": None, "timestamp": "soon", "message": None},
    {"sender": {"id": []}, "recipient": {"id": {}}, "timestamp": -1, "message": {"mid": {}, "text": 7}},
    {"sender": {"id": "1"}, "recipient": {"id": "2"}, "timestamp": 10**30, "message": {"mid": 0}},
    {"sender": {"id": "x" * 5000}, "timestamp": 1e400, "message": {"mid": "y" * 5000, "text": "\x00\ud800"}},
    {"sender": {"id": "1"}, "message": {"mid": "m", "attachments": "none"}},
    {"sender": {"id": "1"}, "message": {"mid": "m2", "attachments": [None, 1, {"type": 5, "payload": 5}]}},
    {"reaction": {"mid": 5, "action": [], "reaction": {}}, "sender": {"id": "1"}},
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda item: json.dumps(item)[:40])
def test_neighbours_of_a_broken_event_arrive(desk: Rig, broken: object) -> None:
    before, after, beyond = unique("before"), unique("after"), unique("beyond")
    hurt = entry(POTTERY, event(POTTERY, before), broken, event(POTTERY, after))
    deliver(desk, body_of(broken, hurt, entry(POTTERY, event(POTTERY, beyond))))
    until(lambda: all(shown(desk, text) for text in (before, after, beyond)), "the three neighbours")
    until(lambda: settled(desk), "everything being applied")
    assert desk.program is not None
    assert "Traceback" not in desk.program.output


def test_text_no_database_likes_arrives_all_the_same(desk: Rig) -> None:
    mid = new_mid()
    deliver(desk, body_of(entry(POTTERY, event(POTTERY, "nul \x00 surrogate \ud83d end", mid=mid))))
    row = until(lambda: desk.rows("SELECT text FROM messages WHERE external_id = ?", mid), "the message")[0]
    assert row["text"].startswith("nul")
    assert row["text"].endswith("end")


def test_an_unknown_kind_of_event_becomes_a_visible_row(desk: Rig) -> None:
    mid = new_mid()
    unknown = event(POTTERY, "", mid=mid)
    unknown["message"] = {"mid": mid, "attachments": [{"type": "hologram", "payload": {}}]}
    deliver(desk, body_of(entry(POTTERY, unknown)))
    until(lambda: desk.rows("SELECT 1 FROM messages WHERE external_id = ?", mid), "the neutral row")


# Size


def test_a_body_over_a_megabyte_is_refused_unread(desk: Rig, address: str) -> None:
    before = stored(desk)
    raw = b'{"object":"instagram","entry":[]}'.ljust(MEGABYTE + 1)
    assert post(address, raw, sign(raw, APP_SECRET)).status_code == 413
    assert stored(desk) == before


def test_a_body_of_a_megabyte_is_taken(desk: Rig) -> None:
    text = unique("at the brim")
    raw = body_of(entry(POTTERY, event(POTTERY, text))).ljust(MEGABYTE)
    deliver(desk, raw)
    until(lambda: shown(desk, text), "the message")


def test_a_body_without_a_stated_length_is_capped_too(desk: Rig, address: str) -> None:
    text = unique("in chunks")
    small = body_of(entry(POTTERY, event(POTTERY, text)))
    assert chunked(desk, address, small, sign(small, APP_SECRET)) == 200
    until(lambda: shown(desk, text), "the message")
    large = small.ljust(MEGABYTE + 1)
    assert chunked(desk, address, large, sign(large, APP_SECRET)) == 413


def chunked(desk: Rig, address: str, raw: bytes, signature: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
    try:
        connection.putrequest("POST", address.removeprefix(desk.url))
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("X-Hub-Signature-256", signature)
        connection.endheaders()
        try:
            for start in range(0, len(raw), 65536):
                piece = raw[start : start + 65536]
                connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_for_this_address(desk: Rig, address: str, method: str) -> None:
    assert requests.request(method, address, timeout=10).status_code == 405


# Again, and in another order


def test_a_delivery_that_comes_again_changes_nothing(desk: Rig) -> None:
    text = unique("once")
    one = event(POTTERY, text)
    raw = body_of(entry(POTTERY, one))
    other = body_of(entry(POTTERY, event(POTTERY, unique("new")), one))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: deliver(desk, raw), range(16)))
    deliver(desk, other)
    until(lambda: shown(desk, text) and settled(desk), "everything being applied")
    deliver(desk, raw)
    until(lambda: settled(desk), "everything being applied")
    assert len(shown(desk, text)) == 1


def test_mids_that_differ_in_case_are_two_messages(desk: Rig) -> None:
    base, text = new_mid(), unique("twins")
    deliver(
        desk,
        body_of(entry(POTTERY, event(POTTERY, text, mid=base + "a"), event(POTTERY, text, mid=base + "A"))),
    )
    until(lambda: len(shown(desk, text)) == 2, "both messages")


def test_what_comes_late_is_shown_in_its_place(desk: Rig) -> None:
    start, texts = now_ms() - 1000, [unique("part") for _ in range(5)]
    customer = "1026000000000077"
    for position in (3, 0, 4, 2, 1):
        late = event(POTTERY, texts[position], at=start + position, customer=customer)
        deliver(desk, body_of(entry(POTTERY, late)))
    until(lambda: all(shown(desk, text) for text in texts), "all five")
    conversations = {shown(desk, text)[0]["conversation_id"] for text in texts}
    assert len(conversations) == 1
    owner = desk.person(POTTERY_OWNER)
    page = owner.open(f"/w/{shown(desk, texts[0])[0]['home']}/inbox/{conversations.pop()}")
    thread = page[page.rindex(texts[0]) :] if page.count(texts[0]) else page
    assert [thread.find(text) for text in texts] == sorted(thread.find(text) for text in texts)
    assert all(text in thread for text in texts)
    preview = desk.value(
        "SELECT last_preview FROM conversations WHERE id = ?", shown(desk, texts[0])[0]["conversation_id"]
    )
    assert preview == texts[4], "the list shows the newest, not the last to arrive"


# The verification of an address


def verification(url: str, token: str | None, **more: str) -> requests.Response:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", **more}
    if token is not None:
        query["hub.verify_token"] = token
    return requests.get(url, params=query, timeout=10)


def test_the_right_verify_token_is_answered_with_the_challenge(desk: Rig, address: str) -> None:
    answer = verification(address, POTTERY.verify_token)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "token", ["wrong", "", None, POTTERY.verify_token[:-1], POTTERY.verify_token + "x", "é\udcff"]
)
def test_a_wrong_verify_token_is_refused(desk: Rig, address: str, token: str | None) -> None:
    given = token.encode("utf-8", "surrogateescape").decode("latin-1") if token else token
    answer = verification(address, given)
    assert (answer.status_code, answer.text) == (403, "Forbidden")


def test_only_the_shared_address_takes_any_accounts_token(desk: Rig) -> None:
    assert verification(shared(desk), CAFE.verify_token).status_code == 200
    for form in ("account", "host", "host, with a slash"):
        assert verification(addresses(desk, POTTERY)[form], CAFE.verify_token).status_code == 403


@pytest.mark.parametrize(
    "more",
    [
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1" * 200},
    ],
)
def test_only_a_verification_is_answered(desk: Rig, address: str, more: dict[str, str]) -> None:
    answer = verification(address, POTTERY.verify_token, **more)
    assert answer.status_code == 403
    assert "script" not in answer.text


# The dashboard's Test button


@pytest.mark.parametrize("shape", ["messaging", "changes"])
def test_the_dashboards_test_is_received_and_starts_no_conversation(desk: Rig, shape: str) -> None:
    until(lambda: settled(desk), "everything being applied")
    before = stored(desk)[2:]
    answer = desk.control("POST", "test", {"shape": shape})
    assert answer["status"] == 200
    until(lambda: settled(desk), "everything being applied")
    assert stored(desk)[2:] == before
    admin = desk.person(ADMIN)
    admin.open("/admin/addons/instagram/settings")
    admin.expect("Test received")


def test_a_real_message_of_the_sandbox_arrives(desk: Rig) -> None:
    """The whole way once: subscribed at connecting, signed by the sandbox, shown to the owner."""
    text = unique("Is the mug still there? 🏺")
    desk.control("POST", "dm", {"account": POTTERY.igid, "customer": POTTERY.customer, "text": text})
    home = until(lambda: shown(desk, text), "the message")[0]["home"]
    desk.person(POTTERY_OWNER).open(f"/w/{home}/inbox")


# An addon that is not active; this comes last, because the others need it


def test_the_addresses_of_an_addon_are_gone_while_it_is_not_active(desk: Rig) -> None:
    text = unique("while it is away")
    raw = body_of(entry(POTTERY, event(POTTERY, text)))
    before = stored(desk)
    admin = desk.person(ADMIN)
    admin.open("/admin/addons")
    admin.press("Deactivate", to="/instagram/")
    try:
        for address in addresses(desk, POTTERY).values():
            assert post(address, raw, sign(raw, APP_SECRET)).status_code == 404
            assert chunked(desk, address, raw, sign(raw, APP_SECRET)) == 404
            assert verification(address, POTTERY.verify_token).status_code == 404
        assert stored(desk) == before
    finally:
        admin.open("/admin/addons")
        admin.press("Activate", to="/instagram/")
    for address in addresses(desk, POTTERY).values():
        assert post(address, raw, sign(raw, APP_SECRET)).status_code == 200
    until(lambda: shown(desk, text), "the message")
