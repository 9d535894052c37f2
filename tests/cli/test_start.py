"""What starting a desk takes along, and what it leaves until somebody needs it."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from host import __version__
from host.cli import base
from host.cli.commands import main

LATER = (
    "alembic",
    "mako",
    "PIL",
    "aiosmtpd",
    "av",
    "dramatiq",
    "opentelemetry",
    "flask_swagger_ui",
    "host.authoring",
)
"""Not for a desk whose tables are up to date, and which shows its first page. Each holds megabytes."""

CODE = f"""
import gc, sys
from host.cli.commands import main
main.get_command(None, "run")
import addons.email.lobby_mail.addon
print(gc.isenabled(), gc.get_freeze_count() > 50_000, [name for name in {LATER!r} if name in sys.modules])
"""


def test_a_desk_starts_without_what_few_need_and_the_collector_passes_over_its_code() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "True True []\n"


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["run"], f"Lobby {__version__} is starting.\nError: not imported here\n"),
        (["worker"], f"Lobby {__version__} is starting.\nError: not imported here\n"),
        (["run", "--help"], "Error: not imported here\n"),
        (["doctor"], "Error: not imported here\n"),
    ],
)
def test_a_desk_says_that_it_starts_before_its_code_is_imported(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], output: str
) -> None:
    """On a slow machine the import alone takes ten seconds."""

    def refuse(name: str) -> None:
        raise click.ClickException("not imported here")

    monkeypatch.setattr(base, "import_module", refuse)
    assert CliRunner().invoke(main, arguments).output == output
