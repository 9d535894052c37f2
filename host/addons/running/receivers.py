"""Run the receivers of addons: open connections for receiving messages without webhooks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from host.addons.running import contributions
from host.addons.running.generation import Generation
from host.core import call_budget
from host.core.call_budget.threads import run_apart
from host.queue.journal import Journal
from host.sdk.webhooks import Envelope, Ingest, Receiver

log = logging.getLogger(__name__)


class Receivers:
    """The receivers that run in this process.

    :param journal: stores the received requests.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._running: list[tuple[str, Callable[[], None]]] = []

    def follow(self, generation: Generation) -> None:
        """Start the receivers of *generation*, then stop those of the previous one, without a gap."""
        before, self._running = self._running, []
        for slug, receiver in generation.each(contributions.RECEIVERS):
            start = partial(receiver.start, self._ingest(receiver))
            try:
                stop = run_apart(start, f"receiver {receiver.name}")
                stop = call_budget.watching(slug, generation.manifests[slug].version, "receiver", stop)
                self._running.append((slug, stop))
            except (Exception, SystemExit):
                log.exception("the receiver %s of addon %s could not start", receiver.name, slug)
        _stop(before)

    def stop(self) -> None:
        """Stop them."""
        _stop(self._running)

    def _ingest(self, receiver: Receiver) -> Ingest:
        def ingest(
            raw: bytes, envelopes: tuple[Envelope, ...], also: Callable[[Session], None] | None = None
        ) -> None:
            self._journal.ingest(
                source=f"receiver:{receiver.name}",
                channel=receiver.channel,
                raw=raw,
                remote="",
                envelopes=envelopes,
                also=also,
            )

        return ingest


def _stop(running: list[tuple[str, Callable[[], None]]]) -> None:
    while running:
        slug, stop = running.pop()
        try:
            run_apart(stop, f"receiver of {slug}")
        except (Exception, SystemExit):
            log.exception("a receiver of addon %s could not be stopped", slug)
