"""After a provider was away: one reply at a time tries it, and the first that is taken wakes the others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, guard
from host.delivery import agent_messages, held_lanes, results
from host.models.channels import ChannelAccount
from host.models.inbox import DeliveryState
from host.models.queue import OutboxEntry
from host.queue import lanes, policy
from host.sdk.channel import (
    Absent,
    NotSent,
    Pause,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.http import Client
from tests.delivery.desk import PROBLEM, Desk

Travel = Callable[[timedelta], None]

QUEUED, SENT, UNKNOWN = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.UNKNOWN
PEOPLE = ("anna", "bert", "carl", "dora", "emil", "fred")


class Provider:
    """A provider that is away for a while, and counts what it is asked meanwhile."""

    def __init__(self, desk: Desk, answer: Callable[[], SendResult]) -> None:
        self.desk, self.answer, self.away = desk, answer, True
        self.tries: list[tuple[float, str]] = []
        self.taken: list[str] = []
        self.began = clock.now()
        desk.toy.send, desk.toy.search = self.send, self.search  # type: ignore[method-assign]

    @property
    def now(self) -> float:
        return (clock.now() - self.began).total_seconds()

    def send(self, request: SendRequest) -> SendResult:
        self.tries.append((self.now, request.part.text))
        if self.away:
            return self.answer()
        self.taken.append(request.part.text)
        return Sent(f"mid-{len(self.taken)}")

    def search(self, request: SearchRequest) -> SearchResult:
        return Pause(PROBLEM, 8, whole_account=False) if self.away else Absent()


def pass_time(desk: Desk, travel: Travel, seconds: int) -> None:
    """Let time pass as workers would: due lanes are found by the sweep, probes by their chore."""
    for _ in range(seconds):
        travel(timedelta(seconds=1))
        held_lanes.wake_probes()
        desk.drain()


def replies(desk: Desk) -> list[int]:
    talks = {name: desk.customer_wrote(name) for name in PEOPLE}
    return [
        desk.reply(f"{name} {number}", talks[name], contact=name) for number in range(2) for name in PEOPLE
    ]


@pytest.mark.parametrize("seconds", [40, 50, 600])
def test_all_replies_are_out_within_15_seconds_of_the_providers_return(
    any_desk: Desk, travel: Travel, seconds: int
) -> None:
    ids = replies(any_desk)
    provider = Provider(any_desk, lambda: NotSent(PROBLEM))
    any_desk.drain()
    pass_time(any_desk, travel, seconds)
    assert set(any_desk.states(*ids)) == {QUEUED}
    parked = [one for one in ids if any_desk.entry(one).waiting == away()]
    assert len(parked) >= 4, "those who did not try it say what they wait for"
    provider.away = False
    pass_time(any_desk, travel, 15)
    assert set(any_desk.states(*ids)) == {SENT}
    assert sorted(provider.taken) == sorted(set(provider.taken)), "nothing is sent twice"
    for name in PEOPLE:
        assert [text for text in provider.taken if text.startswith(name)] == [f"{name} 0", f"{name} 1"]
    account = any_desk.account_row()
    assert (account.failures, account.failing_since, account.probe_at) == (0, None, None)


def away() -> dict[str, str | None]:
    return {"sentence": agent_messages.PROVIDER_AWAY, "until": None}


def test_one_reply_at_a_time_tries_a_provider_that_is_away(any_desk: Desk, travel: Travel) -> None:
    replies(any_desk)
    provider = Provider(any_desk, lambda: NotSent(PROBLEM))
    any_desk.drain()
    pass_time(any_desk, travel, 120)
    later = [at for at, _text in provider.tries if at > 10]
    gaps = [after - before for before, after in pairwise(later)]
    assert min(gaps) >= 0.8 * policy.PROBE_LEAST.total_seconds()
    assert max(gaps) <= policy.PROBE_MOST.total_seconds() + 2
    assert 120 / 10 <= len(later) <= 120 / 4


@pytest.mark.parametrize("transient", [True, False])
def test_after_40_seconds_of_errors_nothing_waits_longer_than_15_seconds(
    any_desk: Desk, travel: Travel, transient: bool
) -> None:
    """The provider answers each with an error of its own, so nobody knows whether it took any of them."""

    def fail() -> SendResult:
        guard.note_left()
        guard.note_answered()
        return Unknown(PROBLEM, transient=transient)

    ids = replies(any_desk)
    provider = Provider(any_desk, fail)
    any_desk.drain()
    pass_time(any_desk, travel, 40)
    in_doubt = {text for _at, text in provider.tries}
    assert len(in_doubt) <= policy.FAILURES_IN_A_ROW, (
        "reading shows whether it is back; no more are put in doubt"
    )
    provider.away = False
    pass_time(any_desk, travel, 15)
    assert set(any_desk.states(*ids)) == {SENT}
    assert sorted(provider.taken) == sorted(set(provider.taken))
    for name in PEOPLE:
        assert [text for text in provider.taken if text.startswith(name)] == [f"{name} 0", f"{name} 1"]


def test_a_reply_the_provider_did_not_answer_is_looked_for_as_long_as_ever(
    desk: Desk, travel: Travel
) -> None:
    """It may still be at work on it, so its return does not shorten the wait."""
    talk, other = desk.customer_wrote(), desk.customer_wrote("bert")
    provider = Provider(desk, lambda: Unknown(PROBLEM))
    message = desk.reply("one", talk)
    desk.drain()
    second = desk.reply("two", other, contact="bert")
    desk.drain()
    provider.away = False
    third = desk.reply("three", desk.customer_wrote("carl"), contact="carl")
    pass_time(desk, travel, 119)
    assert desk.states(message, second) == [UNKNOWN, UNKNOWN]
    assert desk.state(third) == SENT
    pass_time(desk, travel, 60)
    assert desk.states(message, second) == [SENT, SENT]


def test_a_wait_that_had_grown_is_short_again_once_the_provider_takes_a_call(desk: Desk) -> None:
    Provider(desk, lambda: Unknown(PROBLEM, transient=True))
    message = desk.reply("one", desk.customer_wrote())
    desk.drain()
    assert desk.state(message) == UNKNOWN
    now = clock.now()
    grown = len(policy.TRANSIENT_PAUSES)

    def has_been_away(session: Session) -> None:
        waits = {"answered": True, "transient": grown, "next_at": now + policy.TRANSIENT_PAUSES[-1]}
        session.execute(sa.update(OutboxEntry).values(**waits))
        session.execute(sa.update(ChannelAccount).values(failures=3, failing_since=now, probe_at=now))

    db.write(has_been_away)
    assert desk.entry(message).next_at > now + policy.TRANSIENT_PAUSES[0]
    db.write(results.note_recovered, desk.account.id)
    assert desk.entry(message).next_at == now + policy.TRANSIENT_PAUSES[0]


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_a_reply_that_a_worker_puts_back_before_the_recovery_is_committed_does_not_wait(
    any_desk: Desk,
) -> None:
    """The worker still saw a provider that was unavailable; nobody else would wake that lane in time."""
    provider = Provider(any_desk, lambda: NotSent(PROBLEM))
    talk = any_desk.customer_wrote()
    later = clock.now() + policy.PROBE_MOST
    away = sa.update(ChannelAccount).values(failures=3, failing_since=clock.now(), probe_at=later)
    db.write(lambda session: session.execute(away))
    message = any_desk.reply("written while the news was on its way", talk)
    noted, parked = threading.Event(), threading.Event()

    def recover(session: Session) -> None:
        results.note_recovered(session, any_desk.account.id)
        noted.set()
        assert parked.wait(20)

    recovering = threading.Thread(target=db.write, args=(recover,))
    recovering.start()
    try:
        assert noted.wait(20)
        any_desk.drain()
        assert any_desk.state(message) == QUEUED
    finally:
        parked.set()
        recovering.join()
    provider.away = False
    any_desk.drain()
    assert any_desk.state(message) == SENT


def test_a_recovery_stays_recorded_if_its_lanes_cannot_be_woken_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = sa.update(ChannelAccount).values(failures=3, failing_since=clock.now(), probe_at=clock.now())
    db.write(lambda session: session.execute(away))
    make_due, calls = lanes.make_due, []

    def fail_again(session: Session, *args: Any, **values: Any) -> None:
        calls.append(args)
        if len(calls) > 1:
            raise sa.exc.OperationalError("UPDATE lanes", {}, Exception("the server is away"))
        make_due(session, *args, **values)

    monkeypatch.setattr(lanes, "make_due", fail_again)
    db.write(results.note_recovered, desk.account.id)
    assert len(calls) == 2
    assert "lanes could not be made due again" in caplog.text
    with db.read() as session:
        assert session.scalar(sa.select(ChannelAccount.probe_at)) is None


@pytest.mark.usefixtures("counting")  # a second that the test itself took would count
def test_a_time_the_provider_named_is_kept_when_it_takes_others(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    script: list[SendResult] = [NotSent(PROBLEM, retry_after=600), NotSent(PROBLEM), NotSent(PROBLEM)]
    desk.toy.script = list(script)
    limited = desk.reply("limited", talk)
    desk.drain()
    others = [desk.reply(name, desk.customer_wrote(name), contact=name) for name in ("bert", "carl")]
    desk.drain()
    pass_time(desk, travel, 15)
    assert desk.states(limited, *others) == [QUEUED, SENT, SENT]
    pass_time(desk, travel, 580)
    assert desk.state(limited) == QUEUED
    pass_time(desk, travel, 10)
    assert desk.state(limited) == SENT


def test_what_a_provider_rejects_shows_that_it_is_back(desk: Desk, travel: Travel) -> None:
    ids = replies(desk)
    provider = Provider(desk, lambda: NotSent(PROBLEM))
    desk.drain()
    pass_time(desk, travel, 30)
    provider.answer = lambda: Rejected(PROBLEM)
    pass_time(desk, travel, 15)
    assert QUEUED not in desk.states(*ids)


def test_one_failure_is_no_outage_and_one_bad_message_holds_nobody_back(desk: Desk, travel: Travel) -> None:
    """Others are taken in between, so it backs off by itself, longer each time."""
    bad = desk.reply("bad", desk.customer_wrote("mallory"), contact="mallory")
    tries: list[float] = []

    def send(request: SendRequest) -> SendResult:
        if request.part.text == "bad":
            tries.append(clock.now().timestamp())
            return NotSent(PROBLEM)
        return Sent(request.message_key)

    desk.toy.send = send  # type: ignore[method-assign]
    desk.drain()
    talk = desk.customer_wrote()
    for number in range(200):
        good = desk.reply(f"good {number}", talk)
        pass_time(desk, travel, 3)
        assert desk.state(good) == SENT
    assert desk.state(bad) == QUEUED
    assert len(tries) <= 10


def test_a_probe_whose_worker_died_is_made_by_another(desk: Desk, travel: Travel) -> None:
    ids = replies(desk)
    provider = Provider(desk, lambda: NotSent(PROBLEM))
    desk.drain()
    provider.away = False
    first = provider.tries[-1][1]

    def claim(session: sa.orm.Session) -> None:
        row = session.get_one(ChannelAccount, desk.account.id)
        row.probe_at = clock.now() + policy.PROBE_MOST
        # Those that failed are withdrawn, so only those that never tried are left.
        session.execute(sa.update(OutboxEntry).where(OutboxEntry.attempts > 0).values(open=False))

    db.write(claim)
    pass_time(desk, travel, 12)
    open_ids = [one for one in ids if desk.entry(one).attempts or desk.entry(one).open]
    assert first
    assert [desk.state(one) for one in open_ids].count(SENT) >= len(ids) - 2


# ---- what never left the machine -----------------------------------------------------------------------


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port where connections are taken: *answer* comes to a request; None: nobody speaks TLS there."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(500)
            self.send_header("Content-Length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def send_to(desk: Desk, url: str) -> None:
    """Let the adapter ask *url*, and say of every failure that it does not know."""
    client = Client(frozenset())

    def send(_request: SendRequest) -> SendResult:
        client.request("POST", url, json={"text": "hi"})
        return Unknown(PROBLEM)

    desk.toy.send = send  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize("way", ["refused", "no such name", "no TLS"])
def test_a_reply_of_which_no_byte_left_is_not_sent_whatever_the_adapter_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with listening(None) as taking:
        host = {"no such name": "no-such-name.invalid"}.get(way, "127.0.0.1")
        port = refused_port() if way == "refused" else taking
        monkeypatch.setattr(guard, "is_exempt", lambda *_args, **_more: True)
        scheme = "https" if way == "no TLS" else "http"
        send_to(desk, f"{scheme}://{host}:{port}/messages")
        message = desk.reply("hi", desk.customer_wrote())
        desk.drain()
    assert desk.state(message) == QUEUED
    waits = desk.entry(message).waiting
    assert waits is not None
    assert waits["sentence"] == agent_messages.NOT_REACHED.sentence
    assert not desk.entry(message).resent


def test_a_reply_of_which_a_byte_left_stays_unknown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "is_exempt", lambda *_args, **_more: True)
    with listening(b"{}") as port:
        send_to(desk, f"http://127.0.0.1:{port}/messages")
        message = desk.reply("hi", desk.customer_wrote())
        desk.drain()
    assert desk.state(message) == UNKNOWN
    assert desk.entry(message).answered, "it answered, so it is not still at work on it"


def test_an_adapter_that_raises_before_it_asked_anybody_leaves_it_unknown(desk: Desk) -> None:
    desk.toy.script = [RuntimeError("broken")]
    message = desk.reply("hi", desk.customer_wrote())
    desk.drain()
    assert desk.state(message) == UNKNOWN
    assert not desk.entry(message).answered
