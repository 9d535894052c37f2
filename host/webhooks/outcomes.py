"""Results of delivery attempts, and their effect on deliveries and endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.core.cleaning import clean_short
from host.notifications import notify
from host.queue import lanes
from host.queue.lanes import Lease
from host.sdk.i18n import noop
from host.webhooks import endpoints, policy, queue
from host.webhooks.models import Endpoint, EndpointState, HookState, OffReason
from host.webhooks.posting import Answer
from host.webhooks.queue import DELIVERIES, Head

GONE = 410
SWITCHED_OFF = {
    OffReason.GONE: noop("The endpoint returned 410 Gone, so Lobby turned it off."),
    OffReason.FAILING: noop("Every delivery failed for five days, so Lobby turned the endpoint off."),
}
_NEXT_STEP = noop("Fix it, resume it, and replay the events it missed.")


class Tried(msgspec.Struct, frozen=True):
    """An attempted delivery.

    :param slot: the slot it holds until this is written.
    """

    head: Head
    at: datetime
    answer: Answer
    slot: int


class Report(msgspec.Struct, frozen=True):
    """A report of a sender thread about its lane.

    :param tried: a delivery it attempted.
    :param ended: whether it is done with the lane.
    :param stands_still: whether the endpoint is not active: its lane rests until it is resumed.
    """

    lease: Lease
    endpoint_id: int
    tried: Tried | None = None
    ended: bool = False
    stands_still: bool = False


def settle(session: Session, reports: Sequence[Report]) -> None:
    """Store the results of deliveries and release lanes. Results under a lost lease are dropped."""
    held = lanes.held(session, [one.lease for one in reports])
    valid = [one for one in reports if one.lease.key in held]
    tried = [(one.endpoint_id, one.tried) for one in valid if one.tried is not None]
    if tried:
        _judge(session, sorted(tried, key=lambda pair: pair[1].at))
        session.connection().execute(_update, [_row(each) for _, each in tried])
    ended = sorted((one for one in valid if one.ended), key=lambda one: one.lease.key)
    due = queue.next_due(session, [one.lease.key for one in ended if not one.stands_still])
    now = clock.now()
    lanes.release(
        session,
        [(one.lease, (due[one.lease.key] or now) if one.lease.key in due else None) for one in ended],
    )


_update = (
    sa.update(DELIVERIES)
    .where(DELIVERIES.c.id == sa.bindparam("b_id"))
    .values(
        {
            name: sa.bindparam(f"b_{name}")
            for name in ("state", "attempts", "next_at", "status", "ms", "words")
        }
        | {name: sa.bindparam(f"b_{name}") for name in ("tries", "tried_at")}
    )
)


def _row(tried: Tried) -> dict[str, Any]:
    """Return the columns of a delivery after an attempt."""
    answer, attempts = tried.answer, tried.head.attempts + 1
    state, next_at = HookState.DELIVERED, None
    if not answer.ok:
        pause = policy.delay(attempts)
        state = HookState.GIVEN_UP if pause is None else HookState.WAITING
        next_at = None if pause is None else tried.at + pause
    try_ = [tried.at.isoformat(timespec="milliseconds"), answer.status, answer.ms]
    return {
        "b_id": tried.head.id,
        "b_state": state,
        "b_attempts": attempts,
        "b_next_at": next_at,
        "b_status": answer.status,
        "b_ms": answer.ms,
        "b_words": clean_short(answer.words, policy.WORDS),
        "b_tries": [*tried.head.tries, try_][-policy.TRIES_KEPT :],
        "b_tried_at": tried.at,
    }


def _judge(session: Session, tried: Iterable[tuple[int, Tried]]) -> None:
    """Record since when endpoints have been failing; disable those that are gone or failed for too long."""
    by_endpoint: dict[int, list[Tried]] = {}
    for endpoint_id, each in tried:
        by_endpoint.setdefault(endpoint_id, []).append(each)
    for endpoint_id in sorted(by_endpoint):
        answers = by_endpoint[endpoint_id]
        row = session.get(Endpoint, endpoint_id)
        if row is None or (row.failing_since is None and all(one.answer.ok for one in answers)):
            continue
        row = session.get(Endpoint, endpoint_id, with_for_update=True, populate_existing=True)
        if row is None:
            continue
        for one in answers:
            if one.answer.ok:
                row.failing_since = None
                continue
            row.failing_since = row.failing_since or one.at
            if row.state != EndpointState.ACTIVE:
                continue
            if one.answer.status == GONE:
                _switch_off(session, row, OffReason.GONE)
            elif one.at - row.failing_since >= policy.OFF_AFTER:
                _switch_off(session, row, OffReason.FAILING)
        session.flush()


def _switch_off(session: Session, row: Endpoint, reason: OffReason) -> None:
    endpoints.switch_off(row, reason)
    notify.notify_responsible(
        session,
        row.workspace_id,
        notify.Message(urlsplit(row.url).hostname or row.url, SWITCHED_OFF[reason], _NEXT_STEP, tone="bad"),
        path=f"/w/{row.workspace_id}/settings/integrations/{row.id}",
    )
