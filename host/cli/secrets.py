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
"""How long after a rotation a process may still write with the previous key."""


@click.group("secrets")
def group() -> None:
    """Show and change the keys that encrypt credentials at rest."""


@group.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@configured
def status(configuration: Config, as_json: bool) -> None:
    """Print the key that encrypts, and how many values each key decrypts."""
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
    """Decrypt every value once; exit with 1 if any can't be decrypted."""
    findings = _look(configuration)
    click.echo(f"{sum(findings.by_key.values())} values can be decrypted, {len(findings.unreadable)} can't")
    _tell_unreadable(findings)
    if findings.unreadable:
        raise SystemExit(1)


@group.command()
@configured
def rotate(configuration: Config) -> None:
    """Create a key and use it to encrypt from now on. Running processes load it automatically."""
    path = secrets.keys_file(configuration)
    if path is None:
        click.echo(
            "The keys are set in LOBBY_SECRET_KEYS. Add this key in front of them, followed by a comma, and"
        )
        click.echo("restart every process of Lobby. Then run `lobby secrets reencrypt`.")
        click.echo(resealing.new_key(secrets.keyring()))
        return
    key_id = resealing.add_key(path)
    click.echo(f"{key_id} now encrypts. The older keys can still decrypt.")
    click.echo(f"Keep a copy of {path}. Without it, encrypted values can't be recovered.")
    click.echo("Next, run `lobby secrets reencrypt`, and some minutes later `lobby secrets retire OLD_KEY`.")


@group.command()
@configured
def reencrypt(configuration: Config) -> None:
    """Encrypt everything again with the current key, while Lobby keeps running."""
    findings = _look(configuration, reseal=True)
    click.echo(f"{findings.resealed} values encrypted again with {secrets.keyring().active_id}")
    _tell_unreadable(findings)
    if findings.unreadable:
        raise SystemExit(1)


@group.command()
@click.argument("key")
@configured
def retire(configuration: Config, key: str) -> None:
    """Delete KEY permanently. Fails while anything is encrypted with it."""
    keyring = secrets.keyring()
    if key not in keyring.ids:
        raise click.ClickException(f"Key {key!r} doesn't exist. Existing keys: {', '.join(keyring.ids)}.")
    if key == keyring.active_id:
        raise click.ClickException(f"{key} is used to encrypt. Run `lobby secrets rotate` first.")
    path = secrets.keys_file(configuration)
    if path is not None:
        wait = path.stat().st_mtime + SETTLES.total_seconds() - time.time()
        if wait > 0:
            raise click.ClickException(
                f"The keys were changed less than {SETTLES.seconds // 60} minutes ago, and processes may "
                f"still use {key}. Try again in {int(wait // 60) + 1} minutes."
            )
    findings = _look(configuration)
    if findings.by_key[key]:
        raise click.ClickException(
            f"{findings.by_key[key]} values are encrypted with {key}. Run `lobby secrets reencrypt` first."
        )
    if any(f"'{key}'" in line or "changed" in line for line in findings.unreadable):
        _tell_unreadable(findings)
        raise click.ClickException("Some values can't be decrypted. Without this key, they never could be.")
    if path is None:
        click.echo(f"{key} is no longer used. Remove it from LOBBY_SECRET_KEYS and restart Lobby.")
        return
    resealing.remove_key(path, key)
    click.echo(f"Deleted {key}.")


def _look(configuration: Config, *, reseal: bool = False) -> Findings:
    if migrations.state(configuration.database_url) is migrations.State.EMPTY:
        raise click.ClickException("The database is empty. `lobby run` sets it up.")
    return resealing.check_values(reseal=reseal)


def _tell_unreadable(findings: Findings) -> None:
    for line in findings.unreadable:
        click.echo(f"  can't be decrypted: {line}", err=True)
