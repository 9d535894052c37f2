"""Attributes: what else a workspace keeps about its customers, and what each of them has.

Leads make, rename and delete attributes; who answers fills them in. A value is text, checked by the kind of
its attribute.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import clean_written
from host.inbox import names
from host.inbox.errors import (
    AttributeNameError,
    AttributeNotFoundError,
    ContactFieldError,
)
from host.models.contacts import AttributeKind, ContactAttribute, ContactValue

MOST = 50
"""Most attributes of a workspace: all of them stand beside every conversation."""
MOST_CHOICES = 50
LONGEST = 250
"""Most letters of a value."""
YES, NO = "yes", "no"
_TAKEN = _l("There is an attribute of that name already, so nothing was saved.")


def all_of(session: Session, workspace_id: int) -> Sequence[ContactAttribute]:
    """Return the attributes of a workspace, in the order they were made."""
    query = sa.select(ContactAttribute).where(ContactAttribute.workspace_id == workspace_id)
    return session.scalars(query.order_by(ContactAttribute.id)).all()


def counts(session: Session, workspace_id: int) -> dict[int, int]:
    """Return how many contacts have something for each attribute, by its id."""
    query = (
        sa.select(ContactValue.attribute_id, sa.func.count())
        .join(ContactAttribute, ContactAttribute.id == ContactValue.attribute_id)
        .where(ContactAttribute.workspace_id == workspace_id)
        .group_by(ContactValue.attribute_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def get(session: Session, workspace_id: int, attribute_id: int, *, lock: bool = False) -> ContactAttribute:
    """Return an attribute of the workspace.

    :param lock: until the write ends.
    :raises AttributeNotFoundError: if the workspace has no such attribute.
    """
    found = names.find(session, ContactAttribute, workspace_id, attribute_id, lock=lock)
    if found is None:
        raise AttributeNotFoundError()
    return found


def create(
    session: Session,
    *,
    workspace_id: int,
    name: str,
    kind: AttributeKind,
    choices: Collection[str] = (),
    now: datetime,
) -> ContactAttribute:
    """Add an attribute to a workspace and return it.

    :param choices: of a choice, the words there are.
    :raises AttributeNameError: if *name* is empty, too long, or that of another attribute but for capital
        letters; if the workspace has :data:`MOST`; or if a choice has no words, or too many.
    """
    count = session.scalar(sa.select(sa.func.count()).where(ContactAttribute.workspace_id == workspace_id))
    if (count or 0) >= MOST:
        raise AttributeNameError(
            _l("There are as many attributes as a workspace can have, so nothing was saved.")
        )
    found = ContactAttribute(
        workspace_id=workspace_id,
        name=_checked(name),
        kind=AttributeKind(kind),
        choices=_words(choices) if kind is AttributeKind.CHOICE else None,
        created_at=now,
    )
    names.save(session, found, AttributeNameError(_TAKEN))
    return found


def change(
    session: Session,
    *,
    workspace_id: int,
    attribute_id: int,
    name: str | None = None,
    choices: Collection[str] | None = None,
) -> ContactAttribute:
    """Rename an attribute, or give a choice other words; None: that stays. Return it.

    Values that are no longer among the words stay.

    :raises AttributeNotFoundError: if the workspace has no such attribute.
    :raises AttributeNameError: as :func:`create`.
    """
    found = get(session, workspace_id, attribute_id, lock=True)
    if name is not None:
        found.name = _checked(name)
    if choices is not None and found.kind == AttributeKind.CHOICE:
        found.choices = _words(choices)
    names.save(session, found, AttributeNameError(_TAKEN))
    return found


def delete(session: Session, *, workspace_id: int, attribute_id: int) -> ContactAttribute:
    """Delete an attribute with everything contacts have for it. Return it as it was.

    :raises AttributeNotFoundError: if the workspace has no such attribute.
    """
    found = get(session, workspace_id, attribute_id, lock=True)
    session.execute(sa.delete(ContactValue).where(ContactValue.attribute_id == attribute_id))
    session.execute(sa.delete(ContactAttribute).where(ContactAttribute.id == attribute_id))
    session.expunge(found)
    return found


def _checked(name: str) -> str:
    return names.checked(name, AttributeNameError(), AttributeNameError(names.TOO_LONG))


def _words(choices: Collection[str]) -> list[str]:
    words = list(dict.fromkeys(word for one in choices if (word := _one_line(one))))
    if not words:
        raise AttributeNameError(
            _l("A choice needs words to choose from, so nothing was saved."),
            next_step=_l("Write one word on each line."),
        )
    if len(words) > MOST_CHOICES:
        raise AttributeNameError(
            _l("There are more than 50 words to choose from, so nothing was saved."),
            next_step=_l("Take a text instead."),
        )
    if any(len(word) > names.LONGEST for word in words):
        raise AttributeNameError(
            _l("A word to choose is longer than 40 letters, so nothing was saved."),
            next_step=_l("Make it shorter."),
        )
    return words


def _one_line(text: str) -> str:
    seen = "".join(one for one in clean_written(text) if unicodedata.category(one) != "Cc" or one.isspace())
    return " ".join(seen.split())


# ---- what a contact has -------------------------------------------------------------------------------


def values_of(session: Session, contact_ids: Collection[int]) -> dict[int, dict[int, str]]:
    """Return what contacts have, by contact and attribute; one that has nothing is left out."""
    found: dict[int, dict[int, str]] = {}
    query = sa.select(ContactValue.contact_id, ContactValue.attribute_id, ContactValue.value)
    for contact_id, attribute_id, value in session.execute(
        query.where(ContactValue.contact_id.in_(contact_ids))
    ):
        found.setdefault(contact_id, {})[attribute_id] = value
    return found


def checked_value(attribute: ContactAttribute, given: str) -> str:
    """Return a value as it is kept; empty for nothing.

    :raises ContactFieldError: if the kind of *attribute* has no such value.
    """
    value = _one_line(given)
    if not value:
        return ""
    if len(value) > LONGEST:
        raise ContactFieldError(
            _l("A detail has at most 250 letters, so nothing was saved."), next_step=_l("Make it shorter.")
        )
    return _CHECKS[AttributeKind(attribute.kind)](attribute, value)


def _number(_attribute: ContactAttribute, value: str) -> str:
    try:
        found = Decimal(value.replace(",", ".") if value.count(",") == 1 and "." not in value else value)
        if not found.is_finite() or abs(found.adjusted()) > 30:
            raise InvalidOperation
    except InvalidOperation:
        raise ContactFieldError(
            _l("That is not a number, so nothing was saved."),
            next_step=_l("Write it in digits: 1042 or 9.5."),
        ) from None
    return format(found, "f")


def _date(_attribute: ContactAttribute, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ContactFieldError(
            _l("That is not a date, so nothing was saved."), next_step=_l("Write it as 2026-11-20.")
        ) from None


def _yes_no(_attribute: ContactAttribute, value: str) -> str:
    if value.casefold() not in {YES, NO}:
        raise ContactFieldError(
            _l("That is neither yes nor no, so nothing was saved."), next_step=_l("Choose one of the two.")
        )
    return value.casefold()


def _choice(attribute: ContactAttribute, value: str) -> str:
    if value not in (attribute.choices or ()):
        raise ContactFieldError(
            _l("That is none of the words to choose from, so nothing was saved."),
            next_step=_l("Choose one of them, or have a lead add it under Settings, Attributes."),
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
    """Have a locked contact have *value*, checked before; None or empty: nothing."""
    row = session.get(ContactValue, (contact_id, attribute_id))
    if row is None:
        if value:
            session.add(ContactValue(contact_id=contact_id, attribute_id=attribute_id, value=value))
    elif value:
        row.value = value
    else:
        session.delete(row)
    session.flush()


def named(found: Sequence[ContactAttribute], values: Mapping[int, str]) -> list[tuple[ContactAttribute, str]]:
    """Return every attribute with what a contact has for it; empty where that is nothing."""
    return [(one, values.get(one.id, "")) for one in found]
