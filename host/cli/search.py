"""``lobby search``: how far search is, and having it made anew."""

from __future__ import annotations

import click

from host.cli.base import configured
from host.core import db
from host.core.config import Config
from host.search import building


@click.group("search")
def group() -> None:
    """See how much can be found, and have it made anew."""


@group.command("status")
@configured
def status(_configuration: Config) -> None:
    """Say how much of the messages of before can be found."""
    with db.read() as session:
        found = building.progress(session)
    click.echo("everything can be found" if found.done else f"{found.share:.0%} can be found")


@group.command("rebuild")
@configured
def rebuild(_configuration: Config) -> None:
    """Have every message and contact looked at again, by the workers, newest first. The desk may run.

    What can be found stays found meanwhile.
    """
    db.write(building.rebuild)
    click.echo("Workers look at everything again from now on: lobby search status says how far they are.")
