"""Check an uploaded zip in a child process: hostile bytes may take unlimited time or memory."""

from __future__ import annotations

from pathlib import Path

from host.addons.package.archive import Archive, ArchiveError
from host.addons.package.checking_child import Checked
from host.addons.package.manifest import from_dict
from host.core import child
from host.sdk import strictjson
from host.sdk.i18n import noop

TIMEOUT_SECONDS = 40.0
"""Timeout: more than a busy machine needs, less than the minute a proxy waits."""


def check(path: Path, *, timeout: float = TIMEOUT_SECONDS) -> Archive:
    """Check the zip at *path* against every rule, including those for its code, without running it.

    :raises ArchiveError: with one plain sentence per problem.
    """
    # Absolute, as the child runs in another folder.
    ended = child.run("host.addons.package.checking_child", str(path.absolute()), timeout=timeout)
    if not ended.in_time or not ended.data:
        raise ArchiveError(noop("The zip takes too long or too much memory to read."))
    checked = strictjson.decode(ended.data, Checked)
    if checked.problems:
        raise ArchiveError(*checked.problems)
    return Archive(
        path,
        checked.sha256,
        checked.size,
        from_dict(checked.manifest),
        checked.entries,
        checked.files,
        checked.key,
        checked.signature_problem,
    )
