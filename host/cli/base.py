"""Shared parts of the ``lobby`` commands: settings, the database, and groups with lazy imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from importlib import import_module
from typing import Any

import click

from host.cli import exits
from host.core import config, db, logs, private_files, resealing
from host.core.config import CannotGoOnError, Config, ConfigError
from host.features import registry
from host.process import features as _features  # noqa: F401 - says which there are
from host.process import garbage_collection


class Stopped(click.ClickException):
    """An error that click prints, with the exit code."""

    def __init__(self, error: CannotGoOnError) -> None:
        super().__init__(str(error))
        self.exit_code: int = error.code  # type: ignore[misc]  # click reads it of the instance


def choose_features(configuration: Config) -> None:
    """Disable the features that this desk's settings turn off.

    :raises ConfigError: if a feature doesn't exist.
    """
    try:
        registry.switch_off(configuration.features_off)
    except registry.UnknownFeatureError as error:
        raise ConfigError(f"LOBBY_FEATURES_OFF: {error}") from error


def prepare(configuration: Config, *, keys: bool = True) -> None:
    """Set up logging, keys and the database of this process; a normal start does not access the database.

    :param keys: False for callers of :func:`host.core.resealing.load_keys` once the database is available.
    :raises CannotGoOnError: if the data folder cannot be used, or keys are missing.
    """
    logs.set_up(configuration.log_level, configuration.log_format)
    private_files.keep_private(configuration)
    private_files.check_folder(configuration)
    choose_features(configuration)
    registry.load_models()
    db.connect(configuration.database_url)
    if keys:
        resealing.load_keys(configuration)


def _check_feature(configuration: Config) -> None:
    """Refuse a command whose feature is disabled."""
    called = click.get_current_context().find_root().invoked_subcommand
    owner = next((one for one in registry.features() if called in one.commands), None)
    if owner is not None and owner.optional:
        import_module("host.cli.switches").check(owner, configuration)


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the parsed settings to *command*, and prepare the process for it."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        configuration = config.load()
        prepare(configuration)
        _check_feature(configuration)
        return command(configuration, *args, **kwargs)

    return update_wrapper(wrapper, command)


def serving(command: Callable[..., Any]) -> Callable[..., Any]:
    """Prepare a command that waits for an unavailable database, like :func:`prepare`."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        configuration = config.load()
        prepare(configuration, keys=False)
        return command(configuration, *args, **kwargs)

    return update_wrapper(wrapper, command)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, or listed by ``--help``.

    :param commands_at: name of a command -> ``module:attribute``; or a function that returns them, called
        each time.
    :param announced: name of a command -> sentence to print before it is imported, which can take seconds.
    """

    def __init__(
        self,
        *args: Any,
        commands_at: Mapping[str, str] | Callable[[], Mapping[str, str]],
        announced: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at if callable(commands_at) else lambda: commands_at
        self._announced = announced or {}

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; report expected errors as a sentence (JSON if the log is JSON) and an exit code."""
        if config.log_format() != "json":
            return self._explained(ctx)
        if ctx.parent is None:
            logs.set_up("WARNING", "json")
        try:
            return self._explained(ctx)
        except click.ClickException as error:
            logs.tell(error.format_message(), "ERROR")
            raise click.exceptions.Exit(error.exit_code) from error
        except (click.Abort, KeyboardInterrupt) as error:
            logs.tell("stopped before it was done", "ERROR")
            raise click.exceptions.Exit(1) from error

    def _explained(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            explained = exits.explained(error)
            if explained is None:
                raise
            raise Stopped(explained) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self._announced and not set(args) & set(ctx.help_option_names):
            logs.tell(self._announced[args[0]])
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._commands_at()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._commands_at().get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        with garbage_collection.importing():
            command: click.Command = getattr(import_module(module), name)
        return command
