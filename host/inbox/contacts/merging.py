"""Compare, merge and split contacts that are the same person.

An identity, a person's id on an account, belongs to one contact. Merging moves only identities and their
conversations. The row of the other contact stays unchanged, with its details and entries, as a part of the
first. Splitting moves the same identities back, with all their current conversations, and restores copied
details unless somebody changed them since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.events.kinds.contacts import CONTACT_MERGED, CONTACT_SPLIT, OfMerge
from host.inbox.apply.tables import CONTACTS, CONVERSATIONS, IDENTITIES
from host.inbox.contacts import attributes, details, history, people
from host.inbox.contacts.models import ContactAttribute, ContactEntry, ContactMerge, EntryKind, MergeState
from host.inbox.errors import ContactFieldError, ContactNotFoundError, MergeError, MergeNotFoundError
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.search import postings
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

OPTED_OUT = "opted_out"
"""The opt-out, which is copied in addition to the details."""


JOINED = "one_person"
"""Key in what a merge moved, where the provider said that two are one: the other *identity*, its *further*
ids and its *conversations*, see :mod:`host.inbox.contacts.one_person`."""


class Field(msgspec.Struct, frozen=True):
    """A detail that at least one of two contacts has.

    :param attribute: the attribute, unless it is the name or email address.
    """

    name: str
    attribute: ContactAttribute | None
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether the values differ, so that one must be chosen."""
        return bool(self.first and self.second) and self.first != self.second


class Comparison(msgspec.Struct, frozen=True):
    """Two contacts side by side.

    :param conversations: total number of both; *messages* and *notes* likewise.
    :param opted_out: whether the merged contact will have opted out.
    """

    first: Contact
    second: Contact
    fields: Sequence[Field]
    opted_out: bool
    conversations: int
    messages: int


def compare(
    session: Session, workspace_id: int, first_id: int, second_id: int, *, accounts: Accounts
) -> Comparison:
    """Return two contacts side by side.

    :raises ContactNotFoundError: if one of them is not in the workspace.
    :raises MergeError: if they are the same contact.
    """
    first, second = (
        people.get(session, workspace_id, id_, accounts=accounts) for id_ in (first_id, second_id)
    )
    if first.id == second.id:
        raise MergeError(_SAME)
    both = [first.id, second.id]
    values = attributes.values_of(session, both)
    known = {one.id: one for one in attributes.all_of(session, workspace_id)}
    fields = [
        Field(details.NAME, None, first.name or "", second.name or ""),
        Field(details.EMAIL, None, first.email or "", second.email or ""),
    ]
    for id_, attribute in known.items():
        theirs = [values.get(contact_id, {}).get(id_, "") for contact_id in both]
        fields.append(Field(details.field_of(id_), attribute, *theirs))
    conversations, messages = _counted(session, Conversation.contact_id.in_(both))
    return Comparison(
        first,
        second,
        [one for one in fields if one.first or one.second],
        opted_out=first.opted_out_at is not None or second.opted_out_at is not None,
        conversations=conversations,
        messages=messages,
    )


_SAME = _l("A contact cannot be merged with itself. Nothing was merged.")


def merge(
    work: UnitOfWork, contact_id: int, other_id: int, *, take: Collection[str] = (), proof: str = ""
) -> ContactMerge:
    """Merge *other_id* into *contact_id*. Return the row that can undo it.

    :param take: names of details to copy from the other contact. Missing details are always copied.
    :param proof: for an automatic merge, what they share, see :class:`host.inbox.contacts.joining.Proof`.
    :raises ContactNotFoundError: if one of them is not in the workspace, or is already merged.
    :raises NotAllTheirsError: if one of them also writes to accounts that are not among *accounts*.
    :raises MergeError: if they are the same, only one is blocked, or another write changed them concurrently.
    :raises ContactFieldError: if *take* names an unknown detail.
    """
    session = work.session
    if contact_id == other_id:
        raise MergeError(_SAME)
    contact, other, identities = _locked_both(work, contact_id, other_id)
    if (contact.blocked_at is None) is not (other.blocked_at is None):
        raise MergeError(
            _l("Only one of the two is blocked, so nothing was merged."),
            next_step=_l("Block or unblock both, then merge them."),
        )
    moving = [one.id for one in identities if one.contact_id == other.id]
    parts = people.members_of(session, other.id)
    taken = _take_over(session, contact, other, _checked_fields(session, work.workspace_id, take))
    conversations, messages = _counted(session, Conversation.identity_id.in_(moving))
    _move(session, moving, contact.id)
    session.execute(sa.update(CONTACTS).where(CONTACTS.c.id.in_(parts)).values(merged_into_id=contact.id))
    session.expire(other)
    found = ContactMerge(
        contact_id=contact.id,
        other_id=other.id,
        state=MergeState.MERGED,
        moved={"identities": moving, "contacts": parts},
        taken=taken,
        author_id=work.actor.id,
        at=work.now,
    )
    session.add(found)
    session.flush()
    # By id only: the other's name must be stored in one place for erasure to find it.
    content: dict[str, Any] = {
        "merge": found.id,
        "other": other.id,
        "conversations": conversations,
        "messages": messages,
    }
    if proof:
        content["proof"] = proof
    people.note_down(work, contact, EntryKind.MERGED, content=content)
    postings.forget_contact(session, other.id)
    facts = OfMerge(contact=contact.id, other=other.id)
    people.record_contact(work, contact, CONTACT_MERGED, facts)
    return found


