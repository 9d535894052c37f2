"""What the commands of ``lobby`` share: settings, the database, and groups that import a command on call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from importlib import import_module
from typing import Any

import click
import sqlalchemy as sa

from host.core import config, db, logs, private_files, secrets
from host.core.config import Config, ConfigError
from host.process import garbage_collection


def prepare(configuration: Config) -> None:
    """Set up logging, keys and the database of this process, without looking at either."""
    logs.set_up(configuration.log_level, configuration.log_format)
    private_files.keep_private(configuration)
    configuration.data.mkdir(parents=True, exist_ok=True)
    secrets.use(secrets.load_keyring(configuration))
    secrets.load_session_key(configuration)
    db.connect(configuration.database_url)


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the parsed settings; a setting that cannot be used ends it with one sentence."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            configuration = config.load()
            prepare(configuration)
            return command(configuration, *args, **kwargs)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
        except sa.exc.OperationalError as error:
            raise click.ClickException(f"The database cannot be used: {db.describe(error)[1]}") from error

    return update_wrapper(wrapper, command)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, or listed by ``--help``.

    :param commands_at: name of a command -> ``module:attribute``.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._commands_at})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._commands_at.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        with garbage_collection.importing():
            command: click.Command = getattr(import_module(module), name)
        return command
