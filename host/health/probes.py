"""``/healthz``, ``/readyz`` and ``/metrics``: answered in front of everything else, without a login.

They need no page and no addon, so they answer while no generation can be built. None of the first two says
more than yes or no.
"""

from __future__ import annotations

import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from host import clock, db, migrations
from host.config import Config
from host.delivery.spool import folder_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
PATIENCE_SECONDS = 2.0
"""How long a probe waits for the database."""
FRESH_SECONDS = 1.0
"""How long an answer about the database is good for: nobody keeps it busy by asking."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What probes tell of a process.

    :param serving: whether it has started and was not told to end.
    :param generation: the number of the generation it runs; 0 with no addon ever switched on.
    :param failures: addons that should run and do not.
    """

    serving: bool
    generation: int | None
    failures: int


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """Whether the database answers, and has the tables of this version."""

    answers: bool = False
    migrated: bool = False


class DatabaseProbe:
    """Asks the database in a thread of its own: one that hangs must not hold whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._found = DatabaseState()
        self._found_at = float("-inf")

    def state(self) -> DatabaseState:
        """Return what was found at most a second ago, or "does not answer" after two seconds."""
        with self._lock:
            if clock.monotonic() - self._found_at < FRESH_SECONDS:
                return self._found
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._ask, name="probe", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(PATIENCE_SECONDS)
        return DatabaseState() if asking.is_alive() else self._found

    def _ask(self) -> None:
        try:
            with db.read() as session:
                found = DatabaseState(True, not migrations.is_behind(session.connection()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the database is of no use
            log.warning("a probe could not use the database: %s", db.describe(error)[1])
            found = DatabaseState()
        self._found, self._found_at = found, clock.monotonic()


class Probes:
    """Answers the three addresses.

    :param state: returns what is to be told of this process.
    """

    def __init__(self, config: Config, state: Callable[[], ProcessState]) -> None:
        self._token = config.metrics_token
        self._spool = folder_of(config.data)
        self._state = state
        self._database = DatabaseProbe()

    def answer(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        status, kind, body, headers = self._decide(path, environ)
        sent = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ]
        start_response(f"{status.value} {status.phrase}", sent)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _decide(
        self, path: str, environ: WSGIEnvironment
    ) -> tuple[HTTPStatus, str, bytes, list[tuple[str, str]]]:
        text = "text/plain; charset=utf-8"
        if path == "/metrics" and not self._token:
            return HTTPStatus.NOT_FOUND, text, b"Not Found", []
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, text, b"Method Not Allowed", [("Allow", "GET, HEAD")]
        if path == "/healthz":
            return HTTPStatus.OK, text, b"ok", []
        if path == "/readyz":
            return self._ready()
        if not self._is_allowed(environ.get("HTTP_AUTHORIZATION", "")):
            return HTTPStatus.UNAUTHORIZED, text, b"Unauthorized", [("WWW-Authenticate", "Bearer")]
        from host.health import metrics

        kind, body = metrics.exposition(self._state(), self._database.state(), self._spool)
        return HTTPStatus.OK, kind, body, []

    def _ready(self) -> tuple[HTTPStatus, str, bytes, list[tuple[str, str]]]:
        own, database = self._state(), self._database.state()
        parts = {
            "serving": own.serving,
            "generation": own.generation is not None,
            "database": database.answers,
            "migrations": database.migrated,
        }
        ready = all(parts.values())
        body = json.dumps({"ready": ready, **parts}).encode()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", body, []

    def _is_allowed(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode())
        return scheme.lower() == "bearer" and same
