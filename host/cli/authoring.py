"""``lobby addon``, for authors: write one, check it, try it, build and sign its zip."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import click
import sqlalchemy as sa

from host.addons.package import checking, keys, trust
from host.addons.package.archive import ArchiveError
from host.addons.package.build import build_release, sign_addon
from host.authoring import development, scaffold
from host.authoring.check import check
from host.cli.base import configured
from host.core import config, db, migrations
from host.core.config import Config
from host.core.filelock import is_served


@click.command("new")
@click.argument("slug")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder to create; default: SLUG.")
@click.option(
    "--kind",
    type=click.Choice(list(scaffold.KINDS)),
    default="channel",
    show_default=True,
    help="A channel; a panel beside conversations; or automation that hears what happens on the desk.",
)
def addon_new(slug: str, folder: Path | None, kind: str) -> None:
    """Create a new addon to start from, with passing tests."""
    target = folder or Path(slug)
    try:
        written = scaffold.create(slug, target, kind)
    except scaffold.NotNamedError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {len(written)} files to {target}. {target / 'README.md'} explains what to change.")
    click.echo(f"Check it with `lobby addon check {target}`.")


@click.command("check")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--tests",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of its tests; default: `tests` in SOURCE.",
)
@click.option(
    "--database",
    default="",
    help="URL of an empty database for testing the migrations; default: a temporary SQLite file.",
)
def addon_check(source: Path, tests: Path | None, database: str) -> None:
    """Check the addon in SOURCE against all rules for addons; fail if it breaks one."""
    failed = 0
    try:
        for finding in check(source, tests=tests, database_url=database):
            word = {True: "ok", False: "FAILED", None: "-"}[finding.fine]
            for number, sentence in enumerate(finding.sentences):
                first = f"{word:7} {finding.name:11}" if number == 0 else " " * 19
                click.echo(f"{first} {sentence}")
            failed += finding.fine is False
    except sa.exc.SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be used: {db.describe(error)[1]}") from error
    if failed:
        raise click.ClickException(f"{source} is not ready: {failed} checks failed.")
    click.echo(f"{source} is ready to be built and published.")


@click.command("dev")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@configured
def addon_dev(configuration: Config, source: Path) -> None:
    """Install the addon in SOURCE on a running desk, and again after each change, until Ctrl+C."""
    if not configuration.development:
        raise click.ClickException(
            "Set LOBBY_DEVELOPMENT=1. Replacing the content of a version is only for test installations."
        )
    if migrations.state(configuration.database_url) is not migrations.State.CURRENT:
        raise click.ClickException("This database is not ready. Start `lobby run` on it first.")
    if configuration.database_url.startswith("sqlite") and not is_served(configuration):
        click.echo("No Lobby is running on this database. Start `lobby run` in another terminal.")
    developing = development.Developing(configuration, source)
    try:
        for _change in development.changes(source, threading.Event().wait):
            done = developing.deploy()
            if done.sentences:
                click.echo(f"not replaced: {' '.join(done.sentences)}", err=True)
            else:
                click.echo(f"{source} {done.version} is active ({done.seconds:.1f} s).")
    except KeyboardInterrupt:
        click.echo("Stopped watching. The addon keeps its latest version.")


@click.command("build")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def addon_build(source: Path, folder: Path) -> None:
    """Build the zip of the addon in SOURCE into FOLDER, byte-for-byte reproducible."""
    try:
        target, digest = build_release(source, folder)
    except (ArchiveError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{digest}  {target.name}")


def _passphrase(path: Path | None) -> bytes:
    """Return the first line of the file; ``-`` is standard input."""
    if path is None:
        return b""
    text = sys.stdin.readline() if str(path) == "-" else path.read_text().partition("\n")[0]
    return text.rstrip("\n").encode()


passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="File whose first line is the passphrase; `-` is standard input. Otherwise you are asked.",
)


@click.command("keygen")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="The publisher's name, as admins will see it.")
@click.option("--no-passphrase", is_flag=True, help="Don't encrypt the key file.")
@passphrase_option
def addon_keygen(path: Path, name: str, no_passphrase: bool, passphrase_file: Path | None) -> None:
    """Create a publisher's key pair: the secret key in PATH, the public key in PATH.pub."""
    public = path.with_name(f"{path.name}.pub")
    if path.exists() or public.exists():
        raise click.ClickException(f"{path} already exists. Keys are never overwritten.")
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 80:
        raise click.ClickException("The name is empty, too long, or contains characters that aren't allowed.")
    secret = _passphrase(passphrase_file)
    if not secret and not no_passphrase:
        secret = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True).encode()
    key = keys.new_private_key()
    line = f"{keys.WORD} {key.public.text} {name}"
    with open(path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(key.pem(secret))
    public.write_text(f"{line}\n")
    click.echo(line)
    click.echo(f"Fingerprint: {keys.fingerprint(key.public.id)}")
    click.echo(f"Keep {path} secret, and keep a copy in a safe place.", err=True)


@click.command("sign")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@passphrase_option
def addon_sign(archive: Path, path: Path, passphrase_file: Path | None) -> None:
    """Sign an addon's zip in place; byte-for-byte reproducible."""
    pem = path.read_bytes()
    secret = _passphrase(passphrase_file)
    if keys.is_encrypted(pem) and not secret:
        secret = click.prompt("Passphrase", hide_input=True).encode()
    try:
        key = keys.private_key(pem, secret)
        digest = sign_addon(archive, key)
    except (keys.KeyFormatError, ArchiveError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{digest}  {archive.name}")
    click.echo(f"Signed with {keys.fingerprint(key.public.id)}")


@click.command("verify")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "wanted",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The publisher's .pub file; default: the keys this installation trusts.",
)
def addon_verify(path: Path, wanted: Path | None) -> None:
    """Print who signed an addon's zip; fail unless the signature is valid and the key is trusted."""
    try:
        found = checking.check(path)
        trusted = trust.load(config.load())
        if wanted is not None:
            key = trust.parse(wanted.read_text())
            trusted = trust.Trust({key.key_id: key})
    except (ArchiveError, keys.KeyFormatError) as error:
        raise click.ClickException(str(error)) from error
    slug, version = found.manifest.slug, found.manifest.version
    if found.signature_problem:
        raise click.ClickException(f"{slug} {version}: the signature is invalid. {found.signature_problem}")
    if not found.key:
        raise click.ClickException(f"{slug} {version} is not signed.")
    standing = trust.judge("enforce", slug, found.key, "", trusted)
    click.echo(f"{slug} {version} is signed with {standing.fingerprint}")
    if standing.blocks:
        raise click.ClickException(str(standing.sentence))
    click.echo(f"The key belongs to {standing.name or 'an unnamed publisher'}.")
