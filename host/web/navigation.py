"""The settings navigation. Each part adds its entries when its views are imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from flask import current_app, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from host.core.backports.values import replace
from host.users.roles import Permission
from host.web.request_helpers import generation, maybe_user, needs_of, shown_workspace


class Mark(msgspec.Struct, frozen=True):
    """The number of items on a page that need attention.

    :param tone: of the worst of them: ``bad`` or ``warn``.
    :param words: description for screen readers.
    """

    number: int
    tone: str
    words: str


class Section(msgspec.Struct, frozen=True, eq=False):
    """Related pages of the settings, one link for all of them. The pages are its tabs.

    :param label: a lazily translated string.
    :param order: its place among the links of its group.
    :param icon: a name of ``_icons.html``.
    """

    label: object
    order: int
    icon: str


PEOPLE = Section(_l("People and hours"), 30, "users")
LABELS = Section(_l("Labels and attributes"), 40, "tag")
REPLIES = Section(_l("Replies and macros"), 50, "book")
AUTOMATION = Section(_l("Automation"), 60, "bolt")
INTEGRATIONS = Section(_l("Integrations"), 70, "hook")
HEALTH = Section(_l("Health"), 15, "pulse")
WORKSPACES = Section(_l("Workspaces"), 30, "grid")
DESK = Section(_l("Desk settings"), 50, "gear")


class Find(msgspec.Struct, frozen=True):
    """A field or section of a page that the search of the settings finds.

    :param label: the lazily translated string that the page shows there.
    :param anchor: the id of the field or heading.
    :param words: other words for it, in all languages of the pages, separated by commas.
    :param endpoint: of the page it is on, if that is below the one in the navigation; empty: that one.
    """

    label: object
    anchor: str
    words: str = ""
    endpoint: str = ""


Words = str | Callable[[], str]


class Entry(msgspec.Struct, frozen=True):
    """A page of the settings, shown if *endpoint* exists in the running generation.

    :param label: a lazily translated string.
    :param order: its place in its section, or in its group if it has none.
    :param icon: a name of ``_icons.html``.
    :param shown: whether the signed-in person gets it; None: always.
    :param find_mark: returns the items on the page that need attention; None: there never are any.
    :param words: other words for the page, as :attr:`Find.words`, or what returns them; *finds*: what the
        search finds on it.
    """

    endpoint: str
    label: object
    order: int
    icon: str = "gear"
    section: Section | None = None
    shown: Callable[[], bool] | None = None
    find_mark: Callable[[], Mark | None] | None = None
    words: Words = ""
    finds: Sequence[Find] = ()

    @property
    def mark(self) -> Mark | None:
        """Return the items on the page that need attention."""
        return None if self.find_mark is None else self.find_mark()

    @property
    def url(self) -> str:
        return url_for(self.endpoint)

    @property
    def here(self) -> bool:
        """Whether this is the current page."""
        return request.path == self.url

    @property
    def current(self) -> bool:
        """Whether the current page is this one or below it."""
        return request.path == self.url or request.path.startswith(self.url + "/")


class Link(msgspec.Struct, frozen=True):
    """One link of the settings navigation: a page, or a section.

    :param pages: the pages behind it that the person may open, at least one; it leads to the first.
    """

    label: object
    icon: str
    pages: Sequence[Entry]

    @property
    def url(self) -> str:
        return self.pages[0].url

    @property
    def mark(self) -> Mark | None:
        """Return the items on its pages that need attention."""
        marks = [mark for page in self.pages if (mark := page.mark) is not None]
        if len(marks) < 2:
            return marks[0] if marks else None
        tone = "bad" if any(mark.tone == "bad" for mark in marks) else "warn"
        return Mark(sum(mark.number for mark in marks), tone, ", ".join(mark.words for mark in marks))


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the settings navigation.

    :param name: name of the workspace it is about, which is not translated; empty: none.
    :param locked: whether only admins of the desk see it.
    """

    label: object
    links: Sequence[Link]
    name: str = ""
    locked: bool = False


class Phone(StrEnum):
    """Place of an entry of the main navigation on a phone, where the bar has room for four.

    ``BAR``: in the bar; ``ONLY``: in the bar, and nowhere on a wider screen; ``MORE``: under *More*.
    """

    BAR = "bar"
    ONLY = "only"
    MORE = "more"


class MainPage(msgspec.Struct, frozen=True):
    """A page of the main navigation, see :func:`add_main`."""

    endpoint: str
    label: object
    order: int
    icon: str
    section: str
    permission: Permission | None
    phone: Phone


_main: dict[str, MainPage] = {}
_own: dict[str, Entry] = {}
_settings: dict[str, Entry] = {}
_admin: dict[str, Entry] = {}
_account_tabs: dict[str, Entry] = {}


