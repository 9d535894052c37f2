"""What every command of ``lobby`` begins with."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import click
import sqlalchemy as sa

from host import config, db, logs, secrets
from host.config import Config, ConfigError


def prepare(configuration: Config) -> None:
    """Set up logging, keys and the database of this process, without looking at either."""
    logs.set_up(configuration.log_level, configuration.log_format)
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
