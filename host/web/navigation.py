"""The entries of the settings and admin navigation. Each part adds its own when its views are imported."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for
from flask_babel import gettext as _

from host.models.users import Role
from host.web.request_helpers import generation, maybe_user, shown_workspace


@dataclass(frozen=True, slots=True)
class Entry:
    """One link: shown where *endpoint* exists in the running generation.

    :param label: a lazily translated string.
    """

    endpoint: str
    label: object
    order: int

    @property
    def url(self) -> str:
        return url_for(self.endpoint)

    @property
    def current(self) -> bool:
        """Whether the page being shown is this one or lies below it."""
        return request.path == self.url or request.path.startswith(self.url + "/")


_settings: dict[str, Entry] = {}
_admin: dict[str, Entry] = {}


def add_settings(endpoint: str, label: object, *, order: int) -> None:
    """Add a page to a workspace's settings. Its view takes ``workspace_id``."""
    _settings[endpoint] = Entry(endpoint, label, order)


def add_admin(endpoint: str, label: object, *, order: int) -> None:
    """Add a page to the administration of the installation."""
    _admin[endpoint] = Entry(endpoint, label, order)


def settings_entries() -> list[Entry]:
    """Return the settings pages of the running generation, in order."""
    return _present(_settings)


def admin_entries() -> list[Entry]:
    """Return the admin pages of the running generation, in order."""
    return _present(_admin)


def _present(entries: dict[str, Entry]) -> list[Entry]:
    known = current_app.view_functions
    return sorted((e for e in entries.values() if e.endpoint in known), key=lambda e: (e.order, e.endpoint))


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
    workspace = shown_workspace()
    if workspace is not None:
        base = f"/w/{workspace.id}"
        in_workspace = request.path.startswith(base + "/")
        in_settings = request.path.startswith(base + "/settings")
        entries.append(
            MainEntry(_("Inbox"), "inbox", inbox_url(workspace.id), in_workspace and not in_settings)
        )
        if workspace.role is Role.OWNER:
            pages = settings_entries()
            if pages:
                entries.append(MainEntry(_("Settings"), "gear", pages[0].url, in_settings))
    if user.is_admin:
        pages = admin_entries()
        if pages:
            entries.append(MainEntry(_("Admin"), "puzzle", pages[0].url, request.path.startswith("/admin/")))
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
