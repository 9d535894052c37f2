"""``lobby search``: show the progress of indexing, or rebuild the index."""

from __future__ import annotations

import click

from host.cli.base import configured
from host.core import db
from host.core.config import Config
from host.search import building


@click.group("search")
def group() -> None:
    """Show how much is indexed, or rebuild the index."""


@group.command("status")
@configured
def status(_configuration: Config) -> None:
    """Print how many of the existing messages are indexed."""
    with db.read() as session:
        found = building.progress(session)
    click.echo("everything is indexed" if found.done else f"{found.share:.0%} indexed")


@group.command("rebuild")
@configured
def rebuild(_configuration: Config) -> None:
    """Rebuild the index of messages and contacts, newest first. Lobby can keep running.

    What can be found stays found meanwhile.
    """
    db.write(building.rebuild)
    click.echo("Workers are rebuilding the index. `lobby search status` shows the progress.")
