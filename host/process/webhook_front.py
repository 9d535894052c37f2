"""Answer webhooks before Flask: receiving a provider's request needs no page features.

Nothing may block the event loop. A request is only decided there if its route is quick and its body small;
otherwise, and whenever it needs the database beyond the inbound log, it goes to a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, Protocol, TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.exc import SQLAlchemyError

from host import recording
from host.addons.running.held_webhooks import FullError, HeldWebhooks, Waiting
from host.core import call_budget, clock, db
from host.core.call_budget import HungCallError
from host.core.call_budget.threads import ReplacingPool
from host.core.config import Config
from host.models.health import Metric
from host.process import incoming as requests
from host.process.incoming import BadBodyError, Incoming, Receive
from host.queue import refusals
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.refusals import count_refusal
from host.sdk.deliveries import is_own_test
from host.sdk.webhooks import Accepted, Refused, Verified, WebhookRequest, WebhookRoute

log = logging.getLogger(__name__)

# All accounts of a provider share its addresses: one account with a wrong secret must not lock out the
# others. An address with a recent valid request may therefore fail more often before it has to wait.
STRANGER = RateLimitItemPerMinute(60)
BELIEVED = RateLimitItemPerMinute(3000)
PARKED = RateLimitItemPerMinute(600)
"""Limit of kept requests whose sender is unknown because the addon that could verify it does not run."""
BELIEVED_FOR_SECONDS = 3600.0

LARGE = 64 * 1024
LARGE_PATIENCE_SECONDS = 1.0
"""Time in seconds a large request waits for its turn.

A request with a thousand events keeps a processor busy: ten concurrent ones would slow down every small one.
"""

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BODIES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}

P = ParamSpec("P")
T = TypeVar("T")
Answer = tuple[int, str, list[tuple[str, str]]]
Answering = Callable[[Incoming, Receive], Coroutine[Any, Any, Answer]]
LATER: Answer = (503, "Service Unavailable", [("Retry-After", "30")])
SILENT_SECONDS = 10.0
"""Interval in seconds at which requests undecided because of the database are logged."""


class Keeps(Protocol):
    """A store for requests to addons that don't run: in the database, or as files if that is unavailable."""

    def keep(self, waiting: Waiting, request: WebhookRequest) -> None: ...


