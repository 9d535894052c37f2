"""The version of each process; several versions run during an upgrade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from packaging.version import InvalidVersion, Version
from sqlalchemy.orm import Session

from host.core import clock
from host.health.current_state import CurrentState
from host.health.heartbeat import ALIVE
from host.models.health import Process


def running_before(session: Session, release: str) -> list[str]:
    """Return the recently seen processes that run an earlier release, as text.

    Only reads columns that exist in every release.
    """
    query = sa.select(Process.version, Process.machine, Process.pid)
    rows = session.execute(query.where(Process.seen_at > clock.now() - ALIVE).order_by(Process.machine))
    return [f"{of} on {machine}:{pid}" for of, machine, pid in rows if _order(of) < _order(release)]


def by_version(now: CurrentState) -> Mapping[str, Sequence[Process]]:
    """Return the live processes by the version they run, the newest version first."""
    found: dict[str, list[Process]] = {}
    for one in now.alive:
        found.setdefault(one.version, []).append(one)
    return dict(sorted(found.items(), key=lambda each: _order(each[0]), reverse=True))


def _order(version: str) -> tuple[Version, str]:
    try:
        return Version(version), version
    except InvalidVersion:
        return Version("0"), version
