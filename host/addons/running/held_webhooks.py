"""Hold webhook requests of an addon that is active but not running, until it runs again.

The host cannot tell a provider's request from a stranger's; only the addon can. So only a limited number of
requests is kept, and the addon authenticates each once it runs again, before it reaches the inbound log.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, secrets
from host.core.secrets import Place, Secret
from host.models.addons import ParkedRequest
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.refusals import count_refusal
from host.sdk.errors import SecretUnreadableError
from host.sdk.webhooks import Accepted, Refused, WebhookRequest, WebhookRoute

log = logging.getLogger(__name__)

MOST_REQUESTS = 20_000
MOST_BYTES = 64 * 1024 * 1024
MOST_ABOUT = 64 * 1024
KEPT = timedelta(days=14)
BATCH = 50
LONGEST_PAUSE = timedelta(hours=1)
COUNT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook address of an active addon that is not in this generation."""

    slug: str
    path: str
    max_body: int


class FullError(Exception):
    """The limit for this addon is reached; the provider keeps the request and retries it."""


class HeldWebhooks:
    """Stores requests for addons that do not run, within limits. One for each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, int, int]] = {}

    def keep(self, waiting: Waiting, request: WebhookRequest) -> None:
        """Store *request*; return once it is durable.

        :raises FullError: if too much is stored already.
        :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer.
        """
        size = as_row(waiting, request).size
        if size - len(request.body) > MOST_ABOUT or not self._room(waiting.slug, size):
            raise FullError(waiting.slug)
        db.write(lambda session: session.add(as_row(waiting, request)))

    def _room(self, slug: str, size: int) -> bool:
        """Count one more request, unless the limit is reached. Counts are read again every few seconds."""
        now = time.monotonic()
        with self._lock:
            counted_at, requests, held = self._kept.get(slug, (float("-inf"), 0, 0))
            if now - counted_at > COUNT_SECONDS:
                with db.read() as session:
                    requests, held = _counts(session, slug)
                counted_at = now
            if requests >= MOST_REQUESTS or held + size > MOST_BYTES:
                self._kept[slug] = (counted_at, requests, held)
                return False
            self._kept[slug] = (counted_at, requests + 1, held + size)
            return True


def _counts(session: Session, slug: str) -> tuple[int, int]:
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(ParkedRequest.size), 0)).where(
        ParkedRequest.slug == slug
    )
    requests, held = session.execute(query).one()
    return int(requests), int(held)


def _place(row_uuid: str) -> Place:
    return Place("parked_requests", "about", 0, row_uuid)


def as_row(waiting: Waiting, request: WebhookRequest) -> ParkedRequest:
    """Return the row for *request*, with parts that may contain credentials sealed."""
    about = json.dumps({"headers": dict(request.headers), "query": dict(request.query)})
    row_uuid = uuid.uuid4().hex
    return ParkedRequest(
        uuid=row_uuid,
        workspace_id=0,
        slug=waiting.slug,
        path=waiting.path,
        account=request.account,
        about=secrets.keyring().seal(Secret(about), _place(row_uuid)),
        body=request.body,
        size=len(request.body) + len(about),
        remote=request.remote[:64],
        received_at=clock.now(),
    )


def counts() -> Mapping[str, int]:
    """Return the number of waiting requests of each addon, by slug."""
    query = sa.select(ParkedRequest.slug, sa.func.count()).group_by(ParkedRequest.slug)
    with db.read() as session:
        return {slug: int(count) for slug, count in session.execute(query)}


class Running(Protocol):
    """The part of a generation that decides on requests: its addons, and their webhooks by full path."""

    @property
    def releases(self) -> Mapping[str, object]: ...

    @property
    def webhooks(self) -> Mapping[str, WebhookRoute]: ...


def deliver(running: Running, journal: Journal) -> int:
    """Pass held requests to the addons of *running*; return how many were decided.

    Several processes may do this at once: the inbound log stores each event once.
    """
    delete_old(clock.now() - KEPT)
    done = 0
    for slug in counts():
        if slug not in running.releases:
            continue
        while rows := _due(slug):
            verdicts = {row.id: _decide(running, journal, row) for row in rows}
            db.write(_settle, verdicts)
            done += sum(verdicts.values())
    return done


def _due(slug: str) -> list[ParkedRequest]:
    due = sa.or_(ParkedRequest.retry_at.is_(None), ParkedRequest.retry_at <= clock.now())
    query = sa.select(ParkedRequest).where(ParkedRequest.slug == slug, due).order_by(ParkedRequest.id)
    with db.read() as session:
        return list(session.scalars(query.limit(BATCH)))


def _settle(session: Session, verdicts: Mapping[int, bool]) -> None:
    """Delete decided requests; retry the others with growing delays."""
    for row in session.scalars(sa.select(ParkedRequest).where(ParkedRequest.id.in_(verdicts))):
        if verdicts[row.id]:
            session.delete(row)
        else:
            row.retry_at = clock.now() + min(timedelta(minutes=2**row.attempts), LONGEST_PAUSE)
            row.attempts = min(row.attempts + 1, 30)


def _decide(running: Running, journal: Journal, row: ParkedRequest) -> bool:
    """Pass one request to its addon; return whether it was decided, so that the row can be deleted."""
    route = running.webhooks.get(row.path)
    if route is None:
        log.warning(
            "addon %s has no webhook %s any more; a request kept for it is dropped", row.slug, row.path
        )
        return True
    try:
        about = json.loads(secrets.keyring().open(row.about, _place(row.uuid)).reveal())
    except (SecretUnreadableError, ValueError):
        log.exception("a request kept for addon %s cannot be read; it is dropped", row.slug)
        return True
    request = WebhookRequest("POST", row.account, about["headers"], about["query"], row.body, row.remote)
    try:
        decision = route.authenticate(request)
        if isinstance(decision, Accepted) and decision.envelopes:
            journal.ingest(
                source=row.path if row.account is None else f"{row.path}/{row.account}",
                channel=route.channel,
                raw=row.body,
                remote=row.remote,
                envelopes=decision.envelopes,
                received_at=row.received_at,
            )
    except JournalUnavailableError:
        return False
    except Exception:
        log.exception("addon %s could not decide on a request that was kept for it", row.slug)
        return False
    if isinstance(decision, Refused):
        count_refusal(route.channel, decision.account_id, decision.reason, row.remote)
    return True


def _remove(session: Session, ids: list[int]) -> None:
    session.execute(sa.delete(ParkedRequest).where(ParkedRequest.id.in_(ids)))


def delete_old(before: datetime) -> None:
    """Delete requests received before *before*: by then, the provider has given up."""
    with db.read() as session:
        query = sa.select(ParkedRequest.id).where(ParkedRequest.received_at < before).limit(1000)
        ids = list(session.scalars(query))
    if ids:
        log.warning("%d requests kept for addons that do not run are dropped: they are too old", len(ids))
        db.write(_remove, ids)


def delete_of(session: Session, slug: str) -> None:
    """Delete the requests held for the addon *slug*."""
    session.execute(sa.delete(ParkedRequest).where(ParkedRequest.slug == slug))
