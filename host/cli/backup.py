"""``lobby backup`` and ``lobby restore``: store the whole desk in one file, and restore it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from host.backup import archive, making, restoring
from host.backup.archive import BackupError
from host.backup.restoring import Waiting
from host.cli.base import configured
from host.core import config, logs, private_files
from host.core.config import Config, ConfigError

MOST_NAMED = 20
"""Maximum number of added entries named when a backup is restored."""

_PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the passphrase of the keys.",
)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--keys", is_flag=True, help="Include the keys, encrypted with a passphrase you are asked for.")
@click.option("--files/--no-files", "with_files", default=True, help="Include the files of messages.")
@_PASSPHRASE_FILE
@configured
def backup(
    configuration: Config, file: Path, keys: bool, with_files: bool, passphrase_file: Path | None
) -> None:
    """Write the whole desk to FILE, while it runs."""
    passphrase = _first_line(passphrase_file)
    if keys and passphrase is None:
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    try:
        contents = making.make(configuration, file, passphrase=passphrase, tell=_step, files=with_files)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    rows = sum(contents.tables.values())
    size = file.stat().st_size / 1024**2
    click.echo(f"{file}: {rows} rows, {contents.files} files, {size:.1f} MB")
    if contents.missing:
        click.echo(
            f"{len(contents.missing)} files were deleted while the backup was made and are not included."
        )
    if contents.files_left_out:
        click.echo(f"{contents.files_left_out} message files are not in the backup. Back them up separately.")
    if not contents.keys:
        click.echo(
            "The backup doesn't contain the keys. Keep a copy of secret.keys in another place: without it, "
            "credentials can't be decrypted."
        )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--waiting",
    type=click.Choice([one.value for one in Waiting]),
    help="What to do with replies that weren't sent yet when the backup was made. check: look for them at "
    "the provider and send none; send: send them now; drop: mark them as failed.",
)
@click.option(
    "--unverified",
    is_flag=True,
    help="Restore a backup that this installation's keys didn't sign. This is noted in the audit log.",
)
@_PASSPHRASE_FILE
def restore(file: Path, waiting: str | None, unverified: bool, passphrase_file: Path | None) -> None:
    """Restore the backup FILE into an empty database and data folder."""
    try:
        configuration = config.load()
        logs.set_up(configuration.log_level, configuration.log_format)
        private_files.keep_private(configuration)
        with archive.reading(file) as source:
            contents = restoring.read_through(source)
            click.echo(f"backup of {contents.made_at}, Lobby {contents.lobby}, {contents.database}")
            for line in _unlisted(source.unlisted()):
                click.echo(line)
            if contents.files_left_out:
                click.echo(
                    f"{contents.files_left_out} message files are not in the backup. Lobby looks for them in "
                    "the store set by LOBBY_FILES."
                )
            chosen = _waiting(waiting, restoring.open_replies(source))
            left_out = restoring.restore(
                configuration,
                source,
                waiting=chosen,
                passphrase=_first_line(passphrase_file) or _asked(configuration, contents.keys),
                tell=_step,
                unverified=unverified,
            )
    except (BackupError, ConfigError) as error:
        raise click.ClickException(str(error)) from error
    for name in left_out:
        click.echo(f"{name} was not restored: it belongs to an addon that is not installed.")
    if chosen is not Waiting.SEND:
        click.echo(
            "Webhook endpoints are paused, scheduled replies wait until someone sends them, and automation "
            "doesn't answer messages received before now."
        )
    click.echo("Restored. Everyone has to sign in again. Start Lobby with `lobby run`.")


def _unlisted(names: Sequence[str]) -> Iterator[str]:
    """Yield a line for each entry that is not in the backup's list; for many, one with their number."""
    for name in names[:MOST_NAMED]:
        yield f"{name[:200]!a} is not restored: it isn't in the backup's list, so somebody added it."
    if len(names) > MOST_NAMED:
        yield f"{len(names) - MOST_NAMED} more entries are not restored: they aren't in the backup's list."


def _waiting(given: str | None, count: int) -> Waiting:
    if given is not None or not count:
        return Waiting(given or Waiting.CHECK)
    text = f"{count} replies were not sent yet when the backup was made. Some may have been sent since."
    if not sys.stdin.isatty():
        raise click.UsageError(f"{text} Choose what happens to them: --waiting check, send or drop.")
    click.echo(text)
    return Waiting(
        click.prompt("What should happen to them?", type=click.Choice(list(Waiting)), default=Waiting.CHECK)
    )


def _asked(configuration: Config, keys: bool) -> str | None:
    if not keys or configuration.secret_keys or (configuration.data / "secret.keys").exists():
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("The keys in this backup are encrypted. Pass --passphrase-file.")
    return str(click.prompt("Passphrase of the keys", hide_input=True))


def _first_line(path: Path | None) -> str | None:
    if path is None:
        return None
    line = path.read_text().splitlines()[:1]
    if not line or not line[0]:
        raise click.UsageError(f"The first line of {path} is empty; it must contain the passphrase.")
    return line[0]


def _step(what: str) -> None:
    click.echo(f"  {what}", err=True)
