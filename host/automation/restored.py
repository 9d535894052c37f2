"""A desk restored from a backup: its pending automatic actions may have been executed since the backup.

Its customers may have been greeted, or answered by a person, after the backup. So everything before the
restore is left to people, and the desk acts only on later events.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from host.models.users import InstallationValue

NAME = "automation.since"
_EVER = datetime.min.replace(tzinfo=UTC)


def since(session: Session) -> datetime:
    """Return the time from which automation acts: everything before is left to people."""
    found = session.get(InstallationValue, NAME)
    return _EVER if found is None else datetime.fromisoformat(found.value)


def begin_at(session: Session, now: datetime) -> None:
    """Leave everything that happened before *now* to people."""
    session.merge(InstallationValue(name=NAME, value=now.isoformat()))