class WebhookFront:
    """Answers requests to webhook routes.

    :param threads: maximum number of requests decided on in threads at a time.
    :param held: store for requests to addons that do not run; default: the database.
    """

    def __init__(
        self, config: Config, journal: Journal, *, threads: int = 32, held: Keeps | None = None
    ) -> None:
        self._proxies = config.proxies
        self._journal = journal
        self._held = HeldWebhooks() if held is None else held
        self._undecided = 0
        self._said_at = float("-inf")
        self._limits_url = config.limits_url
        self._limiter: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()
        self._large = threading.Semaphore(1)
        self._believed: OrderedDict[str, float] = OrderedDict()
        self._threads = ReplacingPool(threads, "webhook")
        self.put_off = 0
        """Number of requests answered with 503, for their providers to retry."""

    async def answer(
        self, slug: str, route: WebhookRoute, account: str | None, incoming: Incoming, receive: Receive
    ) -> Answer:
        """Return the answer to one request to *route* of the addon *slug*."""
        began = clock.monotonic()
        allowed = ["POST"] if route.verify is None else ["GET", "POST"]
        if incoming.method not in allowed:
            return 405, "Method Not Allowed", [("Allow", ", ".join(allowed))]
        request = await self._read(incoming, account, receive, route.max_body)
        if not isinstance(request, WebhookRequest):
            return request
        own_test = is_own_test(request.headers, request.body)
        answer = self._counted(await self._answer(slug, route, incoming.path, request, own_test=own_test))
        if answer[0] == HTTPStatus.OK and request.method == "POST" and not own_test:
            recording.took(Metric.ANSWERED, route.channel, [timedelta(seconds=clock.monotonic() - began)])
        return answer

    async def park(
        self, waiting: Waiting, account: str | None, incoming: Incoming, receive: Receive
    ) -> Answer:
        """Keep a request to a webhook whose addon does not run, until the addon can decide."""
        if incoming.method != "POST":
            return LATER
        request = await self._read(incoming, account, receive, waiting.max_body)
        if not isinstance(request, WebhookRequest):
            return request
        return self._counted(await self._in_thread(self._keep, waiting, request))

    def _counted(self, answer: Answer) -> Answer:
        # In memory alone: the cause is usually a database that would not accept the count either.
        self.put_off += answer is LATER
        return answer

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _read(
        self, incoming: Incoming, account: str | None, receive: Receive, max_body: int
    ) -> WebhookRequest | Answer:
        """Return the request, or the response to an invalid one."""
        if account is not None and not _ACCOUNT.fullmatch(account):
            return 404, _BODIES[404], []
        far = self._limiter is not None and not self._limits_url.startswith("memory")
        if (
            await self._in_thread(self._must_wait, incoming.remote)
            if far
            else self._must_wait(incoming.remote)
        ):
            return 429, "Too Many Requests", [("Retry-After", "60")]
        body = b""
        try:
            if incoming.method != "GET":
                body = await requests.receive_body(receive, incoming, max_body)
        except BadBodyError as error:
            # Unread bytes would be parsed as the next request of the connection.
            return error.status, HTTPStatus(error.status).phrase, [("Connection", "close")]
        return WebhookRequest(
            method=incoming.method,
            account=account,
            headers=incoming.headers,
            query=incoming.parameters(),
            body=body,
            remote=incoming.remote,
        )

    async def _answer(
        self, slug: str, route: WebhookRoute, path: str, request: WebhookRequest, *, own_test: bool
    ) -> Answer:
        """Decide on *request*, store its events and return the response.

        :param own_test: whether it is a test by Lobby, which is not stored or counted.
        """

        def delivery(accepted: Accepted) -> dict[str, Any]:
            raw = request.body if accepted.keep_raw else b""
            return {
                "source": path,
                "channel": route.channel,
                "raw": raw,
                "remote": request.remote,
                "envelopes": accepted.envelopes,
            }

        def at_length() -> object:
            with self._turn(len(request.body)):
                decision = self._decision(slug, route, request)
                if isinstance(decision, Accepted) and decision.envelopes and not own_test:
                    self._journal.ingest(**delivery(decision))
                return decision

        try:
            if len(request.body) > LARGE:
                decision = await self._in_thread(at_length)
            else:
                decision = await self._decision_soon(slug, route, request)
                if isinstance(decision, Accepted) and decision.envelopes and not own_test:
                    await self._journal.ingest_soon(**delivery(decision))
        except JournalUnavailableError as error:
            log.error("a request was not taken in: %s", error)
            return LATER
        except HungCallError:
            return LATER
        if isinstance(decision, Accepted):
            if not own_test:
                self._note_believed(request.remote)
            return 200, decision.body, []
        if own_test and isinstance(decision, Refused):
            return _refusal(decision)
        # The throttle may be on another machine, and refused callers can wait.
        return await self._in_thread(self._answer_without_events, slug, route, request, decision)

    async def _decision_soon(self, slug: str, route: WebhookRoute, request: WebhookRequest) -> object:
        if route.quick and request.method == "POST":
            try:
                return self._decision(slug, route, request)
            except db.WouldWaitError:
                pass
        return await self._in_thread(self._decision, slug, route, request)

    def _decision(self, slug: str, route: WebhookRoute, request: WebhookRequest) -> object:
        """Return the addon's decision; None if it could not decide."""
        try:
            if request.method == "GET" and route.verify:
                return route.verify(request)
            return route.authenticate(request)
        except Exception as error:
            # The addon or the database failed; the provider keeps the event and retries it.
            if isinstance(error, SQLAlchemyError) and db.is_away(error):
                self._note_undecided(error)
                return None
            log.exception("addon %s could not decide on a request to %s", slug, route.path)
            return None

    def _note_undecided(self, error: SQLAlchemyError) -> None:
        """Log periodically how many requests were postponed because the database is unavailable."""
        with self._lock:
            self._undecided += 1
            if clock.monotonic() - self._said_at < SILENT_SECONDS:
                return
            self._said_at = clock.monotonic()
            count, self._undecided = self._undecided, 0
        log.warning(
            "%d requests could not be decided on, so their providers were asked to wait: %s",
            count,
            db.describe(error)[1],
        )

    @contextmanager
    def _turn(self, size: int) -> Iterator[None]:
        """Let large requests through one at a time, if the wait is short."""
        if size <= LARGE or not self._large.acquire(timeout=LARGE_PATIENCE_SECONDS):
            yield
            return
        with call_budget.released_once(self._large.release):
            yield

    def _answer_without_events(
        self, slug: str, route: WebhookRoute, request: WebhookRequest, decision: object
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
        if decision is not None:
            log.error("addon %s answered a webhook with %s", slug, type(decision).__name__)
        return LATER

    def _keep(self, waiting: Waiting, request: WebhookRequest) -> Answer:
        # Not verified yet, so an address without a recent valid request may send few.
        if not self._may_park(request.remote):
            return LATER
        try:
            self._held.keep(waiting, request)
        except FullError:
            log.error("as much is kept for addon %s as may be; its provider is asked to wait", waiting.slug)
            return LATER
        except SQLAlchemyError:
            log.exception("a request for addon %s could not be kept", waiting.slug)
            return LATER
        return 200, "EVENT_RECEIVED", []

    def _may_park(self, remote: str) -> bool:
        try:
            return bool(self._limits().hit(self._allowance(remote, PARKED), "parked", remote))
        except Exception:
            log.exception("the throttle for webhooks cannot be written")
            return False

    def _refuse(self, route: WebhookRoute, decision: Refused, remote: str) -> Answer:
        self._note_failure(remote)
        try:
            count_refusal(route.channel, decision.account_id, decision.reason, remote, decision.hint)
        except Exception:
            log.exception("a refused request could not be counted")
        return _refusal(decision)

    def _limits(self) -> FixedWindowRateLimiter:
        # Created on first use: its storage keeps a thread or a connection.
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


def _refusal(decision: Refused) -> Answer:
    status = decision.status if decision.status in _BODIES else 401
    return status, _BODIES[status], []


def answer_headers(text: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a response."""
    return [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(text.encode()))),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        *headers,
    ]
