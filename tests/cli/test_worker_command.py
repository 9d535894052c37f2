"""``lobby worker``: deliveries and nothing else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.cli.commands import main
from host.core.config import CannotGoOnError, Exit
from host.process.starting import Start


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals nobody took from the test; what a command sets for its process is taken back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    mask = os.umask(0o077)
    untaken: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _frame: untaken.append(number))
    yield untaken
    os.umask(mask)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_worker_that_would_deliver_nothing_says_so_instead_of_running(data: Path) -> None:
    environment = {
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
        "LOBBY_WORKERS": "0",
    }
    done = CliRunner().invoke(main, ["worker"], env=environment)
    assert done.exit_code == Exit.SETTINGS
    assert "LOBBY_WORKERS is 0" in done.output


def test_sighup_ends_no_worker(data: Path, heard: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def insist(_self: Start, _stopping: threading.Event) -> None:
        signal.raise_signal(signal.SIGHUP)
        raise CannotGoOnError("it has gone on")

    monkeypatch.setattr(Start, "insist", insist)
    environment = {
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
    }
    done = CliRunner().invoke(main, ["worker"], env=environment)
    assert "it has gone on" in done.output
    assert heard == []
