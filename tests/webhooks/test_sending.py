"""Sending to endpoints, over real sockets: who answers what, in what order, and for how long it is tried."""

from __future__ import annotations

import socket
import struct
import threading
import time
from datetime import timedelta

import jsonschema_rs
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from host.api.http.openapi import document
from host.core import clock, db, guard, resealing, secrets
from host.models.notifications import Notification
from host.models.users import Role
from host.webhooks import endpoints, policy, posting, queue, sending
from host.webhooks.models import EndpointState, HookState
from host.webhooks.sending import Senders
from tests import helpers
from tests.core.servers import Handler, read_request, serving
from tests.helpers import do
from tests.inbox.toys import everything
from tests.receiver import Receiver, receiving
from tests.webhooks.conftest import Travel
from tests.webhooks.desk import HookDesk


def test_a_message_is_told_and_signed(any_desk: HookDesk, receiver: Receiver) -> None:
    _, secret = any_desk.endpoint(receiver.url, "message.received")
    any_desk.customer_wrote("anna")
    assert any_desk.deliver() == 1
    [got] = receiver.got
    Webhook(secret.reveal()).verify(got.body, got.headers)
    assert got.headers["user-agent"].startswith("Lobby/")
    assert got.headers["content-type"] == "application/json"
    assert got.told["event"] == "message.received"
    data = got.told["data"]
    assert data["from"] == "anna"
    assert data["content"] == {"type": "text", "text": "hello"}
    assert data["channelId"] == any_desk.account.uuid
    [delivery] = any_desk.deliveries()
    assert (delivery.state, delivery.status, delivery.attempts) == (HookState.DELIVERED, 200, 1)


def test_what_is_sent_keeps_to_the_schemas_of_the_document(desk: HookDesk, receiver: Receiver) -> None:
    api = document("https://desk.example")
    desk.endpoint(receiver.url, "*")
    desk.customer_wrote("anna")
    desk.deliver()
    assert {one.told["event"] for one in receiver.got} >= {"message.received", "conversation.created"}
    for one in receiver.got:
        post = api["webhooks"][one.told["event"]]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        jsonschema_rs.validator_for({**schema, "components": api["components"]}).validate(one.told)


def test_what_was_changed_on_the_way_is_not_ours(desk: HookDesk, receiver: Receiver) -> None:
    _, secret = desk.endpoint(receiver.url, "message.received")
    desk.customer_wrote()
    desk.deliver()
    [got] = receiver.got
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.reveal()).verify(got.body.replace(b"hello", b"hallo"), got.headers)


def test_while_a_secret_is_changed_both_sign(desk: HookDesk, receiver: Receiver, travel: Travel) -> None:
    row, old = desk.endpoint(receiver.url, "message.received")
    _, new = do(endpoints.rotate, desk.workspace_id, row.id)
    desk.customer_wrote("anna")
    desk.deliver()
    for secret in (old, new):
        Webhook(secret.reveal()).verify(receiver.got[0].body, receiver.got[0].headers)
    travel(policy.OLD_SECRET + timedelta(seconds=1))
    desk.customer_wrote("ben")
    desk.deliver()
    headers, body = receiver.got[1].headers, receiver.got[1].body
    assert headers["webhook-signature"].count("v1,") == 1
    # Receivers look at the time too; ours was moved.
    late = headers | {"webhook-timestamp": headers["webhook-timestamp"]}
    with clock.travel(timedelta()), pytest.raises(WebhookVerificationError):
        Webhook(old.reveal()).verify(body, late)
    db.write(endpoints.forget_old_secrets)
    assert desk.row(row.id).old_secret is None


