"""Run a function in a child Python process that gets only its arguments from this one."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_LENGTH = struct.Struct("!I")
_MAX_REPORT = 4 * 1024 * 1024
_ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(Path(sys.executable).absolute())
"""This interpreter, as an absolute path: Python may know a relative one, and children run elsewhere."""


class Ended(msgspec.Struct, frozen=True):
    """The end of a child process.

    :param data: its report; empty if it exited before writing one.
    :param in_time: whether it exited, or at least closed its report, before the deadline.
    :param how: ``exit status 1`` or ``signal 9``.
    """

    data: bytes
    in_time: bool
    how: str


def run(module: str, *arguments: str, timeout: float) -> Ended:
    """Call ``main()`` of *module* in a child and return its report.

    ``sys.argv`` holds *arguments* from index 2 on, then the descriptor to report to. The child has an empty
    environment, no input, and no output but the report. It and its children are killed when the report is
    complete or after *timeout* seconds.
    """
    reading, writing = os.pipe()
    try:
        with _started(module, *arguments, descriptor=writing) as child:
            os.close(writing)
            writing = -1
            try:
                data, in_time = _read(reading, time.monotonic() + timeout)
            finally:
                left = _ended(child)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return Ended(data, in_time, _how(left))


def _started(module: str, *arguments: str, descriptor: int) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path.append(sys.argv[1]); from {module} import main; main()"
    command = [PYTHON, "-I", "-c", code, str(_ROOT), *arguments, str(descriptor)]
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        pass_fds=(descriptor,),
        start_new_session=True,
    )


def _ended(child: subprocess.Popen[bytes]) -> int:
    """Kill *child* and its children; return its exit status."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def _how(left: int) -> str:
    return f"signal {-left}" if left < 0 else f"exit status {left}"


# Children that answer several questions


class LateError(Exception):
    """The child did not answer in time and was killed."""


class LineEndedError(Exception):
    """The child exited instead of answering. The message has its exit status."""


class RunningChild:
    """A child process that answers questions, one at a time."""

    def __init__(self, child: subprocess.Popen[bytes], line: socket.socket) -> None:
        self._child = child
        self._line = line
        self._left: int | None = None
        self._ending = threading.Lock()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._child.pid

    def ask(self, question: bytes, *, timeout: float) -> bytes:
        """Return the child's answer to *question*.

        :raises LateError: after *timeout* seconds.
        :raises LineEndedError: if it ended.
        """
        until = time.monotonic() + timeout
        try:
            self._line.settimeout(timeout)
            self._line.sendall(_LENGTH.pack(len(question)) + question)
            (length,) = _LENGTH.unpack(self._receive(_LENGTH.size, until))
            if length > _MAX_REPORT:
                raise LineEndedError("too much")
            return self._receive(length, until)
        except TimeoutError:
            self.end()
            raise LateError from None
        except OSError as error:
            raise LineEndedError(_how(self.end())) from error

    def _receive(self, count: int, until: float) -> bytes:
        found = b""
        while len(found) < count:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._line.settimeout(left)
            chunk = self._line.recv(min(count - len(found), 64 * 1024))
            if not chunk:
                raise ConnectionResetError
            found += chunk
        return found

    def end(self) -> int:
        """Kill the child and its children, from any thread; return its exit status."""
        with self._ending:
            if self._left is None:
                self._left = _ended(self._child)
            return self._left


@contextmanager
def conversing(module: str, *arguments: str) -> Iterator[RunningChild]:
    """Call ``main()`` of *module* in a child and yield the running child, which is killed when the block
    exits.

    It is as isolated as with :func:`run`; its ``main()`` calls :func:`answer`.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = _started(module, *arguments, descriptor=theirs.fileno())
        with child:
            line = RunningChild(child, ours)
            try:
                yield line
            finally:
                line.end()


def answer(descriptor: int, do: Callable[[bytes], bytes]) -> None:
    """Answer each question on *descriptor* with the result of *do*, until the descriptor is closed."""
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as line, line.makefile("rb") as questions:
        while head := questions.read(_LENGTH.size):
            reply = do(questions.read(_LENGTH.unpack(head)[0]))
            line.sendall(_LENGTH.pack(len(reply)) + reply)


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """Read until the child closes its end; return the bytes, and whether it kept within the time and size
    limits.
    """
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
