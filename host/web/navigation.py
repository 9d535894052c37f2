"""The entries of the one navigation of settings. Each part adds its own when its views are imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import current_app, request, url_for
from flask_babel import gettext as _

from host.users.roles import Permission
from host.web.request_helpers import generation, maybe_user, needs_of, shown_workspace


@dataclass(frozen=True, slots=True)
class Mark:
    """How many things on a page need somebody.

    :param tone: of the worst of them: ``bad`` or ``warn``.
    :param words: what they are, for who does not see colours.
    """

    number: int
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One link: shown where *endpoint* exists in the running generation.

    :param label: a lazily translated string.
    :param icon: a name of ``_icons.html``.
    :param shown: whether the signed-in person gets it; None: they do.
    :param find_mark: finds what on the page needs somebody; None: nothing ever does.
    """

    endpoint: str
    label: object
    order: int
    icon: str = "gear"
    shown: Callable[[], bool] | None = None
    find_mark: Callable[[], Mark | None] | None = None

    @property
    def mark(self) -> Mark | None:
        """Return what on the page needs somebody."""
        return None if self.find_mark is None else self.find_mark()

    @property
    def url(self) -> str:
        return url_for(self.endpoint)

    @property
    def current(self) -> bool:
        """Whether the page being shown is this one or lies below it."""
        return request.path == self.url or request.path.startswith(self.url + "/")


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the navigation of settings.

    :param name: what somebody called it, not translated; empty: *label* stands over it.
    :param locked: whether admins of the desk alone see it.
    """

    label: object
    entries: Sequence[Entry]
    name: str = ""
    locked: bool = False


_own: dict[str, Entry] = {}
_settings: dict[str, Entry] = {}
_admin: dict[str, Entry] = {}


def add_own(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "user",
    shown: Callable[[], bool] | None = None,
) -> None:
    """Add a page about the signed-in person."""
    _own[endpoint] = Entry(endpoint, label, order, icon, shown)


def add_settings(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "gear",
    mark: Callable[[], Mark | None] | None = None,
) -> None:
    """Add a page to a workspace's settings. Its view takes ``workspace_id``."""
    _settings[endpoint] = Entry(endpoint, label, order, icon, find_mark=mark)


def add_admin(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "gear",
    mark: Callable[[], Mark | None] | None = None,
) -> None:
    """Add a page to the administration of the installation."""
    _admin[endpoint] = Entry(endpoint, label, order, icon, find_mark=mark)


def settings_groups() -> list[Group]:
    """Return the pages of settings that the person may open: theirs, the workspace's, the desk's."""
    user = maybe_user()
    if user is None:
        return []
    workspace = shown_workspace()
    groups = [
        Group(_("You"), _present(_own)),
        Group("", settings_entries(), name="" if workspace is None else workspace.name),
        Group(_("This desk"), admin_entries() if user.is_admin else [], locked=True),
    ]
    return [group for group in groups if group.entries]


def current_entry() -> Entry | None:
    """Return the entry of the page that is shown; None: it is in no group."""
    found = [entry for group in settings_groups() for entry in group.entries if entry.current]
    return max(found, key=lambda entry: len(entry.url), default=None)


def settings_entries() -> list[Entry]:
    """Return the settings pages of the running generation that the signed-in person may open, in order."""
    workspace = shown_workspace()
    if workspace is None:
        return []
    return [entry for entry in _present(_settings) if workspace.may(needs_of(entry.endpoint))]


def admin_entries() -> list[Entry]:
    """Return the admin pages of the running generation, in order."""
    return _present(_admin)


def _present(entries: dict[str, Entry]) -> list[Entry]:
    known = current_app.view_functions
    found = (e for e in entries.values() if e.endpoint in known and (e.shown is None or e.shown()))
    return sorted(found, key=lambda e: (e.order, e.endpoint))


@dataclass(frozen=True, slots=True)
class MainEntry:
    """One link of the main navigation."""

    label: str
    icon: str
    url: str
    current: bool


def main_entries() -> list[MainEntry]:
    """Return the main navigation of the signed-in person: only what exists and they may use."""
    user = maybe_user()
    if user is None:
        return []
    entries = []
    in_settings = request.path.startswith(("/admin/", "/account", "/notifications"))
    workspace = shown_workspace()
    if workspace is not None:
        base = f"/w/{workspace.id}"
        in_workspace = request.path.startswith(base + "/")
        in_settings = in_settings or request.path.startswith(base + "/settings")
        in_reports = request.path.startswith(base + "/reports")
        in_contacts = request.path.startswith(base + "/contacts")
        in_assistants = request.path.startswith(base + "/assistants")
        elsewhere = in_settings or in_reports or in_contacts or in_assistants
        in_inbox = in_workspace and not elsewhere
        entries.append(MainEntry(_("Inbox"), "inbox", inbox_url(workspace.id), in_inbox))
        contacts = url_for("inbox.contacts", workspace_id=workspace.id)
        entries.append(MainEntry(_("Contacts"), "users", contacts, in_contacts))
        if workspace.may(Permission.ACCOUNTS):
            assistants = url_for("assistants.index", workspace_id=workspace.id)
            entries.append(MainEntry(_("Assistants"), "bot", assistants, in_assistants))
        if workspace.may(Permission.REPORTS):
            reports = url_for("reports.index", workspace_id=workspace.id)
            entries.append(MainEntry(_("Reports"), "chart", reports, in_reports))
    pages = [*settings_entries(), *(admin_entries() if user.is_admin else [])]
    if pages:
        entries.append(MainEntry(_("Settings"), "gear", pages[0].url, in_settings))
    return entries


def inbox_url(workspace_id: int) -> str:
    """Return the address of a workspace's inbox."""
    return url_for("inbox.index", workspace_id=workspace_id)


def attention() -> list[str]:
    """Return the slugs of addons an admin should look at; nothing for others."""
    user = maybe_user()
    if user is None or not user.is_admin:
        return []
    return sorted({*generation().failures, *generation().attention})


@dataclass(frozen=True, slots=True)
class Offer:
    """A channel this desk could have, shown where its channels are.

    :param key: the key of the channel. *text*: what its addon says of itself, *note* why it is not here.
    :param url: where an admin gets it, and *button* what that is called; nothing for who may not.
    """

    key: str
    label: str
    text: str
    note: str
    mark: str
    tone: int
    url: str = ""
    button: str = ""


_offers: list[Callable[[], Sequence[Offer]]] = []


def add_offers(source: Callable[[], Sequence[Offer]]) -> None:
    """Add a source of channels that could be had."""
    _offers.append(source)


def channel_offers() -> list[Offer]:
    """Return the channels this desk could have besides those it has."""
    return [offer for source in _offers for offer in source()]


_addon_pages: list[Callable[[str], str | None]] = []


def add_addon_pages(source: Callable[[str], str | None]) -> None:
    """Add a source that knows, for the key of a channel, the address of the page of who brings it."""
    _addon_pages.append(source)


def addon_page(channel: str) -> str | None:
    """Return the address of the page of the addon that brings *channel*, for admins; None if it has none."""
    user = maybe_user()
    if user is None or not user.is_admin:
        return None
    return next((found for source in _addon_pages if (found := source(channel))), None)