def test_secrets_are_sealed_and_sealed_again_with_a_new_key(desk: HookDesk, receiver: Receiver) -> None:
    row, secret = desk.endpoint(receiver.url)
    do(endpoints.rotate, desk.workspace_id, row.id)
    assert secret.reveal() not in desk.row(row.id).secret
    secrets.use(secrets.Keyring({"k2": bytes(32), "k1": bytes(range(32))}))
    findings = resealing.check_values(reseal=True)
    assert findings.resealed == 2
    assert findings.unreadable == []
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    assert len(endpoints.keys(desk.row(row.id))) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
def test_only_a_yes_is_a_yes(desk: HookDesk, receiver: Receiver, status: int) -> None:
    desk.endpoint(receiver.url, "message.received")
    receiver.script, receiver.headers = [status], {"location": receiver.url}
    desk.customer_wrote()
    assert desk.deliver() == 1
    [delivery] = desk.deliveries()
    assert (delivery.state, delivery.status) == (HookState.WAITING, status)
    assert len(receiver.got) == 1


def test_eight_tries_within_about_28_hours_then_the_next(
    desk: HookDesk, receiver: Receiver, travel: Travel
) -> None:
    desk.endpoint(receiver.url, "message.received")
    receiver.script = [503] * 8
    desk.customer_wrote()
    desk.customer_wrote()
    began = tried = clock.now()
    desk.deliver()
    waits = []
    for _ in range(7):
        first, second = desk.deliveries()
        assert first.next_at is not None
        assert (second.state, second.attempts) == (HookState.WAITING, 0), "it waits behind the first"
        # The try was at some time in between.
        waits.append((first.next_at - clock.now(), first.next_at - tried))
        travel(first.next_at - clock.now() + timedelta(seconds=1))
        tried = clock.now()
        sending.drain()
    first, second = desk.deliveries()
    assert (first.state, first.attempts) == (HookState.GIVEN_UP, 8)
    assert second.state == HookState.DELIVERED
    assert len(set(receiver.ids[:8])) == 1, "the same id in every try"
    assert len(first.tries) == 8
    for (least, most), wanted in zip(waits, policy.DELAYS, strict=True):
        assert most / wanted > 0.88
        assert least / wanted < 1.12
    assert timedelta(hours=24) < clock.now() - began < timedelta(hours=32)


def test_events_of_a_conversation_keep_their_order_and_others_go_ahead(
    any_desk: HookDesk, receiver: Receiver, travel: Travel
) -> None:
    any_desk.endpoint(receiver.url, "message.received")
    receiver.script = [503]
    any_desk.customer_wrote("anna")
    any_desk.deliver()
    any_desk.customer_wrote("anna")
    any_desk.customer_wrote("ben")
    any_desk.deliver()
    assert [one.told["data"]["from"] for one in receiver.got] == ["anna", "ben"]
    travel(timedelta(seconds=10))
    sending.drain()
    ids = [int(one.told["data"]["id"]) for one in receiver.got if one.told["data"]["from"] == "anna"]
    assert ids == sorted(ids)
    assert len(ids) == 3


def test_without_order_nothing_waits_for_anything(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "message.received", ordered=False)
    receiver.script = [503]
    desk.customer_wrote("anna")
    desk.customer_wrote("anna")
    desk.deliver()
    assert sorted(one.state for one in desk.deliveries()) == [HookState.DELIVERED, HookState.WAITING]


def test_who_is_gone_is_switched_off_and_owners_are_told(desk: HookDesk, receiver: Receiver) -> None:
    owner = helpers.make_user(workspace=desk.workspace_id, role=Role.OWNER)
    row, _ = desk.endpoint(receiver.url, "message.received")
    receiver.script = [410]
    desk.customer_wrote("anna")
    desk.customer_wrote("ben")
    desk.deliver()
    off = desk.row(row.id)
    assert (off.state, off.reason) == (EndpointState.OFF, "gone")
    told = [one for one in everything(Notification) if one.user_id == owner.id]
    assert [one.path for one in told] == [f"/w/{desk.workspace_id}/settings/integrations/{row.id}"]
    got = len(receiver.got)
    desk.customer_wrote("carl")
    desk.deliver()
    assert len(receiver.got) == got
    do(endpoints.resume, desk.workspace_id, row.id)
    desk.deliver()
    assert {one.told["data"]["from"] for one in receiver.got} >= {"anna", "ben"}, "what waited goes on"


