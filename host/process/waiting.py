"""The responses of a process that waits for its database after it has started.

Pages explain that in the desk's design, and probes report it as alive and not ready. Webhooks are kept
unchanged if the previous process stored their addresses, and are otherwise answered with 503.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import g, request
from flask.typing import ResponseReturnValue

from host.addons.running import early_webhooks
from host.addons.running import generation as generations
from host.addons.running.early_webhooks import UndecidedRequests
from host.addons.running.generation import Generation
from host.addons.running.held_webhooks import Waiting
from host.core import secrets
from host.core.config import Config
from host.core.errors import UnavailableError
from host.health.probes import Probes
from host.health.process_state import ProcessState
from host.process.app import create_app
from host.process.asgi import AsgiApplication
from host.process.incoming import Incoming, Receive
from host.process.webhook_front import LATER, Answer, Answering, WebhookFront
from host.queue.journal import Journal
from host.queue.spool import folder_of
from host.web import assets, error_pages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from host.process.serving import HostApplication

log = logging.getLogger(__name__)


class WaitingHost:
    """A stand-in for :class:`host.process.serving.HostApplication` until the database answers."""

    def __init__(self, config: Config) -> None:
        self.config = config
        folder = folder_of(config.data)
        # Never started: it has no database to write to, but the same spool.
        journal = Journal(folder, spool_bytes=config.spool_mb * 1024**2)
        self._addresses = early_webhooks.known_addresses(config.data) if secrets.is_ready() else {}
        self._front = WebhookFront(config, journal, held=UndecidedRequests(journal.spool, folder))
        self.probes = Probes(config, self._state)
        self._generation = generations.build_alone(config, partial(create_app, config, host=None))
        # Before all other request handlers: a form has not expired but cannot be saved now.
        self._generation.app.before_request_funcs.setdefault(None, []).insert(0, self._refuse)
        self._refused = self._kept = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._generation.app(environ, start_response)

    def hand_over(self, application: AsgiApplication, desk: HostApplication) -> None:
        """Let *desk* answer the requests to *application* from now on."""
        application.host = desk
        log.warning(
            "while the database was away %d webhooks were kept and %d requests answered with 503",
            self._kept,
            self._refused,
        )

    def generation(self) -> Generation:
        """Return a generation of the host without any addon."""
        return self._generation

    def webhook(self, _generation: Generation, path: str) -> Answering | None:
        """Return the handler of the webhook at *path*; None if it belongs to a page."""
        found = early_webhooks.named(self._addresses, path)
        if found is not None:
            return partial(self._keep, *found)
        return self._later if path.startswith("/webhooks/") else None

    async def _keep(
        self, waiting: Waiting, account: str | None, incoming: Incoming, receive: Receive
    ) -> Answer:
        answer = await self._front.park(waiting, account, incoming, receive)
        if answer[0] == HTTPStatus.OK:
            self._kept += 1
        else:
            self._refused += 1
        return answer

    def _state(self) -> ProcessState:
        put_off = self._front.put_off
        return ProcessState(False, None, 0, keeps_webhooks=bool(self._addresses), put_off=put_off)

    async def _later(self, _incoming: Incoming, _receive: Receive) -> Answer:
        self._refused += 1
        self._front.put_off += 1
        return LATER

    def _refuse(self) -> ResponseReturnValue | None:
        if request.endpoint is not None and request.endpoint.endswith(assets.ENDPOINTS):
            return None  # the static files of pages
        self._refused += 1
        g.lobby_user = None
        return error_pages.render(UnavailableError())
