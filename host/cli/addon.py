"""The commands below ``lobby addon``."""

from __future__ import annotations

import click

from host.cli.base import LazyGroup


@click.group(
    "addon",
    cls=LazyGroup,
    commands_at={
        "activate": "host.cli.installing:addon_activate",
        "build": "host.cli.authoring:addon_build",
        "check": "host.cli.authoring:addon_check",
        "deactivate": "host.cli.installing:addon_deactivate",
        "dev": "host.cli.authoring:addon_dev",
        "disable": "host.cli.installing:addon_disable",
        "export": "host.cli.installing:addon_export",
        "install": "host.cli.installing:addon_install",
        "keygen": "host.cli.authoring:addon_keygen",
        "list": "host.cli.installing:addon_list",
        "new": "host.cli.authoring:addon_new",
        "remove": "host.cli.installing:addon_remove",
        "rollback": "host.cli.installing:addon_roll_back",
        "sign": "host.cli.authoring:addon_sign",
        "verify": "host.cli.authoring:addon_verify",
    },
)
def group() -> None:
    """Install, activate and build addons."""
