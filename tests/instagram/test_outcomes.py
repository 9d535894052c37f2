"""The table of outcomes of docs/architecture.md, every row of it: real sockets, the real outbox, one desk.

Each row misbehaves as Meta does, then behaves again; what has to hold in the end is the same for all of them:
whatever is not refused reaches the customer once, and what was refused says why.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from host.core import clock, db, guard
from host.delivery import agent_messages
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.unsent import resending
from host.models.channels import AccountState
from host.models.inbox import DeliveryState, Direction
from host.queue import outbox, policy
from host.sdk import settings
from host.sdk.channel import AccountRef, SendRequest, SendResult
from host.sdk.messages import MessageEchoed
from tests.delivery.desk import Desk, ToyDirectory, ToyGeneration
from tests.instagram import world
from tests.instagram.world import ANA, KIT, Addon, Meta

QUEUED, SENT, FAILED, UNKNOWN = (
    DeliveryState.QUEUED,
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.UNKNOWN,
)
Travel = Callable[[timedelta], None]


class DiedError(BaseException):
    """The worker is killed."""


class Adapter:
    """The real adapter, with a place to interfere right before and right after it sends."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[SendResult], None] = lambda _result: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, request: SendRequest) -> SendResult:
        self.before()
        result: SendResult = self._real.send(request)
        self.after(result)
        return result


class Shop(Desk):
    """The desk of delivery's tests, with Instagram instead of a toy."""

    def __init__(self, account: AccountRef, adapter: Adapter, meta: Meta) -> None:
        self.adapter, self.meta = adapter, meta
        self.toy = adapter  # type: ignore[assignment]
        self.generation = ToyGeneration(ToyDirectory({"instagram": adapter}))  # type: ignore[dict-item]
        self.workspace_id = account.workspace_id
        self.account = account

    def arrived(self, text: str) -> int:
        """Return how often a text reached the customer at Meta."""
        return sum(1 for one in self.meta.sent() if one["text"] == text)


@pytest.fixture
def travel() -> Iterator[Travel]:
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(clock.travel(by))


@pytest.fixture
def shop(ig: Addon, account: AccountRef, meta: Meta, monkeypatch: pytest.MonkeyPatch) -> Shop:
    from host.sdk.http import Client

    # Half a second instead of twenty, so that a time-out takes no longer.
    monkeypatch.setattr(ig.graph, "_client", lambda hosts: Client(hosts, read_timeout=0.5))
    meta.wrote(ANA)
    meta.wrote(KIT)
    return Shop(account, Adapter(ig.channel.InstagramAdapter()), meta)


@dataclass(frozen=True)
class Row:
    """What Meta does, and what follows.

    :param arrives: whether the customer got the message although nobody knew.
    :param stops: whom a limit stops: the message's lane, its account, or all accounts of the app.
    :param waits: the least seconds until it is tried again.
    """

    name: str
    fault: dict[str, Any] = field(default_factory=dict)
    outcome: DeliveryState = QUEUED
    arrives: bool = False
    stops: str = "lane"
    waits: float = 1
    code: str | None = None
    closes: bool = False


def limit(code: int, subcode: int | None = None, *, stops: str = "account", waits: float) -> Row:
    options = {"action": "error", "code": code} | ({} if subcode is None else {"subcode": subcode})
    return Row(f"{code}-{subcode or ''}", options, QUEUED, stops=stops, waits=waits)


def refusal(code: int, subcode: int | None = None, *, closes: bool = False) -> Row:
    options = {"action": "error", "code": code} | ({} if subcode is None else {"subcode": subcode})
    key = str(code) if subcode is None else f"{code}/{subcode}"
    return Row(f"{code}-{subcode or ''}", options, FAILED, code=key, closes=closes)


def unclear(name: str, *, when: str, **options: Any) -> Row:
    return Row(f"{name}, {when}", {"when": when, **options}, UNKNOWN, arrives=when == "after")


def both(name: str, **options: Any) -> list[Row]:
    return [unclear(name, when=when, **options) for when in ("before", "after")]