def split(work: UnitOfWork, contact_id: int, merge_id: int) -> Contact:
    """Undo a merge, and return the restored contact.

    It has its identities with all their current conversations, and its earlier details. The block state, and
    an opt-out recorded since, apply to both contacts.

    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises MergeNotFoundError: if the contact has no such merge to undo.
    :raises NotAllTheirsError: as :func:`merge`.
    """
    session = work.session
    people.get(session, work.workspace_id, contact_id, accounts=work.accounts)
    known = session.get(ContactMerge, merge_id)
    if known is None or known.contact_id != contact_id or known.state != MergeState.MERGED:
        raise MergeNotFoundError()
    contact, other, identities = _locked_both(work, contact_id, known.other_id, parted=True)
    found = session.get_one(ContactMerge, merge_id, with_for_update=True, populate_existing=True)
    if found.state != MergeState.MERGED or other.merged_into_id != contact.id:
        raise MergeNotFoundError()
    joined = found.moved.get(JOINED)
    if joined is not None:
        give(session, joined["conversations"], joined["further"], joined["identity"])
        mine = IDENTITIES.c.id == joined["identity"]
        session.execute(sa.update(IDENTITIES).where(mine).values(same_as_id=None))
        session.expire_all()
    came = set(found.moved["identities"])
    moving = [one.id for one in identities if one.id in came]
    _move(session, moving, other.id)
    parts = [id_ for id_ in found.moved["contacts"] if id_ != other.id]
    here = CONTACTS.c.merged_into_id == contact.id
    session.execute(sa.update(CONTACTS).where(CONTACTS.c.id.in_(parts), here).values(merged_into_id=other.id))
    other.merged_into_id = None
    other.blocked_at = contact.blocked_at
    left = [one for one in merges_of(session, contact.id).values() if one.id != found.id]
    again = _opted_out_again(session, contact, found)
    if other.opted_out_at is None and _was_opted_out_since(contact, found, left):
        _copy_opt_out(contact, other)
    elif other.opted_out_at is None and again is not None:
        _opt_out_by(again, other)
    _give_back(session, contact, found, left, again)
    found.state, found.ended_at = MergeState.SPLIT, work.now
    session.flush()
    for one, beside in ((contact, other), (other, contact)):
        people.note_down(work, one, EntryKind.SPLIT, content={"merge": found.id, "other": beside.id})
    facts = OfMerge(contact=contact.id, other=other.id)
    people.record_contact(work, contact, CONTACT_SPLIT, facts)
    people.show_conversations(session, other)
    return other


def refuse(work: UnitOfWork, contact_id: int, other_id: int) -> None:
    """Record that two contacts are different people, so that the suggestion does not return.

    :raises ContactNotFoundError: if one of them is not in the workspace.
    """
    session = work.session
    first, second = (
        people.get(session, work.workspace_id, id_, accounts=work.accounts) for id_ in (contact_id, other_id)
    )
    if first.id == second.id or second.id in refused(session, first.id):
        return
    session.add(
        ContactMerge(
            contact_id=first.id,
            other_id=second.id,
            state=MergeState.REFUSED,
            moved={},
            taken={},
            author_id=work.actor.id,
            at=work.now,
        )
    )
    session.flush()