def add_main(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str,
    section: str = "",
    permission: Permission | None = None,
    phone: Phone = Phone.MORE,
) -> None:
    """Add a page of a workspace to the main navigation. Its view takes ``workspace_id``.

    :param section: prefix of its pages' addresses, after the workspace's; empty: any that no other entry has.
    :param permission: the permission needed to see it; None: every member.
    """
    _main[endpoint] = MainPage(endpoint, label, order, icon, section, permission, phone)


def add_own(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "user",
    shown: Callable[[], bool] | None = None,
    words: Words = "",
    finds: Sequence[Find] = (),
) -> None:
    """Add a page about the signed-in person."""
    _own[endpoint] = Entry(endpoint, label, order, icon, shown=shown, words=words, finds=finds)


def add_account_tab(endpoint: str, label: object, *, order: int) -> None:
    """Add a page about an account next to its own. Its view takes ``workspace_id`` and ``account_id``."""
    _account_tabs[endpoint] = Entry(endpoint, label, order)


def account_tabs() -> list[Entry]:
    """Return the running generation's pages next to those of an account, in order."""
    return _present(_account_tabs)


def add_settings(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "gear",
    section: Section | None = None,
    shown: Callable[[], bool] | None = None,
    mark: Callable[[], Mark | None] | None = None,
    words: Words = "",
    finds: Sequence[Find] = (),
) -> None:
    """Add a page to a workspace's settings. Its view takes ``workspace_id``."""
    _settings[endpoint] = Entry(
        endpoint, label, order, icon, section, shown=shown, find_mark=mark, words=words, finds=finds
    )


def add_admin(
    endpoint: str,
    label: object,
    *,
    order: int,
    icon: str = "gear",
    section: Section | None = None,
    mark: Callable[[], Mark | None] | None = None,
    words: Words = "",
    finds: Sequence[Find] = (),
) -> None:
    """Add a page to the administration of the installation."""
    _admin[endpoint] = Entry(endpoint, label, order, icon, section, find_mark=mark, words=words, finds=finds)


def settings_groups() -> list[Group]:
    """Return the settings pages the person may open: their own, the workspace's, the desk's."""
    user = maybe_user()
    if user is None:
        return []
    workspace = shown_workspace()
    groups = [
        Group(_("You"), _links(_present(_own))),
        Group(_("Workspace"), _links(settings_entries()), name="" if workspace is None else workspace.name),
        Group(_("Admin"), _links(admin_entries()) if user.is_admin else [], locked=True),
    ]
    return [group for group in groups if group.links]


def first_settings() -> str:
    """Return the address of the first page of the workspace's settings, or of the person's own if none."""
    return (_links(settings_entries()) or _links(_present(_own)))[0].url


def _links(entries: Sequence[Entry]) -> list[Link]:
    """Return the links to *entries*, in order, one for each section or page without one."""
    found: dict[Section | str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.section or entry.endpoint, []).append(entry)
    heads = ((pages[0].section or pages[0], pages) for pages in found.values())
    return [Link(head.label, head.icon, pages) for head, pages in sorted(heads, key=lambda one: one[0].order)]


class FoundSetting(msgspec.Struct, frozen=True, rename="camel"):
    """A page, field or section that the search of the settings finds.

    :param place: where it is, such as ``Workspace › General``.
    :param text: what is searched, in lower case: label, other words, place.
    """

    label: str
    place: str
    icon: str
    url: str
    text: str


def findable() -> list[FoundSetting]:
    """Return everything in the settings that the person may open, in the order of the navigation."""
    found = []
    for group in settings_groups():
        for link in group.links:
            for page in link.pages:
                way = [group.label, link.label] if len(link.pages) > 1 else [group.label]
                words = page.words if isinstance(page.words, str) else page.words()
                found.append(_found(page, page.label, way, page.url, words))
                way = [*way, page.label]
                for one in page.finds:
                    url = url_for(one.endpoint) if one.endpoint else page.url
                    found.append(_found(page, one.label, way, f"{url}#{one.anchor}", one.words))
    return found


def _found(page: Entry, label: object, way: Sequence[object], url: str, words: str) -> FoundSetting:
    place = " › ".join(dict.fromkeys(map(str, way)))
    with force_locale("en"):  # people also know a setting by its English name
        english = [str(one) for one in (label, *way)]
    text = "\n".join((str(label), place, words, *english)).lower()
    return FoundSetting(str(label), place, page.icon, url, text)


def find_settings(query: str) -> list[FoundSetting]:
    """Return the settings whose text has every word of *query*, those whose label begins with it first.

    If none has, return those that have similar words. ``settings-find.js`` does the same.
    """
    wanted = query.lower().split()
    if not wanted:
        return []

    def rank(one: FoundSetting) -> int:
        label = one.label.lower()
        return 0 if label.startswith(wanted[0]) else 1 if all(word in label for word in wanted) else 2

    every = findable()
    found = [one for one in every if all(word in one.text for word in wanted)]
    if not found:
        found = [one for one in every if all(_has_similar(one.text, word) for word in wanted)]
    return sorted(found, key=rank)


