"""The channels of one generation: adapters and cards, and addons' extensions of rules and assistants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import cast

import msgspec
from flask import current_app

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter, ChannelMark
from host.sdk.events import Listener
from host.sdk.panels import ComposerAction, Panel, Place
from host.sdk.reports import ReportSection
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition

NEUTRAL_MARK = ChannelMark(icon="inbox", tone=6)
"""The mark for conversations of a channel without an active addon."""


class KnownChannel(msgspec.Struct, frozen=True):
    """The name and mark of a channel, stored for its conversations while it has no active addon."""

    label: str
    mark: ChannelMark


class Directory:
    """Looks up channels by key. Immutable; an unknown key returns None, never an error.

    :param known: channels that ran here before, by key.
    :raises ValueError: on construction, for two adapters or two cards with the same key, or a card without an
        adapter.
    """

    __slots__ = (
        "_actions",
        "_adapters",
        "_cards",
        "_composer_actions",
        "_conditions",
        "_known",
        "_listeners",
        "_panels",
        "_report_sections",
        "_tools",
    )

    def __init__(
        self,
        adapters: Iterable[ChannelAdapter] = (),
        cards: Iterable[SettingsCard] = (),
        conditions: Iterable[RuleCondition] = (),
        actions: Iterable[RuleAction] = (),
        tools: Iterable[AssistantTool] = (),
        panels: Iterable[Panel] = (),
        composer_actions: Iterable[ComposerAction] = (),
        report_sections: Iterable[ReportSection] = (),
        known: Mapping[str, KnownChannel] = MappingProxyType({}),
        listeners: Iterable[Listener] = (),
    ) -> None:
        by_key: dict[str, ChannelAdapter] = {}
        for adapter in adapters:
            if adapter.key in by_key:
                raise ValueError(f"two adapters for the channel {adapter.key!r}")
            by_key[adapter.key] = adapter
        card_by_key: dict[str, SettingsCard] = {}
        for card in cards:
            if card.channel in card_by_key:
                raise ValueError(f"two settings cards for the channel {card.channel!r}")
            if card.channel not in by_key:
                raise ValueError(f"a settings card for {card.channel!r}, which has no adapter")
            card_by_key[card.channel] = card
        self._adapters: Mapping[str, ChannelAdapter] = MappingProxyType(by_key)
        self._cards: Mapping[str, SettingsCard] = MappingProxyType(card_by_key)
        self._conditions = MappingProxyType({one.name: one for one in conditions})
        self._actions = MappingProxyType({one.name: one for one in actions})
        self._tools = MappingProxyType({one.name: one for one in tools})
        self._panels = MappingProxyType({one.name: one for one in panels})
        self._composer_actions = MappingProxyType({one.name: one for one in composer_actions})
        self._report_sections = MappingProxyType({one.name: one for one in report_sections})
        self._known = known
        self._listeners = tuple(listeners)

    def without(self, slug: str, channels: Collection[str]) -> Directory:
        """Return the directory without the addon *slug*, which provides *channels*."""
        own = f"{slug}."
        return Directory(
            [one for key, one in self._adapters.items() if key not in channels],
            [one for key, one in self._cards.items() if key not in channels],
            [one for name, one in self._conditions.items() if not name.startswith(own)],
            [one for name, one in self._actions.items() if not name.startswith(own)],
            [one for name, one in self._tools.items() if not name.startswith(own)],
            [one for name, one in self._panels.items() if not name.startswith(own)],
            [one for name, one in self._composer_actions.items() if not name.startswith(own)],
            [one for name, one in self._report_sections.items() if not name.startswith(own)],
            self._known,
            [one for one in self._listeners if not one.name.startswith(own)],
        )

    @property
    def adapters(self) -> tuple[ChannelAdapter, ...]:
        """All adapters, in the order of their addons."""
        return tuple(self._adapters.values())

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def adapter(self, key: str) -> ChannelAdapter | None:
        """Return the adapter of the channel *key*, or None while no active addon provides it."""
        return self._adapters.get(key)

    def card(self, key: str) -> SettingsCard | None:
        """Return the settings card of the channel *key*, or None if it has none."""
        return self._cards.get(key)

    @property
    def conditions(self) -> Mapping[str, RuleCondition]:
        """Conditions of rules from addons, by name."""
        return self._conditions

    @property
    def actions(self) -> Mapping[str, RuleAction]:
        """Actions of rules from addons, by name."""
        return self._actions

    @property
    def tools(self) -> Mapping[str, AssistantTool]:
        """Tools of assistants from addons, by name."""
        return self._tools

    @property
    def panels(self) -> Mapping[str, Panel]:
        """Panels from addons, by name."""
        return self._panels

    def panels_at(self, place: Place) -> list[Panel]:
        """Return the panels of a page, by name."""
        return [one for _, one in sorted(self._panels.items()) if place in one.places]

    @property
    def composer_actions(self) -> Mapping[str, ComposerAction]:
        """Buttons for the composer from addons, by name."""
        return self._composer_actions

    def composer_actions_shown(self) -> list[ComposerAction]:
        """Return the buttons of the composer, by name."""
        return [one for _, one in sorted(self._composer_actions.items())]

    @property
    def report_sections(self) -> Mapping[str, ReportSection]:
        """Sections of the Reports page from addons, by name."""
        return self._report_sections

    def report_sections_shown(self) -> list[ReportSection]:
        """Return the sections of the Reports page, by name."""
        return [one for _, one in sorted(self._report_sections.items())]

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Listeners of events from addons."""
        return self._listeners

    def condition(self, name: str) -> RuleCondition | None:
        """Return the condition *name* of rules, or None while no active addon provides it."""
        return self._conditions.get(name)

    def action(self, name: str) -> RuleAction | None:
        """Return the action *name* of rules, or None while no active addon provides it."""
        return self._actions.get(name)

    def mark(self, key: str) -> ChannelMark:
        """Return the mark of the channel *key*, even while its addon is inactive; neutral if unknown."""
        adapter = self._adapters.get(key)
        if adapter is not None:
            return adapter.mark
        return self._known[key].mark if key in self._known else NEUTRAL_MARK

    def label(self, key: str) -> str:
        """Return the channel's name, even while its addon is inactive; derived from the key if unknown."""
        adapter = self._adapters.get(key)
        if adapter is not None:
            return adapter.label
        return self._known[key].label if key in self._known else key.replace("-", " ").capitalize()


def current_directory() -> Directory:
    """Return the channels of this request's generation."""
    return cast(Directory, current_app.extensions["lobby.generation"].directory)
