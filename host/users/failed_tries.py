"""Failed sign-ins in the audit log: one line per person, address and hour, with a count.

The number of lines is limited regardless of the number of tries: tries from too many addresses share one
line. A try whose password was checked is counted immediately; throttled tries are only counted occasionally,
because they cost the caller nothing.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.users import AuditEntry
from host.users import audit
from host.users.throttle import network_of

log = logging.getLogger("lobby.security")

SIGN_IN = "session.failed"
CONFIRM = "session.not_confirmed"
SECOND = "session.second_failed"
NOBODY = "nobody here"
"""Name used for an unknown address, because the typed text may be a password."""

LASTS = timedelta(hours=1)
MOST = 200
"""Maximum number of lines a process begins in an hour; further tries share one."""
PAUSE = timedelta(seconds=10)
"""Time between two writes of throttled tries."""


@dataclass(slots=True)
class _TryLine:
    began: datetime
    id: int = 0
    times: int = 0
    waited: int = 0
    written: datetime | None = None


_lock = threading.Lock()
_lines: dict[tuple[str, str, str], _TryLine] = {}


def note(
    action: str, who: str | None, address: str, *, user_id: int | None = None, waited: bool = False
) -> None:
    """Count a try of *who* from *address*.

    :param who: the address of a user; None for other input.
    :param waited: whether the try was throttled before the password was checked.
    """
    now = clock.now()
    subject, remote = who or NOBODY, network_of(address)
    with _lock:
        for key in [key for key, line in _lines.items() if not now - LASTS < line.began <= now]:
            del _lines[key]
        key = (action, subject, remote)
        if key not in _lines and len(_lines) >= MOST:
            subject, remote, user_id = "many", "", None
            key = (action, subject, remote)
        line = _lines.setdefault(key, _TryLine(now))
        if waited:
            line.waited += 1
            if line.written is not None and now - line.written < PAUSE:
                return
        else:
            line.times += 1
        line.written = now
        try:
            line.id = db.write(_write, action, subject, remote, user_id, line, now)
        except SQLAlchemyError:
            log.exception("a failed sign-in could not be written to the audit journal")


def _write(
    session: Session,
    action: str,
    subject: str,
    remote: str,
    user_id: int | None,
    line: _TryLine,
    now: datetime,
) -> int:
    details = {"times": line.times, "last": now.isoformat(timespec="seconds")}
    if line.waited:
        details["had to wait"] = line.waited
    entry = session.get(AuditEntry, line.id) if line.id else None
    if entry is not None:
        entry.details = details
        return entry.id
    return audit.record(session, action, subject, user_id=user_id, remote=remote, details=details)


def reset() -> None:
    """Start new lines; for tests."""
    with _lock:
        _lines.clear()
