"""Idempotency keys: a request may be repeated without being done twice.

A request with an Idempotency-Key is claimed first, in a write of its own. Its changes and its answer are then
written together, and only while the claim is valid. A process that dies in between has changed nothing, and
its claim runs out. A process that is too slow finds its claim taken over, and writes nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.api.http.errors import IdempotencyKeyError, IdempotencyReusedError, InFlightError
from host.core import db
from host.models.api import IdempotentRequest

KEPT = timedelta(hours=24)
CLAIMED = timedelta(seconds=120)
"""How long a claim is valid: longer than the longest request, which fetches a file by its address."""
CHUNK = 200

_TABLE = cast(sa.Table, IdempotentRequest.__table__)
_NAME = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to execute a request, until another process takes it over."""

    row_id: int
    token: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The stored answer of the same request."""

    status: int
    answer: str


def fingerprint(method: str, path: str, body: Any) -> str:
    """Return a hash of a request, which does not depend on the order of the body's fields."""
    text = msgspec.json.encode([method, path, body], order="sorted")
    return hashlib.sha256(text).hexdigest()


def claim(key_id: int, name: str, wanted: str, now: datetime) -> Claim | Stored:
    """Claim the request *name* of a key, or return its stored answer.

    :param wanted: its fingerprint.
    :raises IdempotencyKeyError: for a name that is not valid.
    :raises IdempotencyReusedError: if the name was used for another request.
    :raises InFlightError: if it is being worked on.
    """
    if not _NAME.fullmatch(name):
        raise IdempotencyKeyError()
    return db.write(_claim, key_id, hashlib.sha256(name.encode()).hexdigest(), wanted, now)


def _claim(session: Session, key_id: int, name_hash: str, wanted: str, now: datetime) -> Claim | Stored:
    _forget(session, now)
    token = secrets.token_hex(16)
    # The unique key decides between two requests at the same time, on every database.
    session.connection().execute(
        db.insert_ignore(_TABLE, session.get_bind().dialect.name),
        {
            "key_id": key_id,
            "name_hash": name_hash,
            "fingerprint": wanted,
            "claim": token,
            "claimed_until": now + CLAIMED,
            "expires_at": now + KEPT,
        },
    )
    row = session.scalars(
        sa.select(IdempotentRequest)
        .where(IdempotentRequest.key_id == key_id, IdempotentRequest.name_hash == name_hash)
        .with_for_update()
    ).one()
    if row.claim == token:
        return Claim(row.id, token)
    if row.expires_at <= now:
        row.fingerprint, row.status, row.answer, row.claimed_until = wanted, None, None, now
    if row.fingerprint != wanted:
        raise IdempotencyReusedError(field="Idempotency-Key")
    if row.status is not None:
        return Stored(row.status, row.answer or "")
    if row.claimed_until > now:
        raise InFlightError(retry_after=min(5, round((row.claimed_until - now).total_seconds())))
    row.claim, row.claimed_until, row.expires_at = token, now + CLAIMED, now + KEPT
    return Claim(row.id, token)


def keep_answer(session: Session, held: Claim, status: int, answer: str) -> None:
    """Store the answer of a request, in the write of its changes.

    :raises InFlightError: if another process took over the claim; the write must be rolled back then.
    """
    changed = session.execute(
        sa.update(_TABLE)
        .where(_TABLE.c.id == held.row_id, _TABLE.c.claim == held.token)
        .values(status=status, answer=answer, claim=None)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise InFlightError()


def release(held: Claim) -> None:
    """Release the claim on a request that changed nothing, so that it can be repeated at once."""
    query = sa.delete(_TABLE).where(_TABLE.c.id == held.row_id, _TABLE.c.claim == held.token)
    db.write(lambda session: session.execute(query))


def _forget(session: Session, now: datetime) -> None:
    """Remove some rows that have been kept long enough."""
    old = sa.select(_TABLE.c.id).where(_TABLE.c.expires_at <= now).order_by(_TABLE.c.expires_at).limit(CHUNK)
    ids = list(session.scalars(old))
    if ids:
        session.execute(sa.delete(_TABLE).where(_TABLE.c.id.in_(ids)))
