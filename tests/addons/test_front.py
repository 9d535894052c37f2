"""Webhook addresses: answered in front of Flask, with nothing stored that was not believed and nothing
acknowledged that was not stored."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

from host.core import config
from host.process import webhook_front
from host.process.webhook_front import WebhookFront, client_address
from host.queue.journal import JournalUnavailableError
from host.sdk.webhooks import (
    Accepted,
    Envelope,
    Refused,
    Verified,
    WebhookRequest,
    WebhookRoute,
)

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


class ServedFront:
    """The front with a route, as a WSGI application."""

    def __init__(self, provider: Provider, tmp_path: Path, **environ: str) -> None:
        self.provider = provider
        self.journal = Journal()
        settings = config.load({"LOBBY_DATA": str(tmp_path), **environ})
        self.front = WebhookFront(settings, self.journal)  # type: ignore[arg-type]
        self.account: str | None = None
        self.client = Client(self)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ.setdefault("REMOTE_ADDR", "198.51.100.1")
        return self.front.answer("toy", self.provider.route, self.account, environ, start_response)


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    counted: list[tuple[Any, ...]] = []
    monkeypatch.setattr(webhook_front, "count_refusal", lambda *given: counted.append(given))
    return counted


@pytest.fixture
def desk(tmp_path: Path, refusals: list[tuple[Any, ...]]) -> ServedFront:
    return ServedFront(Provider(), tmp_path)


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


def test_an_addon_that_raises_keeps_the_provider_trying(
    desk: ServedFront, caplog: pytest.LogCaptureFixture
) -> None:
    desk.provider.raises = True
    assert desk.client.post("/", data=b"good").status_code == 503
    assert desk.journal.taken == []
    assert "the addon has a bug" in caplog.text


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


def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    class Untouchable(io.RawIOBase):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

    desk = ServedFront(Provider(max_body=100), tmp_path)
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
    assert raw(desk, b"good", CONTENT_LENGTH="９") == 400
    assert raw(desk, b"good", CONTENT_LENGTH="9" * 40) == 400
    assert raw(desk, b"good") == 411
    assert raw(desk, b"good and more", CONTENT_LENGTH="4") == 200
    assert desk.provider.asked[-1].body == b"good"


def test_a_chunked_body_is_read_up_to_the_limit(tmp_path: Path) -> None:
    desk = ServedFront(Provider(max_body=100), tmp_path)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert raw(desk, b"good", **chunked) == 200
    assert raw(desk, b"good" + b"x" * 97, **chunked) == 413
    assert raw(desk, b"good", HTTP_TRANSFER_ENCODING="chunked") == 411, (
        "the server does not say where it ends"
    )


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


def test_a_throttle_that_cannot_be_reached_lets_requests_on(tmp_path: Path, refusals: list[Any]) -> None:
    desk = ServedFront(Provider(), tmp_path, LOBBY_LIMITS_URL="redis://127.0.0.1:1/0")
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
    environ = {"REMOTE_ADDR": "198.51.100.1", "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(environ, proxies) == expected


def test_a_query_with_a_thousand_fields_is_no_error(desk: ServedFront) -> None:
    query = "&".join(f"a{n}=1" for n in range(1000))
    assert desk.client.get(f"/?token=right&challenge=1&{query}").status_code == 403
    assert desk.client.get("/?" + "x" * 20_000).status_code == 403
