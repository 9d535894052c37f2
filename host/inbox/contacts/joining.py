"""Join a new customer with the contact who has the same verified phone number or email address.

The consumer of the event log merges them once the customer's first message is stored, so messages never wait
for it. One process at a time reads for a consumer, so of two identities that appear at once, the newer joins
the older. Where two earlier contacts match, one of the two is blocked, or somebody separated them before,
people decide.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core import clock
from host.core.errors import LobbyError
from host.events.consuming import ConsumerContext
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.reading import Recorded
from host.inbox.contacts import merging
from host.inbox.contacts.models import ContactMerge
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message
from host.models.users import Workspace
from host.users.actor import DESK, UnitOfWork

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""Attempts to join a contact that a person merges or splits at the same time."""


class Proof(StrEnum):
    """The verified address that two identities share."""

    PHONE = "phone"
    EMAIL = "email"
    PROVIDER = "provider"
    """Not an address: the provider named ids of both as one person's, see
    :mod:`host.inbox.contacts.one_person`."""


class _Match(NamedTuple):
    identity_id: int
    contact_id: int
    workspace_id: int
    other_id: int
    proof: Proof


def consumer(_context: ConsumerContext) -> Joining:
    """Return the consumer that joins contacts."""
    return Joining()


class Joining:
    """The consumer that joins contacts."""

    name = "joining"
    from_beginning = False
    batch = 200
    shown = False

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Join the customers whose first message is among *events*."""
        conversations = {
            one.conversation_id: one.message_id
            for one in reversed(events)  # the first message of each conversation stays
            if one.kind == MESSAGE_RECEIVED and one.conversation_id is not None
        }
        matches: dict[int, list[_Match]] = defaultdict(list)
        for match in _matches(session, sorted(conversations)):
            matches[match.identity_id].append(match)
        firsts = set(conversations.values()) - {None}
        for identity_id in sorted(matches):
            if _first_message(session, identity_id) in firsts:
                _join(session, identity_id, matches[identity_id][0].workspace_id)


def _matches(session: Session, conversations: Sequence[int], identity_id: int | None = None) -> list[_Match]:
    """Return the other contacts with a verified address of the customers of *conversations*.

    :param identity_id: an identity to read for instead.
    """
    if not conversations and identity_id is None:
        return []
    mine, other = aliased(ContactIdentity), aliased(ContactIdentity)
    same = {
        Proof.PHONE: sa.and_(other.phone_key == mine.phone_key, other.phone == mine.phone),
        Proof.EMAIL: other.verified_email == mine.verified_email,
    }
    whose = (
        mine.id == identity_id
        if identity_id is not None
        else mine.id.in_(sa.select(Conversation.identity_id).where(Conversation.id.in_(conversations)))
    )
    found = []
    for proof, condition in same.items():
        query = (
            sa.select(mine.id, mine.contact_id, mine.workspace_id, other.contact_id)
            .distinct()
            .join(other, sa.and_(other.workspace_id == mine.workspace_id, condition))
            .join(Workspace, Workspace.id == mine.workspace_id)
            .where(whose, other.contact_id != mine.contact_id, Workspace.joins_contacts.is_(True))
        )
        found += [_Match(*row, proof) for row in session.execute(query)]
    return found


def _first_message(session: Session, identity_id: int) -> int | None:
    """Return the id of the first message that a customer wrote."""
    query = (
        sa.select(sa.func.min(Message.id))
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.identity_id == identity_id, Message.direction == Direction.INBOUND)
    )
    return session.scalar(query)


def _join(session: Session, identity_id: int, workspace_id: int) -> None:
    """Merge the contact of a new identity into the only earlier one with its address."""
    for _ in range(ATTEMPTS):
        found = _matches(session, (), identity_id)
        earlier = {one.other_id for one in found if one.other_id < one.contact_id}
        if len(earlier) != 1:
            return
        match = next(one for one in found if one.other_id in earlier)
        if not _may_join(session, match.contact_id, match.other_id):
            return
        try:
            merging.merge(
                UnitOfWork(session, workspace_id, DESK, clock.now()),
                match.other_id,
                match.contact_id,
                proof=match.proof,
            )
        except LobbyError as error:
            # Nothing was written yet. A person merged, split or blocked one of them meanwhile.
            log.info("contact %s was not joined with %s: %s", match.contact_id, match.other_id, error)
            session.expire_all()
            continue
        return


def _may_join(session: Session, contact_id: int, other_id: int) -> bool:
    """Return whether the new contact has one identity, neither is blocked, and nobody separated the two."""
    both = (contact_id, other_id)
    blocked = sa.exists().where(Contact.id.in_(both), Contact.blocked_at.is_not(None))
    # Further ids of one customer are no further places.
    theirs = ContactIdentity.contact_id == contact_id, ContactIdentity.same_as_id.is_(None)
    several = sa.select(sa.func.count()).where(*theirs).scalar_subquery() > 1
    separated = sa.exists().where(ContactMerge.contact_id.in_(both), ContactMerge.other_id.in_(both))
    return not session.scalar(sa.select(sa.or_(blocked, several, separated)))
