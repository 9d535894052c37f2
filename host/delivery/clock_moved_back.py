"""Reschedule delayed work after the system clock moved back.

Work that was delayed by the old, later time would otherwise wait for as long as the clock moved back.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.features import registry
from host.models.channels import ChannelAccount
from host.models.inbox import Reaction
from host.models.queue import IS_PENDING, CatchUp, InboundEvent, Lane, OutboxEntry, SecondLook
from host.queue import outage, policy, send_limiter

log = logging.getLogger(__name__)

SLACK_SECONDS = 2.0
"""A smaller step back is an ordinary clock correction, which causes no noticeable delay."""

# Lanes come last: they decide when the others are processed.
_PUT_OFF: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (InboundEvent.retry_at, (IS_PENDING,)),
    (OutboxEntry.next_at, (OutboxEntry.open.is_(True),)),
    (Reaction.next_at, ()),
    (CatchUp.next_at, ()),
    (SecondLook.next_at, ()),
    (SecondLook.look_at, ()),
    (ChannelAccount.blocked_until, ()),
    (ChannelAccount.probe_at, ()),
    (Lane.lease_until, ()),
    (Lane.next_at, ()),
)


class ClockWatch:
    """Compares the system clock with the monotonic one. Each process has one, because each may delay work."""

    def __init__(self) -> None:
        self._ahead = _ahead()
        self._again_at: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start watching."""
        self._ahead = _ahead()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(policy.SWEEP_SECONDS):
            tried_at = clock.monotonic()
            try:
                self.check()
            except Exception as error:
                if not outage.current().began("a check of the clock", error, tried_at):
                    log.exception(
                        "the clock was set back and what waits could not be written; it is tried again"
                    )

    def check(self) -> None:
        """If the clock has moved back since the last check, make all waiting work due soon.

        Repeat that when every earlier lease has expired, because a write in progress may have stored the old
        time.
        """
        ahead = _ahead()
        lost = self._ahead - ahead
        if lost > SLACK_SECONDS:
            log.warning("the clock was set back by %.0f s; what waits is looked at again", lost)
            send_limiter.forget_counts()
            db.write(put_forward)
            self._again_at = clock.monotonic() + policy.UNRENEWED_LEASE.total_seconds()
        elif self._again_at is not None and clock.monotonic() >= self._again_at:
            db.write(put_forward)
            self._again_at = None
        self._ahead = ahead


def _ahead() -> float:
    return clock.now().timestamp() - clock.monotonic()


def put_forward(session: Session) -> None:
    """Shorten every wait to that for an echo, and every lease to the usual length.

    A call for which the provider requested a longer wait is made once too early, and then waits again.
    """
    registry.hooks().clock_moved_back(session=session, latest=clock.now() + policy.ECHO_PATIENCE)
    for column, more in _PUT_OFF:
        is_lane = column.class_ is Lane
        now = db.now() if is_lane else clock.now()
        latest = now + (policy.UNRENEWED_LEASE if is_lane else policy.ECHO_PATIENCE)
        at = now if column is Lane.next_at else latest
        statement = sa.update(column.class_).where(column > latest, *more).values({column.key: at})
        session.execute(statement.execution_options(synchronize_session=False))
