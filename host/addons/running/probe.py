"""Probe an addon: load it in a child process before this process loads it.

It catches what an exception handler cannot: code that exits the process, hangs, or uses up memory. The child
has no settings or keys and, if the kernel supports it, no network and only the files of the system and the
addon. If this process is root, the child switches to the user ``nobody`` if possible. Code that passes runs
in the host afterwards, with all of the host's rights.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from host.addons.package.failures import AddonError
from host.addons.package.manifest import Manifest
from host.addons.running.probe_child import ContributedNames, Report
from host.core import child
from host.sdk import strictjson
from host.sdk.i18n import noop

TIMEOUT_SECONDS = 40.0
"""Timeout: more than a busy machine needs, less than the minute a proxy waits."""


def run(folder: Path, manifest: Manifest, *, timeout: float = TIMEOUT_SECONDS) -> ContributedNames:
    """Import and register the addon in *folder* in a child process and return what it contributes.

    :raises AddonError: with one sentence, if the addon raised, exited the process, hung, or contributed
        something undeclared.
    """
    with _for_anybody(folder) as where:
        ended = child.run("host.addons.running.probe_child", str(where), timeout=timeout)
    if not ended.in_time:
        raise AddonError(f"Its code did not finish loading within {timeout:g} seconds.")
    if not ended.data:
        raise AddonError(noop("Its code ended the process while loading."), detail=ended.how)
    try:
        report = strictjson.decode(ended.data, Report)
    except msgspec.DecodeError as error:
        raise AddonError(noop("Its code corrupted the report of its contributions.")) from error
    if report.failed is not None:
        raise AddonError(report.failed.sentence, state=report.failed.state, detail=report.failed.detail)
    if report.seen is None:
        raise AddonError(noop("Its code corrupted the report of its contributions."))
    return report.seen


@contextmanager
def _for_anybody(folder: Path) -> Iterator[Path]:
    """Yield *folder*, or a copy that every user can read if the child may change its user."""
    if os.geteuid() != 0:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="lobby-probe-") as made:
        copy = Path(shutil.copytree(folder, Path(made) / folder.name, copy_function=shutil.copyfile))
        for one in (copy.parent, copy, *copy.rglob("*")):
            one.chmod(0o755 if one.is_dir() else 0o644)
        yield copy
