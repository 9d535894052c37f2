"""Lanes worked on by the one process that owns an SQLite file, remembered in memory only.

Applying what was received happens in one transaction, so nothing needs to be known of it after a crash, and
nobody else can be at it. Writing a lease down first would cost a sync of the disk for every batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from host import clock, db
from host.delivery import lanes, policy
from host.delivery.lanes import Lease
from host.delivery.rota import Rota

_lock = threading.Lock()
_borrowed: set[str] = set()


def borrow(direction: str, *, limit: int, rota: Rota) -> list[Lease]:
    """Take up to *limit* due lanes, to be released and forgotten."""
    with _lock:
        with db.read() as session:
            chosen = lanes.candidates(session, direction, limit=limit, rota=rota, but_not=_borrowed)
        _borrowed.update(one.key for one in chosen)
    until = clock.now() + policy.LEASE
    return [Lease(one.key, direction, one.account_id, one.fence, None, until) for one in chosen]


def forget(leases: Sequence[Lease]) -> None:
    """Let others have the lanes of *leases*, whether they were given back or their work failed."""
    with _lock:
        _borrowed.difference_update(lease.key for lease in leases if lease.borrowed)