NOT_SENT = [
    Row("nobody listens"),
    Row("no TLS"),
    Row("429", {"action": "error", "status": 429}),
    Row("429 with a time", {"action": "error", "status": 429, "headers": {"Retry-After": "30"}}, QUEUED,
        stops="account", waits=29),
    limit(4, stops="app", waits=299),
    limit(17, waits=299),
    limit(32, waits=299),
    limit(341, stops="app", waits=899),
    limit(368, waits=3599),
    limit(613, waits=59),
    limit(613, 2534040, waits=59),
    *(limit(code, waits=299) for code in range(80000, 80015)),
    limit(10, 1893063, waits=3599),
    limit(200, 2534041, waits=599),
    limit(36103, waits=599),
]  # fmt: skip
REJECTED = [
    refusal(10),
    refusal(10, 2534022),
    refusal(10, 2018108, closes=True),
    refusal(100),
    refusal(100, 2534014, closes=True),
    refusal(200),
    refusal(551, closes=True),
    refusal(2018300),
]
NOBODY_KNOWS = [
    *both("time-out", action="timeout", seconds=2),
    *both("reset", action="reset"),
    *both("500", action="error", status=500),
    *both("502", action="error", status=502),
    *both("503", action="error", status=503),
    *both("code 1", action="error", code=1),
    *both("code 2", action="error", code=2),
    *both("code -1", action="error", code=-1),
    *both("code 1200", action="error", code=1200),
    unclear("a page instead of an answer", when="after", action="garbage", text="<!doctype html>"),
    unclear("an answer without an id", when="after", action="garbage", text="{}"),
    unclear("a worker that died before", when="before"),
    unclear("a worker that died after", when="after"),
]
UNAFFECTED = [Row("the echo before the answer", outcome=SENT), Row("the echo after the answer", outcome=SENT)]
HELD = [Row(f"190-{code}", outcome=QUEUED, stops="reconnect") for code in (458, 460, 463)]
HELD += [Row("102", outcome=QUEUED, stops="reconnect")]
PASSING = [Row(f"{code} once", {"action": "error", "code": code}, QUEUED) for code in (102, 190)]
TABLE = [*NOT_SENT, *HELD, *PASSING, *REJECTED, *NOBODY_KNOWS, *UNAFFECTED]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_table_of_outcomes(ig: Addon, shop: Shop, meta: Meta, travel: Travel, row: Row) -> None:
    sharing = world.connect(ig, world.STUDIO, workspace_id=shop.workspace_id)
    stranger = world.connect(ig, world.CAFE, workspace_id=shop.workspace_id, app_id="77")
    talk, other = shop.customer_wrote(ANA), shop.customer_wrote(KIT)
    behave = misbehave(shop, ig, row)
    first, second = shop.reply("first", talk, contact=ANA), shop.reply("second", talk, contact=ANA)
    try:
        shop.drain()
    except DiedError:
        assert shop.state(first) == DeliveryState.SENDING
        behave()
        travel(policy.LEASE)
        shop.drain()
    behave()

    assert shop.state(first) == row.outcome
    if row.outcome is QUEUED:
        assert_waits(shop, row, first, sharing, stranger)
        elsewhere = shop.reply("elsewhere", other, contact=KIT)
        shop.drain()
        assert (shop.state(elsewhere) == SENT) == (row.stops == "lane"), "others go on, unless it stops them"
        if row.stops == "reconnect":
            reconnect(shop, meta, travel)
        entry, account = shop.entry(first), shop.account_row()
        until = max(filter(None, (entry.next_at, account.blocked_until)), default=clock.now())
        travel(until - clock.now() + timedelta(seconds=1))
        shop.drain()
        assert shop.states(first, second, elsewhere) == [SENT] * 3
        assert shop.entry(first).waiting is None
    if row.outcome is FAILED:
        error = shop.message(first).error or {}
        assert (error["code"], bool(error["sentence"])) == (row.code, True)
        assert shop.arrived("first") == 0
        db.write(resending.retry, first)
        shop.drain()
        assert shop.state(first) == SENT, "Retry really sends it again"
    if row.outcome is UNKNOWN:
        assert shop.state(second) == QUEUED, "the lane waits until it is known"
        assert shop.arrived("first") == int(row.arrives)
        shop.later(travel, timedelta(minutes=4), step=timedelta(seconds=20))
    assert shop.states(first, second) == [SENT, SENT]
    assert (shop.arrived("first"), shop.arrived("second")) == (1, 1), "nothing is sent twice"
    texts = [one["text"] for one in meta.sent() if one["customer"] == ANA]
    assert texts == (["second", "first"] if row.outcome is FAILED else ["first", "second"])
    assert sorted(shop.texts(Direction.OUTBOUND)) == sorted(
        ["first", "second", *(["elsewhere"] if row.outcome is QUEUED else [])]
    ), "and no echo makes a second message"


