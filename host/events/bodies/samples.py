"""All events with a sample of each, for the page, the documentation and the API document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from host.events import catalogue
from host.events.kinds.parts import AT, CHANNEL_ID, CUSTOMER
from host.events.kinds.shapes import Shape
from host.sdk.channel import ChannelAdapter


class Kind(msgspec.Struct, frozen=True):
    """An event that endpoints can subscribe to.

    :param shape: the type of its data; None: defined by a channel.
    """

    name: str
    about: str
    sample: Mapping[str, Any]
    shape: type[Shape] | None = None

    @property
    def group(self) -> str:
        """Return its group, such as ``message``."""
        return self.name.partition(".")[0]


def of_host() -> list[Kind]:
    """Return the built-in events, in the order of the catalogue."""
    return [
        Kind(kind.name, kind.about, msgspec.to_builtins(kind.sample), type(kind.sample))
        for kind in catalogue.KINDS.values()
    ]


def of_channel(adapter: ChannelAdapter) -> list[Kind]:
    """Return the events that a channel adds."""
    start = {"channelId": CHANNEL_ID, "from": CUSTOMER}
    return [
        Kind(one.name, one.about, {**start, **one.sample, "timestamp": AT}) for one in adapter.outgoing_kinds
    ]


def everything(adapters: Iterable[ChannelAdapter]) -> list[Kind]:
    """Return all events that exist while these channels are active."""
    return [*of_host(), *(kind for adapter in adapters for kind in of_channel(adapter))]
