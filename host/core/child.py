"""Run a function in a child Python process that sees nothing of this one but its arguments."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MAX_REPORT = 4 * 1024 * 1024
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the child ended.

    :param data: its report; empty if it ended before writing one.
    :param in_time: whether it ended, or at least closed its report, before the deadline.
    :param how: ``exit status 1`` or ``signal 9``.
    """

    data: bytes
    in_time: bool
    how: str


def run(module: str, *arguments: str, timeout: float) -> Ended:
    """Call ``main()`` of *module* in a child and return what it reports.

    ``sys.argv`` holds *arguments* from index 2 on, then the descriptor to report to. The child has an empty
    environment, no input, and no output but the report. It is killed with everything it started when the
    report is complete or *timeout* seconds are over.
    """
    reading, writing = os.pipe()
    code = f"import sys; sys.path.append(sys.argv[1]); from {module} import main; main()"
    command = [sys.executable, "-I", "-c", code, str(_ROOT), *arguments, str(writing)]
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    try:
        with subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            pass_fds=(writing,),
            start_new_session=True,
        ) as child:
            os.close(writing)
            writing = -1
            try:
                data, in_time = _read(reading, time.monotonic() + timeout)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                left = child.wait()
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return Ended(data, in_time, f"signal {-left}" if left < 0 else f"exit status {left}")


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Read until the child closes its end; return the bytes, and whether it kept to time and size."""
    chunks: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while size <= _MAX_REPORT:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                return b"", False
            chunk = os.read(descriptor, 64 * 1024)
            if not chunk:
                return b"".join(chunks), True
            chunks.append(chunk)
            size += len(chunk)
    return b"too much", True
