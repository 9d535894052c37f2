"""Echoes: the provider telling us of messages from our side.

An echo of a message we sent marks that message as sent, whichever of echo and response comes first. Any other
echo is a message somebody of the team wrote in the provider's own app.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from host import clock, db
from host.delivery import lanes, wakeups
from host.inbox import importing
from host.inbox.batch import Batch, candidates
from host.inbox.cleaning import clean, clean_attachment, clean_value, external_id
from host.inbox.erasing import keep_erased
from host.inbox.incoming import Incoming, believable
from host.inbox.matching import take
from host.inbox.models import Direction, Origin
from host.inbox.preview import show
from host.inbox.rows import Fresh, Known, Person
from host.inbox.seen import state_of
from host.inbox.tables import MESSAGES
from host.live.publish import Change
from host.sdk.capabilities import InboundMedia
from host.sdk.messages import MessageEchoed

REACH_BACK = timedelta(days=8)
"""How old an unconfirmed message may be for an echo to be about it; no reply window is longer than a week."""


def apply_echoes(batch: Batch, items: Sequence[Incoming]) -> None:
    """Apply the echoes among a batch's changes."""
    new: list[tuple[Incoming, MessageEchoed, Person]] = []
    taken: set[tuple[int, str]] = set()
    for item in items:
        change = item.change
        assert isinstance(change, MessageEchoed)
        key = item.account.id, external_id(change.external_id)
        person = batch.people[item.account.id, external_id(change.contact)]
        if key in batch.known or key in batch.fresh or key in taken:
            batch.told_again(key, item, person)
            continue
        taken.add(key)
        new.append((item, change, person))
    if not new:
        return
    since = min(change.sent_at for _, change, _ in new) - REACH_BACK
    unconfirmed = candidates(batch, [person for _, _, person in new], since)
    confirmed: list[dict[str, Any]] = []
    found: list[tuple[int, str]] = []
    for item, change, person in new:
        row = take(unconfirmed, change, person)
        if row is None:
            _from_the_app(batch, item, change, person)
            continue
        # What we sent stands where its attempt began, for everybody who asks what has been seen.
        state = state_of(person, external_id(change.external_id), row.attempted_at)
        found.append((person.account.id, person.external_id))
        confirmed.append(
            {
                "b_id": row.id,
                "external_id": external_id(change.external_id),
                "state": state,
                "sources": [] if item.event_id is None else [item.event_id],
            }
        )
        batch.known[item.account.id, external_id(change.external_id)] = Known(
            id=row.id,
            conversation_id=row.conversation_id,
            direction=Direction.OUTBOUND,
            origin=Origin.AGENT,
            state=state,
            sent_at=change.sent_at,
            position=row.attempted_at,
            person=person,
        )
        payload = {"conversation": row.conversation_id, "message": row.id, "state": state}
        batch.events.append(Change(row.workspace_id, "state", payload))
    if not confirmed:
        return
    _confirm(batch, confirmed)
    # In a write of its own: a worker holds its lane while it records an answer, and then wants the message.
    lanes_ = frozenset(found)
    db.after_commit(batch.session, lambda: _go_on(lanes_))


def _confirm(batch: Batch, confirmed: list[dict[str, Any]]) -> None:
    batch.connection.execute(
        sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id")).values(error=sa.null()), confirmed
    )


def _go_on(lanes_: frozenset[tuple[int, str]]) -> None:
    """Let the lanes whose first message was just found go on with the next, instead of waiting their time."""

    keys = [lanes.lane_key(wakeups.OUT, account_id, contact) for account_id, contact in lanes_]
    db.write(lanes.make_due, keys, at=clock.now())
    wakeups.wake(wakeups.OUT)


def _from_the_app(batch: Batch, item: Incoming, change: MessageEchoed, person: Person) -> None:
    sent_at = believable(change.sent_at, item.received_at)
    thread = person.newest
    if thread is None:
        thread = batch.start_thread(person, item.adapter.key, sent_at)
        importing.begin(thread, item)
    fresh = Fresh(
        thread=thread,
        account=item.account,
        external_id=external_id(change.external_id),
        direction=Direction.OUTBOUND,
        origin=Origin.PROVIDER,
        kind=str(change.kind)[:32],
        text=clean(change.text),
        content=clean_value(change.content),
        sent_at=sent_at,
        state=state_of(person, external_id(change.external_id), sent_at),
        attachments=tuple(clean_attachment(attachment) for attachment in change.attachments),
        stored=dict(item.stored),
        media=item.adapter.inbound_media() if change.attachments else InboundMedia(),
        reply_to=external_id(change.reply_to) if change.reply_to else None,
        sources=[] if item.event_id is None else [item.event_id],
        imported_at=batch.now if item.imported else None,
    )
    keep_erased(batch, fresh)
    show(thread, fresh)
    batch.add(fresh)
