"""Count the requests that fail the signature check, and note when a provider last verified an address.

Of a refused request only a count, a reason and a remote address are kept.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import clock, db
from host.models.health import Metric
from host.models.queue import RefusedDelivery
from host.models.users import InstallationValue
from host.queue import policy
from host.queue.journal_rows import printable
from host.users import audit

log = logging.getLogger(__name__)

_table = RefusedDelivery.metadata.tables["refused_deliveries"]

Key = tuple[str, str, str, str]


class RefusedCount(msgspec.Struct, frozen=True):
    """How often requests were refused for one reason, for a page."""

    channel: str
    account_id: int | None
    reason: str
    count: int
    last_at: datetime
    last_remote: str


@dataclass(slots=True)
class _Tally:
    count: int
    last_at: datetime
    last_remote: str
    last_hint: str = ""


_lock = threading.Lock()
_flushing = threading.Lock()
_tallies: dict[Key, _Tally] = {}
_audited: dict[tuple[str, str, str], datetime] = {}
_to_audit: list[tuple[str, str, str]] = []
_timer: threading.Timer | None = None


def count_refusal(channel: str, account_id: int | None, reason: str, remote: str, hint: str = "") -> None:
    """Count one refused request. Cheap: a timer writes the counts within two seconds."""
    global _timer  # noqa: PLW0603 - one count per process
    now = clock.now()
    reason, remote, hint = printable(reason, 48), printable(remote, 64), printable(hint, 16)
    key = (channel, "" if account_id is None else str(account_id), reason, now.date().isoformat())
    recording.count(Metric.REFUSED, channel, reason.encode("ascii", "replace").decode())
    with _lock:
        tally = _tallies.get(key)
        if tally is None:
            _tallies[key] = _Tally(1, now, remote, hint)
        else:
            tally.count += 1
            tally.last_at, tally.last_remote, tally.last_hint = now, remote, hint
        _note_for_audit((channel, reason, remote), now)
        if _timer is None:
            _timer = threading.Timer(policy.REFUSALS_FLUSH_SECONDS, _flush_later)
            _timer.daemon = True
            _timer.start()


def _note_for_audit(who: tuple[str, str, str], now: datetime) -> None:
    since = now - policy.REFUSALS_AUDIT_EVERY
    last = _audited.get(who)
    if last is not None and last > since:
        return
    if len(_audited) >= policy.REFUSALS_AUDIT_MOST:
        for known in [one for one, at in _audited.items() if at <= since]:
            del _audited[known]
        if len(_audited) >= policy.REFUSALS_AUDIT_MOST:
            return
    _audited[who] = now
    _to_audit.append(who)


def _flush_later() -> None:
    global _timer  # noqa: PLW0603
    with _lock:
        _timer = None
    try:
        flush()
    except Exception:
        log.exception("refused requests could not be counted in the database yet; they are kept")


def flush() -> None:
    """Write the counts to the database. After a failure they are kept for the next try."""
    with _flushing:
        with _lock:
            tallies, lines = dict(_tallies), list(_to_audit)
            _tallies.clear()
            _to_audit.clear()
        if not tallies and not lines:
            return
        try:
            db.write(_store, tallies, lines)
        except BaseException:
            with _lock:
                for key, tally in tallies.items():
                    newer = _tallies.get(key)
                    if newer is None:
                        _tallies[key] = tally
                    else:
                        newer.count += tally.count
                _to_audit[:0] = lines
            raise


def reset() -> None:
    """Drop the unwritten counts; for tests."""
    global _timer  # noqa: PLW0603
    with _lock:
        if _timer is not None:
            _timer.cancel()
            _timer = None
        _tallies.clear()
        _audited.clear()
        _to_audit.clear()


def _store(session: Session, tallies: dict[Key, _Tally], lines: list[tuple[str, str, str]]) -> None:
    dialect = session.get_bind().dialect.name
    for (channel, account_key, reason, day), tally in sorted(tallies.items()):
        key = {"channel": channel, "account_key": account_key, "reason": reason, "day": day}
        last = {
            "last_at": tally.last_at,
            "last_remote": tally.last_remote,
            "last_hint": tally.last_hint,
        }
        session.execute(db.insert_ignore(_table, dialect).values(**key, count=0, **last))
        session.execute(
            sa.update(_table)
            .where(*(_table.c[name] == value for name, value in key.items()))
            .values(count=_table.c.count + tally.count, **last)
        )
    for channel, reason, remote in lines:
        audit.record(
            session,
            "webhook.refused",
            channel,
            user_id=None,
            remote=remote,
            details={"reason": reason},
        )


def read_counts(
    session: Session, *, channel: str | None = None, account_id: int | None = None, days: int = 7
) -> list[RefusedCount]:
    """Return the counts of the last *days* days, newest first.

    :param channel: only this channel.
    :param account_id: only requests that named this account.
    """
    since = (clock.now() - timedelta(days=days - 1)).date().isoformat()
    query = (
        sa.select(
            _table.c.channel,
            _table.c.account_key,
            _table.c.reason,
            sa.func.sum(_table.c.count),
            sa.func.max(_table.c.last_at),
        )
        .where(_table.c.day >= since)
        .group_by(_table.c.channel, _table.c.account_key, _table.c.reason)
        .order_by(sa.func.max(_table.c.last_at).desc())
    )
    if channel is not None:
        query = query.where(_table.c.channel == channel)
    if account_id is not None:
        query = query.where(_table.c.account_key == str(account_id))
    found = []
    for name, account_key, reason, total, last_at in session.execute(query).all():
        remote = session.scalar(
            sa.select(_table.c.last_remote)
            .where(
                _table.c.channel == name,
                _table.c.account_key == account_key,
                _table.c.reason == reason,
            )
            .order_by(_table.c.last_at.desc())
            .limit(1)
        )
        owner = int(account_key) if account_key else None
        found.append(RefusedCount(name, owner, reason, int(total), last_at, remote or ""))
    return found


def forget_a_day(session: Session, before: datetime) -> int:
    """Remove the counts of the oldest day before that of *before*; return their number."""
    days = sa.select(sa.func.min(_table.c.day)).where(_table.c.day < before.date().isoformat())
    oldest = session.scalar(days)
    if oldest is None:
        return 0
    removed: Any = session.execute(sa.delete(_table).where(_table.c.day == oldest))
    return int(removed.rowcount)


def _name(channel: str, account_id: int | None) -> str:
    return f"verified:{channel}:{'' if account_id is None else account_id}"


def note_verified(session: Session, channel: str, account_id: int | None) -> None:
    """Note that an address was verified now: that of the account, or the shared one (None)."""
    session.merge(InstallationValue(name=_name(channel, account_id), value=clock.now().isoformat()))
    session.flush()


def last_verified(session: Session, channel: str, account_id: int | None) -> datetime | None:
    """Return when this address was last verified, or None."""
    return verified_times(session, channel, [account_id]).get(account_id)


def verified_times(
    session: Session, channel: str, account_ids: Iterable[int | None]
) -> dict[int | None, datetime]:
    """Return when these addresses were last verified, omitting those that never were. One statement."""
    names = {_name(channel, one): one for one in account_ids}
    query = sa.select(InstallationValue.name, InstallationValue.value)
    rows = session.execute(query.where(InstallationValue.name.in_(names)))
    return {names[name]: datetime.fromisoformat(value) for name, value in rows}
