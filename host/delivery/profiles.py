"""Request the names and pictures of contacts from providers. A failure costs a name, never a message."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.cleaning import clean_short, clean_value
from host.core.ports import AdapterDirectory
from host.delivery import results
from host.delivery.claiming import claim
from host.events.writing import show_conversations
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.queue import policy
from host.sdk.channel import AccountRef, NoProfile, Profile

log = logging.getLogger(__name__)

BATCH = 20
MAX_URL = 8000


class _Due(msgspec.Struct, frozen=True):
    identity_id: int
    external_id: str
    account: AccountRef
    failures: int


def fetch_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Fetch up to *most* profiles that are due; return how many were tried."""
    with db.read() as session:
        due = session.execute(
            sa.select(ContactIdentity.id).where(ContactIdentity.profile_due_at <= clock.now()).limit(1)
        ).first()
    if due is None:
        return 0
    claimed = db.write(_claim, most)
    resting: set[int] = set()
    for one in claimed:
        if one.account.id in resting:
            continue
        answer = _ask(directory, one)
        wait = getattr(answer, "retry_after", None)
        if wait is None:
            db.write(_store, one, answer)
        else:
            resting.add(one.account.id)
            db.write(_rest, one.account.id, float(wait))
    return len(claimed)


def _claim(session: Session, most: int) -> list[_Due]:
    # Also while its replies wait for a limit, which may only concern sending. If not, the first answer
    # reveals it.
    found = claim(session, ContactIdentity, ContactIdentity.account_id, ContactIdentity.profile_due_at, most)
    return [
        _Due(identity.id, identity.external_id, account, identity.profile_failures)
        for identity, account in found
    ]


def _rest(session: Session, account_id: int, wait: float) -> None:
    """Pause requests for the profiles of an account that its provider limits."""
    now = clock.now()
    seconds = min(max(wait, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
    soon = now + policy.PROFILE_CLAIM  # profiles that are due, and those this round has claimed
    session.execute(
        sa.update(ContactIdentity)
        .where(ContactIdentity.account_id == account_id, ContactIdentity.profile_due_at <= soon)
        .values(profile_due_at=now + timedelta(seconds=seconds))
    )


def _ask(directory: AdapterDirectory, due: _Due) -> Profile | NoProfile:
    adapter = directory.adapter(due.account.channel)
    if adapter is None:
        return NoProfile("the addon is not active", retry=True)
    try:
        return adapter.fetch_profile(due.account, due.external_id)
    except Exception:
        log.exception("the adapter of %s raised while asking for a profile", due.account.channel)
        return NoProfile("the addon failed", retry=True)


def _store(session: Session, due: _Due, answer: Profile | NoProfile) -> None:
    identity = session.get(ContactIdentity, due.identity_id, with_for_update={"key_share": True})
    if identity is None:
        return
    if not isinstance(answer, Profile):
        identity.profile_failures += 1
        again = getattr(answer, "retry", True) and identity.profile_failures <= len(policy.PROFILE_DELAYS)
        delay = policy.profile_delay(identity.profile_failures)
        identity.profile_due_at = clock.now() + delay if again else None
        return
    results.note_answers(session, due.account.id)
    identity.profile_due_at = None
    identity.profile_failures = 0
    identity.profile = clean_value(dict(answer.facts))
    identity.profile_at = clock.now()
    identity.picture_url = clean_short(answer.picture_url, MAX_URL)
    identity.username = clean_short(answer.username, 255) or identity.username
    identity.name = clean_short(answer.name, 255) or identity.name
    contact = session.get(Contact, identity.contact_id, with_for_update={"key_share": True})
    if contact is not None and not contact.name:
        contact.name = identity.name
    session.flush()
    conversations = session.execute(
        sa.select(Conversation.workspace_id, Conversation.id).where(Conversation.identity_id == identity.id)
    )
    show_conversations(session, ((row.workspace_id, row.id) for row in conversations))
