"""``lobby files``: the storage of messages' files."""

from __future__ import annotations

import click

from host.cli.base import configured
from host.core import config_servers, storage
from host.core.config import Config
from host.media import claiming, copying


def _place(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is None or text == "data":
        return None if text is None else ""
    try:
        return config_servers.files(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group("files")
def group() -> None:
    """Move the files of messages to another place."""


@group.command()
@click.argument("to", callback=_place)
@click.option(
    "--from",
    "from_",
    callback=_place,
    help="Where they are: a folder, s3://bucket/prefix, or data for the data folder. Default: LOBBY_FILES.",
)
@configured
def copy(configuration: Config, to: str, from_: str | None) -> None:
    """Copy the files to TO while the desk runs: a folder, s3://bucket/prefix, or data.

    You can interrupt it and run it again: files that already exist are skipped. Nothing is removed.
    """
    source, target = storage.opened(configuration, from_), storage.opened(configuration, to)
    if source.place == target.place:
        raise click.UsageError(f"The files are already at {source.place}.")
    claiming.take(configuration, source, target)
    claiming.try_out(target)
    click.echo(f"from {source.place}\n  to {target.place}")
    copied = copying.copy(source, target, lambda line: click.echo(f"  {line}", err=True))
    click.echo(
        f"{copied.files} files copied, {copied.bytes / 1024**2:.1f} MB; {copied.there} already existed."
    )
    if copied.damaged:
        raise click.ClickException(
            f"{len(copied.damaged)} files are damaged and were not copied, such as "
            f"{min(copied.damaged)}. The log lists them all."
        )
    if to == configuration.files:
        click.echo("Lobby already keeps its files there.")
        return
    here = configuration.files if from_ is None else from_
    how = f"set LOBBY_FILES={to}" if to else "unset LOBBY_FILES"
    click.echo(
        f"Now {how} for every process and restart them. Then copy the files added meanwhile:\n"
        f"  lobby files copy {to or 'data'} --from {here or 'data'}"
    )
