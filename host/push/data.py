"""Retention of devices and queued pushes."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.push import devices, sending
from host.push.models import PushDelivery


@hookimpl
def clean_up() -> None:
    """Remove devices that are no longer used, and pushes that are too old."""
    db.write(devices.forget_old)
    db.write(sending.forget_old)


@hookimpl
def clock_moved_back(session: Session, latest: datetime) -> None:
    """Send queued pushes soon."""
    statement = sa.update(PushDelivery).where(PushDelivery.due_at > latest)
    session.execute(statement.values(due_at=latest).execution_options(synchronize_session=False))
