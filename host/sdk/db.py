"""The database, for an addon's own tables."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from host import counters as _counters
from host import models as _models
from host.core import db as _db

read = _db.read
write = _db.write
after_commit = _db.after_commit
now = _db.now
Ascii64 = _db.Ascii64
ExternalId = _db.ExternalId
Id = _db.Id
JsonDict = _db.JsonDict
LongText = _db.LongText
UTCDateTime = _db.UTCDateTime

T = TypeVar("T")


def addon_model_base(slug: str) -> type[DeclarativeBase]:
    """Return a new declarative base for the tables of the addon *slug*.

    Each import of a release gets its own registry and MetaData, so that two releases can coexist. Table names
    must start with ``<slug>_``. Declare a foreign key to a host table with the column object::

        sa.ForeignKey(host_table("channel_accounts").c.id)

    Relationships to host classes are intentionally impossible.
    """

    class AddonBase(DeclarativeBase):
        metadata = sa.MetaData(naming_convention=_db.NAMING, info={"addon": slug})

        __table_args__: Any = _db.TABLE_OPTIONS

        def __init_subclass__(cls, **kwargs: Any) -> None:
            name = getattr(cls, "__tablename__", None)
            if name is not None and not name.startswith(f"{slug.replace('-', '_')}_"):
                raise ValueError(f"table {name!r} of addon {slug!r} must be named {slug}_...")
            super().__init_subclass__(**kwargs)

    return AddonBase


def host_table(name: str) -> sa.Table:
    """Return a table of the host, for foreign keys and joins. Read from it; write through the SDK.

    :raises KeyError: if the host has no such table.
    """
    return _models.Base.metadata.tables[name]


class Snapshot(Generic[T]):
    """A value computed from the database and cached until any account changes.

    The process that makes a change notices it immediately, others within 0.2 seconds.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._value: tuple[tuple[object, int], T] | None = None
        _counters.look_ups[self] = getattr(load, "__module__", "")

    def get(self) -> T:
        """Return the value, loading it again if accounts changed since.

        On the event loop it never blocks: if it must load the value, it interrupts the request, which then
        runs again in a thread. See :attr:`host.sdk.webhooks.WebhookRoute.quick`.
        """
        seen = (_db.current(), _counters.accounts())
        current = self._value
        if current is not None and current[0] == seen:
            return current[1]
        _db.may_wait()
        with self._lock:
            current = self._value
            if current is None or current[0] != seen:
                current = self._value = (seen, self._load())
            return current[1]

    def forget(self) -> None:
        """Drop the cached value; the next :meth:`get` loads it again."""
        with self._lock:
            self._value = None
