"""Contact attributes of a workspace, and their values.

Leads create, rename and delete attributes; anyone who answers fills them in. A value is text, validated by
the attribute's kind.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import clean_written
from host.inbox import names
from host.inbox.apply import phone_numbers
from host.inbox.contacts.models import AttributeKind, ContactAttribute, ContactValue
from host.inbox.errors import (
    AttributeNameError,
    AttributeNotFoundError,
    ContactFieldError,
)
from host.users.actor import UnitOfWork

MOST = 50
"""Maximum number of attributes of a workspace: all are shown next to every conversation."""
MOST_CHOICES = 50
LONGEST = 250
"""Longest value in characters."""
YES, NO = "yes", "no"
_TAKEN = _l("An attribute with that name already exists. Nothing was saved.")


def all_of(session: Session, workspace_id: int) -> Sequence[ContactAttribute]:
    """Return the attributes of a workspace, in the order they were created."""
    query = sa.select(ContactAttribute).where(ContactAttribute.workspace_id == workspace_id)
    return session.scalars(query.order_by(ContactAttribute.id)).all()


def counts(session: Session, workspace_id: int) -> dict[int, int]:
    """Return the number of contacts with a value, by attribute id."""
    query = (
        sa.select(ContactValue.attribute_id, sa.func.count())
        .join(ContactAttribute, ContactAttribute.id == ContactValue.attribute_id)
        .where(ContactAttribute.workspace_id == workspace_id)
        .group_by(ContactValue.attribute_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def get(session: Session, workspace_id: int, attribute_id: int, *, lock: bool = False) -> ContactAttribute:
    """Return an attribute of the workspace.

    :param lock: whether to lock it until the write ends.
    :raises AttributeNotFoundError: if the workspace has no such attribute.
    """
    found = names.find(session, ContactAttribute, workspace_id, attribute_id, lock=lock)
    if found is None:
        raise AttributeNotFoundError()
    return found


def create(
    work: UnitOfWork, *, name: str, kind: AttributeKind, choices: Collection[str] = ()
) -> ContactAttribute:
    """Create an attribute and return it.

    :param choices: the allowed values of a choice.
    :raises AttributeNameError: if *name* is empty, too long, or equals another name ignoring case; if the
        workspace has :data:`MOST`; or if a choice has no values, or too many.
    """
    number = sa.select(sa.func.count()).where(ContactAttribute.workspace_id == work.workspace_id)
    if (work.session.scalar(number) or 0) >= MOST:
        raise AttributeNameError(
            _l("The workspace has reached the maximum number of attributes. Nothing was saved.")
        )
    found = ContactAttribute(
        workspace_id=work.workspace_id,
        name=_checked(name),
        kind=AttributeKind(kind),
        choices=_words(choices) if kind is AttributeKind.CHOICE else None,
        created_at=work.now,
    )
    names.save(work.session, found, AttributeNameError(_TAKEN))
    work.audit("attribute.added", found.name)
    return found


def change(
    work: UnitOfWork,
    attribute_id: int,
    *,
    name: str | None = None,
    choices: Collection[str] | None = None,
) -> ContactAttribute:
    """Change the name or choices of an attribute; None keeps them. Return it.

    Contacts keep values that are no longer among the choices.

    :raises AttributeNotFoundError: if the workspace has no such attribute.
    :raises AttributeNameError: as :func:`create`.
    """
    found = get(work.session, work.workspace_id, attribute_id, lock=True)
    if name is not None:
        found.name = _checked(name)
    if choices is not None and found.kind == AttributeKind.CHOICE:
        found.choices = _words(choices)
    names.save(work.session, found, AttributeNameError(_TAKEN))
    work.audit("attribute.changed", found.name)
    return found


def delete(work: UnitOfWork, attribute_id: int) -> ContactAttribute:
    """Delete an attribute with all contacts' values. Return its earlier values.

    :raises AttributeNotFoundError: if the workspace has no such attribute.
    """
    found = get(work.session, work.workspace_id, attribute_id, lock=True)
    work.session.execute(sa.delete(ContactValue).where(ContactValue.attribute_id == attribute_id))
    work.session.execute(sa.delete(ContactAttribute).where(ContactAttribute.id == attribute_id))
    work.session.expunge(found)
    work.audit("attribute.deleted", found.name)
    return found


def _checked(name: str) -> str:
    return names.checked(name, AttributeNameError(), AttributeNameError(names.TOO_LONG))


def _words(choices: Collection[str]) -> list[str]:
    words = list(dict.fromkeys(word for one in choices if (word := _one_line(one))))
    if not words:
        raise AttributeNameError(
            _l("A choice needs at least one option. Nothing was saved."),
            next_step=_l("Write one option per line."),
        )
    if len(words) > MOST_CHOICES:
        raise AttributeNameError(
            _l("A choice can have up to 50 options. Nothing was saved."),
            next_step=_l("Use a text attribute instead."),
        )
    if any(len(word) > names.LONGEST for word in words):
        raise AttributeNameError(
            _l("An option has more than 40 characters. Nothing was saved."),
            next_step=_l("Make it shorter."),
        )
    return words


def _one_line(text: str) -> str:
    seen = "".join(one for one in clean_written(text) if unicodedata.category(one) != "Cc" or one.isspace())
    return " ".join(seen.split())


# ---- values --------------------------------------------------------------------------------------------


def values_of(session: Session, contact_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """Return values by contact and attribute; contacts without values are left out."""
    found: dict[int, dict[int, str]] = {}
    query = sa.select(ContactValue.contact_id, ContactValue.attribute_id, ContactValue.value)
    for contact_id, attribute_id, value in session.execute(
        query.where(ContactValue.contact_id.in_(contact_ids))
    ):
        found.setdefault(contact_id, {})[attribute_id] = value
    return found


def checked_value(attribute: ContactAttribute, given: str) -> str:
    """Return a valid value, normalized for storage; empty for none.

    :raises ContactFieldError: if it is invalid for the kind of *attribute*.
    """
    value = _one_line(given)
    if not value:
        return ""
    if len(value) > LONGEST:
        raise ContactFieldError(
            _l("A detail can have up to 250 characters. Nothing was saved."), next_step=_l("Make it shorter.")
        )
    return _CHECKS[AttributeKind(attribute.kind)](attribute, value)


def _number(_attribute: ContactAttribute, value: str) -> str:
    try:
        found = Decimal(value.replace(",", ".") if value.count(",") == 1 and "." not in value else value)
        if not found.is_finite() or abs(found.adjusted()) > 30:
            raise InvalidOperation
    except InvalidOperation:
        raise ContactFieldError(
            _l("That is not a number. Nothing was saved."),
            next_step=_l("Write it in digits: 1042 or 9.5."),
        ) from None
    return format(found, "f")


def _date(_attribute: ContactAttribute, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ContactFieldError(
            _l("That is not a date. Nothing was saved."), next_step=_l("Write it as 2026-11-20.")
        ) from None


def _yes_no(_attribute: ContactAttribute, value: str) -> str:
    if value.casefold() not in {YES, NO}:
        raise ContactFieldError(
            _l("That is neither yes nor no. Nothing was saved."), next_step=_l("Choose one of the two.")
        )
    return value.casefold()


def _choice(attribute: ContactAttribute, value: str) -> str:
    if value not in (attribute.choices or ()):
        raise ContactFieldError(
            _l("That is not one of the options. Nothing was saved."),
            next_step=_l("Choose one of them, or have a lead add it under Settings, Labels and attributes."),
        )
    return value


_CHECKS: Mapping[AttributeKind, Callable[[ContactAttribute, str], str]] = {
    AttributeKind.TEXT: lambda _attribute, value: value,
    AttributeKind.NUMBER: _number,
    AttributeKind.DATE: _date,
    AttributeKind.YES_NO: _yes_no,
    AttributeKind.CHOICE: _choice,
}


def put(session: Session, contact_id: int, attribute_id: int, value: str | None) -> None:
    """Set the value, already validated, of a locked contact; None or empty deletes it."""
    row = session.get(ContactValue, (contact_id, attribute_id))
    if row is None:
        if value:
            row = ContactValue(contact_id=contact_id, attribute_id=attribute_id, value=value)
            row.phone_key = phone_numbers.written_key(value)
            session.add(row)
    elif value:
        row.value, row.phone_key = value, phone_numbers.written_key(value)
    else:
        session.delete(row)
    session.flush()


def named(found: Sequence[ContactAttribute], values: Mapping[int, str]) -> list[tuple[ContactAttribute, str]]:
    """Return every attribute with a contact's value; empty if there is none."""
    return [(one, values.get(one.id, "")) for one in found]
