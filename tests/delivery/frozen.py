"""A worker that stands still in the middle of a write: ``python -m tests.delivery.frozen URL``.

It leases what is due, locks the lanes and events, says so, and waits for a line before it goes on.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.queue import EventState, InboundEvent
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import lanes, policy
from host.queue.account_rotation import AccountRotation
from host.queue.wakeups import IN


def main() -> None:
    db.IDLE_SECONDS = 1
    policy.LEASE = timedelta(seconds=1)
    db.connect(sys.argv[1])
    leases = db.write(lanes.claim, IN, limit=10, rotation=AccountRotation())

    def work(session: Session) -> None:
        assert lanes.held(session, leases) == {lease.key for lease in leases}
        session.execute(sa.update(InboundEvent).values(state=EventState.DEAD, reason="by the frozen one"))
        lanes.release(session, [(lease, None) for lease in leases])
        print(f"holds {len(leases)}", flush=True)
        sys.stdin.readline()

    try:
        db.write(work)
    except sa.exc.DBAPIError:
        print("undone", flush=True)
    else:
        print("written", flush=True)
    print("lost" if not db.write(lanes.held, leases) else "held", flush=True)


if __name__ == "__main__":
    main()
