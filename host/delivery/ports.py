"""What delivery needs of the running generation, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from host.sdk.channel import ChannelAdapter


class AdapterDirectory(Protocol):
    """Finds the adapter of a channel; None while no active addon brings it."""

    def adapter(self, key: str, /) -> ChannelAdapter | None: ...


class RunningGeneration(Protocol):
    """The part of :class:`host.addons.generation.Generation` that delivery looks at."""

    @property
    def number(self) -> int: ...

    @property
    def directory(self) -> AdapterDirectory: ...


GenerationSource = Callable[[], RunningGeneration]
