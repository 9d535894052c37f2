"""With ``LOBBY_LOG_FORMAT=json`` every line is an object, whoever writes it and however a process ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.processes import Program, free_port
from tests.conftest import POSTGRESQL, fresh_server_database

LOBBY = "from host.cli.commands import main; main()"

NOISY = """
import asyncio, gc, logging, threading, warnings
from host.process import serving

class Application(serving.HostApplication):
    def start(self, **how):
        super().start(**how)
        warnings.warn("an old way")
        logging.getLogger("uvicorn.error").error("of the server")
        logging.getLogger("alembic").warning("of a library")
        def fails():
            raise RuntimeError("in a thread\\nwith two lines")
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        class Dying:
            def __del__(self):
                raise ValueError("while it was collected")
        Dying()
        gc.collect()

from host.process import starting
starting.HostApplication = Application
"""


def environment(data: Path, **settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOBBY_")}
    return {**clean, "LOBBY_DATA": str(data), "LOBBY_LOG_FORMAT": "json", **settings}


def objects(lines: list[str]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines]
    assert all({"at", "level", "logger", "message"} <= one.keys() for one in found), found
    return found


def ended(data: Path, *arguments: str, first: str = "", **settings: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command to its end, some code *first*; return its exit code and all it said."""
    done = subprocess.run(
        [sys.executable, "-c", first + LOBBY, *arguments],
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, objects((done.stdout + done.stderr).splitlines())


def all_said(
    arguments: list[str], settings: dict[str, str], ready: str, act: Callable[[], object]
) -> list[Any]:
    """Run a process until it says that it is *ready*, *act*, end it; return everything it said."""
    program = Program.start("lobby", [sys.executable, "-c", NOISY + LOBBY, *arguments], settings)
    try:
        program.wait_for(ready)
        act()
        program.process.send_signal(signal.SIGTERM)
        program.process.wait(30)
        program.wait_for("stopped after")
    finally:
        program.stop()
    return objects(list(program.lines))


def hears_everything(said: list[Any]) -> None:
    text = "\n".join(json.dumps(one) for one in said)
    for words in ("an old way", "of the server", "of a library", "in a thread", "while it was collected"):
        assert words in text
    assert any("Traceback" in one.get("exception", "") for one in said)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_a_server_says_objects_from_its_first_line_to_its_last(tmp_path: Path, server: str) -> None:
    port = free_port()
    settings = environment(tmp_path / "data", LOBBY_BIND=f"127.0.0.1:{port}", LOBBY_SERVER=server)
    said = all_said(
        ["run"],
        settings,
        "lobby listening on",
        lambda: [requests.get(f"http://127.0.0.1:{port}{path}", timeout=10) for path in ("/login", "/none")],
    )
    hears_everything(said)
    (setup,) = [one["message"] for one in said if one["message"].startswith("Set up this desk")]
    assert "…" not in setup, "the link is for who reads it"


@pytest.mark.slow
def test_a_worker_does_too(tmp_path: Path) -> None:
    for url in fresh_server_database(POSTGRESQL):
        code, said = ended(tmp_path, "migrate", LOBBY_DATABASE_URL=url)
        assert (code, said[0]["level"]) == (0, "INFO")
        settings = environment(tmp_path, LOBBY_DATABASE_URL=url)
        hears_everything(all_said(["worker"], settings, "lobby worker running", lambda: None))


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (["run"], {"LOBBY_WORKERS": "many"}, "LOBBY_WORKERS cannot be used"),
        pytest.param(
            ["migrate"],
            {"LOBBY_DATABASE_URL": "postgresql+psycopg://u:p@127.0.0.1:1/x"},
            "database",
            marks=pytest.mark.slow,
        ),
        pytest.param(["worker"], {}, "A separate worker needs", marks=pytest.mark.slow),
        (["rnu"], {}, "No such command 'rnu'"),
        pytest.param(["run", "--fast"], {}, "No such option", marks=pytest.mark.slow),
    ],
)
def test_a_start_that_fails_is_one_object(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], words: str
) -> None:
    code, said = ended(tmp_path / "data", *arguments, **settings)
    assert code != 0
    assert words in said[-1]["message"]
    assert said[-1]["level"] in ("ERROR", "CRITICAL")


def test_what_nobody_caught_is_one_object(tmp_path: Path) -> None:
    broken = """
from host.cli import base
def fail(*_, **__):
    raise RuntimeError("two\\nlines")
base.prepare = fail
"""
    code, said = ended(tmp_path, "run", first=broken)
    assert code == 1
    _starting, line = said
    assert (line["message"], line["level"]) == ("uncaught", "CRITICAL")
    assert line["exception"].endswith("RuntimeError: two\nlines")


def test_text_stays_text(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOBBY, "rnu"],
        env=environment(tmp_path, LOBBY_LOG_FORMAT="text"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error: No such command 'rnu'." in done.stderr