def misbehave(shop: Shop, ig: Addon, row: Row) -> Callable[[], None]:
    """Let Meta, the line or the worker do what *row* says; return what ends it."""
    meta, adapter = shop.meta, shop.adapter
    if row.name == "nobody listens":
        return astray(ig, meta, "http://127.0.0.1:1", "127.0.0.1:1")
    if row.name == "no TLS":
        port = no_tls()
        return astray(ig, meta, f"https://127.0.0.1:{port}", f"127.0.0.1:{port}")
    if row.name.startswith("a worker that died"):
        return dies(adapter, after=row.arrives)
    if row.name.startswith("the echo before"):
        adapter.after = lambda result: echoed(shop, result)
    elif row.name.startswith("the echo after"):
        begin = adapter.before
        adapter.before = lambda: [echoed(shop, one) for one in meta.sent()] and begin()
    elif row.stops == "reconnect":
        token = meta.token("pottery-long")
        token.valid = False
        token.subcode = int(row.name.partition("-")[2] or 0) or None
        if row.name == "102":
            meta.fault("graph", "error", code=102, times=2)
    else:
        meta.fault("send", **{"times": 1, **row.fault})
    return lambda: None


def astray(ig: Addon, meta: Meta, url: str, pair: str) -> Callable[[], None]:
    """Let calls go where nobody answers as Meta would."""
    right = {**ig.defaults, "graph_facebook_url": f"{meta.server.url}/graph.facebook.com"}
    guard.allow([pair, f"127.0.0.1:{meta.server.port}"])
    settings.provide("instagram", {**right, "graph_facebook_url": url})
    return lambda: settings.provide("instagram", right)


def no_tls() -> int:
    """Return a port on which something answers that is not TLS."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for _ in range(2):
            try:
                line, _address = listening.accept()
            except OSError:
                return
            with line:
                line.recv(1024)
                line.sendall(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
        listening.close()

    threading.Thread(target=answer, daemon=True).start()
    return int(listening.getsockname()[1])


def dies(adapter: Adapter, *, after: bool) -> Callable[[], None]:
    def die(_result: SendResult | None = None) -> None:
        raise DiedError

    adapter.before, adapter.after = (lambda: None, die) if after else (die, lambda _result: None)

    def live() -> None:
        adapter.before, adapter.after = lambda: None, lambda _result: None

    return live


def echoed(shop: Shop, sent: Any) -> None:
    """Let the echo of what was sent arrive, as its webhook brings it."""
    mid = sent["mid"] if isinstance(sent, dict) else sent.external_id
    text = next(one["text"] for one in shop.meta.sent() if one["mid"] == mid)
    now = clock.now()
    change = MessageEchoed(ANA, mid, now, text=text)
    db.write(apply_changes, [Incoming(shop.account, shop.toy, change, now, mid)])


def assert_waits(shop: Shop, row: Row, message: int, sharing: AccountRef, stranger: AccountRef) -> None:
    """Hold a message that waits to what its row says: who is stopped, for how long, and that it says so."""
    now = clock.now()
    waiting = shop.entry(message).waiting
    assert waiting is not None
    assert waiting["sentence"].endswith(".")
    account = shop.account_row()
    if row.stops == "reconnect":
        assert account.state == AccountState.NEEDS_RECONNECT
        assert waiting == {"sentence": agent_messages.RECONNECT_FIRST, "until": None}
        return
    assert waiting["until"] is not None
    next_at = shop.entry(message).next_at
    assert next_at is not None
    assert (next_at - now).total_seconds() >= row.waits - 5
    stopped = {"lane": 0, "account": 1, "app": 2}[row.stops]
    blocked = [shop.account_row(one.id).blocked_until for one in (shop.account, sharing, stranger)]
    assert [at is not None and at > now for at in blocked] == [stopped > 0, stopped > 1, False]


def reconnect(shop: Shop, meta: Meta, travel: Travel) -> None:
    shop.later(travel, timedelta(hours=2), step=timedelta(minutes=40))
    assert shop.arrived("first") == 0
    token = meta.token("pottery-long")
    token.valid, token.subcode = True, None
    meta.box.faults.remove()
    shop.set_account(state=AccountState.CONNECTED, state_reason=None)
    db.write(outbox.resume_account, shop.account.id)


def test_no_row_of_the_catalogue_is_without_an_outcome_here(ig: Addon) -> None:
    tried = {row.fault.get("code") for row in TABLE} | {190, 102}
    by_code = {
        code
        for known in ig.errors.catalogue()
        for code in range(known.code, (known.until or known.code) + 1)
        if known.outcome != "rejected"
    }
    assert by_code <= tried, "a code that is no refusal has a row of its own above"
