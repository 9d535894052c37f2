"""``lobby reports``: repair the data of the Reports page."""

from __future__ import annotations

import click
import sqlalchemy as sa

from host.cli.base import configured
from host.core import db
from host.core.config import Config
from host.models.users import Workspace
from host.reports import counting


@click.group("reports")
def group() -> None:
    """Repair the data of the Reports page."""


@group.command("rebuild")
@click.option("--workspace", type=int, help="Only this workspace, by its id.")
@configured
def rebuild(_configuration: Config, workspace: int | None) -> None:
    """Count every hour again from the event log and the spans, as far back as they go.

    The desk may be running.
    """
    with db.read() as session:
        query = sa.select(Workspace.id).order_by(Workspace.id)
        ids = session.scalars(query if workspace is None else query.where(Workspace.id == workspace)).all()
    if workspace is not None and not ids:
        raise click.ClickException("There is no such workspace.")
    for id_ in ids:
        click.echo(f"workspace {id_}: {db.write(counting.rebuild, id_)} rows of sums")
