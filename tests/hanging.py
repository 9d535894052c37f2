"""Code that hangs in C, where no exception reaches it, until a test lets it go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from host.core import call_budget

FOR_EVER = 10_000.0


def enter(folder: str | Path) -> None:
    """Hang in C if that was asked for in *folder*."""
    place = Path(folder)
    if (place / "fuse").exists():
        with (place / "seen").open("a") as seen:
            seen.write("x")
        os.close(os.open(place / "pipe", os.O_RDONLY))


def spin(folder: str | Path) -> None:
    """Hang in Python, where an exception reaches it, if that was asked for in *folder*."""
    while (Path(folder) / "fuse").exists():
        time.sleep(0.01)


class Hang:
    """A place where code hangs in C while ``fuse`` exists: it opens a pipe nobody writes to.

    :ivar code: the statement an addon hangs with.
    """

    def __init__(self, folder: Path) -> None:
        self.fuse, self.pipe, self._seen = folder / "fuse", folder / "pipe", folder / "seen"
        os.mkfifo(self.pipe)
        # In the process that serves, and in none that tries the code first.
        self.code = (
            f"(here := __import__('sys').modules.get('tests.hanging')) and here.enter({str(folder)!r})"
        )

    def __call__(self) -> None:
        enter(self.fuse.parent)

    @property
    def count(self) -> int:
        """How often something began to hang here."""
        return self._seen.stat().st_size if self._seen.exists() else 0

    def let_go(self) -> None:
        """Let everything return that hangs, from now on."""
        self.fuse.unlink(missing_ok=True)
        deadline = time.monotonic() + 60
        while call_budget.are_stuck() and time.monotonic() < deadline:
            with suppress(OSError):
                os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.01)
        assert not call_budget.are_stuck()


@contextmanager
def hanging(folder: Path, monkeypatch: pytest.MonkeyPatch, *whats: str) -> Iterator[Hang]:
    """Yield a place to hang in; calls of *whats* alone are over their budget after a moment."""
    budget: Callable[[str], float] = lambda what: 0.2 if what in whats else FOR_EVER  # noqa: E731
    monkeypatch.setattr(call_budget, "seconds_for", budget)
    monkeypatch.setattr(call_budget, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(call_budget, "LOOK_SECONDS", 0.02)
    call_budget.watch()
    hang = Hang(folder)
    try:
        yield hang
    finally:
        hang.let_go()
        call_budget.stop_telling()
