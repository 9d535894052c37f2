"""Request that an account's history is read. :mod:`host.delivery.history` reads it, one call at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.channels import ChannelAccount
from host.models.queue import CatchUp, CatchUpState, CatchUpThread

OVERLAP = timedelta(hours=1)
"""Overlap of a new reading with the last complete one."""


def ask(
    session: Session, account_id: int, *, missed_since: datetime | None = None, anew: bool = False
) -> None:
    """Request the history of an account; a reading in progress continues.

    :param missed_since: when deliveries may have stopped: later messages that are not here were missed. None:
        since the last complete reading, or since the account was first read.
    :param anew: the account was disconnected, so no earlier messages were missed.
    """
    now = clock.now()
    run = session.get(CatchUp, account_id, with_for_update=True)
    if run is None:
        run = CatchUp(
            account_id=account_id,
            state=CatchUpState.LISTING,
            started_at=now,
            missed_since=missed_since or now,
            cursor="",
            failures=0,
        )
        session.add(run)
    elif run.next_at is not None:
        if missed_since is not None:
            run.missed_since = _earlier(run.missed_since, missed_since)
    else:
        complete = run.complete_at is not None and run.complete_at >= run.started_at
        since = missed_since or run.complete_at or run.missed_since
        # Messages that an incomplete reading did not reach are still missing.
        run.missed_since = since if complete or anew else _earlier(run.missed_since, since)
        session.execute(sa.delete(CatchUpThread).where(CatchUpThread.account_id == account_id))
        run.state, run.cursor, run.started_at, run.finished_at = CatchUpState.LISTING, "", now, None
        run.since = None if run.complete_at is None else run.complete_at - OVERLAP
    run.next_at, run.claim, run.failures, run.problem = now, None, 0, None
    session.flush()


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def catching_up(session: Session, workspace_id: int) -> set[int]:
    """Return the accounts of a workspace whose history is being read."""
    query = (
        sa.select(CatchUp.account_id)
        .join(ChannelAccount, ChannelAccount.id == CatchUp.account_id)
        .where(ChannelAccount.workspace_id == workspace_id, CatchUp.next_at.is_not(None))
    )
    return set(session.scalars(query))
