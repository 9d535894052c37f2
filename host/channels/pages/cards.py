"""The contents of Settings -> Channels: a section per channel, a card per account."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import msgspec
import sqlalchemy as sa
from flask import request
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels import refusals
from host.channels.directory import Directory
from host.channels.pages.looks import LookReport
from host.channels.pages.messaging import Choices
from host.core import clock
from host.core.backports.values import replace
from host.models.channels import AccountState, AccountWarning, ChannelAccount, ref
from host.sdk.cards import CardStatus, SectionNotice, SettingsCard, SignIn
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

TONES = {"good", "warn", "bad"}
WORST_FIRST = ("bad", "warn", "idle", "good")
SIZE = 12
"""Accounts per page, which stays below 100 KB: the page itself takes 20, a card without setup up to 6."""
MOST_SETUPS = 8
"""Maximum number of accounts on a page with setup instructions, which take another 4 KB each."""
MOST_GONE = 5
"""Maximum number of disconnected accounts listed below a channel; the others have their own page."""

STATES = {
    "attention": _l("Needs attention"),
    "receiving": _l("Receiving"),
    "waiting": _l("Waiting for the first message"),
    "disconnected": _l("Disconnected"),
}
"""Filters of the list, with their names."""


class AccountCard(msgspec.Struct, frozen=True):
    """An account, for its card.

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
    """The account whose credentials it shares, if its channel's accounts are linked to others."""
    heard: bool = False
    """Whether it has ever received anything."""
    look: LookReport | None = None
    """The state of its checks for undelivered messages; None if it is not checked."""

    @property
    def tone(self) -> str:
        """Return the severity: ``bad``, ``warn``, ``idle`` or ``good``."""
        tones = {one.tone for one in self.warnings} | {tone for tone, _bold, _words in self.status.notices}
        if self.status.missing is not None:
            tones.add("warn")
        return _tone(self.state, tones, self.blocked_until is not None)


@dataclass(slots=True)
class Section:
    """A channel and its accounts in this workspace.

    :ivar card: None while no active addon provides the channel.
    :ivar sign_ins: the card's available ways to sign in.
    :ivar refusals: why the others are unavailable, by name.
    :ivar notices: further notices of the addon.
    :ivar beside: whether its accounts are linked to those of another channel, where they are switched on.
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

    @property
    def unavailable(self) -> Mapping[str, Sequence[str]]:
        """Return the names of the unavailable ways to sign in by the reason."""
        found: dict[str, list[str]] = {}
        for one in self.card.sign_ins if self.card is not None else ():
            if one.name in self.refusals:
                found.setdefault(self.refusals[one.name], []).append(str(one.label))
        return found


class ListedAccount(msgspec.Struct, frozen=True):
    """An account in the list, from the database only.

    :param tone: severity known to the host; its addon may know a worse one.
    :param off: whether no active addon provides its channel.
    """

    id: int
    channel: str
    name: str
    handle: str
    state: str
    heard: bool
    tone: str
    off: bool

    @property
    def gone(self) -> bool:
        """Whether it is disconnected."""
        return self.state == AccountState.DISCONNECTED


class WantedAccounts(msgspec.Struct, frozen=True):
    """The filter of the list, from the address of the page. Empty fields match everything.

    :param state: a name of :data:`STATES`.
    """

    q: str
    state: str
    channel: str

    @classmethod
    def asked(cls) -> WantedAccounts:
        """Return the filter of this request; an unknown state counts as empty."""
        given = request.args
        state = given.get("state", "")
        return cls(given.get("q", "").strip(), state if state in STATES else "", given.get("channel", ""))

    @property
    def any(self) -> bool:
        """Whether any field is set."""
        return bool(self.q or self.state or self.channel)

    @property
    def arguments(self) -> dict[str, str]:
        """The address parameters of this filter."""
        pairs = {"q": self.q, "state": self.state, "channel": self.channel}
        return {name: value for name, value in pairs.items() if value}

    def takes(self, account: ListedAccount) -> bool:
        """Return whether the filter matches an account."""
        words = f"{account.name} {account.handle}".casefold()
        if self.q.casefold() not in words or self.channel not in {"", account.channel}:
            return False
        match self.state:
            case "attention":
                return account.tone in {"bad", "warn"} or account.off
            case "receiving":
                return account.state == "receiving" and not account.off
            case "waiting":
                return account.state == "connected" and not account.heard and not account.off
            case "disconnected":
                return account.gone
        return not account.gone


def listing(session: Session, directory: Directory, workspace_id: int) -> list[ListedAccount]:
    """Return every account of a workspace in page order: by channel, most severe first, by name.

    Disconnected accounts that cannot be connected again here are left out. Two statements, however many
    accounts there are.
    """
    tones: dict[int, set[str]] = {}
    warned = sa.select(AccountWarning.account_id, AccountWarning.tone).join(
        ChannelAccount, ChannelAccount.id == AccountWarning.account_id
    )
    for account_id, tone in session.execute(warned.where(ChannelAccount.workspace_id == workspace_id)):
        tones.setdefault(account_id, set()).add(tone)
    columns = (
        *(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.name, ChannelAccount.handle),
        *(ChannelAccount.state, ChannelAccount.last_event_at, ChannelAccount.connected_at),
        ChannelAccount.blocked_until,
    )
    now = clock.now()
    found = []
    for row in session.execute(sa.select(*columns).where(ChannelAccount.workspace_id == workspace_id)):
        adapter, off = directory.adapter(row.channel), directory.card(row.channel) is None
        if row.state == AccountState.DISCONNECTED and (off or adapter is None or adapter.beside):
            continue
        state = _state(row.state, row.last_event_at, row.connected_at)
        blocked = row.blocked_until is not None and row.blocked_until > now
        tone = "idle" if state == AccountState.DISCONNECTED else _tone(state, tones.get(row.id, ()), blocked)
        heard = row.last_event_at is not None
        found.append(ListedAccount(row.id, row.channel, row.name, row.handle, state, heard, tone, off))
    places = {key: place for place, key in enumerate(directory.keys)}

    def order(account: ListedAccount) -> tuple[int, str, int, str, int]:
        worst = WORST_FIRST.index(account.tone)
        return (places.get(account.channel, len(places)), account.channel, worst, account.name, account.id)

    return sorted(found, key=order)


def gone_by_channel(listed: Sequence[ListedAccount]) -> dict[str, list[ListedAccount]]:
    """Return the disconnected accounts by channel."""
    found: dict[str, list[ListedAccount]] = {}
    for account in listed:
        if account.gone:
            found.setdefault(account.channel, []).append(account)
    return found


def rows_of(session: Session, ids: Sequence[int]) -> list[ChannelAccount]:
    """Return accounts in the order of *ids*."""
    found = {
        row.id: row for row in session.scalars(sa.select(ChannelAccount).where(ChannelAccount.id.in_(ids)))
    }
    return [found[one] for one in ids if one in found]


def _tone(state: str, tones: Collection[str], blocked: bool) -> str:
    """Return the severity: ``bad``, ``warn``, ``idle`` or ``good``."""
    if state == AccountState.NEEDS_RECONNECT or "bad" in tones:
        return "bad"
    if blocked or "warn" in tones:
        return "warn"
    return "good" if state == "receiving" else "idle"


def sections(
    directory: Directory,
    workspace_id: int,
    rows: Sequence[ChannelAccount],
    warnings: Mapping[int, Sequence[AccountWarning]] = MappingProxyType({}),
    catching_up: Collection[int] = (),
    looks: Mapping[int, LookReport] = MappingProxyType({}),
) -> list[Section]:
    """Return the page's sections: channels that can be connected first, then those without their addon.

    Asks each addon for the status of its accounts, in one call if possible; if it raises, the card says so.

    :param rows: the accounts to show.
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
    statuses: dict[int, CardStatus] = {}
    for key in {row.channel for row in rows}:
        live = [row for row in rows if row.channel == key and row.state != AccountState.DISCONNECTED]
        statuses |= statuses_of(directory.card(key), live)
    for row in rows:
        section = found.setdefault(row.channel, Section(row.channel, directory.label(row.channel), None))
        if row.state != AccountState.DISCONNECTED:
            brought = directory.adapter(row.channel)
            choices = None if brought is None else Choices.of(brought)
            # Following a warning's advice, such as running Diagnose, requires the addon.
            told = () if brought is None else warnings.get(row.id, ())
            shown = account_card(row, statuses[row.id], choices, told)
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
    """Return the name of the way an account was connected; empty if there is only one."""
    if card is None or not card.sign_ins:
        return ""
    return next((str(one.label) for one in card.sign_ins if one.name == way), _("Entered manually"))


