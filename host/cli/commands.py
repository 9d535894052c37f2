"""The ``lobby`` command. A subcommand is imported when it is called, so that each starts fast."""

from __future__ import annotations

import click

from host import __version__
from host.cli.base import LazyGroup
from host.core import config
from host.core.config import ConfigError
from host.features import registry

STARTING = f"Lobby {__version__} is starting."


def commands_at() -> dict[str, str]:
    """Return the location of each command, without those of features disabled in the environment."""
    try:
        off = config.load().features_off
    except ConfigError:
        off = ()  # the called command reports the error
    return {
        "backup": "host.cli.backup:backup",
        "demo": "host.cli.desk:demo",
        "files": "host.cli.files:group",
        "migrate": "host.cli.desk:migrate",
        "restore": "host.cli.backup:restore",
        "run": "host.cli.desk:run",
        "secrets": "host.cli.secrets:group",
        "worker": "host.cli.desk:worker",
        **registry.commands([one for one in registry.features() if one.name not in off]),
    }


@click.group(
    cls=LazyGroup,
    commands_at=commands_at,
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
