"""How an account handles messages: read receipts, typing signals, and texts that are too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.accounts import changed
from host.core.errors import InvalidError
from host.models.channels import AccountState, ChannelAccount
from host.sdk.channel import ChannelAdapter
from host.sdk.errors import AccountGoneError

OVERFLOW = ("split", "truncate")


@dataclass(frozen=True, slots=True)
class Messaging:
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


@dataclass(frozen=True, slots=True)
class Choices:
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
        raise InvalidError(_l("Choose a time for an answer from the list; nothing was saved."), next_step="")
    return int(text)


def set_messaging(session: Session, account_id: int, chosen: Messaging, choices: Choices) -> ChannelAccount:
    """Write how an account handles messages; settings that do not apply to its channel stay unchanged.

    :raises AccountGoneError: if the account does not exist or is disconnected.
    """
    row = session.get(ChannelAccount, account_id)
    if row is None or row.state == AccountState.DISCONNECTED:
        raise AccountGoneError("The account is disconnected already.")
    settings = dict(row.settings)
    if choices.seen:
        settings |= {"mark_seen": chosen.mark_seen, "show_seen": chosen.show_seen}
    if choices.typing:
        settings["typing"] = chosen.typing
    if choices.overflow:
        settings["overflow"] = chosen.overflow
    row.settings = settings
    changed(session, row)
    return row
