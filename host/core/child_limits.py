"""Limit the resources of a child process. This guards against accidents and bombs; it is not a sandbox."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_EVERY_ACCESS = (1 << 13) - 1
"""All access rights of the first version of Landlock."""
_WHICH_VERSION = 1
_KNOWS_SIGNALS = 6
_TO_OTHERS = 3
"""Scopes for signals to, and abstract sockets of, processes outside this restriction."""
_SYSTEM = (
    "/usr/lib",
    "/usr/bin",
    "/bin",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/ssl",
    "/etc/localtime",
    "/etc/os-release",
    "/etc/mime.types",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
)
_ROOT = Path(__file__).resolve().parents[2]
_MORE_TASKS = 64
_NOBODY = 65534
"""The kernel's id of the user and group ``nobody``."""


def limit(*, cpu_seconds: int, memory: int, addresses: int | None = None, file: int = 16 * 1024**2) -> None:
    """Limit this process for the rest of its life.

    :param memory: maximum size of its data in bytes.
    :param addresses: maximum address space in bytes; default: *memory*.
    :param file: maximum size of a file it writes, in bytes.
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
    """Limit the number of further processes and threads of this user; the kernel exempts root."""
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
    """Give up network access, if the kernel supports that."""
    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        if unshare(_CLONE_NEWNET):
            unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def end_with_parent() -> None:
    """Let this process die with the thread that started it, if the kernel supports that."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def no_core() -> None:
    """Disable core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def see_only(*readable: Path) -> None:
    """Limit file access to reading the system's files, Python's, this package's and *readable*.

    Requires Landlock (Linux 5.13). It applies to every user, including root, and prevents the process from
    reading others through ``/proc`` and, from Linux 6.12, from signalling them.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            return
        version = libc.syscall(_LANDLOCK_CREATE, None, 0, _WHICH_VERSION)
        handled = (_EVERY_ACCESS, 0, _TO_OTHERS) if version >= _KNOWS_SIGNALS else (_EVERY_ACCESS,)
        ruled = (ctypes.c_uint64 * len(handled))(*handled)
        ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(ruled), ctypes.sizeof(ruled), 0)
        if ruleset < 0:
            return
        try:
            for path in {*_system(), *readable}:
                _allow(libc, ruleset, path)
            libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
        finally:
            os.close(ruleset)


def become_nobody(*readable: Path) -> bool:
    """Switch to the user ``nobody``, if this is root and that user can read the required code.

    Root's files, processes and environments are then out of reach with any kernel, and :func:`limit_tasks`
    takes effect. Return whether it switched.

    :param readable: required files besides the system's, Python's and this package's.
    """
    if os.geteuid() != 0:
        return False
    needed = {*_system(), *readable}
    groups = os.getgroups()
    try:
        os.setgroups([])
        os.setegid(_NOBODY)
        os.seteuid(_NOBODY)
    except OSError:  # a container without this user
        can = False
    else:
        can = all(os.access(one, os.R_OK, effective_ids=True) for one in needed)
    os.seteuid(0)
    os.setegid(0)
    if not can:
        with suppress(OSError):
            os.setgroups(groups)
        return False
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    return True


def _system() -> set[Path]:
    """Return the folders of the interpreter and its libraries, and the few system files that code reads."""
    here = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sys.exec_prefix),
        Path(__file__).resolve().parents[1],
    }
    found = {*here, *(Path(one) for one in sys.path if one and one not in {"/", str(_ROOT)})}
    found |= {_ROOT / "migrations", *map(Path, _SYSTEM)}
    return {one for one in found if one.exists()}


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    class Rule(ctypes.Structure):
        _pack_ = 1
        _fields_: ClassVar = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]

    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access = _READ_FILE | _EXECUTE | (_READ_FOLDER if path.is_dir() else 0)
        if path == Path(os.devnull):
            access |= _WRITE_FILE
        rule = Rule(access, descriptor)
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def hide() -> None:
    """Hide this process from everyone but root: its memory, its environment, its files."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
