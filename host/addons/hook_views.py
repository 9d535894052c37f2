"""The admin's page of hooks: who implements each, how often it is called, how long it takes, how it fails."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host import navigation
from host.addons import calls as counted
from host.addons.generation import Generation
from host.addons.watch import Key, Series
from host.addons.watching import METHODS
from host.sdk import hookspecs
from host.web import admin_required, generation

bp = Blueprint("hooks", __name__)
navigation.add_admin("hooks.index", _l("Hooks"), order=20)

ABOUT = {
    "register_channels": _l("The channels the addon brings."),
    "register_settings_cards": _l("How accounts of its channels are connected."),
    "register_webhook_routes": _l("The public addresses providers post to."),
    "register_receivers": _l("What listens by itself, instead of waiting for requests."),
    "register_migrations": _l("Where the migrations of its tables are."),
    "register_admin_pages": _l("The page behind the Settings button of its card."),
    "register_blueprints": _l("Pages of its own."),
    "register_jobs": _l("Periodic work, such as renewing tokens."),
    "addon_activated": _l("Told once, after it was switched on."),
    "addon_deactivated": _l("Told once, after it was switched off."),
}
"""What each hook is for, in the reader's language."""

_HANDED_OVER = {
    **dict.fromkeys(METHODS, "register_channels"),
    **dict.fromkeys(("connect", "disconnect", "card status", "action"), "register_settings_cards"),
    **dict.fromkeys(("authenticate", "verify"), "register_webhook_routes"),
    "receiver": "register_receivers",
    "admin page": "register_admin_pages",
    "page": "register_blueprints",
    "job": "register_jobs",
}
"""What a function is counted under -> the hook it was handed over by."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What was called of one release of an addon, for the page.

    :param release: its version.
    """

    slug: str
    release: str
    what: str
    series: Series


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook, for the page.

    :param about: what it is for, translated.
    :param addons: slug and name of each addon that implements it.
    :param calls: of the hook itself, then of what was handed over by it.
    """

    name: str
    about: str
    addons: tuple[tuple[str, str], ...]
    calls: tuple[Calls, ...]


def hook_of(what: str) -> str:
    """Return the hook that what is counted as *what* belongs to."""
    return _HANDED_OVER.get(what) or _HANDED_OVER.get(what.partition(" ")[0], what)


def hooks(running: Generation, seen: Mapping[Key, Series]) -> list[Hook]:
    """Return every hook, in the order they are declared, with what was *seen* of it.

    Of an addon that runs, other releases are left out: they are gone, or about to be.
    """
    called: dict[str, list[Calls]] = {}
    for (slug, release, what), series in seen.items():
        if slug not in running.manifests or running.manifests[slug].version == release:
            called.setdefault(hook_of(what), []).append(Calls(slug, release, what, series))
    found = []
    for name, spec in inspect.getmembers(hookspecs, inspect.isfunction):
        if not hasattr(spec, f"{hookspecs.PROJECT}_spec"):
            continue
        implementing = {impl.plugin_name for impl in getattr(running.plugins.hook, name).get_hookimpls()}
        addons = tuple(
            (slug, manifest.name)
            for slug, manifest in sorted(running.manifests.items())
            if slug in implementing
        )
        calls = sorted(
            called.get(name, ()), key=lambda one: (one.what != name, one.what, one.slug, one.release)
        )
        found.append(Hook(name, str(ABOUT[name]), addons, tuple(calls)))
    order = list(vars(hookspecs))
    return sorted(found, key=lambda hook: order.index(hook.name))


@bp.get("/admin/hooks")
@admin_required
def index() -> ResponseReturnValue:
    """Show every hook with its implementations, their times and their last error."""
    since, seen = counted.everywhere()
    return render_template("addons/hooks.html", hooks=hooks(generation(), seen), since=since)
