"""Find the sessions that still have access, for all open streams together."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.users import LoginSession, Membership, User
from host.users import reach, sessions
from host.users.reach import Accounts

AT_ONCE = 5000
"""Maximum number of sessions in one statement; every database allows more."""


def allowed(session: Session, session_ids: Collection[int]) -> dict[tuple[int, int], Accounts]:
    """Return the accessible pairs of session and workspace, for the valid sessions of *session_ids*.

    Each has the accounts the person sees there; None for all.
    """
    now = clock.now()
    ids = sorted(set(session_ids))
    found: dict[tuple[int, int], Accounts] = {}
    for start in range(0, len(ids), AT_ONCE):
        query = (
            sa.select(LoginSession.id, Membership.workspace_id, Membership.limited, User.id)
            .join(User, User.id == LoginSession.user_id)
            .join(Membership, Membership.user_id == User.id)
            .where(
                LoginSession.id.in_(ids[start : start + AT_ONCE]),
                LoginSession.expires_at > now,
                LoginSession.seen_at > now - sessions.IDLE,
                User.disabled_at.is_(None),
            )
        )
        rows = session.execute(query).all()
        narrowed = {user_id for _session_id, _workspace_id, limited, user_id in rows if limited}
        limits = reach.limits(session, users=sorted(narrowed)) if narrowed else {}
        for session_id, workspace_id, limited, user_id in rows:
            seen = limits.get((user_id, workspace_id), frozenset()) if limited else None
            found[session_id, workspace_id] = seen
    return found
