"""Answer webhooks in front of Flask: taking in a provider's request needs nothing of a page."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.exc import SQLAlchemyError

from host import recording
from host.addons.running.held_webhooks import FullError, HeldWebhooks, Waiting
from host.core import clock, db
from host.core.config import Config
from host.models.health import Metric
from host.queue import refusals
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.refusals import count_refusal
from host.sdk.webhooks import Accepted, Refused, Verified, WebhookRequest, WebhookRoute

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

# A provider's addresses are shared by everybody it serves: one account with a wrong secret must not lock the
# others out. So an address that was believed lately may fail more often before it has to wait.
STRANGER = RateLimitItemPerMinute(60)
BELIEVED = RateLimitItemPerMinute(3000)
PARKED = RateLimitItemPerMinute(600)
"""How many requests are kept of a stranger's while the addon that could tell who it is does not run."""
BELIEVED_FOR_SECONDS = 3600.0

LARGE = 64 * 1024
LARGE_PATIENCE_SECONDS = 1.0
"""How long a large request waits for its turn. One of a thousand events keeps a processor busy for a while:
ten at once would slow each small one down to their pace."""

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BODIES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}

Answer = tuple[int, str, list[tuple[str, str]]]
_LATER: Answer = (503, "Service Unavailable", [("Retry-After", "30")])


