"""Share the counted calls of addon code between processes, through the database.

Every process writes its counts to its own row, so no process waits for another and no call counts twice. A
row outlives its process by a day, because admins look for errors from right before a restart.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.metrics import in_process
from host.addons.metrics.in_process import Key, Series
from host.core import clock, db
from host.models.addons import AddonCalls
from host.sdk import strictjson

KEPT = timedelta(days=1)
"""How long rows of stopped processes count, and how long error messages are kept."""
AGAIN = timedelta(hours=1)
"""How often a row is written even if unchanged, so that its process does not appear to have stopped."""

_table = AddonCalls.metadata.tables["addon_calls"]


class _Calls(msgspec.Struct, frozen=True):
    """The calls of one kind; see :class:`Series`."""

    slug: str
    release: str
    what: str
    calls: int
    faults: int
    total: float
    most: float
    classes: dict[int, int]
    last_error: str
    last_fault_at: datetime | None


class _Counted(msgspec.Struct, frozen=True):
    """The counts of one process, with the time at which counting began."""

    since: datetime
    calls: list[_Calls]


class Writer:
    """Writes the counts of this process to the database."""

    def __init__(self) -> None:
        self._written = ""
        self._again_at: datetime | None = None

    def __call__(self) -> None:
        """Write the counts, unless the database already has them."""
        own, now = in_process.metrics(), clock.now()
        text = _encoded(own.since, own.seen(), now)
        if text == self._written and self._again_at is not None and now < self._again_at:
            return
        db.write(_store, own.id, text, now)
        self._written, self._again_at = text, now + AGAIN


def _encoded(since: datetime, seen: dict[Key, Series], now: datetime) -> str:
    calls = []
    for (slug, release, what), one in sorted(seen.items()):
        recent = one.last_fault_at is not None and one.last_fault_at > now - KEPT
        calls.append(
            _Calls(
                *(slug, release, what, one.calls, one.faults, one.total, one.most, dict(one.classes)),
                one.last_error if recent else "",
                one.last_fault_at,
            )
        )
    return msgspec.json.encode(_Counted(since, calls)).decode()


def _store(session: Session, process: str, text: str, now: datetime) -> None:
    values = {"counted": text, "written_at": now}
    updated = session.execute(sa.update(_table).where(_table.c.process == process).values(values))
    if not updated.rowcount:  # type: ignore[attr-defined]
        session.execute(sa.insert(_table).values(process=process, **values))
    # Delete by key: a condition in the DELETE would wait for rows that other processes are writing.
    old = session.scalars(sa.select(_table.c.process).where(_table.c.written_at < now - KEPT)).all()
    if old:
        session.execute(sa.delete(_table).where(_table.c.process.in_(old)))


def all_calls() -> tuple[datetime, dict[Key, Series]]:
    """Return the time since which calls are counted, and the counts of all processes that ran within a day.

    The counts of this process are current. Those of others are as last written: some seconds old, but written
    almost immediately after an error.
    """
    own, now = in_process.metrics(), clock.now()
    since, found = own.since, own.seen()
    query = sa.select(_table.c.counted).where(_table.c.process != own.id, _table.c.written_at >= now - KEPT)
    with db.read() as session:
        rows = session.scalars(query).all()
    for text in rows:
        try:
            counted = strictjson.decode(text, _Counted)
        except msgspec.DecodeError:
            continue  # written by another version of the host that is also serving
        since = min(since, counted.since)
        for one in counted.calls:
            found.setdefault((one.slug, one.release, one.what), Series()).merge(_series(one))
    for series in found.values():
        if series.last_fault_at is not None and series.last_fault_at <= now - KEPT:
            series.last_error = ""
    return since, found


def _series(counted: _Calls) -> Series:
    series = Series()
    series.calls, series.faults = counted.calls, counted.faults
    series.total, series.most = counted.total, counted.most
    series.classes = Counter(counted.classes)
    series.last_error, series.last_fault_at = counted.last_error, counted.last_fault_at
    return series
