"""Make one of two stored customers whose ids the provider says are one person's.

Both are known on the same account, each with a contact and conversations of their own, because no event had
named their ids together. The older stays: it gets the other's conversations, and whoever names the other's id
means the older from then on. Contacts are merged as people merge them, and can be separated again; then, and
if somebody said before that they are two, the provider's word no longer joins them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.apply.tables import CONVERSATIONS, IDENTITIES, MARKS
from host.inbox.contacts import merging, people
from host.inbox.contacts.joining import Proof
from host.inbox.contacts.models import ContactMerge, MergeState
from host.models.inbox import Contact, ContactIdentity
from host.queue import lanes, outbox, wakeups
from host.queue.order import joined_lanes
from host.queue.order.joined_lanes import OnePerson
from host.users.actor import DESK, UnitOfWork

log = logging.getLogger(__name__)


def join(joins: Mapping[tuple[int, int], Incoming]) -> list[OnePerson]:
    """Join the people of *joins*, each two in a write of its own; return those who are one now.

    :param joins: what says it, by the ids of two identities, the older first.
    """
    joined: list[OnePerson] = []
    for first_id, second_id in sorted(joins):
        try:
            joined += db.write(_join, first_id, second_id, joins[first_id, second_id])
        except LobbyError as error:
            # Only one of them is blocked, or a person merged them meanwhile.
            log.info("identities %s and %s were not joined: %s", first_id, second_id, error)
        except Exception:
            log.exception("identities %s and %s could not be joined yet", first_id, second_id)
    return joined


def _join(session: Session, first_id: int, second_id: int, said: Incoming) -> Sequence[OnePerson]:
    """Join two people; return them if they are one now."""
    first, second = _main(session, first_id), _main(session, second_id)
    if first is None or second is None or _are_two(session, first, second):
        return ()
    if first.id == second.id:
        return [_join_lanes(session, first)]
    first_id, second_id = first.id, second.id
    # Lanes are locked first, in the order of their keys.
    for one in sorted((first, second), key=lambda one: outbox.lane_of(one.account_id, one.external_id)):
        outbox.take_lane(session, one.account_id, one.external_id)
    still = apply_changes(session, [said]).joins
    if (min(first_id, second_id), max(first_id, second_id)) not in still:
        return ()  # one of the ids has become somebody else's
    session.expire_all()
    merge = None
    if first.contact_id != second.contact_id:
        merge = merging.merge(
            UnitOfWork(session, first.workspace_id, DESK, clock.now()),
            first.contact_id,
            second.contact_id,
            proof=Proof.PROVIDER,
        )
    else:
        locked = people.identities_locked(session, [first.contact_id])
        people.conversations_locked(session, [one.id for one in locked])
    moved = list(
        session.scalars(sa.select(CONVERSATIONS.c.id).where(CONVERSATIONS.c.identity_id == second_id))
    )
    further = list(session.scalars(sa.select(IDENTITIES.c.id).where(IDENTITIES.c.same_as_id == second_id)))
    outbox.readdress(session, first.account_id, second_id, second.external_id, first.external_id)
    merging.give(session, moved, [second_id, *further], first_id)
    session.execute(sa.update(MARKS).where(MARKS.c.identity_id == second_id).values(identity_id=first_id))
    if merge is not None:
        taken = {"identity": second_id, "further": further, "conversations": moved}
        merge.moved = {**merge.moved, merging.JOINED: taken}
        session.flush()
    people.show_conversations(session, session.get_one(Contact, first.contact_id))
    return [_join_lanes(session, first)]


def _join_lanes(session: Session, main: ContactIdentity) -> OnePerson:
    theirs = sa.or_(IDENTITIES.c.id == main.id, IDENTITIES.c.same_as_id == main.id)
    ids = session.scalars(sa.select(IDENTITIES.c.external_id).where(theirs))
    keys = frozenset(lanes.lane_key(wakeups.IN, main.account_id, one) for one in ids)
    found = OnePerson(main.account_id, keys)
    joined_lanes.join(session, [found])
    return found


def _main(session: Session, identity_id: int) -> ContactIdentity | None:
    """Return the identity that an id belongs to: it may have been joined with another by now."""
    found = session.get(ContactIdentity, identity_id)
    return (
        found if found is None or found.same_as_id is None else session.get(ContactIdentity, found.same_as_id)
    )


def _are_two(session: Session, first: ContactIdentity, second: ContactIdentity) -> bool:
    """Return whether somebody separated the two, or said that they are different people."""
    if first.contact_id == second.contact_id:
        return False
    both = [*people.members_of(session, first.contact_id), *people.members_of(session, second.contact_id)]
    said = sa.exists().where(ContactMerge.contact_id.in_(both), ContactMerge.other_id.in_(both))
    parted = said.where(ContactMerge.state != MergeState.MERGED)
    return bool(session.scalar(sa.select(parted)))