def test_five_days_without_an_exception_switch_an_endpoint_off(
    desk: HookDesk, receiver: Receiver, travel: Travel
) -> None:
    row, _ = desk.endpoint(receiver.url, "message.received")
    receiver.script = [500, 200, 500]
    desk.customer_wrote("anna")
    desk.deliver()
    assert desk.row(row.id).failing_since is not None
    desk.customer_wrote("ben")
    desk.deliver()
    assert desk.row(row.id).failing_since is None, "one that gets through begins anew"
    receiver.script = [500] * 200
    for _ in range(5):
        travel(timedelta(days=1, seconds=1))
        desk.customer_wrote(f"new {clock.now()}")
        desk.deliver()
    assert desk.row(row.id).state == EndpointState.ACTIVE
    travel(timedelta(days=1))
    desk.customer_wrote("once more")
    desk.deliver()
    off = desk.row(row.id)
    assert (off.state, off.reason) == (EndpointState.OFF, "failing")


def test_paused_nothing_is_sent_and_nothing_new_kept(desk: HookDesk, receiver: Receiver) -> None:
    row, _ = desk.endpoint(receiver.url, "message.received")
    desk.customer_wrote("anna")
    desk.tell()
    do(endpoints.pause, desk.workspace_id, row.id)
    desk.customer_wrote("ben")
    assert desk.deliver() == 0
    do(endpoints.resume, desk.workspace_id, row.id)
    desk.deliver()
    assert [one.told["data"]["from"] for one in receiver.got] == ["anna"]


def test_a_private_address_is_refused_whatever_its_name_says(desk: HookDesk) -> None:
    for url in (
        "http://10.0.0.1/",
        "https://10.0.0.1:8443/",
        "ftp://a.example/",
        "https://u:p@a.example/",
        "x",
    ):
        with pytest.raises(endpoints.AddressError):
            desk.endpoint(url)
    desk.endpoint("https://10.0.0.1/", "message.received")
    desk.customer_wrote()
    desk.deliver()
    [delivery] = desk.deliveries()
    assert delivery.status is None
    assert delivery.words == "10.0.0.1 leads to an address that is not public"


# Servers that misbehave


