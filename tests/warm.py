"""Children that begin with their imports done: forked by one process that has imported, not started anew.

Importing takes ten times as long as what a child does afterwards. Tests that look at the process itself have
theirs started as the product starts them.
"""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER = """
import array, gc, importlib, json, os, socket, sys
sys.path.append(sys.argv[1])
for module in sys.argv[3:]:
    importlib.import_module(module)
gc.freeze()

def become(told, line, report):
    os.setsid()
    line.sendall(b"%d\\n" % os.getpid())
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.dup2(report, told["report"])
    os.closerange(3, told["report"])
    os.closerange(told["report"] + 1, 1024)
    sys.argv[:] = told["argv"]
    code = 0
    try:
        exec(told["code"], {"__name__": "__main__"})
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        code = 1
    os._exit(code)

def mind(told, line, report):
    child = os.fork()
    if not child:
        become(told, line, report)
    os.close(report)
    line.sendall(b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)

asked = socket.socket(fileno=int(sys.argv[2]))
while True:
    said, ancillary, _, _ = asked.recvmsg(65536, socket.CMSG_SPACE(8))
    if not said:
        break
    found = array.array("i")
    found.frombytes(ancillary[0][2])
    line, report = found
    if not (minder := os.fork()):
        if os.fork():
            os._exit(0)
        asked.close()
        mind(json.loads(said), socket.socket(fileno=line), report)
    os.waitpid(minder, 0)
    os.close(line)
    os.close(report)
"""


class Forked:
    """What ``host.core.child`` needs of a ``Popen``."""

    def __init__(self, asked: socket.socket, command: list[str], **options: Any) -> None:
        (report,) = options["pass_fds"]
        code, *argv = command[3:]
        told = json.dumps({"code": code, "argv": ["-c", *argv], "report": report})
        ours, theirs = socket.socketpair()
        descriptors = array.array("i", [theirs.fileno(), report])
        asked.sendmsg([told.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        theirs.close()
        self._said = ours.makefile("rb")
        ours.close()
        self.pid = int(self._said.readline())

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self._said.close()

    def wait(self) -> int:
        """Return how it ended, the signal as a negative number."""
        return int(self._said.readline())


@contextmanager
def forking(*modules: str) -> Iterator[Any]:
    """Yield what stands in for ``subprocess`` in ``host.core.child`` and has imported *modules*."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-c", SERVER, str(ROOT), str(theirs.fileno()), *modules]
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        command, env=environment, cwd="/", pass_fds=(theirs.fileno(),), start_new_session=True
    ) as server:
        theirs.close()
        with suppress(BrokenPipeError):
            yield SimpleNamespace(
                Popen=lambda command, **options: Forked(ours, command, **options),
                DEVNULL=subprocess.DEVNULL,
            )
        ours.close()
        server.wait(10)
