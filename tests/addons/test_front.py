"""Webhook addresses: answered in front of Flask, with nothing stored that was not believed and nothing
acknowledged that was not stored."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client, EnvironBuilder

from host.core import config, db
from host.core.backports.values import replace
from host.process import incoming, webhook_front
from host.process.incoming import client_address, headers_of
from host.process.webhook_front import WebhookFront
from host.queue.journal import JournalUnavailableError
from host.sdk import deliveries, settings
from host.sdk.webhooks import (
    Accepted,
    Envelope,
    Refused,
    Verified,
    WebhookRequest,
    WebhookRoute,
)
from tests.helpers import on_a_loop

ENVELOPE = Envelope(1, "ann", "k", "message", b"{}")


class Journal:
    """Keeps what it is given, or says that it cannot."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.broken = False

    def ingest(self, **delivery: Any) -> None:
        if self.broken:
            raise JournalUnavailableError("the disk is full")
        self.taken.append(delivery)

    async def ingest_soon(self, **delivery: Any) -> None:
        self.ingest(**delivery)


class Provider:
    """A webhook route that believes the body ``good``, and remembers what it was asked."""

    def __init__(self, **options: Any) -> None:
        self.asked: list[WebhookRequest] = []
        self.envelopes: Sequence[Envelope] = (ENVELOPE,)
        self.raises = False
        self.status = 401
        self.route = WebhookRoute("hook", "toy", self.authenticate, self.verify, **options)

    def authenticate(self, request: WebhookRequest) -> Accepted | Refused:
        self.asked.append(request)
        if self.raises:
            raise RuntimeError("the addon has a bug")
        if request.body.startswith(b"good"):
            return Accepted(tuple(self.envelopes))
        return Refused(self.status, "signature", 7)

    def verify(self, request: WebhookRequest) -> Verified | Refused:
        self.asked.append(request)
        if request.query.get("token") == "right":
            return Verified(request.query["challenge"])
        return Refused(403, "verify_token")


WAYS = ("in a thread", "on the loop")


class ServedFront:
    """The front with a route, called in one of the *WAYS* there are."""

    def __init__(self, provider: Provider, tmp_path: Path, way: str = "on the loop", **environ: str) -> None:
        self.provider = provider
        self.way = way
        provider.route = replace(provider.route, quick=way == "on the loop")
        self.journal = Journal()
        settings = config.load({"LOBBY_DATA": str(tmp_path), **environ})
        self.front = WebhookFront(settings, self.journal)  # type: ignore[arg-type]
        self.account: str | None = None
        self.client = Client(self)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ.setdefault("REMOTE_ADDR", "198.51.100.1")
        scope, receive = incoming.scope_of(environ)
        request = incoming.of_scope(scope, 0)

        async def answer() -> Any:
            db.never_wait_here()
            try:
                return await self.front.answer("toy", self.provider.route, self.account, request, receive)
            finally:
                db.never_wait_here(False)

        status, text, headers = on_a_loop(answer())
        start_response(f"{status} {HTTPStatus(status).phrase}", webhook_front.answer_headers(text, headers))
        return [text.encode()]


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    counted: list[tuple[Any, ...]] = []
    monkeypatch.setattr(webhook_front, "count_refusal", lambda *given: counted.append(given))
    return counted


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def desk(tmp_path: Path, refusals: list[tuple[Any, ...]], way: str) -> ServedFront:
    return ServedFront(Provider(), tmp_path, way)


def test_what_is_believed_is_journalled_and_then_answered(desk: ServedFront) -> None:
    answer = desk.client.post("/addons/toy/hook?x=1&x=2", data=b"good \xff", headers={"X-Sig": "abc"})
    assert (answer.status_code, answer.text) == (200, "EVENT_RECEIVED")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert desk.journal.taken == [
        {
            "source": "/addons/toy/hook",
            "channel": "toy",
            "raw": b"good \xff",
            "remote": "198.51.100.1",
            "envelopes": (ENVELOPE,),
        }
    ]
    request = desk.provider.asked[0]
    assert request.headers["x-sig"] == "abc"
    assert request.query == {"x": "1"}
    assert request.body == b"good \xff"


