"""Collect everything one addon contributes and check it before any of it is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pluggy

from host.addons.metrics import in_process
from host.addons.package.failures import AddonError, last_lines, place_in, place_of
from host.addons.package.manifest import Manifest
from host.addons.running.contributions import KINDS, Contribution, Kind
from host.core.call_budget import GivenUpError, HungCallError
from host.models.addons import AddonState
from host.sdk import hookspecs
from host.sdk.i18n import noop


def new_manager() -> pluggy.PluginManager:
    """Return a plugin manager with the hooks but no addon."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def register(manager: pluggy.PluginManager, slug: str, plugin: object) -> None:
    """Register *plugin* under *slug*.

    :raises AddonError: for a hook that does not exist or has other arguments; the addon is not registered
        then.
    """
    try:
        manager.register(plugin, name=slug)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(slug):
            manager.unregister(name=slug)
        words = str(error).strip().splitlines()
        raise AddonError(
            noop("It implements a hook that Lobby does not have, or with different arguments."),
            state=AddonState.QUARANTINED,
            detail=words[-1] if words else "",
        ) from error


def call(manager: pluggy.PluginManager, manifest: Manifest, hook: str) -> list[Any]:
    """Call *hook* of only the addon of *manifest* and return the results of its implementations.

    :raises AddonError: for anything it raises, even an attempt to end the process.
    """
    slug = manifest.slug
    others = [plugin for name, plugin in manager.list_name_plugin() if name != slug and plugin is not None]
    caller = manager.subset_hook_caller(hook, others)
    try:
        with in_process.metrics().timing(slug, manifest.version, hook):
            result = caller()
    except (GeneratorExit, GivenUpError, HungCallError):
        raise
    except BaseException as error:
        place = place_of(error, _folder(manager.get_plugin(slug)))
        words = f"{hook}: {last_lines(error)}"
        raise AddonError(
            f"It failed in {hook}.",
            state=AddonState.QUARANTINED,
            detail=f"{words} ({place})" if place else words,
        ) from error
    return list(result)


def collect(manager: pluggy.PluginManager, manifest: Manifest, folder: Path) -> Contribution:
    """Call all hooks of the registered addon of *manifest*, with files in *folder*, and check the results.

    :raises AddonError: for the first rule that is broken.
    """
    found = Contribution(manifest.slug, {kind.hook: _items(manager, manifest, kind) for kind in KINDS})
    for kind in KINDS:
        for problem in kind.check(manifest, found, folder):
            raise _wrong(kind, problem, _place(manager, manifest, kind))
    return found


def counted(found: Contribution, release: str) -> Contribution:
    """Return *found* with its functions' calls counted under the addon's slug and *release*."""
    count = partial(in_process.metrics().counted, found.slug, release)
    return Contribution(
        found.slug, {kind.hook: tuple(kind.counted(item, count) for item in found.of(kind)) for kind in KINDS}
    )


def _items(manager: pluggy.PluginManager, manifest: Manifest, kind: Kind[Any]) -> tuple[Any, ...]:
    returned = call(manager, manifest, kind.hook)
    place = _place(manager, manifest, kind)
    # pluggy leaves out None, so an implementation without a result is one that forgot its return.
    if len(returned) < len(_implementations(manager, manifest, kind)):
        wanted = kind.type.__name__ if kind.single else "a list"
        raise _wrong(kind, f"returned None instead of {wanted}", place)
    return tuple(_checked(kind, returned, place))


def _checked(kind: Kind[Any], returned: Sequence[Any], place: str) -> Iterator[Any]:
    for value in returned:
        if kind.single:
            if not isinstance(value, kind.type):
                raise _wrong(kind, f"returned {type(value).__name__} instead of {kind.type.__name__}", place)
            yield value
            continue
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise _wrong(kind, f"returned {type(value).__name__} instead of a list", place)
        for item in value:
            if not isinstance(item, kind.type):
                raise _wrong(
                    kind, f"returned {type(item).__name__} where {kind.type.__name__} belongs", place
                )
            yield item


def _implementations(
    manager: pluggy.PluginManager, manifest: Manifest, kind: Kind[Any]
) -> list[pluggy.HookImpl]:
    found = getattr(manager.hook, kind.hook).get_hookimpls()
    return [one for one in found if one.plugin_name == manifest.slug]


def _place(manager: pluggy.PluginManager, manifest: Manifest, kind: Kind[Any]) -> str:
    """Return the file and line of the addon's implementation of a hook; an empty text if it is unknown."""
    for one in _implementations(manager, manifest, kind):
        code = getattr(one.function, "__code__", None)
        if code is not None:
            return place_in(_folder(one.plugin), code.co_filename, code.co_firstlineno)
    return ""


def _folder(plugin: object) -> Path:
    """Return the folder of the addon whose module ``addon`` is *plugin*."""
    return Path(getattr(plugin, "__file__", None) or "/nowhere/addon.py").parent.parent


def _wrong(kind: Kind[Any], what: str, place: str) -> AddonError:
    return AddonError(f"{kind.hook}: {what}.", state=AddonState.QUARANTINED, detail=place)