def refused(session: Session, contact_id: int) -> set[int]:
    """Return the contacts that somebody marked as different from *contact_id*."""
    said = sa.select(ContactMerge.contact_id, ContactMerge.other_id).where(
        ContactMerge.state == MergeState.REFUSED,
        sa.or_(ContactMerge.contact_id == contact_id, ContactMerge.other_id == contact_id),
    )
    return {id_ for row in session.execute(said) for id_ in row} - {contact_id}


def _locked_both(
    work: UnitOfWork, contact_id: int, other_id: int, *, parted: bool = False
) -> tuple[Contact, Contact, Sequence[ContactIdentity]]:
    """Return two contacts and all their identities, locked: identities, conversations, contacts, each by id.

    :param parted: whether the second contact is merged into the first.
    """
    session = work.session
    ids = sorted((contact_id, other_id))
    identities = people.identities_locked(session, ids)
    people.conversations_locked(session, [one.id for one in identities])
    query = (
        sa.select(Contact)
        .where(Contact.id.in_(ids), Contact.workspace_id == work.workspace_id)
        .order_by(Contact.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = {one.id: one for one in session.scalars(query)}
    if len(found) != 2:
        raise ContactNotFoundError()
    contact, other = found[contact_id], found[other_id]
    if contact.merged_into_id is not None or (other.merged_into_id is not None) is not parted:
        raise MergeNotFoundError() if parted else ContactNotFoundError()
    # A concurrent merge or split may have moved identities while this waited for the locks.
    now_theirs = sa.select(ContactIdentity.id).where(ContactIdentity.contact_id.in_(ids))
    if set(session.scalars(now_theirs)) != {one.id for one in identities}:
        raise MergeError()
    people.check_seen(session, contact, work.accounts)
    if not parted:  # the identities of a merged contact belong to the other
        people.check_seen(session, other, work.accounts)
    people.check_reach(identities, work.accounts)
    return contact, other, identities


def _move(session: Session, identity_ids: Sequence[int], contact_id: int) -> None:
    for table, column in ((IDENTITIES, IDENTITIES.c.id), (CONVERSATIONS, CONVERSATIONS.c.identity_id)):
        session.execute(sa.update(table).where(column.in_(identity_ids)).values(contact_id=contact_id))
    session.expire_all()


def give(session: Session, conversations: Collection[int], ids: Collection[int], identity_id: int) -> None:
    """Give *conversations* to an identity, and make the identities *ids* further ids of it."""
    theirs = CONVERSATIONS.c.id.in_(conversations)
    session.execute(sa.update(CONVERSATIONS).where(theirs).values(identity_id=identity_id))
    session.execute(sa.update(IDENTITIES).where(IDENTITIES.c.id.in_(ids)).values(same_as_id=identity_id))
    session.expire_all()


def _counted(session: Session, mine: sa.ColumnElement[bool]) -> tuple[int, int]:
    conversations = sa.select(sa.func.count()).select_from(Conversation).where(mine)
    return session.scalar(conversations) or 0, session.scalar(history.number_said(mine)) or 0


def _checked_fields(session: Session, workspace_id: int, take: Collection[str]) -> set[str]:
    known = {details.NAME, details.EMAIL}
    known |= {details.field_of(one.id) for one in attributes.all_of(session, workspace_id)}
    if not set(take) <= known:
        raise ContactFieldError(field="take")
    return set(take)


def _take_over(session: Session, contact: Contact, other: Contact, take: set[str]) -> dict[str, Any]:
    """Copy details of *other* to *contact*; return the values before and after."""
    values = attributes.values_of(session, [contact.id, other.id])
    first, second = values.get(contact.id, {}), values.get(other.id, {})
    pairs: dict[str, tuple[str | None, str | None]] = {
        details.NAME: (contact.name or None, other.name or None),
        details.EMAIL: (contact.email or None, other.email or None),
        **{details.field_of(id_): (first.get(id_), second.get(id_)) for id_ in {*first, *second}},
    }
    taken: dict[str, Any] = {}
    for field, (before, after) in pairs.items():
        if after is None or after == before or (before is not None and field not in take):
            continue
        details.write(session, contact, field, after)
        taken[field] = {"before": before, "after": after}
    # An opt-out of either contact always stays.
    if contact.opted_out_at is None and other.opted_out_at is not None:
        _copy_opt_out(other, contact)
        taken[OPTED_OUT] = {"before": None, "after": other.opted_out_at.isoformat()}
    session.flush()
    return taken


def _copy_opt_out(of: Contact, to: Contact) -> None:
    to.opted_out_at, to.opted_out_by, to.opted_out_source = (
        of.opted_out_at,
        of.opted_out_by,
        of.opted_out_source,
    )


def _was_opted_out_since(contact: Contact, found: ContactMerge, left: Sequence[ContactMerge]) -> bool:
    """Return whether an opt-out was recorded for *contact* while the other was merged into it."""
    at = contact.opted_out_at
    if at is None or at < found.at:
        return False
    return not any(one.taken.get(OPTED_OUT, {}).get("after") == at.isoformat() for one in left)


def _opted_out_again(session: Session, contact: Contact, found: ContactMerge) -> ContactEntry | None:
    """Return the entry of an opt-out recorded during the merge, although one contact had already opted out.

    A customer may write STOP twice. Splitting must not end this second opt-out.
    """
    if contact.opted_out_at is None:
        return None
    mine = ContactEntry.contact_id == contact.id
    merged = sa.select(sa.func.min(ContactEntry.id)).where(
        mine, ContactEntry.kind == EntryKind.MERGED, ContactEntry.at == found.at
    )
    last = session.scalars(
        sa.select(ContactEntry)
        .where(mine, ContactEntry.kind.in_((EntryKind.OPTED_OUT, EntryKind.OPTED_IN)))
        .order_by(ContactEntry.at.desc(), ContactEntry.id.desc())
        .limit(1)
    ).one_or_none()
    if last is None or last.kind != EntryKind.OPTED_OUT or last.id <= (session.scalar(merged) or 0):
        return None
    return last


def _opt_out_by(entry: ContactEntry, to: Contact) -> None:
    to.opted_out_at, to.opted_out_by = entry.at, entry.author_id
    to.opted_out_source = entry.text or None


def _give_back(
    session: Session,
    contact: Contact,
    found: ContactMerge,
    left: Sequence[ContactMerge],
    again: ContactEntry | None,
) -> None:
    """Undo the copied details of a merge, unless somebody changed them since.

    If a later merge replaced a detail, undoing that merge will restore the value instead.

    :param left: the other merges of *contact*, by id.
    :param again: the entry from :func:`_opted_out_again`.
    """
    later = [one for one in left if one.id > found.id]
    for field, change in found.taken.items():
        above = next((one for one in later if field in one.taken), None)
        if above is not None:
            if above.taken[field]["before"] == change["after"]:
                above.taken = {**above.taken, field: {**above.taken[field], "before": change["before"]}}
        elif field == OPTED_OUT:
            _give_back_opt_out(session, contact, change["after"], left, again)
        elif details.read(session, contact, field) == change["after"] and _is_there(session, field):
            details.write(session, contact, field, change["before"])
    session.flush()


def _give_back_opt_out(
    session: Session,
    contact: Contact,
    after: str,
    left: Sequence[ContactMerge],
    again: ContactEntry | None,
) -> None:
    """End a copied opt-out, unless *contact* opted out *again*, or another merged contact has opted out."""
    if contact.opted_out_at is None or contact.opted_out_at.isoformat() != after:
        return
    if again is not None:
        _opt_out_by(again, contact)
        return
    for one in left:
        part = session.get_one(Contact, one.other_id)
        if part.opted_out_at is not None:
            _copy_opt_out(part, contact)
            change = {"before": None, "after": part.opted_out_at.isoformat()}
            one.taken = {**one.taken, OPTED_OUT: change}
            return
    contact.opted_out_at = contact.opted_out_by = contact.opted_out_source = None


def _is_there(session: Session, field: str) -> bool:
    """Return whether a detail still exists: its attribute may have been deleted."""
    id_ = details.attribute_in(field)
    return id_ is None or session.get(ContactAttribute, id_) is not None


def merges_of(session: Session, contact_id: int) -> Mapping[int, ContactMerge]:
    """Return the merges of a contact that can be undone, by id."""
    query = (
        sa.select(ContactMerge)
        .where(ContactMerge.contact_id == contact_id, ContactMerge.state == MergeState.MERGED)
        .order_by(ContactMerge.id)
    )
    return {one.id: one for one in session.scalars(query)}
