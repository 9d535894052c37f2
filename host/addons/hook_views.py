"""The admin's page of hooks: the addons that implement each, its calls, their times and faults."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.addons.metrics import across_processes as counted
from host.addons.metrics.in_process import Key, Series
from host.addons.running import contributions
from host.addons.running.generation import Generation, current_generation
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import admin_required

bp = Blueprint("hooks", __name__)
navigation.add_admin(
    "hooks.index",
    _l("Addon calls"),
    order=25,
    section=navigation.HEALTH,
    icon="bolt",
    words="hooks, slow addons, langsame Addons",
)


class Calls(msgspec.Struct, frozen=True):
    """The calls of one function of a release of an addon, for the page.

    :param release: version of the release.
    """

    slug: str
    release: str
    what: str
    series: Series


class Hook(msgspec.Struct, frozen=True):
    """One hook, for the page.

    :param about: its purpose, translated.
    :param addons: slug and name of each addon that implements it.
    :param calls: those of the hook itself, then of the functions it returned.
    """

    name: str
    about: str
    addons: tuple[tuple[str, str], ...]
    calls: tuple[Calls, ...]

    @property
    def count(self) -> int:
        """Number of calls of all of them."""
        return sum(one.series.calls for one in self.calls)

    @property
    def faults(self) -> int:
        """How many of these failed."""
        return sum(one.series.faults for one in self.calls)


def hooks(running: Generation, seen: Mapping[Key, Series]) -> list[Hook]:
    """Return every hook, in the order of declaration, with its calls in *seen*.

    For a running addon, other releases are left out: they have stopped, or are about to.
    """
    called: dict[str, list[Calls]] = {}
    for (slug, release, what), series in seen.items():
        if slug not in running.manifests or running.manifests[slug].version == release:
            called.setdefault(contributions.hook_of(what), []).append(Calls(slug, release, what, series))
    found = []
    for name, about in contributions.ABOUT.items():
        implementing = {impl.plugin_name for impl in getattr(running.plugins.hook, name).get_hookimpls()}
        addons = tuple(
            (slug, _(manifest.name))
            for slug, manifest in sorted(running.manifests.items())
            if slug in implementing
        )
        calls = sorted(
            called.get(name, ()), key=lambda one: (one.what != name, one.what, one.slug, one.release)
        )
        found.append(Hook(name, str(about), addons, tuple(calls)))
    return found


@bp.get("/admin/hooks")
@admin_required
def index() -> ResponseReturnValue:
    """Show every hook with its implementations, times and last error: failed ones first and unfolded."""
    since, seen = counted.all_calls()
    found = sorted(hooks(current_generation(), seen), key=lambda hook: not hook.faults)
    return render_template("addons/hooks.html", hooks=found, since=since)
