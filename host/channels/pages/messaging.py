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
    """The settings of an account, with defaults for those not chosen.

    :param mark_seen: customers see that the team has read their messages.
    :param show_seen: the team sees that a customer has read its messages.
    :param typing: customers see that an agent is typing.
    :param overflow: the first choice for a text that is too long: ``split`` or ``truncate``.
    """

    mark_seen: bool = False
    show_seen: bool = True
    typing: bool = True
    overflow: str = "split"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Messaging:
        """Return the values in an account's *settings*."""
        return cls(
            mark_seen=settings.get("mark_seen") is True,
            show_seen=settings.get("show_seen") is not False,
            typing=settings.get("typing") is not False,
            overflow="truncate" if settings.get("overflow") == "truncate" else "split",
        )

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Messaging:
        """Return the values of a submitted form; a missing switch is off."""
        return cls(
            mark_seen=bool(form.get("mark_seen")),
            show_seen=bool(form.get("show_seen")),
            typing=bool(form.get("typing")),
            overflow="truncate" if form.get("overflow") == "truncate" else "split",
        )

    def settings(self, choices: Choices) -> dict[str, Any]:
        """Return the settings to store: only those that apply to the channel."""
        seen = {"mark_seen": self.mark_seen, "show_seen": self.show_seen} if choices.seen else {}
        typing = {"typing": self.typing} if choices.typing else {}
        return {**seen, **typing, **({"overflow": self.overflow} if choices.overflow else {})}


class Choices(msgspec.Struct, frozen=True):
    """The settings that apply to a channel, by its capabilities."""

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
        """Whether any setting applies to the channel."""
        return self.seen or self.typing or self.overflow


TARGETS = (15, 30, 60, 120, 240, 480, 1440, 2880)
"""Reply targets in minutes that the page offers; the API may set others."""


def targets(present: int | None) -> list[int]:
    """Return the targets to offer in minutes, including the *present* one."""
    return sorted({*TARGETS, *([] if present is None else [present])})


def target_from(form: Mapping[str, str]) -> int | None:
    """Return a form's reply target in minutes; None: no target.

    :raises InvalidError: if it is not a number.
    """
    text = form.get("reply_target", "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InvalidError(_l("Choose a response time from the list. Nothing was saved."), next_step="")
    return int(text)
