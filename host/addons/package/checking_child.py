"""The child process of :mod:`host.addons.package.checking`: check one zip and report."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from host.addons.package import archive, imports
from host.addons.package.archive import ArchiveError
from host.addons.package.manifest import to_dict
from host.addons.package.zipdirectory import Entry
from host.core import child_limits as limits

CPU_SECONDS = 3
MEMORY = 200 * 1024**2


class Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The child's report: problems, or everything about a zip without any.

    :param manifest: as plain values.
    """

    problems: tuple[str, ...] = ()
    sha256: str = ""
    size: int = 0
    manifest: Mapping[str, Any] = {}
    entries: tuple[Entry, ...] = ()
    files: Mapping[str, str] = {}
    key: str = ""
    signature_problem: str = ""


def main() -> None:
    """Check the zip ``argv[2]`` and write the report to the descriptor ``argv[3]``."""
    path, descriptor = Path(sys.argv[2]), int(sys.argv[3])
    limits.limit(cpu_seconds=CPU_SECONDS, memory=MEMORY, addresses=4 * MEMORY)
    try:
        checked = _check(path)
    except ArchiveError as error:
        checked = Checked(problems=error.problems)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(checked))


def _check(path: Path) -> Checked:
    found = archive.inspect(path)
    problems = imports.check_archive(found)
    if problems:
        return Checked(problems=tuple(problems))
    return Checked(
        sha256=found.sha256,
        size=found.size,
        manifest=to_dict(found.manifest),
        entries=found.entries,
        files=found.files,
        key=found.key,
        signature_problem=found.signature_problem,
    )
