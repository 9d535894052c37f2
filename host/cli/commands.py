"""The ``lobby`` command. A subcommand is imported when it is called, so each starts as fast as it can."""

from __future__ import annotations

import click

from host import __version__
from host.cli.base import LazyGroup
from host.core import config

STARTING = f"Lobby {__version__} is starting."


@click.group(
    cls=LazyGroup,
    commands_at={
        "addon": "host.cli.addon:group",
        "backup": "host.cli.backup:backup",
        "demo": "host.cli.desk:demo",
        "doctor": "host.cli.doctor:doctor",
        "files": "host.cli.files:group",
        "migrate": "host.cli.desk:migrate",
        "openapi": "host.cli.desk:openapi",
        "record": "host.cli.desk:record",
        "reports": "host.cli.reports:group",
        "restore": "host.cli.backup:restore",
        "run": "host.cli.desk:run",
        "search": "host.cli.search:group",
        "secrets": "host.cli.secrets:group",
        "setup-link": "host.cli.users:setup_link",
        "user": "host.cli.users:group",
        "worker": "host.cli.desk:worker",
    },
    announced={"run": STARTING, "worker": STARTING},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="lobby")
def main() -> None:
    """Lobby, a shared-inbox helpdesk. Settings come from LOBBY_ variables: see `lobby settings`."""


@main.command("settings")
def list_settings() -> None:
    """List every setting with its default."""
    for setting in config.SETTINGS:
        click.echo(f"{setting.variable}={setting.default}")
        click.echo(f"    {setting.help}")


if __name__ == "__main__":
    main()
