"""Find every sealed secret in the database, check that it opens, and seal it again with the newest key.

Columns are found in the database itself, so those of an inactive addon are included. A row with a sealed
value either has its own UUID and workspace (0 for the desk), or belongs to a channel account; then the value
is sealed with the account's.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db, secrets
from host.core.config import CannotGoOnError, Config, Exit
from host.core.db import Base
from host.core.secrets import Keyring, Place
from host.features import registry
from host.sdk.errors import SecretUnreadableError

CHUNK = 200
_PATTERN = "v1:%:%"
_SEALED = re.compile(r"v1:[0-9A-Za-z]{1,16}:[0-9A-Za-z_=-]{38,}")


class KeysMissingError(CannotGoOnError):
    """The key file is missing, and the database contains values sealed with its keys."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The keys of the credentials in the database are missing: there is no {path}. Put your copy of "
            "it back, or set LOBBY_SECRET_KEYS. If there is none any more, write a new key there as "
            "docs/operate.md says under Keys, and connect every account again.",
            Exit.SETTINGS,
        )


class Column(msgspec.Struct, frozen=True):
    """A column that may hold sealed values."""

    table: sa.Table
    name: str
    identity: sa.Select[Any]
    """Query for primary key, value, workspace and UUID."""

    @property
    def label(self) -> str:
        return f"{self.table.name}.{self.name}"


@dataclass(slots=True)
class Findings:
    """The sealed values found in the database."""

    by_key: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    """``table.column row N: why``; contains no part of the value."""
    resealed: int = 0


def columns() -> list[Column]:
    """Return every column of the database that may hold sealed values."""
    database = db.current()
    metadata = sa.MetaData()
    metadata.reflect(database.read_engine)
    accounts = metadata.tables["channel_accounts"]
    own, sealed = set(Base.metadata.tables), registry.named("sealed")
    found = []
    for table in metadata.sorted_tables:
        names = [
            column.name
            for column in table.columns
            if isinstance(column.type, sa.String)
            and (table.name not in own or column.name in sealed.get(table.name, ()))
        ]
        keys = list(table.primary_key.columns)
        if not names or len(keys) != 1:
            continue
        if {"uuid", "workspace_id"} <= set(table.c.keys()):
            base = sa.select(table.c.workspace_id.label("workspace"), table.c.uuid.label("row_uuid"))
        elif "uuid" in table.c and table.name in sealed:  # of the desk as a whole
            base = sa.select(sa.literal(0).label("workspace"), table.c.uuid.label("row_uuid"))
        elif "account_id" in table.c and table.name not in own:
            base = sa.select(
                accounts.c.workspace_id.label("workspace"), accounts.c.uuid.label("row_uuid")
            ).join_from(table, accounts, accounts.c.id == table.c.account_id)
        else:
            continue
        for name in names:
            value = table.c[name]
            query = base.add_columns(keys[0].label("pk"), value.label("value")).where(value.like(_PATTERN))
            found.append(Column(table, name, query.order_by(keys[0])))
    return found


def holds_sealed() -> bool:
    """Return whether the database contains any sealed value, with any key."""
    if not sa.inspect(db.current().read_engine).has_table("channel_accounts"):
        return False
    with db.read() as session:
        values = (row.value for column in columns() for row in session.execute(column.identity.limit(1)))
        return any(_SEALED.fullmatch(value) for value in values)


def load_keys(config: Config) -> None:
    """Set the keys of this process to those of *config*.

    Missing keys are created, unless something is sealed.

    :raises KeysMissingError: if the key file is missing and the database contains values sealed with its
        keys.
    :raises ConfigError: if the keys are invalid.
    :raises sqlalchemy.exc.SQLAlchemyError: if the file is missing and the database does not answer.
    """
    path = secrets.keys_file(config)
    if path is not None and not config.secret_keys_file and not path.exists():
        db.current().reach()
        if holds_sealed():
            raise KeysMissingError(path)
    secrets.use(secrets.load_keyring(config))
    secrets.load_session_key(config)


def check_values(*, reseal: bool = False) -> Findings:
    """Open every sealed value; with *reseal* those of older keys are sealed with the newest.

    A value that changes meanwhile is skipped: it is already sealed with the newest key.
    """
    findings = Findings()
    keyring = secrets.keyring()
    for column in columns():
        for some in _rows(column):
            fresh: list[tuple[Any, str, str]] = []
            for row in some:
                place = Place(column.table.name, column.name, row.workspace, row.row_uuid)
                key_id = row.value.split(":", 2)[1]
                try:
                    secret = keyring.open(row.value, place)
                except SecretUnreadableError as error:
                    findings.unreadable.append(f"{column.label} row {row.pk}: {error}")
                    continue
                if reseal and key_id != keyring.active_id:
                    fresh.append((row.pk, row.value, keyring.seal(secret, place)))
                else:
                    findings.by_key[key_id] += 1
            if fresh:
                findings.resealed += db.write(_replace, column, fresh)
                findings.by_key[keyring.active_id] += len(fresh)
    return findings


def _rows(column: Column) -> Iterator[list[Any]]:
    key = next(iter(column.table.primary_key.columns))
    last: Any = None
    while True:
        query = column.identity.limit(CHUNK)
        if last is not None:
            query = query.where(key > last)
        with db.read() as session:
            rows = list(session.execute(query))
        if not rows:
            return
        yield rows
        last = rows[-1].pk


def _replace(session: Session, column: Column, values: list[tuple[Any, str, str]]) -> int:
    """Write the new values where the old ones are unchanged; return how many were written."""
    key = next(iter(column.table.primary_key.columns))
    changed = 0
    for pk, before, after in values:
        statement = (
            sa.update(column.table)
            .where(key == pk, column.table.c[column.name] == before)
            .values({column.name: after})
        )
        changed += session.execute(statement).rowcount  # type: ignore[attr-defined]
    return changed


def add_key(path: Path) -> str:
    """Add a new key in front of those in *path* and return its id; running processes pick it up."""
    keys = secrets.parse_keys(path.read_text())
    key_id = next(name for n in range(1, len(keys) + 2) if (name := f"k{n}") not in keys)
    _write(path, {key_id: os.urandom(32), **keys})
    return key_id


def remove_key(path: Path, key_id: str) -> None:
    """Remove a key from *path*."""
    keys = secrets.parse_keys(path.read_text())
    del keys[key_id]
    _write(path, keys)


def new_key(keyring: Keyring) -> str:
    """Return a new key in the form used in LOBBY_SECRET_KEYS."""
    key_id = next(name for n in range(1, len(keyring.ids) + 2) if (name := f"k{n}") not in keyring.ids)
    return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


def _write(path: Path, keys: dict[str, bytes]) -> None:
    """Replace the file atomically: a reader sees either the old or the new keys."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key_id}:{base64.b64encode(key).decode()}\n" for key_id, key in keys.items())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
