"""The child's half of the probe: import one addon, register it, and report what it brings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
from sqlalchemy.orm import DeclarativeBase

from host import child_limits as limits
from host.addons import collect, imports, loader
from host.addons import manifest as manifests
from host.addons.failures import AddonError
from host.addons.models import AddonState
from host.addons.probe import Failed, Report, Seen
from host.db import Base
from host.sdk import settings
from host.sdk.i18n import noop

_MEMORY = 2 * 1024**3
_CPU_SECONDS = 15


def main() -> None:
    """Probe the folder ``argv[2]`` and write the report to the descriptor ``argv[3]``."""
    folder, descriptor = Path(sys.argv[2]), int(sys.argv[3])
    # Only this process may say how it went, not one the addon starts.
    os.set_inheritable(descriptor, False)
    limits.limit(cpu_seconds=_CPU_SECONDS, memory=_MEMORY)
    limits.limit_tasks()
    limits.leave_network()
    try:
        report = Report(seen=probe(folder))
    except AddonError as error:
        report = Report(failed=Failed(error.sentence, error.detail[:2000], error.state))
    except MemoryError:
        report = Report(failed=Failed("Its code needs too much memory to load.", "", AddonState.INACTIVE))
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(report))
    os._exit(0)  # threads the addon started would keep the process


def probe(folder: Path) -> Seen:
    """Load the addon in *folder* and return what it contributes.

    :raises AddonError: for the first thing that is not as it must be.
    """
    try:
        manifest = manifests.read(folder)
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
            noop("Its models use the host's base class; host.sdk.db.addon_model_base makes its own.")
        )
    tables = _tables(release.module_name)
    undeclared = sorted(tables - set(manifest.declares.tables))
    if undeclared:
        raise AddonError(f"The table {undeclared[0]} is not declared in addon.toml.")
    return Seen(
        channels=tuple(adapter.key for adapter in found.channels),
        webhooks=tuple(manifest.prefix + route.path for route in found.webhooks),
        receivers=tuple(receiver.name for receiver in found.receivers),
        tables=tuple(sorted(tables)),
        jobs=tuple(job.name for job in found.jobs),
        pages=tuple(
            rule for blueprint in found.blueprints for rule in collect.scratch_rules(manifest, blueprint)
        ),
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
