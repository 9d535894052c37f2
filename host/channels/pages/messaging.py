"""How an account handles messages: read receipts, typing signals, and texts that are too long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l

from host.core.errors import InvalidError
from host.sdk.channel import ChannelAdapter

OVERFLOW = ("split", "truncate")


class Messaging(msgspec.Struct, frozen=True):
    """The settings of an account, each at its default where none was chosen.

    :param mark_seen: customers see that the team has read their messages.
    :param show_seen: the team sees that a customer has read its messages.
    :param typing: customers see that an agent types.
    :param overflow: the first choice for a text that is too long: ``split`` or ``truncate``.
    """

    mark_seen: bool = False
    show_seen: bool = True
    typing: bool = True
    overflow: str = "split"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Messaging:
        """Return what an account's *settings* say."""
        return cls(
            mark_seen=settings.get("mark_seen") is True,
            show_seen=settings.get("show_seen") is not False,
            typing=settings.get("typing") is not False,
            overflow="truncate" if settings.get("overflow") == "truncate" else "split",
        )

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Messaging:
        """Return what was chosen; a switch that is not sent is off."""
        return cls(
            mark_seen=bool(form.get("mark_seen")),
            show_seen=bool(form.get("show_seen")),
            typing=bool(form.get("typing")),
            overflow="truncate" if form.get("overflow") == "truncate" else "split",
        )

    def settings(self, choices: Choices) -> dict[str, Any]:
        """Return what is to be stored: only what applies to the channel."""
        seen = {"mark_seen": self.mark_seen, "show_seen": self.show_seen} if choices.seen else {}
        typing = {"typing": self.typing} if choices.typing else {}
        return {**seen, **typing, **({"overflow": self.overflow} if choices.overflow else {})}


class Choices(msgspec.Struct, frozen=True):
    """Which of the settings apply to a channel, by its declaration."""

    seen: bool
    typing: bool
    overflow: bool
    ice_breakers: bool
    menu: bool
    files: bool
    history: bool

    @classmethod
    def of(cls, adapter: ChannelAdapter) -> Choices:
        capabilities = adapter.capabilities
        return cls(
            seen=capabilities.mark_seen,
            typing=capabilities.typing,
            overflow=capabilities.text_limit_bytes is not None,
            ice_breakers=capabilities.ice_breakers is not None,
            menu=capabilities.menu is not None,
            files=bool(adapter.inbound_media().stored),
            history=capabilities.history is not None,
        )

    @property
    def settings(self) -> bool:
        """Whether there is anything to set that depends on the channel."""
        return self.seen or self.typing or self.overflow


TARGETS = (15, 30, 60, 120, 240, 480, 1440, 2880)
"""Minutes for an answer that the page offers; a program may set others."""


def targets(present: int | None) -> list[int]:
    """Return the minutes that are offered, with the *present* ones."""
    return sorted({*TARGETS, *([] if present is None else [present])})


def target_from(form: Mapping[str, str]) -> int | None:
    """Return the minutes a form asks for; None: no time is set.

    :raises InvalidError: if that is no number.
    """
    text = form.get("reply_target", "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InvalidError(_l("Choose a response time from the list. Nothing was saved."), next_step="")
    return int(text)
