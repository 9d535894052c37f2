"""The list of first steps as its template shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import segno
from flask import g, request, url_for
from flask_babel import ngettext
from flask_babel.speaklater import LazyString
from markupsafe import Markup
from sqlalchemy.orm import Session

from host.addons import lifecycle, preinstalled
from host.addons.package import shipped
from host.addons.package.shipped import Shipped
from host.addons.package.translated import in_words
from host.channels import feature_requests
from host.channels.directory import Directory, current_directory
from host.channels.feature_requests import ChannelRequest
from host.channels.pages import cards
from host.channels.pages.cards import Section
from host.core import db
from host.inbox import queries
from host.inbox.pages.conversation_view import name_of
from host.live.events import newest_id
from host.models.channels import ChannelAccount, ref
from host.sdk.channel import ChannelAdapter
from host.start import hours_step, reach, steps
from host.start.hours_step import HoursForm
from host.start.models import WorkspaceStart
from host.start.reach import Reach
from host.start.steps import MINUTES, Key, Progress, State
from host.users.roles import Permission
from host.web import navigation
from host.web.languages import gettext as _
from host.web.navigation import Offer
from host.web.request_helpers import config, current_user, seen_accounts
from host.working_hours.hours import DAY_KEYS, DAY_NAMES

GAP = 0.8
"""Between two segments of the bar, of 100."""


class Segment(msgspec.Struct, frozen=True):
    """A step in the bar: as wide as its minutes.

    :param look: ``on``, ``now`` or ``off``.
    """

    x: float
    width: float
    look: str


class StartList(msgspec.Struct, frozen=True):
    """The list, with everything its steps show.

    :param live_after: the live event up to which it is current.
    :param offer: the channel to install; *package*: its addon, if it comes with this release.
    :param others: channels that could be installed instead.
    :param asked: how the admins were asked for *offer*; None: they weren't.
    :param channel: name of the channel to connect.
    :param section: the ways to connect it; None: it is not there yet.
    :param installed: names of the channels that can be connected; *report*: the release of the addon that
        brings the first, for admins.
    :param link: where one writes to the connected account; *code*: the same as a QR code.
    :param sender: name of the person who wrote first.
    :param hours: the form of the last step.
    :param reach: what is known about the way from the providers to this desk; None: it doesn't matter (yet).
    :param channel_key: key of the channel that *section* connects.
    """

    progress: Progress
    live_after: int
    offer: Offer | None
    package: Shipped | None
    others: Sequence[Offer]
    asked: ChannelRequest | None
    channel: str
    section: Section | None
    installed: Sequence[str]
    report: int | None
    link: str
    code: Markup
    sender: str
    uploads: bool
    hours: HoursForm
    reach: Reach | None
    channel_key: str

    template = "start/_list.html"

    @property
    def current(self) -> Key | None:
        return self.progress.current

    @property
    def day_names(self) -> list[tuple[str, LazyString]]:
        """The days of a week, each with its key in the form."""
        return list(zip(DAY_KEYS, DAY_NAMES, strict=True))

    @property
    def opened(self) -> Key | None:
        """The step that is open: the next one, or the one whose form was refused."""
        return self.current if self.hours.problem is None else Key.HOURS

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress.current is None

    @property
    def segments(self) -> list[Segment]:
        """The bar, 100 wide."""
        whole, x, found = sum(MINUTES.values()), 0.0, []
        for key in Key:
            width = MINUTES[key] / whole * (100 - GAP * (len(Key) - 1))
            state = self.progress.states[key]
            look = "on" if state is State.DONE else "now" if key is self.progress.current else "off"
            found.append(Segment(round(x, 2), round(width, 2), look))
            x += width + GAP
        return found

    def is_cut_off(self, channel: str) -> bool:
        """Return whether messages of a channel can't arrive."""
        return self.reach is not None and channel in self.reach.cut_off

    def is_played(self, channel: str) -> bool:
        """Return whether the sandbox stands in for the provider of a channel."""
        return self.reach is not None and any(one.key == channel for one in self.reach.played)

    def label_of(self, channel: str) -> str:
        """Return the name of a channel of *reach*."""
        found = () if self.reach is None else self.reach.waiting
        return next((one.label for one in found if one.key == channel), channel)

    def title(self, key: Key) -> str:
        """Return the name of a step, with the channel it is about."""
        key = Key(key)  # a template names it by its value
        if key is Key.INSTALL and self.installed:
            # By then, another channel is offered.
            return _("Install %(channel)s", channel=self.installed[0])
        if key is Key.INSTALL and self.offer is not None:
            if not current_user().is_admin:
                return _("Ask your admin to install %(channel)s", channel=self.offer.label)
            return _("Install %(channel)s", channel=self.offer.label)
        if key is Key.CONNECT and self.channel:
            return _("Connect %(channel)s", channel=self.channel)
        return str(steps.NAMES[key])


def leading(workspace_id: int) -> StartList | None:
    """Return the list if it belongs in the inbox's place, and the signed-in person is an owner."""
    if not _is_theirs():
        return None
    found = start_list(workspace_id)
    if not found.progress.leads:
        return None
    record(workspace_id, found.progress)
    return found


