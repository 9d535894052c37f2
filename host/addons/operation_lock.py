"""The lock that allows one addon operation at a time in the installation, across all its machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host.addons.package.failures import AddonError
from host.core import migrations
from host.core.config import Config
from host.core.filelock import file_lock


class BusyError(AddonError):
    """Another process is installing, activating or removing an addon right now."""

    def __init__(self) -> None:
        super().__init__(
            "Another addon operation is already running; it was not started a second time. "
            "Wait a moment and reload the page."
        )


@contextmanager
def operation(config: Config) -> Iterator[None]:
    """Hold the installation's lock for addon operations. It is released when its process dies.

    :raises BusyError: if another process holds it.
    """
    with _lock(config) as got:
        if not got:
            raise BusyError
        yield


@contextmanager
def _lock(config: Config) -> Iterator[bool]:
    engine = migrations.migration_engine(config.database_url)
    try:
        if engine.dialect.name == "sqlite":
            with file_lock(config.data / "addons" / "operation.lock") as got:
                yield got
        else:
            with migrations.advisory_lock(engine, "addons") as got:
                yield got
    finally:
        engine.dispose()


def is_running(config: Config) -> bool:
    """Return whether any process holds the lock right now."""
    with _lock(config) as got:
        return not got
