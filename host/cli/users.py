"""``lobby user``: create and repair logins."""

from __future__ import annotations

import json
import secrets as random
import sys
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import click
from sqlalchemy.orm import Session

from host.cli.base import configured
from host.core import clock, db
from host.core.config import Config
from host.core.errors import LobbyError
from host.events.models import ActorKind
from host.models.users import Role, User
from host.users import desk_settings, leaving, members, password_links, setup, users
from host.users.actor import Actor, DeskWork
from host.users.endings import Ended
from host.users.leaving import Belongings
from host.users.signin import factors

T = TypeVar("T")
P = ParamSpec("P")


@click.command("setup-link")
@configured
def setup_link(configuration: Config) -> None:
    """Print a new setup link; earlier links stop working."""
    token = setup.ensure_setup_token()
    if token is None:
        raise click.ClickException(
            "Lobby is already set up. To let someone choose a new password, run `lobby user link EMAIL`."
        )
    click.echo(setup.link(configuration.public_url, token))


@click.group("user")
def group() -> None:
    """Manage people and their sign-ins."""


def _password(given: str | None) -> str:
    """Return the password from standard input, or a generated one that is printed."""
    if given == "-":
        return sys.stdin.readline().rstrip("\n")
    return random.token_urlsafe(15)


@group.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--admin", is_flag=True, help="Let the user install addons and see the whole installation.")
@click.option("--workspace", type=int, help="Workspace to join.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.AGENT.value)
@click.option(
    "--password", "given", help="`-` reads it from standard input; otherwise one is generated and printed."
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

    password = _password(given)

    def write(session: Session) -> None:
        person = users.add(_work(session), email, name, password, is_admin=admin)
        if workspace is not None:
            members.add(session, workspace, person.id, Role(role))

    try:
        db.write(write)
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Added {email}." + ("" if given == "-" else f" Password: {password}"))


@group.command("password")
@click.argument("email")
@click.option(
    "--password", "given", help="`-` reads it from standard input; otherwise one is generated and printed."
)
@configured
def user_password(_configuration: Config, email: str, given: str | None) -> None:
    """Set a user's password and end all their sessions."""

    password = _password(given)
    _do(email, _set_password, password)
    click.echo("Done." if given == "-" else f"New password: {password}")


def _set_password(work: DeskWork, user_id: int, password: str) -> None:
    users.set_password(work.session, user_id, password)
    work.audit("password.set", work.session.get_one(User, user_id).email)


def _work(session: Session) -> DeskWork:
    return DeskWork(session, Actor(ActorKind.SYSTEM, remote="command line"), clock.now())


def _do(
    email: str, use_case: Callable[Concatenate[DeskWork, int, P], T], *how: P.args, **more: P.kwargs
) -> T:
    """Run a use case on the person with that address."""
    try:
        return db.write(
            lambda session: use_case(_work(session), users.by_email(session, email).id, *how, **more)
        )
    except LobbyError as error:
        raise click.ClickException(str(error)) from error


@group.command("link")
@click.argument("email")
@configured
def user_link(configuration: Config, email: str) -> None:
    """Print a link to set a password. It works once and expires after a day."""

    token = _do(email, password_links.hand, password_links.HANDED)
    now, _desk = desk_settings.effective(configuration)
    click.echo(f"{now.public_url}/password/{token}")


@group.command("new-password")
@click.argument("email")
@configured
def user_new_password(_configuration: Config, email: str) -> None:
    """Require a user to choose a new password before they continue."""

    _do(email, users.require_new_password)
    click.echo(f"{email} has to choose a new password on the next page they open.")


@group.command("sign-out")
@click.argument("email")
@configured
def user_sign_out(_configuration: Config, email: str) -> None:
    """Sign a user out of every browser."""

    _do(email, users.sign_out)
    click.echo(f"Signed out {email} everywhere.")


@group.command("reset-second-factor")
@click.argument("email")
@configured
def user_reset_second_factor(_configuration: Config, email: str) -> None:
    """Remove a user's lost second factor and end all their sessions."""

    _do(email, factors.reset)
    click.echo(f"{email} can sign in with the password alone until they set up a second factor again.")


@group.command("admin")
@click.argument("email")
@click.option("--no", "revoke", is_flag=True, help="Remove the admin role.")
@configured
def user_admin(_configuration: Config, email: str, revoke: bool) -> None:
    """Make a user an admin, or remove the role."""

    _do(email, users.set_admin, not revoke)
    click.echo(f"{email} is {'no longer ' if revoke else ''}a desk admin.")


@group.command("disable")
@click.argument("email")
@configured
def user_disable(_configuration: Config, email: str) -> None:
    """Lock a user out immediately. Their messages and notes stay; their conversations become unassigned."""

    def use_case(work: DeskWork, user_id: int) -> tuple[list[Belongings], Ended]:
        return leaving.belongings(work.session, user_id), leaving.lock_out(work, user_id)

    had, ended = _do(email, use_case)
    click.echo(f"{email} can no longer sign in.")
    for place in had:
        if place.conversations:
            click.echo(
                f"In {place.workspace_name}, open conversations that become unassigned: "
                f"{place.conversations}."
            )
        for use in place.uses:
            click.echo(f"{use.what} “{use.name}” stays, but skips the steps that involve them.")
    for name in ended.keys:
        click.echo(f"The API key “{name}” no longer works. An owner of its workspace can create a new one.")
    for address in ended.invitations:
        click.echo(f"The invitation for {address} is no longer valid.")


@group.command("enable")
@click.argument("email")
@configured
def user_enable(_configuration: Config, email: str) -> None:
    """Unlock a user. Revoked API keys stay revoked."""

    _do(email, users.enable)
    click.echo(f"{email} can sign in again.")


@group.command("list")
@click.option("--json", "as_json", is_flag=True)
@configured
def user_list(_configuration: Config, as_json: bool) -> None:
    """List people."""

    with db.read() as session:
        rows = [
            {
                "email": row.email,
                "name": row.name,
                "admin": row.is_admin,
                "disabled": row.disabled_at is not None,
                "second_factor": row.second_factor,
                "seen": row.seen_at.isoformat(timespec="seconds") if row.seen_at else None,
                "workspaces": {name: role.value for name, role in row.places},
            }
            for row in users.people(session)
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        marks = " ".join(mark for mark in ("admin", "disabled") if row[mark])
        click.echo(f"{row['email']}\t{row['name']}\t{marks}".rstrip())