def line(workspace_id: int) -> tuple[str, str] | None:
    """Return what is left of a list that was begun, and its address; None: nothing, or it isn't theirs."""
    if not _is_theirs():
        return None
    with db.read() as session:
        row = session.get(WorkspaceStart, workspace_id)
        if row is None or row.hidden_at is not None or row.finished_at is not None:
            return None
        left = _progress(session, workspace_id, _channels(current_directory())).left
    if not left:
        return None
    text = ngettext("%(num)s setup step left", "%(num)s setup steps left", len(left))
    return text, url_for("start.index", workspace_id=workspace_id)


def _is_theirs() -> bool:
    """Return whether the signed-in person sets this workspace up."""
    return not g.workspace.archived and g.workspace.may(Permission.ACCOUNTS)


class _Channels(NamedTuple):
    """The channels of a start list.

    :param with_lobby: the addons that come with this release, by their channels.
    :param preinstalled: the channels every desk starts with, which no step is about.
    :param offers: the channels to install; *brought*: those that can be connected.
    """

    with_lobby: Mapping[tuple[str, ...], Shipped]
    preinstalled: frozenset[str]
    offers: Sequence[Offer]
    brought: Sequence[ChannelAdapter]


def _channels(directory: Directory) -> _Channels:
    with_lobby = {one.manifest.channels: one for one in shipped.addons()}
    from_start = frozenset(
        key for keys, one in with_lobby.items() if one.manifest.slug in preinstalled.SLUGS for key in keys
    )
    return _Channels(
        with_lobby,
        from_start,
        [one for one in navigation.channel_offers() if one.key not in from_start],
        [
            one
            for one in directory.adapters
            if one.key not in from_start and not one.beside and directory.card(one.key) is not None
        ],
    )


def _progress(session: Session, workspace_id: int, channels: _Channels) -> Progress:
    keys = [one.key for one in channels.brought]
    return steps.read(session, workspace_id, keys, installable=bool(channels.offers))


def record(workspace_id: int, progress: Progress) -> None:
    """Record the step that is next, if that is news."""
    current = progress.current
    news = not progress.row or progress.step != (current or "")
    if news or (current is None and progress.finished_at is None):
        db.write(steps.note, workspace_id, current)


def start_list(workspace_id: int, typed: HoursForm | None = None) -> StartList:
    """Return the list of a workspace.

    :param typed: the form of the last step as somebody filled it in; None: as suggested.
    """
    directory = current_directory()
    channels = _channels(directory)
    with_lobby, preinstalled_keys, offers, brought = channels
    offer = offers[0] if offers else None
    with db.read() as session:
        after = newest_id(session)
        progress = _progress(session, workspace_id, channels)
        asked = feature_requests.asked(session, workspace_id) if offer is not None else {}
        sender = _sender(session, workspace_id, progress, directory)
        known = _reach(session, progress)
    channel = brought[0].label if brought else "" if offer is None else offer.label
    section = None
    if progress.account is None:
        wanted = brought[0].key if brought else next(iter(preinstalled_keys & set(directory.keys)), None)
        section = next(
            (one for one in cards.sections(directory, workspace_id, ()) if one.key == wanted), None
        )
    link = _link(directory, progress)
    return StartList(
        progress,
        after,
        offer,
        None if offer is None else next((one for keys, one in with_lobby.items() if offer.key in keys), None),
        offers[1:],
        None if offer is None else asked.get(offer.key),
        channel,
        section,
        [one.label for one in brought],
        _report(brought[0].key) if brought and current_user().is_admin else None,
        link,
        _code(link),
        sender,
        config().uploads,
        typed or hours_step.suggested(),
        known,
        "" if section is None else section.key,
    )


def _reach(session: Session, progress: Progress) -> Reach | None:
    """Return what is known about the way from the providers, while a first message is waited for."""
    if progress.message is not None or progress.states[Key.WRITE] is State.SKIPPED:
        return None
    mine = [in_words(one.manifest) for one in lifecycle.installed()]
    others = [in_words(one.manifest, one.texts) for one in shipped.addons()]
    browser_host = urlsplit(request.host_url).hostname or ""
    found = reach.read(session, config(), [*mine, *others], browser_host)
    account = progress.account
    return None if found is None or (account is not None and not found.is_about(account.channel)) else found


def _report(channel: str) -> int | None:
    """Return the id of the release that brings *channel*, for the link to its report."""
    return next((one.release.id for one in lifecycle.installed() if channel in one.manifest.channels), None)


def _sender(session: Session, workspace_id: int, progress: Progress, directory: Directory) -> str:
    if progress.message is None:
        return ""
    row = queries.get_row(
        session, workspace_id, progress.message.conversation_id, current_user().id, accounts=seen_accounts()
    )
    return "" if row is None else name_of(row, directory.adapter(row.channel))


def _link(directory: Directory, progress: Progress) -> str:
    """Return the address at which people write to the account; empty if its channel has none."""
    if progress.account is None:
        return ""
    if "@" in progress.account.handle.removeprefix("@"):
        return f"mailto:{progress.account.handle}"
    adapter = directory.adapter(progress.account.channel)
    if adapter is None:
        return ""
    with db.read() as session:
        account = ref(session.get_one(ChannelAccount, progress.account.id))
    found = adapter.write_url(account) or ""
    return found if found.startswith("https://") else ""


def _code(address: str) -> Markup:
    """Return a QR code as inline SVG, so no request leaves the page."""
    if not address:
        return Markup()
    drawn = segno.make(address, error="m").svg_inline(
        scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return Markup(drawn)  # noqa: S704 - made of squares alone