class _BadRequestError(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class WebhookFront:
    """Answers requests to webhook routes."""

    def __init__(self, config: Config, journal: Journal) -> None:
        self._proxies = config.proxies
        self._journal = journal
        self._held = HeldWebhooks()
        self._limits_url = config.limits_url
        self._limiter: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()
        self._large = threading.Semaphore(1)
        self._believed: OrderedDict[str, float] = OrderedDict()

    def answer(
        self,
        slug: str,
        route: WebhookRoute,
        account: str | None,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer one request as a WSGI application does."""
        began = clock.monotonic()
        status, text, headers = self._decide(slug, route, account, environ)
        if status == HTTPStatus.OK and environ["REQUEST_METHOD"] == "POST":
            recording.took(Metric.ANSWERED, route.channel, [timedelta(seconds=clock.monotonic() - began)])
        return _respond(start_response, status, text, headers)

    def park(
        self, waiting: Waiting, account: str | None, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request to a webhook whose addon does not run: keep it until the addon can decide."""
        return _respond(start_response, *self._keep(waiting, account, environ))

    def _keep(self, waiting: Waiting, account: str | None, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            return _LATER
        request = self._read(account, environ, waiting.max_body)
        if not isinstance(request, WebhookRequest):
            return request
        # Whether it is genuine is not known yet, so an address that was not lately may send few.
        if not self._may_park(request.remote):
            return _LATER
        try:
            self._held.keep(waiting, request)
        except FullError:
            log.error("as much is kept for addon %s as may be; its provider is asked to wait", waiting.slug)
            return _LATER
        except SQLAlchemyError:
            log.exception("a request for addon %s could not be kept", waiting.slug)
            return _LATER
        return 200, "EVENT_RECEIVED", []

    def _may_park(self, remote: str) -> bool:
        try:
            return bool(self._limits().hit(self._allowance(remote, PARKED), "parked", remote))
        except Exception:
            log.exception("the throttle for webhooks cannot be written")
            return False

    def _read(self, account: str | None, environ: WSGIEnvironment, max_body: int) -> WebhookRequest | Answer:
        """Return the request, or the answer to one that cannot be one."""
        method = environ["REQUEST_METHOD"]
        if account is not None and not _ACCOUNT.fullmatch(account):
            return 404, _BODIES[404], []
        remote = client_address(environ, self._proxies)
        if self._must_wait(remote):
            return 429, "Too Many Requests", [("Retry-After", "60")]
        try:
            body = b"" if method == "GET" else _read_body(environ, max_body)
        except _BadRequestError as error:
            # Unread bytes would be taken for the next request of the connection.
            return error.status, HTTPStatus(error.status).phrase, [("Connection", "close")]
        return WebhookRequest(
            method=method,
            account=account,
            headers=_headers(environ),
            query=_query(environ.get("QUERY_STRING", "")),
            body=body,
            remote=remote,
        )

    def _decide(
        self, slug: str, route: WebhookRoute, account: str | None, environ: WSGIEnvironment
    ) -> Answer:
        method = environ["REQUEST_METHOD"]
        allowed = ["POST"] if route.verify is None else ["GET", "POST"]
        if method not in allowed:
            return 405, "Method Not Allowed", [("Allow", ", ".join(allowed))]
        request = self._read(account, environ, route.max_body)
        if not isinstance(request, WebhookRequest):
            return request
        with self._turn(len(request.body)):
            return self._decide_on(request, slug, route, environ)

    @contextmanager
    def _turn(self, size: int) -> Iterator[None]:
        """Let large requests through one at a time, as far as that is a matter of moments."""
        mine = size > LARGE and self._large.acquire(timeout=LARGE_PATIENCE_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._large.release()

    def _decide_on(
        self, request: WebhookRequest, slug: str, route: WebhookRoute, environ: WSGIEnvironment
    ) -> Answer:
        remote = request.remote
        try:
            decision: Any = (
                route.verify(request)
                if request.method == "GET" and route.verify
                else route.authenticate(request)
            )
        except Exception:
            # The addon's fault or the database's: the provider keeps the event and sends it again.
            log.exception("addon %s could not decide on a request to %s", slug, environ["PATH_INFO"])
            return _LATER
        if isinstance(decision, Refused):
            return self._refuse(route, decision, remote)
        self._note_believed(remote)
        if isinstance(decision, Verified):
            try:
                db.write(refusals.note_verified, route.channel, decision.account_id)
            except Exception:
                log.exception("that an address was verified could not be noted")
            return 200, decision.challenge, []
        if isinstance(decision, Accepted):
            return self._store(route, decision, environ, request)
        log.error("addon %s answered a webhook with %s", slug, type(decision).__name__)
        return _LATER

    def _store(
        self, route: WebhookRoute, decision: Accepted, environ: WSGIEnvironment, request: WebhookRequest
    ) -> Answer:
        if decision.envelopes:
            try:
                self._journal.ingest(
                    source=environ["PATH_INFO"],
                    channel=route.channel,
                    raw=request.body if decision.keep_raw else b"",
                    remote=request.remote,
                    envelopes=decision.envelopes,
                )
            except JournalUnavailableError as error:
                log.error("a request was not taken in: %s", error)
                return _LATER
        return 200, decision.body, []

    def _refuse(self, route: WebhookRoute, decision: Refused, remote: str) -> Answer:
        self._note_failure(remote)
        try:
            count_refusal(route.channel, decision.account_id, decision.reason, remote, decision.hint)
        except Exception:
            log.exception("a refused request could not be counted")
        status = decision.status if decision.status in _BODIES else 401
        return status, _BODIES[status], []

    def _limits(self) -> FixedWindowRateLimiter:
        # Made at the first use, so after the server forked: its storage keeps a thread or a connection.
        if self._limiter is None:
            with self._lock:
                if self._limiter is None:
                    self._limiter = FixedWindowRateLimiter(storage_from_string(self._limits_url))
        return self._limiter

    def _allowance(self, remote: str, stranger: RateLimitItemPerMinute = STRANGER) -> RateLimitItemPerMinute:
        seen = self._believed.get(remote)
        if seen is not None and time.monotonic() - seen < BELIEVED_FOR_SECONDS:
            return BELIEVED
        return stranger

    def _must_wait(self, remote: str) -> bool:
        if self._limiter is None:
            return False  # no address has failed yet
        try:
            return not self._limiter.test(self._allowance(remote), "webhook", remote)
        except Exception:
            log.exception("the throttle for webhooks cannot be read; requests go on")
            return False

    def _note_failure(self, remote: str) -> None:
        try:
            for item in (STRANGER, BELIEVED):
                self._limits().hit(item, "webhook", remote)
        except Exception:
            log.exception("the throttle for webhooks cannot be written")

    def _note_believed(self, remote: str) -> None:
        seen = self._believed.get(remote)
        if seen is not None and time.monotonic() - seen < BELIEVED_FOR_SECONDS / 10:
            return
        with self._lock:
            self._believed[remote] = time.monotonic()
            self._believed.move_to_end(remote)
            while len(self._believed) > 1000:
                self._believed.popitem(last=False)


def _respond(
    start_response: StartResponse, status: int, text: str, headers: list[tuple[str, str]]
) -> Iterable[bytes]:
    body = text.encode()
    start_response(
        "200 OK" if status == 200 else f"{status} {HTTPStatus(status).phrase}",
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            *headers,
        ],
    )
    return [body]


def client_address(environ: WSGIEnvironment, proxies: int) -> str:
    """Return the caller's address; with *proxies* believed, the one the outermost of them saw."""
    address: str = environ.get("REMOTE_ADDR") or ""
    if not proxies:
        return address
    forwarded = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    return forwarded[-proxies] if len(forwarded) >= proxies else address


def _read_body(environ: WSGIEnvironment, limit: int) -> bytes:
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise _BadRequestError(415)
    source = environ["wsgi.input"]
    stated = environ.get("CONTENT_LENGTH")
    if stated:
        if not stated.isascii() or not stated.isdigit() or len(stated) > 18:
            raise _BadRequestError(400)
        length = int(stated)
        if length > limit:
            raise _BadRequestError(413)
        body = _read_up_to(source.read, length)
        if len(body) != length:
            raise _BadRequestError(400)
        return body
    if not (environ.get("wsgi.input_terminated") and environ.get("HTTP_TRANSFER_ENCODING")):
        raise _BadRequestError(411)
    body = _read_up_to(source.read, limit + 1)
    if len(body) > limit:
        raise _BadRequestError(413)
    return body


def _read_up_to(read: Callable[[int], bytes], length: int) -> bytes:
    whole = read(min(length, 64 * 1024))
    if len(whole) == length:
        return whole
    chunks = [whole]
    left = length - len(whole) if whole else 0
    while left:
        chunk = read(min(left, 64 * 1024))
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


_names: dict[str, str] = {}
"""Names of headers as WSGI has them, and as they are written; not more than providers send."""


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    found = {}
    for name, value in environ.items():
        if name[:5] == "HTTP_" and isinstance(value, str):
            written = _names.get(name)
            if written is None:
                written = name[5:].replace("_", "-").lower()
                if len(_names) < 200:
                    _names[name] = written
            found[written] = value
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found[name.replace("_", "-").lower()] = environ[name]
    return found


def _query(text: str) -> dict[str, str]:
    if len(text) > 8192 or text.count("&") > 100:
        return {}  # no provider asks so much; the route refuses for want of what it looks for
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return found
