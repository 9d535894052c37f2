"""Run an addon's revisions in a separate process, so that a crash or a hang affects nothing else.

The process has none of this one's settings, keys or locks, only the address of the database. It is killed
when its time is up, and when this process exits; the database then rolls back uncommitted work and releases
its locks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from host.addons.migrating.apart_child import Answer, FailedError, Failure, Order, failure_of
from host.addons.migrating.rows import Sums
from host.core import child
from host.sdk import strictjson

__all__ = ["FailedError", "Failure", "Migrator", "Order", "end_running", "failure_of", "migrator"]

MODULE = "host.addons.migrating.apart_child"
_PID = "migrating.pid"


class Migrator(Protocol):
    """Runs the revisions of the addon in a folder on the database at an address."""

    def upgrade(self, url: str, folder: Path, revision: str, seconds: float) -> None:
        """Run *revision*.

        :raises FailedError: if it fails, or does not finish within *seconds*.
        """

    def sums(self, url: str, folder: Path, seconds: float) -> Sums:
        """Return the checksums of the rows that are not the addon's.

        :raises FailedError: if they cannot be computed.
        """

    def end(self) -> object:
        """End it, from another thread: what it runs fails."""


class _Apart:
    def __init__(self, line: child.RunningChild) -> None:
        self._line = line

    def upgrade(self, url: str, folder: Path, revision: str, seconds: float) -> None:
        self._ask(Order(url, str(folder), revision, seconds))

    def sums(self, url: str, folder: Path, seconds: float) -> Sums:
        return self._ask(Order(url, str(folder), "", seconds)).sums or {}

    def end(self) -> object:
        return self._line.end()

    def _ask(self, order: Order) -> Answer:
        try:
            said = self._line.ask(msgspec.json.encode(order), timeout=order.seconds)
            answer = strictjson.decode(said, Answer)
        except child.LateError:
            raise FailedError(Failure("late", words=f"{order.seconds:.0f} s")) from None
        except (child.LineEndedError, msgspec.DecodeError) as error:
            raise FailedError(Failure("ended", words=str(error))) from None
        if answer.failure is not None:
            raise FailedError(answer.failure)
        return answer


@contextmanager
def migrator(data: Path) -> Iterator[Migrator]:
    """Yield a runner of revisions in a process that starts here and is killed when the block exits.

    :param data: the data folder, where the process is recorded for :func:`end_running`.
    """
    with child.conversing(MODULE) as line:
        file = data / _PID
        with suppress(OSError):
            data.mkdir(parents=True, exist_ok=True)
            file.write_text(str(line.pid))
        try:
            yield _Apart(line)
        finally:
            file.unlink(missing_ok=True)


def end_running(data: Path) -> bool:
    """Kill a process on this machine that migrates for an addon; return whether there was one."""
    with suppress(OSError, ValueError):
        number = int((data / _PID).read_text())
        if MODULE.encode() in Path(f"/proc/{number}/cmdline").read_bytes():
            os.kill(number, signal.SIGKILL)
            return True
    return False
