"""Find the sessions that may still watch, for all open streams at once."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.users import LoginSession, Membership, User
from host.users import sessions

AT_ONCE = 5000
"""Sessions named in one statement; every database takes more."""


def allowed(session: Session, session_ids: Collection[int]) -> set[tuple[int, int]]:
    """Return the pairs of session and workspace that are open to those of *session_ids* who are signed in."""
    now = clock.now()
    ids = sorted(set(session_ids))
    found: set[tuple[int, int]] = set()
    for start in range(0, len(ids), AT_ONCE):
        query = (
            sa.select(LoginSession.id, Membership.workspace_id)
            .join(User, User.id == LoginSession.user_id)
            .join(Membership, Membership.user_id == User.id)
            .where(
                LoginSession.id.in_(ids[start : start + AT_ONCE]),
                LoginSession.expires_at > now,
                LoginSession.seen_at > now - sessions.IDLE,
                User.disabled_at.is_(None),
            )
        )
        found.update((row[0], row[1]) for row in session.execute(query))
    return found