def _has_similar(text: str, word: str) -> bool:
    """Return whether *text* has *word*, or a word that begins like it: one typo in 4 letters, two in 8."""
    most = 2 if len(word) >= 8 else 1 if len(word) >= 4 else 0
    return word in text or (most > 0 and any(_typos(word, known) <= most for known in _WORD.findall(text)))


_WORD = re.compile(r"\w+")


def _typos(word: str, known: str) -> int:
    """Return the letters to change, add, omit or swap from *word* to a beginning of *known*."""
    before: list[int] = []
    row = list(range(len(known) + 1))
    for at, letter in enumerate(word, 1):
        older, before, row = before, row, [at]
        for place, other in enumerate(known, 1):
            cost = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (letter != other))
            if at > 1 and place > 1 and letter == known[place - 2] and word[at - 2] == other:
                cost = min(cost, older[place - 2] + 1)
            row.append(cost)
    return min(row)


def current_link() -> Link | None:
    """Return the link to the current page; None if the settings have none."""
    links = ((page, link) for group in settings_groups() for link in group.links for page in link.pages)
    found = [(page, link) for page, link in links if page.current]
    return max(found, key=lambda one: len(one[0].url), default=(None, None))[1]


def settings_tabs() -> Link | None:
    """Return the section whose tabs the current page shows; None if it shows none."""
    link = current_link()
    shows = link is not None and len(link.pages) > 1 and any(page.here for page in link.pages)
    return link if shows else None


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


class MainEntry(msgspec.Struct, frozen=True):
    """One link of the main navigation."""

    label: str
    icon: str
    url: str
    current: bool
    phone: Phone


def main_entries() -> list[MainEntry]:
    """Return the main navigation of the signed-in person, with the pages they may use."""
    user = maybe_user()
    if user is None:
        return []
    entries = []
    pages = [*settings_entries(), *(admin_entries() if user.is_admin else [])]
    own = request.path.startswith(("/admin/", "/account", "/notifications", "/settings/"))
    in_settings = own or any(page.current for page in pages)
    workspace = shown_workspace()
    if workspace is not None:
        base = f"/w/{workspace.id}"
        in_settings = in_settings or request.path.startswith(f"{base}/settings")
        known = [one for one in _main.values() if one.endpoint in current_app.view_functions]
        open_ = {one.section for one in known if one.section and request.path.startswith(base + one.section)}
        if not open_ and not in_settings and request.path.startswith(f"{base}/"):
            open_ = {""}
        entries = [
            MainEntry(
                str(one.label),
                one.icon,
                url_for(one.endpoint, workspace_id=workspace.id),
                one.section in open_,
                one.phone,
            )
            for one in sorted(known, key=lambda one: one.order)
            if one.permission is None or workspace.may(one.permission)
        ]
    if pages:
        entries.append(MainEntry(_("Settings"), "gear", pages[0].url, in_settings, Phone.MORE))
    # A menu of one entry would only be in the way.
    if sum(one.phone is Phone.MORE for one in entries) == 1:
        entries = [replace(one, phone=Phone.BAR) if one.phone is Phone.MORE else one for one in entries]
    return entries


def inbox_url(workspace_id: int) -> str:
    """Return the address of a workspace's inbox."""
    return url_for("inbox.index", workspace_id=workspace_id)


def attention() -> list[str]:
    """Return the slugs of addons that need an admin's attention; nothing for others."""
    user = maybe_user()
    if user is None or not user.is_admin:
        return []
    return sorted({*generation().failures, *generation().attention})


class Offer(msgspec.Struct, frozen=True):
    """A channel this desk could add, shown on the page of channels.

    :param key: the key of the channel. *text*: its addon's description, *note* why it is not available yet.
    :param url: where an admin gets it, and *button* the label of the link; empty for others.
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
    """Add a source of channels that could be added."""
    _offers.append(source)


def channel_offers() -> list[Offer]:
    """Return the channels this desk could add."""
    return [offer for source in _offers for offer in source()]


_addon_pages: list[Callable[[str], str | None]] = []


def add_addon_pages(source: Callable[[str], str | None]) -> None:
    """Add a source that returns, for the key of a channel, the address of its addon's page."""
    _addon_pages.append(source)


def addon_page(channel: str) -> str | None:
    """Return the address of the page of *channel*'s addon, for admins; None if it has none."""
    user = maybe_user()
    if user is None or not user.is_admin:
        return None
    return next((found for source in _addon_pages if (found := source(channel))), None)