def test_what_is_not_believed_is_counted_and_not_stored(
    desk: ServedFront, refusals: list[tuple[Any, ...]]
) -> None:
    answer = desk.client.post("/addons/toy/hook", data=b"bad")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert desk.journal.taken == []
    assert refusals == [("toy", 7, "signature", "198.51.100.1", "")]


def test_a_count_that_fails_does_not_change_the_answer(
    desk: ServedFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("database away")

    monkeypatch.setattr(webhook_front, "count_refusal", fail)
    assert desk.client.post("/", data=b"bad").status_code == 401


@pytest.mark.parametrize(("status", "answered"), [(401, 401), (403, 403), (404, 404), (200, 401), (500, 401)])
def test_a_refusal_is_never_a_success_or_a_server_error(
    desk: ServedFront, status: int, answered: int
) -> None:
    desk.provider.status = status
    assert desk.client.post("/", data=b"bad").status_code == answered


def test_what_cannot_be_stored_is_not_acknowledged(desk: ServedFront) -> None:
    desk.journal.broken = True
    answer = desk.client.post("/", data=b"good")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert desk.front.put_off == 1
    desk.journal.broken = False
    assert desk.client.post("/", data=b"good").status_code == 200
    assert desk.client.post("/", data=b"bad").status_code == 401
    assert desk.front.put_off == 1, "what is refused is not put off"


def test_an_addon_that_raises_keeps_the_provider_trying(
    desk: ServedFront, caplog: pytest.LogCaptureFixture
) -> None:
    desk.provider.raises = True
    assert desk.client.post("/", data=b"good").status_code == 503
    assert desk.journal.taken == []
    assert "the addon has a bug" in caplog.text


def test_a_decision_that_takes_a_database_that_is_away_is_put_off_without_a_traceback(
    desk: ServedFront, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OperationalError(Exception):
        """What PyMySQL raises, by its name."""

    OperationalError.__module__ = "pymysql.err"

    def away(_request: WebhookRequest) -> Accepted:
        raise sa.exc.OperationalError("SELECT", {}, OperationalError(2003, "Can't connect"))

    desk.provider.route = replace(desk.provider.route, authenticate=away)
    for _ in range(5):
        answer = desk.client.post("/", data=b"good")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    monkeypatch.setattr(webhook_front, "SILENT_SECONDS", 0.0)
    assert desk.client.post("/", data=b"good").status_code == 503
    assert [one.getMessage().partition(",")[0] for one in caplog.records] == [
        "1 requests could not be decided on",
        "5 requests could not be decided on",
    ]
    assert [one for one in caplog.records if one.exc_info] == []


def test_nothing_to_journal_is_answered_all_the_same(desk: ServedFront) -> None:
    desk.provider.envelopes = ()
    assert desk.client.post("/", data=b"good").status_code == 200
    assert desk.journal.taken == []


def test_the_challenge_is_given_back_verbatim_as_text(desk: ServedFront) -> None:
    answer = desk.client.get("/addons/toy/hook?token=right&challenge=<b>42")
    assert (answer.status_code, answer.text) == (200, "<b>42")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert desk.client.get("/?token=wrong&challenge=42").status_code == 403
    assert desk.client.get("/").status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_are_refused(desk: ServedFront, method: str) -> None:
    answer = desk.client.open("/", method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_get_is_refused_where_the_provider_does_not_verify(tmp_path: Path) -> None:
    provider = Provider()
    provider.route = WebhookRoute("hook", "toy", provider.authenticate)
    answer = ServedFront(provider, tmp_path).client.get("/")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, way: str) -> None:
    class Untouchable(io.RawIOBase):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

    desk = ServedFront(Provider(max_body=100), tmp_path, way)
    environ = EnvironBuilder(method="POST", headers={"Content-Length": "101"}).get_environ()
    environ["wsgi.input"] = Untouchable()
    environ["CONTENT_LENGTH"] = "101"
    seen: list[str] = []
    desk(environ, lambda status, headers: seen.append(status))
    assert seen == ["413 Request Entity Too Large"]
    assert desk.client.post("/", data=b"good" + b"x" * 96).status_code == 200
    assert desk.client.post("/", data=b"good" + b"x" * 97).status_code == 413
    assert len(desk.provider.asked) == 1


def raw(desk: ServedFront, body: bytes, **environ: Any) -> int:
    base = EnvironBuilder(method="POST").get_environ()
    base.pop("CONTENT_LENGTH", None)
    base.update({"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": False, **environ})
    seen: list[str] = []
    list(desk(base, lambda status, headers: seen.append(status)))
    return int(seen[0].split()[0])


def test_lengths_that_lie_are_refused(desk: ServedFront) -> None:
    assert raw(desk, b"good", CONTENT_LENGTH="5") == 400, "the body ends early"
    assert raw(desk, b"good", CONTENT_LENGTH="-1") == 400
    assert raw(desk, b"good", CONTENT_LENGTH="4x") == 400
    assert raw(desk, b"good", CONTENT_LENGTH="²") == 400
    assert raw(desk, b"good", CONTENT_LENGTH="9" * 40) == 400
    assert raw(desk, b"good") == 411
    assert raw(desk, b"good and more", CONTENT_LENGTH="4") == 200
    assert desk.provider.asked[-1].body == b"good"


def test_a_chunked_body_is_read_up_to_the_limit(tmp_path: Path, way: str) -> None:
    desk = ServedFront(Provider(max_body=100), tmp_path, way)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert raw(desk, b"good", **chunked) == 200
    assert raw(desk, b"good" + b"x" * 97, **chunked) == 413


def test_an_encoded_body_is_refused(desk: ServedFront) -> None:
    """The signature is over the bytes as sent; unpacking them here would only be a way to be bombed."""
    assert desk.client.post("/", data=b"good", headers={"Content-Encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize("account", ["../x", "a b", "", "é", "a" * 200, "-x"])
def test_an_account_segment_of_odd_shape_is_no_address(desk: ServedFront, account: str) -> None:
    desk.account = account
    assert desk.client.post("/", data=b"good").status_code == 404
    assert desk.provider.asked == []


def test_the_account_segment_reaches_the_route(desk: ServedFront) -> None:
    desk.account = "0b6f-uuid"
    desk.client.post("/", data=b"good")
    assert desk.provider.asked[0].account == "0b6f-uuid"


def test_an_address_that_keeps_failing_waits_before_anything_is_computed(
    desk: ServedFront, refusals: list[tuple[Any, ...]]
) -> None:
    statuses = [
        desk.client.post("/", data=b"bad").status_code for _ in range(webhook_front.STRANGER.amount + 5)
    ]
    assert statuses[: webhook_front.STRANGER.amount] == [401] * webhook_front.STRANGER.amount
    assert set(statuses[webhook_front.STRANGER.amount :]) == {429}
    assert len(desk.provider.asked) == webhook_front.STRANGER.amount
    assert len(refusals) == webhook_front.STRANGER.amount
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert desk.client.post("/", data=b"good", environ_overrides=other).status_code == 200


def test_an_address_that_was_believed_is_not_locked_out_by_one_wrong_secret(desk: ServedFront) -> None:
    """A provider's addresses serve everybody: one account's wrong secret must cost the others nothing."""
    assert desk.client.post("/", data=b"good").status_code == 200
    for _ in range(webhook_front.STRANGER.amount + 5):
        assert desk.client.post("/", data=b"bad").status_code == 401
    assert desk.client.post("/", data=b"good").status_code == 200


def test_a_throttle_that_cannot_be_reached_lets_requests_on(
    tmp_path: Path, refusals: list[Any], way: str
) -> None:
    desk = ServedFront(Provider(), tmp_path, way, LOBBY_LIMITS_URL="redis://127.0.0.1:1/0")
    assert desk.client.post("/", data=b"bad").status_code == 401
    assert desk.client.post("/", data=b"good").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "forged, 203.0.113.9", "203.0.113.9"),
        (2, "forged, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),
        (1, "", "198.51.100.1"),
    ],
)
def test_only_as_many_proxies_are_believed_as_there_are(proxies: int, forwarded: str, expected: str) -> None:
    assert client_address("198.51.100.1", {"x-forwarded-for": forwarded}, proxies) == expected


def test_a_header_with_an_underscore_passes_for_no_other() -> None:
    sent = [
        (b"x_forwarded_for", b"forged"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"accept", b"a"),
        (b"accept", b"b"),
    ]
    assert headers_of(sent) == {"x-forwarded-for": "10.0.0.1", "accept": "a,b"}


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.process.incoming.BODY_SECONDS", 0.05)
    desk = ServedFront(Provider(), tmp_path)
    headers = [(b"content-length", b"9")]
    scope = {"method": "POST", "path": "/", "query_string": b"", "client": None, "headers": headers}
    request = incoming.of_scope(scope, 0)
    messages = [{"type": "http.request", "body": b"goo", "more_body": True}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.sleep(60)

    route = desk.provider.route
    answer = on_a_loop(desk.front.answer("toy", route, None, request, receive))
    assert answer[0] == 408
    assert ("Connection", "close") in answer[2]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_body_in_chunks_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path: Path, guarded: bool) -> None:
    desk = ServedFront(Provider(), tmp_path)
    scope: dict[str, Any] = {"method": "POST", "path": "/", "query_string": b"", "client": None}
    scope["headers"] = [(b"transfer-encoding", b"chunked")]
    if guarded:
        scope[incoming.ABORT] = None
    messages = [
        {"type": "http.request", "body": b"good", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    request = incoming.of_scope(scope, 0)
    answer = on_a_loop(desk.front.answer("toy", desk.provider.route, None, request, receive))
    assert answer[0] == 400
    assert desk.provider.asked == []
    assert desk.journal.taken == []


def test_a_quick_route_that_has_to_look_something_up_is_asked_again_in_a_thread(
    tmp_path: Path, database: db.Database
) -> None:
    threads: list[str] = []

    class Looking(Provider):
        def authenticate(self, request: WebhookRequest) -> Accepted | Refused:
            threads.append(threading.current_thread().name)
            try:
                with db.read():
                    return super().authenticate(request)
            except Exception:  # noqa: BLE001 - what the test is about
                return Refused(401, "it is not for addons to catch this")

    desk = ServedFront(Looking(), tmp_path, "on the loop")
    assert desk.client.post("/", data=b"good").status_code == 200
    assert [name.partition("_")[0] for name in threads] == ["loop", "webhook"]
    assert len(desk.journal.taken) == 1


def test_only_what_is_quick_and_small_is_decided_on_the_loop(tmp_path: Path) -> None:
    seen: list[bool] = []

    class Watched(Provider):
        def authenticate(self, request: WebhookRequest) -> Accepted | Refused:
            seen.append(threading.current_thread().name.startswith("loop"))
            return super().authenticate(request)

    for way, size in (("on the loop", 10), ("on the loop", webhook_front.LARGE + 1), ("in a thread", 10)):
        desk = ServedFront(Watched(), tmp_path, way)
        assert desk.client.post("/", data=b"good" + b"x" * size).status_code == 200
    assert seen == [True, False, False]


def test_a_query_with_a_thousand_fields_is_no_error(desk: ServedFront) -> None:
    query = "&".join(f"a{n}=1" for n in range(1000))
    assert desk.client.get(f"/?token=right&challenge=1&{query}").status_code == 403
    assert desk.client.get("/?" + "x" * 20_000).status_code == 403


@pytest.mark.parametrize(("body", "status"), [(b"good test", 200), (b"bad test", 401)])
def test_the_desks_own_test_is_decided_on_and_neither_kept_nor_counted(
    desk: ServedFront,
    refusals: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    database: db.Database,
    body: bytes,
    status: int,
) -> None:
    """However often somebody presses Diagnose, no figure may say that the provider was here."""
    posted: list[dict[str, str]] = []

    def post(url: str, data: bytes, headers: dict[str, str], **_: Any) -> Any:
        posted.append(headers)
        return desk.client.post(url.removeprefix("https://desk.example.com"), data=data, headers=headers)

    counted: list[tuple[Any, ...]] = []
    monkeypatch.setattr(webhook_front.recording, "took", lambda *given: counted.append(given))
    monkeypatch.setattr(deliveries.requests, "post", post)
    settings.provide("", {"public_url": "https://desk.example.com"})
    assert deliveries.post_to_self("/addons/toy/hook", body, {}) == (status, ANSWERS[status])
    assert [one.body for one in desk.provider.asked] == [body], "the addon decided on it"
    assert (desk.journal.taken, refusals, counted) == ([], [], [])
    # The mark is worth nothing with another body.
    desk.client.post("/addons/toy/hook", data=body + b"!", headers=posted[0])
    assert bool(desk.journal.taken) is (status == 200)
    assert bool(refusals) is (status == 401)


ANSWERS = {200: "EVENT_RECEIVED", 401: "Unauthorized"}
