"""Data hooks for automation runs."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import restored as restored_desk
from host.automation import running
from host.automation.deciding import RunKind
from host.automation.routing import finish
from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.models.automation import AutomationRun, RunState
from host.users import data_retention


@hookimpl
def clean_up(most: int) -> None:
    """Remove runs that are older than the retention period of the event log."""
    before = clock.now() - data_retention.read().log
    while db.write(running.remove_old, before, most) == most:
        pass


@hookimpl
def restored(session: Session, now: datetime) -> None:
    """Leave everything that happened before *now* to people."""
    restored_desk.begin_at(session, now)


@hookimpl
def leave_to_people(session: Session, now: datetime, most: int) -> bool | None:
    """Cancel the greetings and away messages that were due."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.kind == RunKind.WORDS)
        .order_by(AutomationRun.id)
        .limit(most)
    )
    found = session.scalars(query).all()
    for run in found:
        finish(run, RunState.SKIPPED, now, reason="restored")
    session.flush()
    return bool(found) or None
