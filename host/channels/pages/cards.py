"""The contents of Settings -> Channels: a section per channel, a card per account."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.channels.pages.looks import LookReport
from host.channels.pages.messaging import Choices
from host.core import clock
from host.models.channels import AccountState, AccountWarning, ChannelAccount, ref
from host.sdk.cards import CardStatus, SectionNotice, SettingsCard, SignIn

log = logging.getLogger(__name__)

TONES = {"good", "warn", "bad"}
WORST_FIRST = ("bad", "warn", "idle", "good")


@dataclass(frozen=True, slots=True)
class AccountCard:
    """One account as its card shows it.

    :param state: ``connected``, ``receiving``, ``needs_reconnect`` or ``disconnected``.
    :param messages: whether its messages have settings.
    :param history: whether earlier conversations can be read from its provider.
    :param catching_up: whether they are being read now.
    """

    id: int
    name: str
    handle: str
    way: str
    state: str
    reason: str
    last_event_at: datetime | None
    connected_at: datetime
    disconnected_at: datetime | None
    blocked_until: datetime | None
    blocked_reason: str
    status: CardStatus
    messages: bool = False
    warnings: Sequence[AccountWarning] = ()
    history: bool = False
    catching_up: bool = False
    way_label: str = ""
    beside_id: int | None = None
    """The account whose credentials it shares, of a channel whose accounts stand beside others."""
    heard: bool = False
    """Whether anything ever came for it."""
    look: LookReport | None = None
    """How it is checked for messages that were not delivered; None: it is not."""

    @property
    def tone(self) -> str:
        """Return how bad it is: ``bad``, ``warn``, ``idle`` or ``good``."""
        tones = {one.tone for one in self.warnings} | {tone for tone, _bold, _words in self.status.notices}
        if self.state == "needs_reconnect" or "bad" in tones:
            return "bad"
        if self.blocked_until or "warn" in tones:
            return "warn"
        return "good" if self.state == "receiving" else "idle"


@dataclass(slots=True)
class Section:
    """A channel and its accounts in this workspace.

    :ivar card: None while no active addon brings the channel.
    :ivar sign_ins: the card's ways to sign in that are offered now.
    :ivar refusals: why others are not, by their names.
    :ivar notices: what the addon has to say besides.
    :ivar beside: whether its accounts stand beside those of another channel, where they are switched on.
    """

    key: str
    label: str
    card: SettingsCard | None
    beside: bool = False
    sign_ins: list[SignIn] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    notices: Sequence[SectionNotice] = ()
    live: list[AccountCard] = field(default_factory=list)
    gone: list[AccountCard] = field(default_factory=list)


def accounts_of(session: Session, workspace_id: int) -> list[ChannelAccount]:
    """Return every account of the workspace, those disconnected too, by name."""
    query = (
        sa.select(ChannelAccount)
        .where(ChannelAccount.workspace_id == workspace_id)
        .order_by(ChannelAccount.name, ChannelAccount.id)
    )
    return list(session.scalars(query))


def sections(
    directory: Directory,
    workspace_id: int,
    rows: Sequence[ChannelAccount],
    warnings: Mapping[int, Sequence[AccountWarning]] = MappingProxyType({}),
    catching_up: Collection[int] = (),
    looks: Mapping[int, LookReport] = MappingProxyType({}),
) -> list[Section]:
    """Return the page's sections: channels that can be connected first, then those without their addon.

    Asks each addon for the status of its accounts; if it raises, the card says so.

    :param catching_up: ids of accounts whose history is being read.
    :param looks: how accounts are checked for messages that were not delivered, by id.
    """
    found: dict[str, Section] = {}
    for adapter in directory.adapters:
        card = directory.card(adapter.key)
        here = any(row.channel == adapter.key for row in rows)
        if here or (card is not None and not adapter.beside):
            notices = _notices(card, workspace_id)
            section = Section(adapter.key, adapter.label, card, bool(adapter.beside), notices=notices)
            _offer(section, workspace_id)
            found[adapter.key] = section
    for row in rows:
        section = found.setdefault(row.channel, Section(row.channel, directory.label(row.channel), None))
        if row.state != AccountState.DISCONNECTED:
            brought = directory.adapter(row.channel)
            choices = None if brought is None else Choices.of(brought)
            shown = account_card(row, status_of(section.card, row), choices, warnings.get(row.id, ()))
            shown = replace(
                shown,
                catching_up=row.id in catching_up,
                way_label=_way(section.card, row.way),
                look=looks.get(row.id),
            )
            if section.beside:
                shown = replace(shown, beside_id=row.beside_id)
            section.live.append(shown)
        elif section.card is not None and not section.beside:
            section.gone.append(account_card(row, CardStatus()))
    for section in found.values():
        section.live.sort(key=lambda one: WORST_FIRST.index(one.tone))
    return [one for one in found.values() if one.live or (one.card and not one.beside)]


def _way(card: SettingsCard | None, way: str) -> str:
    """Return by what name people know the way an account was connected in; nothing where there is one."""
    if card is None or not card.sign_ins:
        return ""
    return next((str(one.label) for one in card.sign_ins if one.name == way), _("Entered by hand"))


def _offer(section: Section, workspace_id: int) -> None:
    """Note the ways to sign in that work here, and why others do not; one that raises is not offered."""
    for one in section.card.sign_ins if section.card is not None else ():
        try:
            why = one.available(workspace_id)
        except Exception:
            log.exception("the sign-in %s cannot tell whether it is available", one.name)
            why = _("The addon of this channel failed while looking.")
        if why is None:
            section.sign_ins.append(one)
        else:
            section.refusals[one.name] = why


def _notices(card: SettingsCard | None, workspace_id: int) -> Sequence[SectionNotice]:
    if card is None or card.notices is None:
        return ()
    try:
        return tuple(card.notices(workspace_id))
    except Exception:
        log.exception("the card of channel %s could not tell its notices", card.channel)
        return ()


def account_card(
    row: ChannelAccount,
    status: CardStatus,
    choices: Choices | None = None,
    warnings: Sequence[AccountWarning] = (),
) -> AccountCard:
    """Return what a row or a page shows of an account."""
    blocked = row.blocked_until is not None and row.blocked_until > clock.now()
    return AccountCard(
        id=row.id,
        name=row.name,
        handle=row.handle,
        way=row.way,
        state=state_of(row),
        reason=row.state_reason or "",
        last_event_at=row.last_event_at,
        connected_at=row.connected_at,
        disconnected_at=row.disconnected_at,
        blocked_until=row.blocked_until if blocked else None,
        blocked_reason=row.blocked_reason or "",
        status=status,
        messages=choices is not None,
        warnings=warnings,
        history=choices is not None and choices.history,
        heard=row.last_event_at is not None,
    )


def card_for(card: SettingsCard, row: ChannelAccount) -> SettingsCard:
    """Return the card for one account; without fields to paste if the account was connected by signing in."""
    if all(one.name != row.way for one in card.sign_ins):
        return card
    return replace(card, fields=tuple(one for one in card.fields if not one.pasted))


def state_of(row: ChannelAccount) -> str:
    """Return the account's state for people: connected becomes receiving with the first event."""
    if row.state != AccountState.CONNECTED:
        return row.state
    received = row.last_event_at is not None and row.last_event_at >= row.connected_at
    return "receiving" if received else "connected"


def status_of(card: SettingsCard | None, row: ChannelAccount) -> CardStatus:
    """Return what the addon says about the account of *row*; a raise becomes a notice."""
    if card is None:
        return CardStatus()
    try:
        status = card.status(ref(row))
        if not isinstance(status, CardStatus):
            raise TypeError(f"status() returned {type(status).__name__}")
    except Exception:
        log.exception("the card of channel %s could not tell how account %s is doing", row.channel, row.id)
        sentence = _("The addon of this channel failed while looking. Messages are not affected.")
        return CardStatus(notices=[("warn", _("State unknown."), sentence)])
    return status
