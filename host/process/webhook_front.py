"""Answer webhooks in front of Flask: taking in a provider's request needs nothing of a page.

On the event loop nothing may wait. So a request is decided on there only if its route is quick and its body
small, and is otherwise handed to a thread, as is whatever needs the database but the journal.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.exc import SQLAlchemyError

from host import recording
from host.addons.running.held_webhooks import FullError, HeldWebhooks, Waiting
from host.core import clock, db
from host.core.config import Config
from host.models.health import Metric
from host.process import incoming as requests
from host.process.incoming import BadBodyError, Incoming, Receive
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

P = ParamSpec("P")
T = TypeVar("T")
Answer = tuple[int, str, list[tuple[str, str]]]
_LATER: Answer = (503, "Service Unavailable", [("Retry-After", "30")])


class WebhookFront:
    """Answers requests to webhook routes.

    :param threads: how many requests may be decided on in threads at a time.
    """

    def __init__(self, config: Config, journal: Journal, *, threads: int = 32) -> None:
        self._proxies = config.proxies
        self._journal = journal
        self._held = HeldWebhooks()
        self._limits_url = config.limits_url
        self._limiter: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()
        self._large = threading.Semaphore(1)
        self._believed: OrderedDict[str, float] = OrderedDict()
        self._threads = ThreadPoolExecutor(threads, "webhook")

    # As a WSGI application

    def answer(
        self,
        slug: str,
        route: WebhookRoute,
        account: str | None,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer one request as a WSGI application does."""
        incoming = requests.of_environ(environ, self._proxies)

        def answered() -> Answer:
            refused = _not_allowed(route, incoming) or self._refused_unread(incoming, account)
            if refused:
                return refused
            request = self._read(incoming, account, environ, route.max_body)
            return self._decide(slug, route, incoming, request)

        return _respond(start_response, *_timed(route, incoming, answered))

    def park(
        self, waiting: Waiting, account: str | None, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request to a webhook whose addon does not run: keep it until the addon can decide."""
        incoming = requests.of_environ(environ, self._proxies)

        def answered() -> Answer:
            refused = _only_posts(incoming) or self._refused_unread(incoming, account)
            return refused or self._keep(waiting, self._read(incoming, account, environ, waiting.max_body))

        return _respond(start_response, *_answer_of(answered))

    def _read(
        self, incoming: Incoming, account: str | None, environ: WSGIEnvironment, max_body: int
    ) -> WebhookRequest:
        body = b"" if incoming.method == "GET" else requests.read_body(environ, incoming.headers, max_body)
        return _request(incoming, account, body)

    # On the event loop

    async def answer_soon(
        self,
        slug: str,
        route: WebhookRoute,
        account: str | None,
        scope: Mapping[str, Any],
        receive: Receive,
    ) -> Answer:
        """Answer one request without holding the event loop."""
        began = clock.monotonic()
        incoming = requests.of_scope(scope, self._proxies)
        try:
            answer = await self._answer_soon(slug, route, account, incoming, receive)
        except BadBodyError as error:
            answer = _bad(error)
        _note_answered(route, incoming, answer, began)
        return answer

    async def _answer_soon(
        self,
        slug: str,
        route: WebhookRoute,
        account: str | None,
        incoming: Incoming,
        receive: Receive,
    ) -> Answer:
        refused = _not_allowed(route, incoming) or await self._refused_unread_soon(incoming, account)
        if refused:
            return refused
        body = b""
        if incoming.method != "GET":
            body = await requests.receive_body(receive, incoming.headers, route.max_body)
        request = _request(incoming, account, body)
        if not route.quick or incoming.method == "GET" or len(body) > LARGE:
            return await self._in_thread(self._decide, slug, route, incoming, request)
        try:
            decision = self._decision(slug, route, request)
        except db.WouldWaitError:
            decision = await self._in_thread(self._decision, slug, route, request)
        if not isinstance(decision, Accepted):
            # The throttle may be on another machine; and nobody who is refused is in a hurry.
            return await self._in_thread(self._settle, slug, route, incoming, request, decision)
        self._note_believed(request.remote)
        if decision.envelopes:
            try:
                await self._journal.ingest_soon(**_journalled(route, incoming.path, request, decision))
            except JournalUnavailableError as error:
                return _not_taken_in(error)
        return 200, decision.body, []

    async def park_soon(
        self,
        waiting: Waiting,
        account: str | None,
        scope: Mapping[str, Any],
        receive: Receive,
    ) -> Answer:
        """Do what :meth:`park` does, without holding the event loop."""
        incoming = requests.of_scope(scope, self._proxies)
        refused = _only_posts(incoming) or await self._refused_unread_soon(incoming, account)
        if refused:
            return refused
        try:
            body = await requests.receive_body(receive, incoming.headers, waiting.max_body)
        except BadBodyError as error:
            return _bad(error)
        return await self._in_thread(self._keep, waiting, _request(incoming, account, body))

    async def _refused_unread_soon(self, incoming: Incoming, account: str | None) -> Answer | None:
        if self._limiter is None or self._limits_url.startswith("memory"):
            return self._refused_unread(incoming, account)
        return await self._in_thread(self._refused_unread, incoming, account)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        context = copy_context()
        work = partial(context.run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # What both do

    def _refused_unread(self, incoming: Incoming, account: str | None) -> Answer | None:
        """Return the answer to a request that is refused before its body is read."""
        if account is not None and not _ACCOUNT.fullmatch(account):
            return 404, _BODIES[404], []
        if self._must_wait(incoming.remote):
            return 429, "Too Many Requests", [("Retry-After", "60")]
        return None

    def _keep(self, waiting: Waiting, request: WebhookRequest) -> Answer:
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

    def _decide(self, slug: str, route: WebhookRoute, incoming: Incoming, request: WebhookRequest) -> Answer:
        """Decide on *request* and store what it brings; return after that."""
        with self._turn(len(request.body)):
            decision = self._decision(slug, route, request)
            return self._settle(slug, route, incoming, request, decision)

    @contextmanager
    def _turn(self, size: int) -> Iterator[None]:
        """Let large requests through one at a time, as far as that is a matter of moments."""
        mine = size > LARGE and self._large.acquire(timeout=LARGE_PATIENCE_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._large.release()

    def _decision(self, slug: str, route: WebhookRoute, request: WebhookRequest) -> object:
        """Return what the addon says; None where it could not."""
        try:
            if request.method == "GET" and route.verify:
                return route.verify(request)
            return route.authenticate(request)
        except Exception:
            # The addon's fault or the database's: the provider keeps the event and sends it again.
            log.exception("addon %s could not decide on a request to %s", slug, route.path)
            return None

    def _settle(
        self, slug: str, route: WebhookRoute, incoming: Incoming, request: WebhookRequest, decision: object
    ) -> Answer:
        if isinstance(decision, Refused):
            return self._refuse(route, decision, request.remote)
        if isinstance(decision, Verified):
            self._note_believed(request.remote)
            try:
                db.write(refusals.note_verified, route.channel, decision.account_id)
            except Exception:
                log.exception("that an address was verified could not be noted")
            return 200, decision.challenge, []
        if isinstance(decision, Accepted):
            self._note_believed(request.remote)
            try:
                if decision.envelopes:
                    self._journal.ingest(**_journalled(route, incoming.path, request, decision))
            except JournalUnavailableError as error:
                return _not_taken_in(error)
            return 200, decision.body, []
        if decision is not None:
            log.error("addon %s answered a webhook with %s", slug, type(decision).__name__)
        return _LATER

    def _refuse(self, route: WebhookRoute, decision: Refused, remote: str) -> Answer:
        self._note_failure(remote)
        try:
            count_refusal(route.channel, decision.account_id, decision.reason, remote, decision.hint)
        except Exception:
            log.exception("a refused request could not be counted")
        status = decision.status if decision.status in _BODIES else 401
        return status, _BODIES[status], []

    def _limits(self) -> FixedWindowRateLimiter:
        # Made at the first use: its storage keeps a thread or a connection.
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


def _answer_of(answered: Callable[[], Answer]) -> Answer:
    try:
        return answered()
    except BadBodyError as error:
        return _bad(error)


def _timed(route: WebhookRoute, incoming: Incoming, answered: Callable[[], Answer]) -> Answer:
    began = clock.monotonic()
    answer = _answer_of(answered)
    _note_answered(route, incoming, answer, began)
    return answer


def _note_answered(route: WebhookRoute, incoming: Incoming, answer: Answer, began: float) -> None:
    if answer[0] == HTTPStatus.OK and incoming.method == "POST":
        recording.took(Metric.ANSWERED, route.channel, [timedelta(seconds=clock.monotonic() - began)])


def _not_allowed(route: WebhookRoute, incoming: Incoming) -> Answer | None:
    allowed = ["POST"] if route.verify is None else ["GET", "POST"]
    if incoming.method in allowed:
        return None
    return 405, "Method Not Allowed", [("Allow", ", ".join(allowed))]


def _only_posts(incoming: Incoming) -> Answer | None:
    return None if incoming.method == "POST" else _LATER


def _bad(error: BadBodyError) -> Answer:
    # Unread bytes would be taken for the next request of the connection.
    return error.status, HTTPStatus(error.status).phrase, [("Connection", "close")]


def _not_taken_in(error: JournalUnavailableError) -> Answer:
    log.error("a request was not taken in: %s", error)
    return _LATER


def _journalled(
    route: WebhookRoute, path: str, request: WebhookRequest, decision: Accepted
) -> dict[str, Any]:
    return {
        "source": path,
        "channel": route.channel,
        "raw": request.body if decision.keep_raw else b"",
        "remote": request.remote,
        "envelopes": decision.envelopes,
    }


def headers_of(text: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of an answer."""
    return [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(text.encode()))),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        *headers,
    ]


def _respond(
    start_response: StartResponse, status: int, text: str, headers: list[tuple[str, str]]
) -> Iterable[bytes]:
    start_response(
        "200 OK" if status == 200 else f"{status} {HTTPStatus(status).phrase}", headers_of(text, headers)
    )
    return [text.encode()]


def _request(incoming: Incoming, account: str | None, body: bytes) -> WebhookRequest:
    return WebhookRequest(
        method=incoming.method,
        account=account,
        headers=incoming.headers,
        query=incoming.parameters(),
        body=body,
        remote=incoming.remote,
    )