def _offer(section: Section, workspace_id: int) -> None:
    """Set the ways to sign in that work here, and why others don't; one that raises is not offered."""
    for one in section.card.sign_ins if section.card is not None else ():
        try:
            why = one.available(workspace_id)
        except Exception as error:
            log.exception("the sign-in %s cannot tell whether it is available", one.name)
            why = refusals.sentence(error, _("The addon of this channel failed during the check."))
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
    """Return the view of an account for a row or a page."""
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
    return _state(row.state, row.last_event_at, row.connected_at)


def _state(state: str, last_event_at: datetime | None, connected_at: datetime) -> str:
    if state != AccountState.CONNECTED:
        return state
    received = last_event_at is not None and last_event_at >= connected_at
    return "receiving" if received else "connected"


def statuses_of(card: SettingsCard | None, rows: Sequence[ChannelAccount]) -> dict[int, CardStatus]:
    """Return the addon's status for each of *rows*, by id.

    If the addon cannot answer for many at once, or fails, it is asked for each.
    """
    told: Mapping[int, CardStatus] = {}
    if card is not None and card.statuses is not None and rows:
        try:
            told = dict(card.statuses([ref(row) for row in rows]))
        except Exception:
            log.exception("the card of channel %s could not tell how its accounts are doing", card.channel)
    return {
        row.id: status if isinstance(status := told.get(row.id), CardStatus) else status_of(card, row)
        for row in rows
    }


def status_of(card: SettingsCard | None, row: ChannelAccount) -> CardStatus:
    """Return the addon's status for the account of *row*; an exception becomes a notice."""
    if card is None:
        return CardStatus()
    try:
        status = card.status(ref(row))
        if not isinstance(status, CardStatus):
            raise TypeError(f"status() returned {type(status).__name__}")
    except Exception as error:
        log.exception("the card of channel %s could not tell how account %s is doing", row.channel, row.id)
        blame = _("The addon of this channel failed during the check. Messages are not affected.")
        sentence = refusals.sentence(error, blame)
        return CardStatus(notices=[("warn", _("Status unknown."), sentence)])
    return status