def hang(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def dribble(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def nonsense(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"\x16\x03\x01 what?\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "status"),
    [(hang, None), (reset, None), (nonsense, None), (dribble, 200), (flood, 200)],
    ids=["hang", "reset", "nonsense", "dribble", "flood"],
)
def test_a_server_that_misbehaves_takes_little_time_and_memory(
    handler: Handler, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SECONDS", 1.0)
    with serving(handler) as server:
        monkeypatch.setattr(guard, "_exempt", frozenset({("127.0.0.1", server.port)}))
        began = time.monotonic()
        found = posting.post(f"http://127.0.0.1:{server.port}/", b"{}", {})
        assert time.monotonic() - began < 8
    assert found.status == status
    assert found.ok is (status == 200)
    assert len(found.words) <= policy.WORDS
    assert found.words or handler is dribble


def test_the_head_of_an_answer_is_kept(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "message.received")
    receiver.script, receiver.words = [500], b"\x00\xff no " * 400
    desk.customer_wrote()
    desk.deliver()
    [delivery] = desk.deliveries()
    assert delivery.words is not None
    assert "\x00" not in delivery.words
    assert len(delivery.words) <= 500


# Threads


def took(desk: HookDesk, receiver: Receiver, start: int) -> float:
    """Return how many seconds it takes until *receiver* was told of 150 customers."""
    for number in range(start, start + 150):
        desk.customer_wrote(f"customer {number}")
    desk.tell()
    receiver.got.clear()
    senders = Senders()
    began = time.monotonic()
    senders.start()
    while len(receiver.got) < 150 and time.monotonic() - began < 60:
        time.sleep(0.01)
    found = time.monotonic() - began
    senders.stop(timeout=30)
    assert len(receiver.got) == 150
    return found


@pytest.mark.slow
def test_dead_endpoints_hold_up_nobody(
    desk: HookDesk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With three that hang, about as fast as alone. Lenient, because other tests run beside it."""
    desk.endpoint(receiver.url, "message.received")
    alone = min(took(desk, receiver, 1000), took(desk, receiver, 2000))
    with serving(hang) as dead:
        monkeypatch.setattr(guard, "_exempt", guard._exempt | {("127.0.0.1", dead.port)})
        for _ in range(3):
            desk.endpoint(f"http://127.0.0.1:{dead.port}/", "message.received")
        monkeypatch.setattr(policy, "SECONDS", 3.0)
        beside = min(took(desk, receiver, 3000), took(desk, receiver, 4000))
    print(f"alone {alone:.2f} s, beside three that hang {beside:.2f} s: {alone / beside:.2f}")
    assert alone / beside > 0.4


def test_what_a_dead_process_had_in_hand_is_sent_again_under_its_id(
    any_desk: HookDesk, receiver: Receiver, travel: Travel
) -> None:
    any_desk.endpoint(receiver.url, "message.received")
    any_desk.customer_wrote()
    any_desk.tell()
    dead = Senders()
    [lease] = db.write(dead._settle_and_lease, [], 16)
    dead._work(lease)  # sent, and killed before that was written
    assert len(receiver.got) == 1
    assert sending.drain() == 0, "its lease holds"
    travel(timedelta(seconds=31))
    assert sending.drain() == 1
    assert len(set(receiver.ids)) == 1
    # What the dead one would still write is dropped: its fence is old.
    db.write(dead._settle_and_lease, dead._drained(), 0)
    [delivery] = any_desk.deliveries()
    assert (delivery.state, len(delivery.tries)) == (HookState.DELIVERED, 1)


def test_an_endpoint_that_is_deleted_meanwhile_is_no_trouble(desk: HookDesk, receiver: Receiver) -> None:
    row, _ = desk.endpoint(receiver.url, "message.received")
    desk.customer_wrote()
    desk.tell()
    receiver.before = lambda _: do(endpoints.delete, desk.workspace_id, row.id)
    sending.drain()
    assert desk.deliveries() == []
    assert all(lane.next_at is None for lane in desk.lanes() if lane.direction == queue.HOOK)


def test_threads_end_with_what_is_under_way(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "message.received")
    under_way, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        under_way.set()
        go_on.wait(10)

    receiver.before = hold
    desk.customer_wrote()
    desk.tell()
    senders = Senders()
    senders.start()
    assert under_way.wait(10)
    senders.retire()
    go_on.set()
    senders.stop()
    assert [one.state for one in desk.deliveries()] == [HookState.DELIVERED]


def test_one_body_for_every_endpoint(desk: HookDesk, receiver: Receiver) -> None:
    with receiving() as other:
        desk.endpoint(receiver.url, "message.received")
        desk.endpoint(other.url, "message.*")
        desk.customer_wrote()
        desk.deliver()
        assert [one.body for one in receiver.got] == [one.body for one in other.got]
        assert receiver.ids == other.ids
    assert len(desk.bodies()) == 1


def test_old_bodies_go_with_their_deliveries(any_desk: HookDesk, receiver: Receiver, travel: Travel) -> None:
    any_desk.endpoint(receiver.url, "message.received")
    any_desk.customer_wrote("anna")
    any_desk.deliver()
    travel(policy.KEPT)
    any_desk.customer_wrote("ben")
    any_desk.deliver()
    assert db.write(queue.remove_old, clock.now() - policy.KEPT + timedelta(hours=1), 500) == 1
    assert len(any_desk.bodies()) == len(any_desk.deliveries()) == 1
