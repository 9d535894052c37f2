"""Sign-in steps: started in one request, and completed once, within minutes, by the same browser.

Examples are the challenge of a passkey, a correct password before the second factor, and a trip to the
sign-in provider. The browser holds a token, the database its hash; a token only works in its browser, and
only one request can complete it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.signing_in import SignInStep
from host.users.sessions import hash_token, new_token

LASTS = timedelta(minutes=10)
MOST = 10
"""Maximum number of open steps of one kind in a browser; the oldest is dropped."""
TRIES = 10
"""Wrong codes allowed in one step; after that, sign-in starts over with the password."""


class Kind(StrEnum):
    """The purpose of a step."""

    SECOND = "second"
    """The password was right; the second factor is next."""
    ADD_KEY = "add_key"
    """The challenge for a new passkey of a signed-in person."""
    USE_KEY = "use_key"
    """The challenge for a passkey, instead of a password or after it."""
    PROVIDER = "provider"
    """The person was sent to the sign-in provider."""
    JOIN = "join"
    """The provider named the person; the password of the account here is next."""


@dataclass(frozen=True, slots=True)
class PendingStep:
    """An open sign-in step."""

    id: int
    kind: Kind
    user_id: int | None
    data: Mapping[str, Any]


def begin(
    session: Session,
    kind: Kind,
    browser: str,
    data: Mapping[str, Any],
    *,
    user_id: int | None = None,
    token: str = "",
) -> str:
    """Begin a step in the browser named *browser*; return its token, or use the given *token*."""
    now = clock.now()
    here = hash_token(browser)
    earlier = (
        sa.select(SignInStep.id)
        .where(SignInStep.browser == here, SignInStep.kind == kind)
        .order_by(SignInStep.id.desc())
    )
    old = session.scalars(earlier).all()[MOST - 1 :]
    if old:
        session.execute(sa.delete(SignInStep).where(SignInStep.id.in_(old)))
    token = token or new_token()
    session.add(
        SignInStep(
            token_hash=hash_token(token),
            browser=here,
            kind=kind,
            user_id=user_id,
            data=dict(data),
            expires_at=now + LASTS,
        )
    )
    session.flush()
    return token


def find(session: Session, kind: Kind, browser: str, token: str) -> PendingStep | None:
    """Return the step with *token*, or None if it ended, expired, or belongs to another browser."""
    row = session.scalar(
        sa.select(SignInStep).where(
            SignInStep.token_hash == hash_token(token),
            SignInStep.browser == hash_token(browser),
            SignInStep.kind == kind,
            SignInStep.expires_at > clock.now(),
        )
    )
    return None if row is None else PendingStep(row.id, kind, row.user_id, row.data)


def end(session: Session, step: PendingStep) -> bool:
    """End a step; return False if another request was faster."""
    ended = session.execute(sa.delete(SignInStep).where(SignInStep.id == step.id))
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def take(session: Session, kind: Kind, browser: str, token: str) -> PendingStep | None:
    """Find a step and end it, so that it cannot be reused whatever the result."""
    step = find(session, kind, browser, token)
    return step if step is not None and end(session, step) else None


def count_wrong(session: Session, step: PendingStep) -> None:
    """Count a wrong code of a step, which ends after too many."""
    row = session.get(SignInStep, step.id, with_for_update=True)
    if row is None:
        return
    wrong = int(row.data.get("wrong", 0)) + 1
    if wrong >= TRIES:
        session.delete(row)
    else:
        row.data = {**row.data, "wrong": wrong}
    session.flush()


def forget_old(session: Session) -> None:
    """Delete expired steps."""
    session.execute(sa.delete(SignInStep).where(SignInStep.expires_at <= clock.now()))
