"""Request the names and pictures of contacts from providers. A failure costs a name, never a message.

Applying a message only notes that the profile of a new customer is due; this job of a thread of its own
requests it, without any lane. A round claims what is due, requests the customers of each account together
where the channel can, and writes all answers in one transaction. What is claimed is due again after
:data:`host.queue.policy.PROFILE_CLAIM`, so a process that dies before it writes loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.cleaning import clean_short, clean_value
from host.core.ports import AdapterDirectory
from host.core.statements import earliest
from host.delivery import results
from host.delivery.claiming import claim
from host.events.writing import show_conversations
from host.inbox.apply.tables import CONTACTS, CONVERSATIONS, IDENTITIES
from host.models.inbox import ContactIdentity
from host.queue import policy
from host.sdk.channel import AccountRef, ChannelAdapter, NoProfile, Profile

log = logging.getLogger(__name__)

BATCH = 50
MAX_URL = 8000
ROUND_SECONDS = policy.PROFILE_CLAIM.total_seconds() / 2
"""No request of a round begins later, because its claims end: another process would request the same."""
WRITE_SECONDS = 1.0
"""How long answers wait for those of slower requests before they are written."""


class _Due(msgspec.Struct, frozen=True):
    identity_id: int
    external_id: str
    account: AccountRef
    erased_at: datetime | None


class _Fetched(msgspec.Struct, frozen=True):
    """A profile in storable form."""

    name: str | None
    username: str | None
    picture_url: str | None
    facts: dict[str, Any]


class _NoAnswer(msgspec.Struct, frozen=True):
    """No profile; *retry*: whether to request it again."""

    retry: bool


_Answer = _Fetched | _NoAnswer


def due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(IDENTITIES.c.profile_due_at, now)


def fetch(directory: AdapterDirectory) -> bool:
    """Fetch profiles that are due; return whether there may be more.

    After a round that was not full, the job rests, so that the customers who write meanwhile share a round.
    """
    return fetch_due(directory) >= BATCH


def fetch_due(directory: AdapterDirectory, *, most: int = BATCH) -> int:
    """Fetch up to *most* profiles that are due; return how many were claimed."""
    with db.read() as session:
        due = session.execute(
            sa.select(IDENTITIES.c.id).where(IDENTITIES.c.profile_due_at <= clock.now()).limit(1)
        ).first()
    if due is None:
        return 0
    claimed = db.write(_claim, most)
    by_account: dict[int, list[_Due]] = {}
    for one in claimed:
        by_account.setdefault(one.account.id, []).append(one)
    this = _Round(directory)
    for customers in by_account.values():
        this.ask(customers)
    this.write()
    return len(claimed)


def _claim(session: Session, most: int) -> list[_Due]:
    # Also while its replies wait for a limit, which may only concern sending. If not, the first answer
    # reveals it.
    found = claim(session, ContactIdentity, ContactIdentity.account_id, ContactIdentity.profile_due_at, most)
    return [
        _Due(identity.id, identity.external_id, account, identity.erased_at) for identity, account in found
    ]


class _Round:
    """The requests of one round, and the answers that are not written yet."""

    def __init__(self, directory: AdapterDirectory) -> None:
        self._directory = directory
        self._until = clock.monotonic() + ROUND_SECONDS
        self._written_at = clock.monotonic()
        self._answers: list[tuple[_Due, _Answer]] = []
        self._limited: dict[int, float] = {}
        """Seconds to pause, by the id of an account that its provider limits."""

    def ask(self, customers: Sequence[_Due]) -> None:
        """Request the profiles of customers of one account: together, then one by one what that leaves."""
        account = customers[0].account
        adapter = self._directory.adapter(account.channel)
        if adapter is None:
            self._answers += [(one, _NoAnswer(retry=True)) for one in customers]
            return
        if self._is_over():
            return
        together = _ask_together(adapter, customers) if len(customers) > 1 else {}
        for one in customers:
            if one.external_id in together:
                self._note(one, together[one.external_id])
        for one in customers:
            if account.id in self._limited or self._is_over():
                return
            if one.external_id not in together:
                self._note(one, _ask(adapter, one))
            if clock.monotonic() - self._written_at >= WRITE_SECONDS:
                self.write()

    def _is_over(self) -> bool:
        return clock.monotonic() > self._until

    def _note(self, one: _Due, answer: Profile | NoProfile) -> None:
        if isinstance(answer, NoProfile) and answer.retry_after is not None:
            wait = float(answer.retry_after)
            self._limited[one.account.id] = max(wait, self._limited.get(one.account.id, wait))
        else:
            self._answers.append((one, _storable(one, answer)))

    def write(self) -> None:
        """Write the answers, and how long limited accounts pause, in one transaction."""
        if self._answers or self._limited:
            db.write(_store, self._answers, self._limited)
        self._answers, self._limited = [], {}
        self._written_at = clock.monotonic()


def _ask_together(adapter: ChannelAdapter, customers: Sequence[_Due]) -> Mapping[str, Profile | NoProfile]:
    account = customers[0].account
    try:
        answers = adapter.fetch_profiles(account, tuple(one.external_id for one in customers))
        return {contact: one for contact, one in answers.items() if isinstance(one, Profile | NoProfile)}
    except Exception:
        log.exception("the adapter of %s raised while asking for profiles", account.channel)
        return {}


def _ask(adapter: ChannelAdapter, due: _Due) -> Profile | NoProfile:
    try:
        return adapter.fetch_profile(due.account, due.external_id)
    except Exception:
        log.exception("the adapter of %s raised while asking for a profile", due.account.channel)
        return NoProfile("the addon failed", retry=True)


def _storable(due: _Due, answer: Profile | NoProfile) -> _Answer:
    """Return what is written of *answer*. Something that cannot be stored must not spoil its neighbours."""
    if not isinstance(answer, Profile):
        return _NoAnswer(retry=bool(getattr(answer, "retry", True)))
    try:
        return _Fetched(
            clean_short(answer.name, 255),
            clean_short(answer.username, 255),
            clean_short(answer.picture_url, MAX_URL),
            clean_value(dict(answer.facts)),
        )
    except Exception:
        log.exception("a profile from the adapter of %s cannot be stored", due.account.channel)
        return _NoAnswer(retry=True)


_identities = (
    sa.select(
        IDENTITIES.c.id,
        IDENTITIES.c.contact_id,
        IDENTITIES.c.name,
        IDENTITIES.c.username,
        IDENTITIES.c.profile_failures,
        IDENTITIES.c.erased_at,
    )
    .where(IDENTITIES.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(IDENTITIES.c.id)
    .with_for_update(key_share=True)
)
_contacts = (
    sa.select(CONTACTS.c.id, CONTACTS.c.name)
    .where(CONTACTS.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(CONTACTS.c.id)
    .with_for_update(key_share=True)
)
_conversations = sa.select(CONVERSATIONS.c.workspace_id, CONVERSATIONS.c.id).where(
    CONVERSATIONS.c.identity_id.in_(sa.bindparam("ids", expanding=True))
)
_update_identity = sa.update(IDENTITIES).where(IDENTITIES.c.id == sa.bindparam("identity"))
_update_contact = sa.update(CONTACTS).where(CONTACTS.c.id == sa.bindparam("contact"))


def _store(session: Session, answers: Sequence[tuple[_Due, _Answer]], limited: Mapping[int, float]) -> None:
    """Write *answers*, and pause requests for the accounts in *limited*."""
    connection = session.connection()
    now = clock.now()
    answered: set[int] = set()
    found: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    contact_names: dict[int, str] = {}
    rows = {}
    if answers:
        ids = [due.identity_id for due, _ in answers]
        rows = {row.id: row for row in connection.execute(_identities, {"ids": ids})}
    for due, answer in answers:
        row = rows.get(due.identity_id)
        if row is None or row.erased_at != due.erased_at:
            continue  # the customer was erased meanwhile: their name must not come back
        if isinstance(answer, _NoAnswer):
            missing.append(_failed(row.id, row.profile_failures + 1, answer, now))
            continue
        answered.add(due.account.id)
        name = answer.name or row.name
        found.append(
            {
                "identity": row.id,
                "profile_due_at": None,
                "profile_failures": 0,
                "profile": answer.facts,
                "profile_at": now,
                "picture_url": answer.picture_url,
                "username": answer.username or row.username,
                "name": name,
            }
        )
        if name:
            contact_names.setdefault(row.contact_id, name)
    if missing:
        connection.execute(_update_identity, missing)
    if found:
        connection.execute(_update_identity, found)
        changed = [one["identity"] for one in found]
        conversations = connection.execute(_conversations, {"ids": changed}).all()
        _name_contacts(session, contact_names)
        show_conversations(session, ((row.workspace_id, row.id) for row in conversations))
    for account_id, wait in sorted(limited.items()):
        _rest(session, account_id, wait)
    for account_id in sorted(answered):
        results.note_answers(session, account_id)


def _failed(identity_id: int, failures: int, answer: _NoAnswer, now: datetime) -> dict[str, Any]:
    again = answer.retry and failures <= len(policy.PROFILE_DELAYS)
    due_at = now + policy.profile_delay(failures) if again else None
    return {"identity": identity_id, "profile_failures": failures, "profile_due_at": due_at}


def _name_contacts(session: Session, names: Mapping[int, str]) -> None:
    """Give contacts without a name the name of their identity, by the contact's id."""
    if not names:
        return
    connection = session.connection()
    rows = connection.execute(_contacts, {"ids": list(names)})
    nameless = [{"contact": row.id, "name": names[row.id]} for row in rows if not row.name]
    if nameless:
        connection.execute(_update_contact, nameless)


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
