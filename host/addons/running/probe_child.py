"""The child process of the probe: import one addon, register it, and report what it contributes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.orm import DeclarativeBase

from host.addons.package import imports
from host.addons.package import manifest as manifests
from host.addons.package.failures import AddonError
from host.addons.running import collect, loader
from host.addons.running.contributions import KINDS, Kind
from host.core import child_limits as limits
from host.core.db import Base
from host.models.addons import AddonState
from host.sdk import settings
from host.sdk.i18n import noop

_MEMORY = 2 * 1024**3
_CPU_SECONDS = 15


class ContributedNames(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The names of an addon's contributions, as its own process reported them.

    :param by_hook: the names of the contributions of each hook of :data:`KINDS` returned.
    :param tables: the tables of its models.
    :param hooks: the hooks it implements.
    """

    by_hook: Mapping[str, tuple[str, ...]]
    tables: tuple[str, ...]
    hooks: tuple[str, ...]

    def names(self, kind: Kind[Any]) -> tuple[str, ...]:
        """Return the names of its contributions of *kind*."""
        return self.by_hook.get(kind.hook, ())


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason the addon did not pass."""

    sentence: str
    detail: str
    state: AddonState


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The child's report, which has one of the two."""

    seen: ContributedNames | None = None
    failed: Failed | None = None


def main() -> None:
    """Probe the folder ``argv[2]`` and write the report to the descriptor ``argv[3]``."""
    folder, descriptor = Path(sys.argv[2]), int(sys.argv[3])
    # Only this process may write the report, not a process that the addon starts.
    os.set_inheritable(descriptor, False)
    limits.limit(cpu_seconds=_CPU_SECONDS, memory=_MEMORY)
    limits.leave_network()
    limits.see_only(folder)
    limits.become_nobody(folder)
    limits.limit_tasks()
    try:
        report = Report(seen=probe(folder))
    except AddonError as error:
        report = Report(failed=Failed(error.sentence, error.detail[:2000], error.state))
    except MemoryError:
        report = Report(failed=Failed("Its code needs too much memory to load.", "", AddonState.INACTIVE))
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(report))
    os._exit(0)  # threads the addon started would keep the process alive


def probe(folder: Path) -> ContributedNames:
    """Load the addon in *folder* and return what it contributes.

    :raises AddonError: for the first rule that is broken.
    """
    try:
        manifest = manifests.read_manifest(folder)
    except manifests.ManifestError as error:
        raise AddonError(str(error)) from error
    problems = imports.check_folder(manifest, folder)
    if problems:
        raise AddonError(problems[0], detail="\n".join(problems[1:]))
    settings.provide("", {"public_url": "https://desk.invalid"})
    settings.provide(manifest.slug, {name: value.default for name, value in manifest.settings.items()})
    release = loader.load(manifest, folder, "0" * 64, None)
    manager = collect.new_manager()
    collect.register(manager, manifest.slug, release.plugin)
    found = collect.collect(manager, manifest, folder)
    if any(mapper.class_.__module__.startswith(release.module_name) for mapper in Base.registry.mappers):
        raise AddonError(
            noop("Its models use Lobby's base class. Use host.sdk.db.addon_model_base to create one.")
        )
    tables = _tables(release.module_name)
    undeclared = sorted(tables - set(manifest.declares.tables))
    if undeclared:
        raise AddonError(f"The table {undeclared[0]} is not declared in addon.toml.")
    return ContributedNames(
        by_hook={
            kind.hook: tuple(name for item in found.of(kind) for name in kind.names(manifest, item))
            for kind in KINDS
        },
        tables=tuple(sorted(tables)),
        hooks=tuple(sorted(caller.name for caller in manager.get_hookcallers(release.plugin) or ())),
    )


def _tables(module_name: str) -> set[str]:
    names: set[str] = set()
    for name, module in list(sys.modules.items()):
        if name == module_name or name.startswith(f"{module_name}."):
            for value in list(vars(module).values()):
                if (
                    isinstance(value, type)
                    and issubclass(value, DeclarativeBase)
                    and value is not DeclarativeBase
                ):
                    metadata = getattr(value, "metadata", None)
                    if metadata is not None and metadata is not Base.metadata:
                        names.update(metadata.tables)
    return names
