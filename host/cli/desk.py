"""``lobby run``, ``worker``, ``migrate`` and other commands that need a whole desk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import click
import requests

from host import counters
from host.addons import preinstalled
from host.addons.lifecycle import migrate_everything
from host.api.http import versions as api_versions
from host.api.http.openapi import document
from host.backup import making
from host.backup.archive import BackupError
from host.cli.base import choose_features, configured, serving
from host.core import clock, config, db, logs, migrations
from host.core.config import Config, ConfigError
from host.core.errors import LobbyError
from host.core.filelock import is_served
from host.delivery import fixture_recorder
from host.health import versions
from host.health.probes import Probes
from host.health.process_state import ProcessState
from host.models.queue import InboundEvent
from host.process import probe_server, systemd
from host.process.server import serve
from host.process.serving import HostApplication
from host.process.shutdown import WORKER_PATIENCE_SECONDS, Shutdown
from host.process.starting import Start

SANDBOX = "http://127.0.0.1:9443"
_OF_SANDBOX = ("LOBBY_ALLOW_HOSTS", "LOBBY_ADDON_")


def _use_sandbox(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    """Use the settings that a sandbox provides; existing settings take precedence.

    :raises click.ClickException: if none answers there.
    """
    if url is None:
        return
    try:
        answer = requests.get(f"{url.rstrip('/')}/control/desk", timeout=10)
        answer.raise_for_status()
        found = answer.json()
        for name, value in found.items():
            if name.startswith(_OF_SANDBOX):
                os.environ.setdefault(name, str(value))
        os.environ.setdefault("LOBBY_SANDBOX", url.rstrip("/"))
    except (requests.RequestException, ValueError, AttributeError) as error:
        raise click.ClickException(
            f"No sandbox responds at {url}. Start one in a checkout with `.venv/bin/python -m sandbox`, "
            "and pass its address."
        ) from error


@click.command()
@click.option(
    "--sandbox",
    is_flag=False,
    flag_value=SANDBOX,
    metavar="[URL]",
    expose_value=False,
    callback=_use_sandbox,
    help=f"Use a sandbox instead of the real providers; default: {SANDBOX}.",
)
@serving
def run(configuration: Config) -> None:
    """Serve the desk: web pages, webhooks and deliveries."""
    if not configuration.secure:
        logs.tell(
            "Warning: LOBBY_PUBLIC_URL is not https, so cookies are sent unencrypted and providers can't "
            "deliver webhooks.",
            "WARNING",
        )
    serve(configuration)


@click.command()
@serving
def worker(configuration: Config) -> None:
    """Run only deliveries, next to web processes or on another machine."""
    if db.current().is_sqlite:
        raise click.ClickException(
            "With SQLite, `lobby run` delivers too. A separate worker needs PostgreSQL or MariaDB."
        )
    if not configuration.workers:
        raise ConfigError(
            "LOBBY_WORKERS is 0, so this process would do nothing. Set it for the worker only, for example "
            "in /etc/lobby/worker.env with systemd."
        )
    ending = Shutdown(patience=WORKER_PATIENCE_SECONDS, drained=True)
    ending.hear_signals()
    started: list[HostApplication] = []

    def state() -> ProcessState:
        return started[0].state() if started else ProcessState(False, None, 0)

    with probe_server.answering(Probes(configuration, state), configuration.worker_listen):
        # A signal immediately ends a process that has not started.
        application = Start(configuration, web=False).insist(threading.Event())
        assert application is not None
        started.append(application)
        application.on_replacement = ending.replace
        ending.of(application)
        logs.tell("lobby worker running")
        systemd.notify(systemd.READY)
        ending.wait()


@click.command()
@click.option("--backup/--no-backup", "wanted", default=True, help="Make a backup before the tables change.")
@configured
def migrate(configuration: Config, wanted: bool) -> None:
    """Migrate the tables of Lobby and of every installed addon to this version."""
    if is_served(configuration):
        raise migrations.BusyError("Lobby is running on this database; stop it before migrating.")
    if migrations.state(configuration.database_url) is migrations.State.BEHIND:
        _spare_older(configuration)
        if wanted:
            logs.tell(f"backup: {_back_up(configuration)}")
    lines = [
        *migrate_everything(configuration, lambda done, of: logs.tell(f"{done} of {of} revisions ran.")),
        *preinstalled.provide(configuration),
    ]
    for line in lines or ["Everything is up to date."]:
        logs.tell(line)


def _spare_older(configuration: Config) -> None:
    """Refuse to remove tables or columns that a running process still needs.

    :raises migrations.BusyError: if a recently seen process runs a release that the tables would no longer
        work with.
    """
    since = migrations.serves_from(configuration.database_url)
    if since == migrations.FIRST_RELEASE or db.current().is_sqlite:
        return
    with db.read() as session:
        found = versions.running_before(session, since)
    if found:
        raise migrations.BusyError(
            f"Nothing was migrated: Lobby before {since} can't use the new tables, and these processes are "
            f"still running: {', '.join(found)}. Upgrade or stop them. A killed process counts for a minute."
        )


def _back_up(configuration: Config) -> Path:
    """Back the desk up into its data folder and return the file; only the latest backups are kept."""
    folder = configuration.data / "backups"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{clock.now():%Y%m%d-%H%M%S}-before-migrating.backup"
    try:
        # No migration touches files, which may be numerous and remote.
        making.make(
            configuration, target, passphrase=None, tell=lambda _: None, files=not configuration.files
        )
    except BackupError as error:
        raise click.ClickException(f"Nothing was migrated because the backup failed. {error}") from error
    for old in sorted(folder.glob("*-before-migrating.backup"))[: -max(1, configuration.backups)]:
        old.unlink()
    return target


@click.command()
@click.option(
    "--version",
    type=click.Choice(api_versions.VERSIONS),
    default=api_versions.FIRST,
    show_default=True,
    help="Version of the API, as in the header Lobby-Version.",
)
def openapi(version: str) -> None:
    """Print the description of the API, as OpenAPI 3.1."""
    configuration = config.load()
    choose_features(configuration)
    click.echo(json.dumps(document(configuration.public_url, version=version), indent=2))


@click.command()
@click.argument("event_id", type=int)
@configured
def record(configuration: Config, event_id: int) -> None:
    """Print a received event as a test fixture without personal data."""
    with db.read() as session:
        found = session.get(InboundEvent, event_id)
    if found is None:
        raise click.ClickException("This event doesn't exist.")
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
    """Run a complete demo with a simulated provider. Needs a checkout of the source."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "demo").is_dir():
        raise click.ClickException("The demo needs a checkout of the source.")
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
