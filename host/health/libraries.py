"""Check that the libraries of configured services can be imported.

The settings only look whether a package is there. One that is there may still lack what it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from urllib.parse import urlsplit

from host.core.config import Config
from host.core.config_servers import BROKERS

log = logging.getLogger(__name__)

_DRIVERS = {"postgresql+psycopg": "psycopg", "mariadb+pymysql": "pymysql", "mysql+pymysql": "pymysql"}
_CLIENTS = {"pika": "dramatiq.brokers.rabbitmq", "redis": "dramatiq.brokers.redis"}
"""The module of dramatiq for each package of a broker."""


class LibraryProbe:
    """Whether the libraries can be imported: looked at once, because a process does not import anew."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._found: bool | None = None

    def all_there(self) -> bool:
        """Return whether all can be imported; log those that cannot."""
        if self._found is None:
            self._found = not list(missing(self._config))
        return self._found


def missing(config: Config) -> Iterator[str]:
    """Yield the settings of services whose library cannot be imported, and log why."""
    for setting, module in _needed(config):
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001 - a broken library may raise anything
            log.error("%s needs the library %s, which cannot be imported: %s", setting, module, error)
            yield setting


def _needed(config: Config) -> Iterator[tuple[str, str]]:
    database = urlsplit(config.database_url).scheme
    if database in _DRIVERS:
        yield "LOBBY_DATABASE_URL", _DRIVERS[database]
        # With SQLite there are no other processes to wake, and the broker is not used.
        package = BROKERS.get(urlsplit(config.broker_url).scheme)
        if package is not None:
            yield "LOBBY_BROKER_URL", package
            yield "LOBBY_BROKER_URL", _CLIENTS[package]
    if urlsplit(config.limits_url).scheme in {"redis", "rediss"}:
        yield "LOBBY_LIMITS_URL", "redis"
    if config.files.startswith("s3://"):
        yield "LOBBY_FILES", "obstore.store"
