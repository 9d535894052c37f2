"""The ``lobby addon`` commands."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import sqlalchemy as sa

from host import config
from host.cli_base import configured, prepare
from host.config import Config, ConfigError

if TYPE_CHECKING:
    from host.addons.records import Outcome


@click.group()
def addon() -> None:
    """Install, activate and build addons."""


def _show(result: Outcome) -> None:
    for step in result.steps:
        click.echo(f"{step.result:8} {step.name} ({step.ms} ms) {step.detail}".rstrip())
    if result.error:
        click.echo(f"{result.error['sentence']} {result.error.get('database') or ''}".rstrip(), err=True)


@addon.command("new")
@click.argument("slug")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to write it; default: a folder called SLUG."
)
def addon_new(slug: str, folder: Path | None) -> None:
    """Write a new addon to start from: it works, and its tests pass as they are."""
    from host.authoring import scaffold

    target = folder or Path(slug)
    try:
        written = scaffold.create(slug, target)
    except scaffold.NotNamedError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {len(written)} files to {target}. {target / 'README.md'} says what to change.")
    click.echo(f"Check it with `lobby addon check {target}`.")


@addon.command("check")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--tests",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where its tests are; default: `tests` in SOURCE.",
)
@click.option(
    "--database",
    default="",
    help="URL of an empty database to try the migrations on; default: SQLite, thrown away afterwards.",
)
def addon_check(source: Path, tests: Path | None, database: str) -> None:
    """Hold the addon in SOURCE to everything it has to keep; fails where it does not."""
    from host.authoring.check import check

    failed = 0
    try:
        for finding in check(source, tests=tests, database_url=database):
            word = {True: "ok", False: "FAILED", None: "-"}[finding.fine]
            for number, sentence in enumerate(finding.sentences):
                first = f"{word:7} {finding.name:11}" if number == 0 else " " * 19
                click.echo(f"{first} {sentence}")
            failed += finding.fine is False
    except sa.exc.SQLAlchemyError as error:
        from host import db

        raise click.ClickException(f"The database cannot be used: {db.describe(error)[1]}") from error
    if failed:
        raise click.ClickException(f"{source} is not ready: {failed} of the checks failed.")
    click.echo(f"{source} is ready to be built and given away.")


@addon.command("dev")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@configured
def addon_dev(configuration: Config, source: Path) -> None:
    """Put the addon in SOURCE on a running desk, again after each change, until Ctrl+C."""
    import threading

    from host import migrations
    from host.authoring import development
    from host.filelock import is_served

    if not configuration.development:
        raise click.ClickException(
            "Set LOBBY_DEVELOPMENT=1: replacing a version by other content is for desks nobody depends on."
        )
    if migrations.state(configuration.database_url) is not migrations.State.CURRENT:
        raise click.ClickException("This database is not ready. Start `lobby run` on it first.")
    if configuration.database_url.startswith("sqlite") and not is_served(configuration):
        click.echo("No desk runs on this database yet: start `lobby run` beside this.")
    developing = development.Developing(configuration, source)
    try:
        for _change in development.changes(source, threading.Event().wait):
            done = developing.deploy()
            if done.sentences:
                click.echo(f"not replaced: {' '.join(done.sentences)}", err=True)
            else:
                click.echo(
                    f"{source} {done.version} is active ({done.seconds:.1f} s); the desk follows at once."
                )
    except KeyboardInterrupt:
        click.echo("Stopped watching; the addon stays as it is.")


@addon.command("list")
@configured
def addon_list(_configuration: Config) -> None:
    """List installed addons."""
    from host.addons import lifecycle

    for card in lifecycle.installed():
        click.echo(f"{card.slug}\t{card.version}\t{card.state}")


@addon.command("install")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--downgrade", is_flag=True, help="It may be older than what was installed before.")
@click.option("--takeover", is_flag=True, help="It may come from another publisher than until now.")
@configured
def addon_install(configuration: Config, path: Path, downgrade: bool, takeover: bool) -> None:
    """Check a zip and install it, inactive."""
    from host.addons import lifecycle

    try:
        release = lifecycle.install_file(configuration, path, downgrade=downgrade, takeover=takeover)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"Installed {release.slug} {release.version}. Activate it with `lobby addon activate {release.slug}`."
    )


@addon.command("activate")
@click.argument("slug")
@configured
def addon_activate(configuration: Config, slug: str) -> None:
    """Run an addon's migrations and switch it on; a serving Lobby follows by itself."""
    from host.addons import lifecycle

    try:
        result = lifecycle.activate(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    _show(result)
    if not result.ok:
        raise click.ClickException(f"{slug} was not activated; everything is as it was.")


@addon.command("deactivate")
@click.argument("slug")
@configured
def addon_deactivate(configuration: Config, slug: str) -> None:
    """Switch an addon off; works while Lobby cannot start, too. Keeps all data."""
    from host.addons import lifecycle

    try:
        lifecycle.deactivate(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{slug} is inactive.")


@addon.command("disable")
@click.argument("slug")
@click.option("--offline", is_flag=True, help="Only change the database: for when nothing else works.")
def addon_disable(slug: str, offline: bool) -> None:
    """Switch an addon off; with --offline even while nothing of Lobby starts."""
    from host import db
    from host.addons.failures import AddonError

    try:
        configuration = config.load()
        if offline:
            from host.addons import offline as without_lobby

            db.connect(configuration.database_url)
            without_lobby.disable(slug)
        else:
            from host.addons import lifecycle

            prepare(configuration)
            lifecycle.deactivate(configuration, slug)
    except (ConfigError, AddonError) as error:
        raise click.ClickException(str(error)) from error
    except sa.exc.SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be used: {db.describe(error)[1]}") from error
    click.echo(f"{slug} is inactive.")


@addon.command("rollback")
@click.argument("slug")
@configured
def addon_roll_back(configuration: Config, slug: str) -> None:
    """Have the release before the installed one run again."""
    from host.addons import lifecycle

    try:
        result = lifecycle.roll_back(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    _show(result)
    if not result.ok:
        raise click.ClickException(f"{slug} was not rolled back; everything is as it was.")


@addon.command("export")
@click.argument("slug")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@configured
def addon_export(_configuration: Config, slug: str, path: Path) -> None:
    """Write an addon's tables to the zip PATH, as JSON lines."""
    from host.addons import lifecycle, uninstall

    try:
        with uninstall.export(slug) as found, path.open("xb") as file:
            shutil.copyfileobj(found, file)
    except FileExistsError as error:
        raise click.ClickException(f"{path} exists already.") from error
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error


@addon.command("remove")
@click.argument("slug")
@click.option("--purge", is_flag=True, help="Remove its tables, too. Nobody can undo this.")
@configured
def addon_remove(configuration: Config, slug: str, purge: bool) -> None:
    """Take an inactive addon off the list; what it stored stays."""
    from host.addons import lifecycle, uninstall

    try:
        if not purge:
            uninstall.remove(configuration, slug)
            click.echo(f"{slug} is removed; its tables stay.")
            return
        if click.prompt(f"Type {slug} to remove its data for good") != slug:
            raise click.ClickException("Nothing was removed.")
        names = uninstall.purge(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{slug} is removed, with {', '.join(names) or 'no table'}.")


@addon.command("build")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def addon_build(source: Path, folder: Path) -> None:
    """Build the zip of the addon in SOURCE into FOLDER, byte for byte the same each time."""
    from host.addons.archive import ArchiveError
    from host.addons.build import build_release

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


@addon.command("keygen")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="Who signs with it, as admins will read it.")
@click.option("--no-passphrase", is_flag=True, help="Leave the key file readable to whoever gets hold of it.")
@passphrase_option
def addon_keygen(path: Path, name: str, no_passphrase: bool, passphrase_file: Path | None) -> None:
    """Make a publisher's key: PATH is the secret one, PATH.pub is the line desks trust it by."""
    from host.addons import keys

    public = path.with_name(f"{path.name}.pub")
    if path.exists() or public.exists():
        raise click.ClickException(f"{path} exists already; a key is never overwritten.")
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 80:
        raise click.ClickException("The name is empty, too long, or holds odd characters.")
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
    click.echo(f"Keep {path} to yourself, and a copy of it somewhere safe.", err=True)


@addon.command("sign")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@passphrase_option
def addon_sign(archive: Path, path: Path, passphrase_file: Path | None) -> None:
    """Sign an addon's zip in place; the same zip and key give the same bytes each time."""
    from host.addons import keys
    from host.addons.archive import ArchiveError
    from host.addons.build import sign_addon

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


@addon.command("verify")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "wanted",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The publisher's .pub file; otherwise the keys this desk trusts are asked.",
)
def addon_verify(path: Path, wanted: Path | None) -> None:
    """Say whose signature an addon's zip carries; fails unless it is right and by a trusted key."""
    from host.addons import checking, keys, trust
    from host.addons.archive import ArchiveError

    try:
        found = checking.check(path)
        trusted = trust.load(config.load())
        if wanted is not None:
            key = trust.parse(wanted.read_text())
            trusted = trust.Trust({key.key_id: key})
    except (ArchiveError, ConfigError, keys.KeyFormatError) as error:
        raise click.ClickException(str(error)) from error
    slug, version = found.manifest.slug, found.manifest.version
    if found.signature_problem:
        raise click.ClickException(f"{slug} {version}: the signature is not right. {found.signature_problem}")
    if not found.key:
        raise click.ClickException(f"{slug} {version} is not signed.")
    standing = trust.judge("enforce", slug, found.key, "", trusted)
    click.echo(f"{slug} {version} is signed with {standing.fingerprint}")
    if standing.blocks:
        raise click.ClickException(str(standing.sentence))
    click.echo(f"That is the key of {standing.name or 'an unnamed publisher'}.")
