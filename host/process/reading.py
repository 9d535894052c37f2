"""Everything that reads the record in a process with workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from host.automation.consuming import Automating
from host.core.config import Config
from host.core.ports import GenerationSource
from host.notifications.telling import Telling
from host.outgoing.bodies.telling import Webhooks
from host.record.consuming import EventConsumer
from host.reports.counting import Counting
from host.reports.windows import ChannelWindows
from host.search.documents import Indexing


def consumers(config: Callable[[], Config], generation: GenerationSource) -> Sequence[EventConsumer]:
    """Return them: a new one is added here, and its name to :mod:`host.record.keeping`.

    :param config: returns the settings in force.
    :param generation: returns the generation to work with; asked before every piece of work.
    """
    return (
        Webhooks(lambda: generation().directory, lambda: config().public_url),
        Counting(ChannelWindows(generation)),
        Indexing(),
        Telling(),
        Automating(lambda: generation().directory),
    )
