"""Protocols of the running application, for code that must not import it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from host.sdk.api import ApiRoute
from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition


class AdapterDirectory(Protocol):
    """Finds the adapter of a channel; None if no active addon has it."""

    def adapter(self, key: str, /) -> ChannelAdapter | None: ...


class CardDirectory(AdapterDirectory, Protocol):
    """Also finds the settings card of a channel; None if it has none."""

    def card(self, key: str, /) -> SettingsCard | None: ...


class RuleDirectory(AdapterDirectory, Protocol):
    """Also finds addons' additions to rules; None if no active addon has it."""

    def condition(self, name: str, /) -> RuleCondition | None: ...

    def action(self, name: str, /) -> RuleAction | None: ...


class ListingDirectory(RuleDirectory, Protocol):
    """Also lists the running channels, and addons' additions to rules."""

    @property
    def keys(self) -> tuple[str, ...]: ...

    @property
    def adapters(self) -> tuple[ChannelAdapter, ...]: ...

    @property
    def conditions(self) -> Mapping[str, RuleCondition]: ...

    @property
    def actions(self) -> Mapping[str, RuleAction]: ...

    def label(self, key: str, /) -> str: ...


class AssistantDirectory(RuleDirectory, Protocol):
    """Also finds addons' tools for assistants by name."""

    @property
    def tools(self) -> Mapping[str, AssistantTool]: ...


class WholeDirectory(CardDirectory, AssistantDirectory, Protocol):
    """All look-ups of workers."""


class RunningGeneration(Protocol):
    """The part of :class:`host.addons.running.generation.Generation` that workers look at."""

    @property
    def number(self) -> int: ...

    @property
    def directory(self) -> WholeDirectory: ...


class ShownGeneration(RunningGeneration, Protocol):
    """The additional parts of a generation that every page may use.

    :ivar failures: slug -> one sentence, for each active addon that was left out.
    :ivar attention: slug -> sentences about a running addon.
    :ivar names: slug -> name of each running addon.
    :ivar api_routes: routes of the API, each with the slug of its addon.
    """

    @property
    def api_routes(self) -> Sequence[tuple[str, ApiRoute]]: ...

    @property
    def names(self) -> Mapping[str, str]: ...

    @property
    def failures(self) -> Mapping[str, str]: ...

    @property
    def attention(self) -> Mapping[str, Sequence[str]]: ...


GenerationSource = Callable[[], RunningGeneration]
