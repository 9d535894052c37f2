"""The control surface: what it changes, and what it refuses."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sandbox import seed
from sandbox.server import Server
from tests.sandbox.helpers import ANA, LONG, Desk, Meta, error_of


def test_the_start_is_the_documented_one(meta: Meta) -> None:
    state = meta.control("GET", "state")
    assert [app["id"] for app in state["apps"]] == [seed.APP_ID, seed.SECOND_APP_ID]
    assert [page["igid"] for page in state["pages"]][-1] is None
    assert len(state["pages"]) == 4
    tokens = {token["id"]: token for token in state["tokens"]}
    assert tokens["pottery-long"]["value"] == LONG
    assert tokens["cafe-long"]["app_id"] == seed.SECOND_APP_ID
    assert {customer["name"] for customer in state["customers"]} == {"Ana Q.", "Kit L.", "Rosa S.", "Gil F."}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "dm", {}, 400, "customer is required"),
        ("POST", "dm", {"customer": ANA}, 400, "text needs text"),
        ("POST", "dm", {"customer": ANA, "txt": "x"}, 400, "unknown name txt"),
        ("POST", "dm", {"customer": 7, "text": "x"}, 400, "customer must be a text"),
        ("POST", "dm", {"customer": "nobody", "text": "x"}, 404, "no customer nobody"),
        ("POST", "dm", {"customer": ANA, "text": "x", "account": "nobody"}, 404, "no account nobody"),
        ("POST", "dm", {"customer": ANA, "text": "x", "account": "sample.cafe"}, 404, "no customer"),
        ("POST", "dm", {"customer": ANA, "kind": "dance"}, 400, "kind must be one of"),
        ("POST", "dm", {"customer": ANA, "kind": "unsend"}, 400, "no such message"),
        ("POST", "dm", {"customer": ANA, "kind": "image", "count": 11}, 400, "count must be"),
        ("POST", "events", {}, 400, "exactly one of"),
        ("POST", "webhook", {"verify_token": "v"}, 400, "callback_url is required"),
        ("POST", "webhook", {"callback_url": "ftp://x", "verify_token": "v"}, 400, "must start with http"),
        ("POST", "webhook", {"callback_url": "http://x"}, 400, "verify_token is required"),
        ("POST", "webhook/raw", {"body": {}}, 400, "no callback URL"),
        ("POST", "clock", {}, 400, "exactly one of"),
        ("POST", "clock", {"advance": "1"}, 400, "advance must be"),
        ("POST", "clock", {"advance": 1, "reset": True}, 400, "exactly one of"),
        ("POST", "test", {"shape": "round"}, 400, "shape must be"),
        ("POST", "pages", {}, 400, "name is required"),
        ("POST", "pages", {"name": "x", "id": "abc"}, 400, "id must be"),
        ("POST", "pages", {"name": "x", "id": "100000000000001"}, 400, "exists already"),
        ("POST", "customers", {"igsid": "12345"}, 400, "15 to 17 digits"),
        ("POST", "tokens", {"type": "PAGE"}, 400, "needs page"),
        ("PATCH", "tokens/nothing", {}, 404, "no token"),
        ("PATCH", "tokens/pottery-long", {"scopes": "all"}, 400, "scopes must be a list"),
        ("PATCH", f"apps/{seed.APP_ID}", {"mode": "sleepy"}, 400, "mode must be one of"),
        ("PATCH", f"apps/{seed.APP_ID}", {"fields": ["shoes"]}, 400, "fields may hold only"),
        ("PATCH", f"customers/{ANA}", {"consent": True}, 400, "consent must be a text"),
        ("PATCH", "accounts/sample.pottery", {"allow_messages": "yes"}, 400, "true or false"),
        ("PATCH", "settings", {"colour": "red"}, 400, "unknown name colour"),
        ("POST", "switches/dance", {"on": True}, 404, "no switch"),
        ("DELETE", "faults/f99", None, 404, "no fault"),
        ("GET", "ledger?since=x", None, 400, "since must be"),
        ("GET", "ledger/999", None, 404, "no entry"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(
    meta: Meta, method: str, path: str, body: Any, status: int, says: str
) -> None:
    assert says in meta.control(method, path, body, status)["error"]


def test_a_body_that_is_not_json_is_refused(meta: Meta) -> None:
    for data in ("{", "[]", '"x"'):
        answer = meta.session.post(f"{meta.url}/control/dm", data=data)
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_other_sites_are_refused(meta: Meta) -> None:
    url = f"{meta.url}/control/reset"
    assert meta.session.post(url, headers={"Origin": "https://evil.example"}).status_code == 403
    assert meta.session.post(url, headers={"Origin": meta.url}).status_code == 200


def test_a_whole_new_shop_can_be_made(meta: Meta) -> None:
    app = meta.control("POST", "apps", {"name": "New desk"})
    made = meta.control("POST", "pages", {"name": "New shop", "username": "new.shop"})
    token = meta.control("POST", "tokens", {"app": app["id"], "page": made["page"]["id"]})
    customer = meta.control("POST", "customers", {"account": "new.shop", "name": "Lee"})
    meta.control("POST", "dm", {"customer": customer["igsid"], "text": "hello"})
    answer = meta.send(token=token["value"], recipient={"id": customer["igsid"]})
    assert answer.status_code == 200
    assert meta.ledger("send")[0]["account"] == made["account"]["igid"]


def test_unlinking_a_page(meta: Meta) -> None:
    meta.dm()
    meta.control("PATCH", "pages/100000000000001", {"igid": None})
    assert error_of(meta.send()) == (400, 100, 2534013)
    meta.control("PATCH", "pages/100000000000001", {"igid": "17841400000000001"})
    assert meta.send().status_code == 200


def test_the_ledger_is_read_in_parts(meta: Meta) -> None:
    meta.dm("one")
    last = meta.ledger()[-1]["id"]
    meta.dm("two", customer="kit.makes.sample")
    assert [e["kind"] for e in meta.ledger(since=last)] == ["dm", "webhook_skipped"]
    assert [e["text"] for e in meta.ledger("dm", customer=ANA)] == ["one"]
    mid = meta.ledger("dm")[0]["mid"]
    assert {e["kind"] for e in meta.ledger(mid=mid)} == {"dm", "webhook_skipped"}


def test_reset_goes_back_but_ids_go_on(connected: Meta) -> None:
    connected.dm()
    connected.control("POST", "clock", {"advance": 5})
    last = connected.ledger()[-1]["id"]
    connected.control("POST", "reset")
    assert connected.ledger() == []
    assert connected.dm()["webhooks"] == 0
    assert connected.ledger()[0]["id"] > last
    assert connected.control("GET", "state")["clock"]["offset"] == 0


def test_a_delivery_under_way_at_a_reset_is_not_noted_nor_tried_again(connected: Meta, desk: Desk) -> None:
    came, answer = threading.Event(), threading.Event()

    def hold(_body: object) -> None:
        came.set()
        answer.wait(10)

    desk.on_post = hold
    desk.statuses = [500]
    connected.control("POST", "dm", {"customer": ANA, "text": "before"})
    assert came.wait(10)
    connected.control("POST", "reset")
    answer.set()
    connected.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    connected.graph("POST", "me/subscribed_apps", params={"subscribed_fields": "messages"})
    connected.dm("after")  # goes the same way as the one before, so that one has ended
    connected.idle()
    assert [entry["status"] for entry in connected.ledger("webhook")] == [200]
    connected.control("POST", "clock", {"advance": 7200})
    connected.dm("much later")
    connected.idle()
    assert [event["message"]["text"] for event in desk.wait(3)] == ["before", "after", "much later"]
    assert connected.ledger("webhook_given_up") == []


def test_the_ledger_file_survives_and_keeps_secrets_out(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    running = Server(ledger_file=file).start()
    client = Meta(running.url)
    try:
        client.dm("kept")
        client.send("accepted")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    finally:
        client.session.close()
        running.close()
    send = next(line for line in lines if line["kind"] == "send")
    assert (send["text"], send["answered"]) == ("accepted", None)
    amended = next(line for line in lines if line["kind"] == "amend")
    assert (amended["id"], amended["answered"]) == (send["id"], True)
    assert LONG not in file.read_text()


def test_switches_are_rules(meta: Meta) -> None:
    meta.control("POST", "switches/rate", {"on": True})
    meta.dm()
    assert error_of(meta.send())[1] == 613
    meta.control("POST", "switches/rate", {"on": True})
    assert len(meta.control("GET", "faults")["faults"]) == 1
    meta.control("POST", "switches/rate", {"on": False})
    assert meta.send().status_code == 200


def test_the_webhooks_of_one_customer_are_swallowed(connected: Meta, desk: Desk) -> None:
    connected.control("POST", "switches/swallow", {"on": True, "customer": "ana.sample"})
    lost = connected.dm("lost")["mid"]
    connected.control("POST", "switches/swallow", {"on": False})
    connected.dm("told")
    connected.idle()
    assert [event["message"]["text"] for event in desk.wait(1)] == ["told"]
    fields = "id,updated_time,messages.limit(1){id}"
    listed = connected.graph("GET", "me/conversations", params={"platform": "instagram", "fields": fields})
    (thread,) = listed.json()["data"]
    assert len(thread["messages"]["data"]) == 1
    fields = "messages.limit(2){id}"
    both = connected.graph("GET", thread["id"], params={"fields": fields}).json()["messages"]["data"]
    assert both[1] == {"id": lost}


def test_a_restricted_app_is_refused_everything_and_told_nothing(connected: Meta) -> None:
    connected.control("POST", "switches/restrict", {"on": True})
    for answer, method in ((connected.send("hello").json(), "post"), (connected.get("me"), "get")):
        assert answer["error"]["code"] == 100
        assert f"Unsupported request - method type: {method}" in answer["error"]["message"]
    assert connected.dm("hi")["webhooks"] == 0
    connected.control("PATCH", f"apps/{seed.APP_ID}", {"restricted": False})
    shown = connected.control("POST", "switches/twice", {"on": False})["switches"]
    assert not next(one["on"] for one in shown if one["name"] == "restrict")
