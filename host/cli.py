"""The ``lobby`` command."""

from __future__ import annotations

import json
import os
import secrets as random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import sqlalchemy as sa

from host import __version__, cli_secrets, config, db, garbage, migrations
from host.cli_addon import addon
from host.cli_base import configured
from host.config import Config, ConfigError
from host.doctor import doctor

if TYPE_CHECKING:
    from host.accounts.models import User


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lobby")
def main() -> None:
    """Lobby, a shared-inbox helpdesk. Settings come from LOBBY_ variables: see `lobby settings`."""


main.add_command(cli_secrets.group)
main.add_command(doctor)


@main.command()
@configured
def run(configuration: Config) -> None:
    """Serve the desk: web pages, webhooks and deliveries."""
    from host.accounts.setup import ensure_setup_token
    from host.server import serve

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
    # The server forks; a database connection must not be shared with the child.
    db.current().dispose()
    serve(configuration)


@main.command()
@configured
def worker(configuration: Config) -> None:
    """Run deliveries only, beside servers on other processes or machines."""
    from host.ending import WORKER_PATIENCE_SECONDS, Ending
    from host.serving import HostApplication

    if db.current().is_sqlite:
        raise click.ClickException(
            "With SQLite the serving process delivers by itself. "
            "A separate worker needs PostgreSQL or MariaDB."
        )
    if not configuration.workers:
        raise click.ClickException("LOBBY_WORKERS is 0: this process would have nothing to do.")
    application = HostApplication(configuration)
    application.start(web=False)
    garbage.settle()
    ending = Ending(application, patience=WORKER_PATIENCE_SECONDS, drained=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, ending.told)
    click.echo("lobby worker running")
    ending.wait()


@main.command()
@configured
def migrate(configuration: Config) -> None:
    """Bring the tables of the host and of every installed addon up to date."""
    for line in _migrate_all(configuration):
        click.echo(line)


def _migrate_all(configuration: Config) -> list[str]:
    from host.addons.lifecycle import migrate_everything

    try:
        done = migrate_everything(configuration)
    except migrations.BusyError as error:
        raise click.ClickException(str(error)) from error
    return done or ["Everything is up to date."]


@main.command("settings")
def list_settings() -> None:
    """List every setting with its default."""
    for setting in config.SETTINGS:
        click.echo(f"{setting.variable}={setting.default}")
        click.echo(f"    {setting.help}")


@main.command()
def openapi() -> None:
    """Print the description of the API, as OpenAPI 3.1."""
    from host.api.openapi import document

    try:
        public_url = config.load().public_url
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(document(public_url), indent=2))


main.add_command(addon)


@main.command()
@click.argument("event_id", type=int)
@configured
def record(configuration: Config, event_id: int) -> None:
    """Print a received event as a test fixture nobody can be recognised in."""
    from host import counters
    from host.delivery.models import InboundEvent
    from host.errors import LobbyError
    from host.health import recorder
    from host.serving import HostApplication

    with db.read() as session:
        found = session.get(InboundEvent, event_id)
    if found is None:
        raise click.ClickException("There is no such event.")
    counters.reset()
    application = HostApplication(configuration)
    running = application.generation()
    with running.app.app_context():
        try:
            fixture = recorder.record(found, running.directory.adapter(found.channel))
        except LobbyError as error:
            raise click.ClickException(str(error)) from error
    click.echo(recorder.written(fixture), nl=False)


@main.group()
def user() -> None:
    """Make and repair logins."""


def _password(given: str | None) -> str:
    """Return the password from standard input, or a made-up one that is printed."""
    if given == "-":
        return sys.stdin.readline().rstrip("\n")
    return random.token_urlsafe(15)


@user.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--admin", is_flag=True, help="May install addons and see the whole installation.")
@click.option("--workspace", type=int, help="Workspace to join.")
@click.option("--role", type=click.Choice(["owner", "agent"]), default="agent")
@click.option(
    "--password", "given", help="`-` reads it from standard input; otherwise one is made and printed."
)
@configured
def user_add(
    _configuration: Config,
    email: str,
    name: str,
    admin: bool,
    workspace: int | None,
    role: str,
    given: str | None,
) -> None:
    """Add a person."""
    from host.accounts import members, users
    from host.accounts.models import Role
    from host.errors import LobbyError

    password = _password(given)

    def use_case(session: sa.orm.Session) -> User:
        person = users.create(session, email, name, password, is_admin=admin)
        if workspace is not None:
            members.add(session, workspace, person.id, Role(role))
        return person

    try:
        db.write(use_case)
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Added {email}." + ("" if given == "-" else f" Password: {password}"))


@user.command("password")
@click.argument("email")
@click.option(
    "--password", "given", help="`-` reads it from standard input; otherwise one is made and printed."
)
@configured
def user_password(_configuration: Config, email: str, given: str | None) -> None:
    """Give somebody a new password; ends all their sessions."""
    from host.accounts import users
    from host.errors import LobbyError

    password = _password(given)
    try:
        db.write(lambda session: users.set_password(session, users.by_email(session, email).id, password))
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo("Done." if given == "-" else f"New password: {password}")


@user.command("disable")
@click.argument("email")
@configured
def user_disable(_configuration: Config, email: str) -> None:
    """Lock somebody out at once. Their messages and notes stay."""
    from host.accounts import users
    from host.errors import LobbyError

    try:
        db.write(lambda session: users.disable(session, users.by_email(session, email).id))
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{email} can no longer sign in.")


@user.command("list")
@click.option("--json", "as_json", is_flag=True)
@configured
def user_list(_configuration: Config, as_json: bool) -> None:
    """List people."""
    from host.accounts.models import User

    with db.read() as session:
        rows = [
            {
                "email": row.email,
                "name": row.name,
                "admin": row.is_admin,
                "disabled": row.disabled_at is not None,
            }
            for row in session.scalars(sa.select(User).order_by(User.email))
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        marks = " ".join(mark for mark in ("admin", "disabled") if row[mark])
        click.echo(f"{row['email']}\t{row['name']}\t{marks}".rstrip())


@main.command()
@click.option("--once", is_flag=True, help="Play the journey on free ports, report each step, and end.")
@click.option("--reload", is_flag=True, help="Restart the desk when its code changes.")
def demo(once: bool, reload: bool) -> None:
    """Show the main job end to end, with a stand-in playing the provider. Needs a checkout."""
    checkout = Path(__file__).resolve().parent.parent
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


if __name__ == "__main__":
    main()
