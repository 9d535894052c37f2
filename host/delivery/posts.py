"""Request posts, and the content of events that only have ids, from providers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.cleaning import clean, clean_short, clean_value
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery.claiming import claim
from host.events.writing import show_conversations
from host.inbox.apply.details import add_details
from host.models.inbox import Conversation
from host.models.posts import LookUp, Post
from host.models.queue import EventState, InboundEvent
from host.queue import journal_rows, policy
from host.sdk import messages as told
from host.sdk.channel import AccountRef, NoPost
from host.sdk.messages import MessageDetails
from host.sdk.webhooks import Envelope

log = logging.getLogger(__name__)

BATCH = 20
LONGEST_URL = 8_000
BROADCAST_AGAIN = timedelta(minutes=1)
"""How often a running broadcast is checked: comments can only be answered privately while it runs."""
SOURCE = "receiver:look-up"
TOLD = 50
"""Most conversations redrawn because their post changed."""


class _Due(msgspec.Struct, frozen=True):
    post_id: int
    external_id: str
    account: AccountRef


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(Post.due_at, now)


def due_look_ups(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(LookUp.due_at, now)


def fetch_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Request up to *most* due posts; return the number of tries."""
    with db.read() as session:
        due = session.scalar(sa.select(Post.id).where(Post.due_at <= clock.now()).limit(1))
    if due is None:
        return 0
    claimed = db.write(_claim, most)
    resting: set[int] = set()
    for one in claimed:
        if one.account.id in resting:
            continue
        answer = _ask(directory, one)
        if isinstance(answer, NoPost) and answer.retry_after is not None:
            resting.add(one.account.id)
        db.write(_store, one, answer)
    return len(claimed)


def _claim(session: Session, most: int) -> list[_Due]:
    found = claim(session, Post, Post.account_id, Post.due_at, most)
    return [_Due(post.id, post.external_id, account) for post, account in found]


def _ask(directory: AdapterDirectory, due: _Due) -> told.Post | NoPost:
    adapter = directory.adapter(due.account.channel)
    if adapter is None:
        return NoPost("the addon is not active", retry=True)
    try:
        found: object = adapter.fetch_post(due.account, due.external_id)
    except Exception:
        log.exception("the adapter of %s raised while asking about a post", due.account.channel)
        return NoPost("the addon failed", retry=True)
    return found if isinstance(found, told.Post | NoPost) else NoPost("the addon failed", retry=False)


def _store(session: Session, due: _Due, answer: told.Post | NoPost) -> None:
    post = session.get(Post, due.post_id, with_for_update=True)
    if post is None:
        return
    now = clock.now()
    if isinstance(answer, NoPost):
        _note_failure(post, answer)
    else:
        post.kind = str(answer.kind)[:16]
        post.text = clean(answer.text)
        post.url = clean_short(answer.url, LONGEST_URL) or ""
        post.picture_url = clean_short(answer.picture_url, LONGEST_URL)
        post.owner = clean_short(answer.owner, 255) or ""
        post.published_at = answer.published_at or post.published_at
        post.ended_at = post.ended_at or answer.ended_at
        post.fetched_at, post.gone_at, post.failures = now, None, 0
        goes_on = post.kind == told.PostKind.LIVE and post.ended_at is None
        post.due_at = now + BROADCAST_AGAIN if goes_on else None
    session.flush()
    conversations = session.execute(
        sa.select(Conversation.workspace_id, Conversation.id)
        .where(Conversation.post_id == post.id)
        .order_by(Conversation.last_message_at.desc())
        .limit(TOLD)
    )
    show_conversations(session, ((row.workspace_id, row.id) for row in conversations))


def _note_failure(post: Post, answer: NoPost) -> None:
    now = clock.now()
    if answer.retry_after is not None:
        seconds = min(max(answer.retry_after, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
        post.due_at = now + timedelta(seconds=seconds)
        return
    if answer.gone:
        post.gone_at, post.picture_url = post.gone_at or now, None
        if post.kind == told.PostKind.LIVE:
            post.ended_at = post.ended_at or now
    post.failures += 1
    again = answer.retry and not answer.gone and post.failures <= len(policy.PROFILE_DELAYS)
    post.due_at = now + policy.profile_delay(post.failures) if again else None


# ---- events that have only ids -------------------------------------------------------------------------


class _PendingLookUp(msgspec.Struct, frozen=True):
    """An event to look up, and the event that named it."""

    id: int
    account: AccountRef
    event_id: int
    what: dict[str, str]
    attempts: int


def look_up_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Look up as many as *most* due events; return how many were tried."""
    with db.read() as session:
        due = session.scalar(sa.select(LookUp.id).where(LookUp.due_at <= clock.now()).limit(1))
    if due is None:
        return 0
    claimed = db.write(_claim_events, most)
    for one in claimed:
        adapter = directory.adapter(one.account.channel)
        if adapter is None:
            continue  # it becomes due again later
        try:
            found = [_of_account(each, one.account) for each in adapter.look_up(one.account, one.what)]
        except Exception as error:
            log.warning("an event of %s could not be looked up", one.account.channel, exc_info=error)
            db.write(_not_looked_up, one, type(error).__name__)
        else:
            db.write(_looked_up, one, found)
    return len(claimed)


def _of_account(found: Envelope | MessageDetails, account: AccountRef) -> Envelope | MessageDetails:
    if isinstance(found, Envelope) and found.account_id != account.id:
        raise ValueError("what was looked up is of another account")
    return found


def _claim_events(session: Session, most: int) -> list[_PendingLookUp]:
    claimed = []
    for row, account in claim(session, LookUp, LookUp.account_id, LookUp.due_at, most, session.delete):
        row.attempts += 1
        claimed.append(_PendingLookUp(row.id, account, row.event_id, clean_value(row.what), row.attempts))
    session.flush()
    return claimed


def _looked_up(session: Session, asked: _PendingLookUp, found: Sequence[Envelope | MessageDetails]) -> None:
    """Store the result and delete the look-up in one write, unless another process already did."""
    gone = session.execute(sa.delete(LookUp).where(LookUp.id == asked.id))
    if not gone.rowcount:  # type: ignore[attr-defined]
        return
    for one in found:
        if isinstance(one, MessageDetails):
            add_details(session, asked.account, one)
    envelopes = [one for one in found if isinstance(one, Envelope)]
    if envelopes:
        journal_rows.write(session, source=SOURCE, channel=asked.account.channel, envelopes=envelopes)


def _not_looked_up(session: Session, asked: _PendingLookUp, why: str) -> None:
    """Retry later; after the last try the event counts as unreadable, and can be replayed."""
    if asked.attempts < policy.EVENT_TRIES:
        due_at = clock.now() + policy.event_delay(asked.attempts)
        session.execute(sa.update(LookUp).where(LookUp.id == asked.id).values(due_at=due_at))
        return
    session.execute(sa.delete(LookUp).where(LookUp.id == asked.id))
    session.execute(
        sa.update(InboundEvent)
        .where(InboundEvent.id == asked.event_id)
        .values(state=EventState.DEAD, reason=f"The provider could not be asked what it is: {why}"[:500])
    )
