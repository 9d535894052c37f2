"""Count events, sends and times: immediately in memory, and every few seconds in the database with one write.

Counting costs a lock and an addition. Counts that could not be written are kept for the next write, so that
none are lost while the database is unavailable.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, histogram
from host.models.health import TOTAL, HealthMinute, Metric, Outcome

KEPT = timedelta(days=8)
CHUNK = 200
WAITS, APPLIED = "pending", "applied"
"""States of events, as :mod:`host.models.queue` has them."""

_NOT_IN_TOTAL = frozenset(
    {Metric.ACCOUNT, Metric.WAITING, Metric.LOOP, Metric.SLOW, Metric.SLOWEST, Metric.FUNCTIONS_HUNG}
)
_TOTAL_ALONE = frozenset({Metric.HTTP, Metric.ERRORS, Metric.ADDON_FAULTS})
_table = HealthMinute.metadata.tables["health_minutes"]

Key = tuple[int, str, str, str]
"""Minute, metric, channel, label."""

SLOTS = {Metric.VISIBLE: 15, Metric.ANSWERED: 15, Metric.ACCOUNT: 60}
SLOW_SECONDS = 10.0
"""Time in seconds above which an answer of a page or of the API is slow."""
LONGEST_LABEL = 64
SLOT = 5
"""Minutes that share a row. Pages show nothing finer, and must read a week of rows."""

_MILLISECOND = timedelta(milliseconds=1)

_lock = threading.Lock()
_flushing = threading.Lock()
_sums: dict[Key, int] = {}
_peaks: dict[Key, int] = {}


def count(metric: Metric, channel: str, label: str = "", by: int = 1) -> None:
    """Add *by* to a count."""
    minute = this_minute()
    with _lock:
        _add(minute, metric, channel, label, by)


def received(events: Iterable[tuple[str, int | None, str]]) -> None:
    """Count events that were stored in the journal.

    :param events: channel, account and state of each.
    """
    minute, tally = this_minute(), Counter(events)
    with _lock:
        for (channel, account, state), times in tally.items():
            _add(minute, Metric.RECEIVED, channel, "", times)
            if account is not None:
                _add(minute, Metric.ACCOUNT, channel, str(account), times)
            if state != WAITS:
                _add(minute, Metric.HANDLED, channel, state, times)


def handled(channel: str, state: str, times: Collection[timedelta]) -> None:
    """Count events whose outcome is known.

    :param times: how long each took after it was received.
    """
    count(Metric.HANDLED, channel, state, len(times))
    if state == APPLIED:
        took(Metric.VISIBLE, channel, times)


def sent(channel: str, outcome: Outcome) -> None:
    """Count an attempt to send, or the resolution of an unconfirmed one."""
    count(Metric.SENDS, channel, outcome)


def took(metric: Metric, channel: str, times: Collection[timedelta]) -> None:
    """Count each of *times*, the durations of an operation."""
    minute = this_minute()
    lasted = [max(one / _MILLISECOND, 0.0) for one in times]
    classes = Counter(map(histogram.label, lasted))
    with _lock:
        for label, number in classes.items():
            _add(minute, metric, channel, label, number)
        _add(minute, metric, channel, histogram.SUM, round(sum(lasted)))


def answered(kind: str, status: int, seconds: float | None) -> None:
    """Count an answer of a page or the API.

    :param kind: ``page`` or ``api``.
    :param seconds: how long that took; None: the request was refused without processing.
    """
    if seconds is not None:
        took(Metric.HTTP, kind, (timedelta(seconds=seconds),))
    if status >= 500:
        count(Metric.ERRORS, kind, str(status))


def hung(slug: str, name: str) -> None:
    """Count a call of an addon that did not return in time.

    :param name: kind and name of the function, such as ``panel shop.orders``.
    """
    count(Metric.FUNCTIONS_HUNG, slug, name.encode("ascii", "replace").decode()[:LONGEST_LABEL])


def slow(endpoint: str, seconds: float) -> None:
    """Count a slow answer.

    :param endpoint: the name of the view, which contains no ids.
    """
    label = endpoint.encode("ascii", "replace").decode()[:LONGEST_LABEL]
    count(Metric.SLOW, "", label)
    peak(Metric.SLOWEST, "", label, round(seconds * 1000))


def peak(metric: Metric, channel: str, label: str, value: int) -> None:
    """Note the highest *value*."""
    if value <= 0:
        return
    key = _key(this_minute(), metric, channel, label)
    with _lock:
        _peaks[key] = max(_peaks.get(key, 0), value)


def this_minute() -> int:
    """Return whole minutes since 1970."""
    return int(clock.now().timestamp()) // 60


def _key(minute: int, metric: Metric, channel: str, label: str) -> Key:
    return minute - minute % SLOTS.get(metric, SLOT), str(metric), channel, label


def _add(minute: int, metric: Metric, channel: str, label: str, by: int) -> None:
    key = _key(minute, metric, channel, label)
    _sums[key] = _sums.get(key, 0) + by


def flush(also: Callable[[Session], object] | None = None) -> None:
    """Write the counts, and call *also* in the same write."""
    with _flushing:
        for reason, times in db.take_undone().items():
            count(Metric.UNDONE, "", reason, times)
        with _lock:
            sums, peaks = dict(_sums), dict(_peaks)
            _sums.clear()
            _peaks.clear()
        if not sums and not peaks and also is None:
            return
        try:
            db.write(_store, sums, peaks, also)
        except BaseException:
            with _lock:
                for key, value in sums.items():
                    _sums[key] = _sums.get(key, 0) + value
                for key, value in peaks.items():
                    _peaks[key] = max(_peaks.get(key, 0), value)
            raise


def reset() -> None:
    """Drop unwritten counts; for tests."""
    with _lock:
        _sums.clear()
        _peaks.clear()


def _store(
    session: Session,
    sums: dict[Key, int],
    peaks: dict[Key, int],
    also: Callable[[Session], object] | None,
) -> None:
    totals: dict[Key, int] = {}
    for (_, metric, channel, label), value in sums.items():
        if metric not in _NOT_IN_TOTAL:
            total = (TOTAL, metric, channel, label)
            totals[total] = totals.get(total, 0) + value
    sums = {key: value for key, value in sums.items() if key[1] not in _TOTAL_ALONE}
    dialect = session.get_bind().dialect.name
    # In the same order everywhere, so that two processes don't deadlock on each other's rows.
    _upsert(session, dialect, sorted({**totals, **sums}.items()), highest=False)
    _upsert(session, dialect, sorted(peaks.items()), highest=True)
    if also is not None:
        also(session)


def _upsert(session: Session, dialect: str, rows: list[tuple[Key, int]], *, highest: bool) -> None:
    for start in range(0, len(rows), CHUNK):
        values = [
            {"minute": minute, "metric": metric, "channel": channel, "label": label, "count": value}
            for (minute, metric, channel, label), value in rows[start : start + CHUNK]
        ]
        insert = db.insert_or_change(_table, dialect, _highest if highest else _sum)
        session.execute(insert.values(values))


def _sum(new: Any) -> dict[str, Any]:
    return {"count": _table.c.count + new["count"]}


def _highest(new: Any) -> dict[str, Any]:
    own = _table.c.count
    return {"count": sa.case((own > new["count"], own), else_=new["count"])}


def prune(session: Session) -> int:
    """Remove some of the minutes older than eight days; return their number."""
    oldest = int((clock.now() - KEPT).timestamp()) // 60
    removed = 0
    for metric in Metric:
        old = sa.and_(_table.c.metric == metric, _table.c.minute > TOTAL, _table.c.minute < oldest)
        query = sa.select(_table.c.minute).where(old).order_by(_table.c.minute).limit(CHUNK)
        minutes = session.scalars(query).all()
        if minutes:
            session.execute(sa.delete(_table).where(old, _table.c.minute <= minutes[-1]))
            removed += len(minutes)
    return removed
