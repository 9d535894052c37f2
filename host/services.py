"""What one process shares between its generations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.config import Config
    from host.delivery.journal import Journal
    from host.delivery.worker import Workers
    from host.live.hub import Hub
    from host.serving import HostApplication


@dataclass(frozen=True, slots=True)
class Services:
    """The long-lived parts of a process; they outlive every generation of the app.

    :param journal: takes envelopes in; see :meth:`host.delivery.journal.Journal.ingest`.
    :param hub: tells browsers what changed.
    :param workers: the delivery threads of this process.
    :param host: the application itself, for its current generation.
    """

    config: Config
    journal: Journal
    hub: Hub
    workers: Workers
    host: HostApplication = field(repr=False)
