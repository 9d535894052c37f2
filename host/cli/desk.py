"""``lobby run``, ``worker``, ``migrate`` and what else needs a whole desk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from host import counters
from host.addons.lifecycle import migrate_everything
from host.api import routes as _routes  # noqa: F401 - each module of it declares a part of the document
from host.api.http.openapi import document
from host.cli.base import configured
from host.core import config, db, migrations
from host.core.config import Config, ConfigError
from host.core.errors import LobbyError
from host.delivery import fixture_recorder
from host.models.queue import InboundEvent
from host.process import garbage_collection
from host.process.server import serve
from host.process.serving import HostApplication
from host.process.shutdown import WORKER_PATIENCE_SECONDS, Shutdown
from host.users.setup import ensure_setup_token


@click.command()
@configured
def run(configuration: Config) -> None:
    """Serve the desk: web pages, webhooks and deliveries."""
    state = migrations.state(configuration.database_url)
    if state is migrations.State.EMPTY:
        _migrate_all(configuration)
    elif state is migrations.State.BEHIND:
        raise click.ClickException(
            "The database is from an older Lobby. Back it up, then run `lobby migrate`."
        )
    token = ensure_setup_token()
    if token is not None:
        click.echo(f"Set up this desk: {configuration.public_url}/setup?token={token}")
    if not configuration.secure:
        click.echo(
            "Warning: LOBBY_PUBLIC_URL is not https, so cookies travel unprotected and no provider can reach "
            "the webhook address.",
            err=True,
        )
    serve(configuration)


@click.command()
@configured
def worker(configuration: Config) -> None:
    """Run deliveries only, beside servers on other processes or machines."""
    if db.current().is_sqlite:
        raise click.ClickException(
            "With SQLite the serving process delivers by itself. "
            "A separate worker needs PostgreSQL or MariaDB."
        )
    if not configuration.workers:
        raise click.ClickException("LOBBY_WORKERS is 0: this process would have nothing to do.")
    application = HostApplication(configuration)
    application.start(web=False)
    garbage_collection.freeze_objects()
    ending = Shutdown(application, patience=WORKER_PATIENCE_SECONDS, drained=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, ending.told)
    click.echo("lobby worker running")
    ending.wait()


@click.command()
@configured
def migrate(configuration: Config) -> None:
    """Bring the tables of the host and of every installed addon up to date."""
    for line in _migrate_all(configuration):
        click.echo(line)


def _migrate_all(configuration: Config) -> list[str]:

    try:
        done = migrate_everything(configuration)
    except migrations.BusyError as error:
        raise click.ClickException(str(error)) from error
    return done or ["Everything is up to date."]


@click.command()
def openapi() -> None:
    """Print the description of the API, as OpenAPI 3.1."""
    try:
        public_url = config.load().public_url
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(document(public_url), indent=2))


@click.command()
@click.argument("event_id", type=int)
@configured
def record(configuration: Config, event_id: int) -> None:
    """Print a received event as a test fixture nobody can be recognised in."""
    with db.read() as session:
        found = session.get(InboundEvent, event_id)
    if found is None:
        raise click.ClickException("There is no such event.")
    counters.reset()
    application = HostApplication(configuration)
    running = application.generation()
    with running.app.app_context():
        try:
            fixture = fixture_recorder.record(found, running.directory.adapter(found.channel))
        except LobbyError as error:
            raise click.ClickException(str(error)) from error
    click.echo(fixture_recorder.written(fixture), nl=False)


@click.command()
@click.option("--once", is_flag=True, help="Play the journey on free ports, report each step, and end.")
@click.option("--reload", is_flag=True, help="Restart the desk when its code changes.")
def demo(once: bool, reload: bool) -> None:
    """Show the main job end to end, with a stand-in playing the provider. Needs a checkout."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "demo").is_dir():
        raise click.ClickException(
            "The demo runs from a checkout of the source, which this installation is not."
        )
    arguments = [
        sys.executable,
        "-m",
        "demo",
        *(["--once"] if once else []),
        *(["--reload"] if reload else []),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(config.PREFIX)}
    process = subprocess.Popen(arguments, cwd=checkout, env=environment)  # noqa: S603
    try:
        sys.exit(process.wait())
    except KeyboardInterrupt:
        sys.exit(process.wait())
