"""Reinstall an addon on a running desk each time its files change."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from host.addons import lifecycle, reports
from host.addons.package.archive import ArchiveError
from host.addons.package.build import build_release, sources
from host.core.config import Config

LOOK_SECONDS = 0.3

Pause = Callable[[float], object]
"""``pause(seconds)``: wait; a true result stops the loop."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The result of one attempt.

    :param sentences: why the addon does not run, in which case the previous code keeps running; empty if it
        runs.
    """

    version: str
    seconds: float
    sentences: tuple[str, ...] = ()


def changes(folder: Path, pause: Pause) -> Iterator[None]:
    """Yield immediately, and again whenever the files of the addon have changed and are stable.

    An editor writes a file in several steps, and a checkout changes many files, so the files must be equal at
    two consecutive checks.
    """
    shown: object = None
    before: object = None
    while True:
        now = _look(folder)
        if now == before and now != shown:
            shown = now
            yield
        before = now
        if pause(LOOK_SECONDS):
            return


def _look(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sources(folder):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # an editor is just replacing it
        found[str(path)] = stat.st_mtime_ns, stat.st_size
    return found


class Developing:
    """An addon that is repeatedly installed on a desk; its earlier releases are removed."""

    def __init__(self, config: Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._made: list[int] = []

    def deploy(self) -> Deployed:
        """Build the addon, install it in place of the same version, and activate it."""
        began = time.monotonic()
        version = ""
        sentences: tuple[str, ...]
        try:
            with tempfile.TemporaryDirectory(prefix="lobby-dev-") as place:
                built, _digest = build_release(self._folder, Path(place))
                release = lifecycle.install_file(self._config, built, downgrade=True)
            version = release.version
            outcome = lifecycle.activate(self._config, release.slug)
            error = outcome.error
            sentences = () if error is None else (str(error["sentence"]), str(error.get("database") or ""))
        except ArchiveError as refused:
            sentences = refused.problems
        except lifecycle.AddonError as refused:
            sentences = (refused.sentence, refused.detail)
        else:
            self._forget(release.id)
        return Deployed(version, time.monotonic() - began, tuple(filter(None, sentences)))

    def _forget(self, release_id: int) -> None:
        """Remove earlier releases, except those in use: the running one and the previous one."""
        if release_id not in self._made:
            self._made.append(release_id)
        for old in self._made[:-2]:
            reports.discard(old)
        self._made = self._made[-2:]
