"""The details of a contact: name, email address, attributes, and notes about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import clean_short, clean_written
from host.core.ids import read_id
from host.events.kinds.contacts import CONTACT_CHANGED, OfContactChange
from host.inbox.contacts import attributes, people
from host.inbox.contacts.models import ContactAttribute, ContactEntry, ContactValue, EntryKind
from host.inbox.errors import ContactFieldError, EmptyTextError, TooLongError
from host.models.inbox import Contact
from host.users.actor import UnitOfWork

NAME, EMAIL, ATTRIBUTE = "name", "email", "attribute:"
"""Names of details; that of an attribute is followed by its id."""
MOST_NOTE = 20_000


def field_of(attribute_id: int) -> str:
    """Return the detail name of an attribute."""
    return f"{ATTRIBUTE}{attribute_id}"


def attribute_in(field: str) -> int | None:
    """Return the attribute id of a detail, or None for other details."""
    return read_id(field.removeprefix(ATTRIBUTE)) if field.startswith(ATTRIBUTE) else None


def change(work: UnitOfWork, contact_id: int, changes: Mapping[str, str | None]) -> Contact:
    """Change details of a contact: all or none. Return it.

    :param changes: by detail name; None or empty deletes the value.
    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises AttributeNotFoundError: if it has no such attribute.
    :raises ContactFieldError: if a value is invalid.
    """
    session = work.session
    contact = people.locked(work, contact_id)
    known: dict[str, ContactAttribute] = {}
    wanted: dict[str, str | None] = {}
    for field, given in changes.items():
        attribute_id = attribute_in(field)
        if attribute_id is not None:
            # A shared lock, so that it is not deleted before this is written.
            known[field] = attributes.get(session, work.workspace_id, attribute_id)
            wanted[field] = attributes.checked_value(known[field], given or "") or None
        elif field == NAME:
            wanted[field] = _short(given, 255)
        elif field == EMAIL:
            wanted[field] = _email(given)
        else:
            raise ContactFieldError(field=field)
    for field, value in wanted.items():
        before = read(session, contact, field)
        if before == value:
            continue
        write(session, contact, field, value)
        attribute = known.get(field)
        content: dict[str, Any] = {"field": field, "before": before or "", "after": value or ""}
        if attribute is not None:
            content["name"] = attribute.name
        people.note_down(work, contact, EntryKind.CHANGED, content=content)
        facts = OfContactChange(
            contact=contact.id,
            field="attribute" if attribute is not None else field,
            attribute=0 if attribute is None else attribute.id,
        )
        people.record_contact(work, contact, CONTACT_CHANGED, facts)
    return contact


def read(session: Session, contact: Contact, field: str) -> str | None:
    """Return a detail of *contact*, or None."""
    attribute_id = attribute_in(field)
    if attribute_id is None:
        return contact.name or None if field == NAME else contact.email or None
    return session.scalar(
        sa.select(ContactValue.value).where(
            ContactValue.contact_id == contact.id, ContactValue.attribute_id == attribute_id
        )
    )


def write(session: Session, contact: Contact, field: str, value: str | None) -> None:
    """Set a detail of the locked *contact*."""
    attribute_id = attribute_in(field)
    if attribute_id is not None:
        attributes.put(session, contact.id, attribute_id, value)
    elif field == NAME:
        contact.name = value
    else:
        contact.email = value
    session.flush()


def _short(given: str | None, length: int) -> str | None:
    text = " ".join(clean_written(given or "").split())
    if len(text) > length:
        raise ContactFieldError(
            _l("The name is too long. Nothing was saved."), next_step=_l("Make it shorter."), field=NAME
        )
    return clean_short(text, length)


def _email(given: str | None) -> str | None:
    text = clean_written(given or "")
    if not text:
        return None
    name, at, domain = text.rpartition("@")
    if not (name and at and domain) or len(text) > 254 or any(one.isspace() for one in text):
        raise ContactFieldError(
            _l("That is not a valid email address. Nothing was saved."),
            next_step=_l("Use the format rosa@example.com."),
            field=EMAIL,
        )
    return text


# ---- notes --------------------------------------------------------------------------------------------


def add_note(work: UnitOfWork, contact_id: int, text: str) -> ContactEntry:
    """Add a note about a contact, and return it.

    :raises ContactNotFoundError: if the workspace has no such contact.
    :raises EmptyTextError: if *text* is blank.
    :raises TooLongError: if it has more than :data:`MOST_NOTE` characters.
    """
    written = clean_written(text)
    if not written:
        raise EmptyTextError(_l("The note is empty, so nothing was added."))
    if len(written) > MOST_NOTE:
        raise TooLongError(_l("The note is too long, so nothing was added."))
    contact = people.locked(work, contact_id)
    entry = people.note_down(work, contact, EntryKind.NOTE, text=written)
    facts = OfContactChange(contact=contact.id, field="note")
    people.record_contact(work, contact, CONTACT_CHANGED, facts)
    return entry


def delete_note(work: UnitOfWork, contact_id: int, entry_id: int) -> None:
    """Delete a note about a contact permanently. A note that doesn't exist is no error.

    :raises ContactNotFoundError: if the workspace has no such contact.
    """
    session = work.session
    contact = people.locked(work, contact_id)
    entry = session.get(ContactEntry, entry_id)
    theirs = people.members_of(session, contact.id)
    if entry is None or entry.kind != EntryKind.NOTE or entry.contact_id not in theirs:
        return
    session.delete(entry)
    session.flush()
    facts = OfContactChange(contact=contact.id, field="note")
    people.record_contact(work, contact, CONTACT_CHANGED, facts)
