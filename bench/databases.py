"""Desks on each kind of database, made for a figure and dropped after it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.servers import Desk, SkippedError, prepare

KINDS = ("sqlite", "postgresql", "mariadb")
SERVERS = {
    "postgresql": os.environ.get("BENCH_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/"),
    "mariadb": os.environ.get("BENCH_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306/"),
}


@contextmanager
def desk_on(kind: str, desk: Desk, folder: Path) -> Iterator[Desk]:
    """Yield a prepared desk on that kind of database; *desk* itself on SQLite.

    :raises SkippedError: if no such server answers.
    """
    if kind == "sqlite":
        yield desk
        return
    with fresh(kind) as url:
        yield prepare(folder, people=1, name=url.rpartition("/")[2], url=url, tree=desk.tree)


@contextmanager
def fresh(kind: str) -> Iterator[str]:
    """Yield the address of an empty database; the empty one on SQLite, for a desk's own file.

    :raises SkippedError: if no such server answers.
    """
    if kind == "sqlite":
        yield ""
        return
    name = f"lobby_bench_{uuid.uuid4().hex[:12]}"
    try:
        _execute(kind, f"CREATE DATABASE {name}")
    except sa.exc.OperationalError as error:
        raise SkippedError(f"no {kind} answers at {SERVERS[kind]}") from error
    try:
        yield SERVERS[kind] + name
    finally:
        _execute(kind, f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def backends(desk: Desk) -> list[int]:
    """Return the processes PostgreSQL runs for *desk* on this machine; none for other databases."""
    if not desk.url.startswith("postgresql"):
        return []
    name = desk.url.rpartition("/")[2]
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
    return [int(row[0]) for row in _execute("postgresql", query)]


def count(desk: Desk, data: Path, query: str) -> int:
    """Return the number *query* finds."""
    engine = sa.create_engine(desk.url or f"sqlite:///{data / 'lobby.sqlite3'}", poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())
    finally:
        engine.dispose()


def _execute(kind: str, statement: str) -> list[sa.Row[Any]]:
    name = "postgres" if kind == "postgresql" else "mysql"
    engine = sa.create_engine(SERVERS[kind] + name, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return list(result.all()) if result.returns_rows else []
    finally:
        engine.dispose()
