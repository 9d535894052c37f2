"""``/healthz``, ``/readyz``, ``/readyz/webhooks``, ``/metrics``: answered before everything else.

They need no page, addon or login, so they work while no revision of the app can be built. Responses without a
token only contain yes or no for each part.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from host.core.config import Config
from host.health.libraries import LibraryProbe
from host.health.process_state import DatabaseProbe, ProcessState
from host.queue.spool import folder_of, measure

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

PATHS = frozenset({"/healthz", "/readyz", "/readyz/webhooks", "/metrics"})


class Probes:
    """A WSGI app that answers these addresses.

    :param state: returns the state of this process.
    """

    def __init__(self, config: Config, state: Callable[[], ProcessState]) -> None:
        self._config = config
        self._token = config.metrics_token
        self._spool = folder_of(config.data)
        self._spool_most = config.spool_mb * 1024**2
        self._state = state
        self._database = DatabaseProbe()
        self._libraries = LibraryProbe(config)

    def respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        header = environ.get("HTTP_AUTHORIZATION", "")
        status, headers, body = self.answer(environ["PATH_INFO"], environ["REQUEST_METHOD"], header)
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def answer(
        self, path: str, method: str, authorization: str
    ) -> tuple[HTTPStatus, list[tuple[str, str]], bytes]:
        """Return status, headers and body for a request, waiting at most two seconds for the database."""
        status, kind, body, headers = self._decide(path, method, authorization)
        sent = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ]
        return status, sent, b"" if method == "HEAD" else body

    def _decide(
        self, path: str, method: str, authorization: str
    ) -> tuple[HTTPStatus, str, bytes, list[tuple[str, str]]]:
        text = "text/plain; charset=utf-8"
        if path == "/metrics" and not self._token:
            return HTTPStatus.NOT_FOUND, text, b"Not Found", []
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, text, b"Method Not Allowed", [("Allow", "GET, HEAD")]
        if path == "/healthz":
            return HTTPStatus.OK, text, b"ok", []
        if path.startswith("/readyz"):
            return self._ready(webhooks=path != "/readyz")
        if not self._is_allowed(authorization):
            return HTTPStatus.UNAUTHORIZED, text, b"Unauthorized", [("WWW-Authenticate", "Bearer")]
        from host.health import metrics

        kind, body = metrics.exposition(self._state(), self._database.state(), self._config)
        return HTTPStatus.OK, kind, body, []

    def _ready(self, *, webhooks: bool) -> tuple[HTTPStatus, str, bytes, list[tuple[str, str]]]:
        own, database = self._state(), self._database.state()
        parts = {
            "serving": own.serving,
            "generation": own.generation is not None,
            "database": database.answers,
            "migrations": database.migrated,
            "libraries": self._libraries.all_there(),
        }
        if own.delivering is not None:
            parts["delivering"] = own.delivering
        needed = dict(parts)
        if webhooks:
            del needed["libraries"]  # webhooks are stored without them
        if webhooks and own.keeps_webhooks:
            parts["spool"] = measure(self._spool).bytes < self._spool_most
            needed = {"spool": parts["spool"]}
        elif webhooks and not database.answers:
            # Without the database, webhooks are kept as files as long as there is space for them.
            parts["spool"] = measure(self._spool).bytes < self._spool_most
            needed |= {"spool": parts["spool"], "database": True, "migrations": True}
        ready = all(needed.values())
        body = json.dumps({"ready": ready, **parts}).encode()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", body, []

    def _is_allowed(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode())
        return scheme.lower() == "bearer" and same
