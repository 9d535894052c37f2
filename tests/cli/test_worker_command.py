"""``lobby worker``: deliveries and nothing else."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from host.cli.commands import main


def test_a_worker_that_would_deliver_nothing_says_so_instead_of_running(data: Path) -> None:
    environment = {
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
        "LOBBY_WORKERS": "0",
    }
    done = CliRunner().invoke(main, ["worker"], env=environment)
    assert done.exit_code == 1
    assert "LOBBY_WORKERS is 0" in done.output
