"""``lobby user``: make and repair logins."""

from __future__ import annotations

import json
import secrets as random
import sys

import click
import sqlalchemy as sa

from host.cli.base import configured
from host.core import db
from host.core.config import Config
from host.core.errors import LobbyError
from host.models.users import Role, User
from host.users import members, users


@click.group("user")
def group() -> None:
    """Make and repair logins."""


def _password(given: str | None) -> str:
    """Return the password from standard input, or a made-up one that is printed."""
    if given == "-":
        return sys.stdin.readline().rstrip("\n")
    return random.token_urlsafe(15)


@group.command("add")
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


@group.command("password")
@click.argument("email")
@click.option(
    "--password", "given", help="`-` reads it from standard input; otherwise one is made and printed."
)
@configured
def user_password(_configuration: Config, email: str, given: str | None) -> None:
    """Give somebody a new password; ends all their sessions."""

    password = _password(given)
    try:
        db.write(lambda session: users.set_password(session, users.by_email(session, email).id, password))
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo("Done." if given == "-" else f"New password: {password}")


@group.command("disable")
@click.argument("email")
@configured
def user_disable(_configuration: Config, email: str) -> None:
    """Lock somebody out at once. Their messages and notes stay."""

    try:
        ended = db.write(lambda session: users.disable(session, users.by_email(session, email).id))
    except LobbyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{email} can no longer sign in.")
    for name in ended.keys:
        click.echo(f"The API key “{name}” has ended with that; an owner of its workspace can make a new one.")
    for address in ended.invitations:
        click.echo(f"The invitation for {address} has ended with that.")


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
            }
            for row in session.scalars(sa.select(User).order_by(User.email))
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        marks = " ".join(mark for mark in ("admin", "disabled") if row[mark])
        click.echo(f"{row['email']}\t{row['name']}\t{marks}".rstrip())
