"""``lobby secrets``: the keys that encrypt credentials at rest, and changing them while the desk runs."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import click

from host.cli.base import configured
from host.core import migrations, resealing, secrets
from host.core.config import Config
from host.core.resealing import Findings

SETTLES = timedelta(minutes=10)
"""How long after a rotation a process may still be writing with the key before."""


@click.group("secrets")
def group() -> None:
    """See and change the keys that encrypt credentials at rest."""


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@configured
def status(configuration: Config, as_json: bool) -> None:
    """Tell which key encrypts, and how many values each key holds."""
    findings = _look(configuration)
    keyring = secrets.keyring()
    if as_json:
        facts = {
            "encrypts": keyring.active_id,
            "keys": {key: findings.by_key[key] for key in keyring.ids},
            "unreadable": findings.unreadable,
        }
        click.echo(json.dumps(facts))
        return
    where = secrets.keys_file(configuration)
    click.echo(f"keys in {where or 'LOBBY_SECRET_KEYS'}; {keyring.active_id} encrypts, all decrypt")
    for key in keyring.ids:
        click.echo(f"  {key:16} {findings.by_key[key]:6} values")
    _tell_unreadable(findings)


@group.command()
@configured
def verify(configuration: Config) -> None:
    """Open every value once; end with 1 if any cannot be opened."""
    findings = _look(configuration)
    click.echo(f"{sum(findings.by_key.values())} values open, {len(findings.unreadable)} do not")
    _tell_unreadable(findings)
    if findings.unreadable:
        raise SystemExit(1)


@group.command()
@configured
def rotate(configuration: Config) -> None:
    """Make a new key that encrypts from now on. Serving processes take it up by themselves."""
    path = secrets.keys_file(configuration)
    if path is None:
        click.echo(
            "LOBBY_SECRET_KEYS holds the keys. Put this in front of them, with a comma, and start Lobby"
        )
        click.echo("again everywhere; then run `lobby secrets reencrypt`.")
        click.echo(resealing.new_key(secrets.keyring()))
        return
    key_id = resealing.add_key(path)
    click.echo(f"{key_id} encrypts from now on; the keys before still decrypt.")
    click.echo(f"Keep a copy of {path}: without it nothing that is sealed can be opened.")
    click.echo("Next: `lobby secrets reencrypt`, and in some minutes `lobby secrets retire` for the old key.")


@group.command()
@configured
def reencrypt(configuration: Config) -> None:
    """Seal everything with the key that encrypts now, while the desk goes on."""
    findings = _look(configuration, reseal=True)
    click.echo(f"{findings.resealed} values sealed anew with {secrets.keyring().active_id}")
    _tell_unreadable(findings)
    if findings.unreadable:
        raise SystemExit(1)


@group.command()
@click.argument("key")
@configured
def retire(configuration: Config, key: str) -> None:
    """Take KEY away for good. Refused while anything is sealed with it."""
    keyring = secrets.keyring()
    if key not in keyring.ids:
        raise click.ClickException(f"There is no key {key!r}; there are {', '.join(keyring.ids)}.")
    if key == keyring.active_id:
        raise click.ClickException(f"{key} encrypts now. Run `lobby secrets rotate` first.")
    path = secrets.keys_file(configuration)
    if path is not None:
        wait = path.stat().st_mtime + SETTLES.total_seconds() - time.time()
        if wait > 0:
            raise click.ClickException(
                f"The keys were changed less than {SETTLES.seconds // 60} minutes ago, and something may "
                f"still be written with {key}. Try again in {int(wait // 60) + 1} minutes."
            )
    findings = _look(configuration)
    if findings.by_key[key]:
        raise click.ClickException(
            f"{findings.by_key[key]} values are sealed with {key}. Run `lobby secrets reencrypt` first."
        )
    if any(f"'{key}'" in line or "changed" in line for line in findings.unreadable):
        _tell_unreadable(findings)
        raise click.ClickException("Some values cannot be opened; with the key gone they never will be.")
    if path is None:
        click.echo(f"Nothing is sealed with {key}. Take it out of LOBBY_SECRET_KEYS and start Lobby again.")
        return
    resealing.remove_key(path, key)
    click.echo(f"{key} is gone.")


def _look(configuration: Config, *, reseal: bool = False) -> Findings:
    if migrations.state(configuration.database_url) is migrations.State.EMPTY:
        raise click.ClickException("The database is empty. `lobby run` sets it up.")
    return resealing.check_values(reseal=reseal)


def _tell_unreadable(findings: Findings) -> None:
    for line in findings.unreadable:
        click.echo(f"  cannot be opened: {line}", err=True)
