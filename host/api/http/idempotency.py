"""Idempotency keys: a repeated request is executed only once.

A request with an Idempotency-Key is claimed first, in a separate write. Its changes and its answer are then
written together, and only while the claim is valid. A process that dies in between has changed nothing, and
its claim expires. A process that is too slow finds its claim taken over, and writes nothing.

A claim is short, so that a repeat after a crash soon succeeds, and is renewed while its request is in
progress. Its length only affects waiting: the request is always executed once.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.api.http.errors import IdempotencyKeyError, IdempotencyReusedError, InFlightError
from host.core import clock, db
from host.core.secrets import Place, Secret, keyring
from host.models.api_keys import IdempotentRequest
from host.sdk.errors import SecretUnreadableError

log = logging.getLogger("lobby.api")

KEPT = timedelta(hours=24)
CLAIMED = timedelta(seconds=15)
"""Validity of a claim unless renewed, which is how long repeats are refused after a process died."""
RENEW_SECONDS = 4.0
CHUNK = 200

_TABLE = cast(sa.Table, IdempotentRequest.__table__)
_NAME = re.compile(r"[\x21-\x7e]{1,255}")


class Claim(msgspec.Struct, frozen=True):
    """The right to execute a request, until another process takes it over."""

    row_id: int
    token: str


class Stored(msgspec.Struct, frozen=True):
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
    :raises IdempotencyKeyError: for an invalid name.
    :raises IdempotencyReusedError: if the name was used for another request.
    :raises InFlightError: if it is in progress.
    """
    if not _NAME.fullmatch(name):
        raise IdempotencyKeyError(field="Idempotency-Key")
    return db.write(_claim, key_id, hashlib.sha256(name.encode()).hexdigest(), wanted, now)


def _claim(session: Session, key_id: int, name_hash: str, wanted: str, now: datetime) -> Claim | Stored:
    _forget(session, now)
    token = secrets.token_hex(16)
    # The unique key decides between two simultaneous requests, on every database.
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
        return Stored(row.status, _opened(row))
    if row.claimed_until > now:
        raise InFlightError(retry_after=min(5, round((row.claimed_until - now).total_seconds())))
    row.claim, row.claimed_until, row.expires_at = token, now + CLAIMED, now + KEPT
    return Claim(row.id, token)


def keep_answer(session: Session, held: Claim, status: int, answer: str, *, secret: bool = False) -> None:
    """Store the answer of a request, in the write of its changes.

    :param secret: whether it contains a secret and must be sealed.
    :raises InFlightError: if another process took over the claim; the write must then be rolled back.
    """
    if secret:
        answer = keyring().seal(Secret(answer), _place(held.row_id))
    changed = session.execute(
        sa.update(_TABLE)
        .where(_TABLE.c.id == held.row_id, _TABLE.c.claim == held.token)
        .values(status=status, answer=answer, claim=None)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise InFlightError()


def _place(row_id: int) -> Place:
    return Place(_TABLE.name, "answer", 0, str(row_id))


def _opened(row: IdempotentRequest) -> str:
    """Return a stored answer, unsealed if necessary."""
    answer = row.answer or ""
    if not answer.startswith("v1:"):
        return answer
    try:
        return keyring().open(answer, _place(row.id)).reveal()
    except SecretUnreadableError:
        raise IdempotencyReusedError(
            _l("The stored response for this Idempotency-Key can't be read, so nothing was done."),
            field="Idempotency-Key",
        ) from None


def release(held: Claim) -> None:
    """Release the claim on a request that changed nothing, so that it can be repeated immediately."""
    query = sa.delete(_TABLE).where(_TABLE.c.id == held.row_id, _TABLE.c.claim == held.token)
    db.write(lambda session: session.execute(query))


def void_claims(session: Session) -> None:
    """End all claims. If one process owns the database, claims at its start are of dead processes."""
    open_ = _TABLE.c.claim.is_not(None)
    session.execute(sa.update(_TABLE).where(open_).values(claimed_until=clock.now()))


class _Renewing:
    """Renews the claims of this process, in a thread that exits when there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[Claim] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewed(self, held: Claim) -> Iterator[None]:
        """Keep *held* valid while the block runs."""
        with self._lock:
            self._held.add(held)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="api-claims", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(held)

    def _run(self) -> None:
        while True:
            time.sleep(RENEW_SECONDS)
            with self._lock:
                held = list(self._held)
                if not held:
                    self._thread = None
                    return
            try:
                db.write(_renew, held)
            except Exception as error:  # noqa: BLE001 - a claim that runs out costs a repeat, not the request
                log.warning("claims on requests could not be renewed: %s", db.describe(error)[1])


def _renew(session: Session, held: Sequence[Claim]) -> None:
    ids, tokens = zip(*((one.row_id, one.token) for one in held), strict=True)
    session.execute(
        sa.update(_TABLE)
        .where(_TABLE.c.id.in_(ids), _TABLE.c.claim.in_(tokens))
        .values(claimed_until=clock.now() + CLAIMED)
    )


_renewing = _Renewing()
renewed = _renewing.renewed


def _forget(session: Session, now: datetime) -> None:
    """Remove some expired rows."""
    old = sa.select(_TABLE.c.id).where(_TABLE.c.expires_at <= now).order_by(_TABLE.c.expires_at).limit(CHUNK)
    ids = list(session.scalars(old))
    if ids:
        session.execute(sa.delete(_TABLE).where(_TABLE.c.id.in_(ids)))
