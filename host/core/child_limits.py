"""Limit what a child process may use. It guards against accidents and bombs; it is no sandbox."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_MORE_TASKS = 64


def limit(*, cpu_seconds: int, memory: int, addresses: int | None = None, file: int = 16 * 1024**2) -> None:
    """Limit this process for the rest of its life.

    :param memory: most bytes of data of its own.
    :param addresses: most bytes of address space; default: as much as *memory*.
    :param file: most bytes of a file it writes.
    """
    for what, value in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, memory if addresses is None else addresses),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (value, value))


def limit_tasks() -> None:
    """Let this user start only so many more processes and threads; the kernel does not hold root to it."""
    with suppress(OSError, ValueError, AttributeError):
        most = _tasks_of(os.getuid()) + _MORE_TASKS
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _tasks_of(user: int) -> int:
    count = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if process.stat().st_uid == user:
                    count += len(os.listdir(process / "task"))
    return count


def leave_network() -> None:
    """Have no network any more, where the kernel allows a process to give it up."""
    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        if unshare(_CLONE_NEWNET):
            unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def end_with_parent() -> None:
    """Be ended when the thread that started this process ends, where the kernel can do that."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def no_core() -> None:
    """Leave no image of the memory behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
