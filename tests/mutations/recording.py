"""A pytest plugin: writes down which functions of the host each passing test enters, and how long it took.

``MUTATIONS_RECORD`` is the folder it writes to, a file for each process.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

HOST = str(Path.cwd() / "host") + os.sep


class Recorder:
    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{os.getpid()}.jsonl"
        self.entered: set[CodeType] = set()

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> None:
        self.entered.add(frame.f_code)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self.entered = set()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def pytest_runtest_logreport(self, report: Any) -> None:
        # A process that only hands tests out enters nothing.
        if report.when == "call" and report.passed and self.entered:
            line = {
                "test": report.nodeid,
                "seconds": round(report.duration, 3),
                "functions": self._functions(),
            }
            with self.file.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _functions(self) -> list[str]:
        """Return ``path function`` of what was entered, a comprehension as the function it is in.

        A module or the body of a class runs for the test that is the first to import it, and says nothing.
        """
        found = set()
        for code in self.entered.copy():  # a thread of the test may still run
            if code.co_filename.startswith(HOST) and code.co_flags & inspect.CO_OPTIMIZED:
                path = os.path.relpath(code.co_filename)
                names = [name for name in code.co_qualname.split(".") if not name.startswith("<")]
                found.add(f"{path} {'.'.join(names)}")
        return sorted(found)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(Path(os.environ["MUTATIONS_RECORD"])))
