"""The long-lived services of a process, shared by its generations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.addons.running.generation import Host
    from host.core.config import Config
    from host.delivery.worker import Workers
    from host.live.hub import Hub
    from host.queue.journal import Journal


@dataclass(frozen=True, slots=True)
class Services:
    """The long-lived parts of a process; they outlive every generation of the app.

    :param journal: takes envelopes in; see :meth:`host.queue.journal.Journal.ingest`.
    :param hub: tells browsers what changed.
    :param workers: the delivery threads of this process.
    :param host: the application itself, for its current generation.
    """

    config: Config
    journal: Journal
    hub: Hub
    workers: Workers
    host: Host = field(repr=False)
