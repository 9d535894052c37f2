"""Try an addon's migrations on a copy of the database first.

SQLite's file is copied whole. On PostgreSQL the copy is a schema of the same database, on MariaDB another
database; both have every table with its rows, keys and views, and are dropped afterwards.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from host.addons.migrating import copying
from host.addons.package.failures import Skipped
from host.core import db, migrations
from host.core.config import Config
from host.web.languages import gettext as _

FOLDER = "rehearsal"
_SPARE = 64 * 1024**2


def rehearse(config: Config, migrate: Callable[[str], None]) -> str:
    """Call *migrate* with the address of a copy of the database; return its size.

    Return a :class:`Skipped` with the reason if no copy can be made. Exceptions of *migrate* are passed on.
    """
    with db.read() as session:
        size = copying.size(session.connection())
    if size > config.rehearsal_mb * 1024**2:
        return Skipped(
            _(
                "The database has %(size)s MB, but LOBBY_REHEARSAL_MB allows copying at most %(limit)s MB.",
                size=round(size / 1024**2),
                limit=config.rehearsal_mb,
            )
        )
    clean(config)
    url = make_url(config.database_url)
    try:
        copy = _copy(config, url, size)
        if isinstance(copy, Skipped):
            return copy
        migrate(copy.render_as_string(hide_password=False))
    finally:
        clean(config)
    return str(_("%(size)s MB copied", size=f"{size / 1024**2:.1f}"))


def clean(config: Config) -> None:
    """Remove the copy left by a rehearsal that died."""
    url = make_url(config.database_url)
    if url.get_dialect().name == "sqlite":
        shutil.rmtree(config.data / FOLDER, ignore_errors=True)
        return
    engine = migrations.migration_engine(config.database_url)
    try:
        with engine.begin() as connection:
            copying.drop(connection)
    finally:
        engine.dispose()


def _copy(config: Config, url: URL, size: int) -> URL | Skipped:
    if url.get_dialect().name == "sqlite":
        return _file(config, url, size)
    engine = migrations.migration_engine(config.database_url)
    try:
        with engine.connect() as connection:
            return copying.make(connection)
    except copying.NotCopiedError as error:
        return Skipped(_("The database could not be copied: %(words)s", words=error.words))
    finally:
        engine.dispose()


def _file(config: Config, url: URL, size: int) -> URL | Skipped:
    free = shutil.disk_usage(config.data).free
    if free < 2 * size + _SPARE:
        return Skipped(
            _("There is not enough space for a copy: only %(free)s MB are free.", free=free // 1024**2)
        )
    target = config.data / FOLDER / Path(str(url.database)).name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        with (
            closing(sqlite3.connect(str(url.database), timeout=30)) as source,
            closing(sqlite3.connect(str(target))) as copy,
        ):
            source.backup(copy)
    except (OSError, sqlite3.Error) as error:
        return Skipped(_("The database could not be copied: %(words)s", words=str(error)))
    return url.set(database=str(target))
