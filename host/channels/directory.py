"""The channels of one generation: adapters and cards, and what addons add to rules and assistants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import cast

from flask import current_app

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter, ChannelMark
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition

NEUTRAL_MARK = ChannelMark(icon="inbox", tone=6)
"""For conversations of a channel no active addon brings."""


class Directory:
    """Looks channels up by key. Immutable; an unknown key gives None, never an error.

    :raises ValueError: on construction, for two adapters or two cards of one key, or a card without adapter.
    """

    __slots__ = ("_actions", "_adapters", "_cards", "_conditions", "_tools")

    def __init__(
        self,
        adapters: Iterable[ChannelAdapter] = (),
        cards: Iterable[SettingsCard] = (),
        conditions: Iterable[RuleCondition] = (),
        actions: Iterable[RuleAction] = (),
        tools: Iterable[AssistantTool] = (),
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

    @property
    def adapters(self) -> tuple[ChannelAdapter, ...]:
        """Every adapter, in the order the addons came."""
        return tuple(self._adapters.values())

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def adapter(self, key: str) -> ChannelAdapter | None:
        """Return the adapter of the channel *key*, or None while no active addon brings it."""
        return self._adapters.get(key)

    def card(self, key: str) -> SettingsCard | None:
        """Return the settings card of the channel *key*, or None where it has none."""
        return self._cards.get(key)

    @property
    def conditions(self) -> Mapping[str, RuleCondition]:
        """What addons add to the conditions of rules, by name."""
        return self._conditions

    @property
    def actions(self) -> Mapping[str, RuleAction]:
        """What addons add to the actions of rules, by name."""
        return self._actions

    @property
    def tools(self) -> Mapping[str, AssistantTool]:
        """What addons add to the tools of assistants, by name."""
        return self._tools

    def condition(self, name: str) -> RuleCondition | None:
        """Return the condition *name* of rules, or None while no active addon brings it."""
        return self._conditions.get(name)

    def action(self, name: str) -> RuleAction | None:
        """Return the action *name* of rules, or None while no active addon brings it."""
        return self._actions.get(name)

    def mark(self, key: str) -> ChannelMark:
        """Return the mark of the channel *key*; a neutral one for an unknown key."""
        adapter = self._adapters.get(key)
        return NEUTRAL_MARK if adapter is None else adapter.mark

    def label(self, key: str) -> str:
        """Return the channel's name for people; for an unknown channel it is made from the key."""
        adapter = self._adapters.get(key)
        return key.replace("-", " ").capitalize() if adapter is None else adapter.label


def current_directory() -> Directory:
    """Return the channels of the generation this request runs on."""
    return cast(Directory, current_app.extensions["lobby.generation"].directory)
