"""The ids under which WhatsApp names one customer: their number, and what stays when they hide or change it.

Since 2026 an event has the customer's id for the business (BSUID, ``user_id``), and the number only while the
customer shows it. A number can become somebody else's, the other ids can't.
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from host.sdk.messages import ContactIdentified, IdChange, PersonId

from . import numbers
from .contents import shared_number
from .values import identifier, mapping, text


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as one event names them; empty where it doesn't.

    :param users: their ids for this business, and for those of the same owner.
    :param shared: their number, if they shared it with this message because they were asked to.
    """

    phone: str = ""
    users: tuple[str, ...] = ()
    shared: str = ""

    @property
    def id(self) -> str:
        """The id that the event's changes name; if possible one that is never somebody else's."""
        return next(iter(self.users), self.phone)

    def identified(self, at: datetime) -> Iterator[ContactIdentified]:
        """Yield that these ids are one person's, if there are several."""
        ids = _as_ids(self.phone, self.users)
        if len(ids) > 1:
            yield ContactIdentified(self.id, at, ids)


def _as_ids(phone: str, users: tuple[str, ...]) -> tuple[PersonId, ...]:
    return (*((PersonId(phone),) if phone else ()), *(PersonId(one, lasting=True) for one in users))


def sharing(said: Mapping[str, Any], person: Person) -> Person:
    """Return *person* with the number that they share with their message, if it is theirs.

    It is not where the message itself names another number.
    """
    number = shared_number(said.get("contacts")) if said.get("type") == "contacts" else ""
    if not number or (person.phone and number not in {person.phone, *numbers.other_ways(person.phone)}):
        return person
    return Person(person.phone or number, person.users, shared=number)


def _person(phone: object, *users: object) -> Person:
    known = identifier(phone)
    return Person(known, tuple(dict.fromkeys(one for one in map(identifier, users) if one and one != known)))


def writer_of(said: Mapping[str, Any], about: Mapping[str, Any]) -> Person:
    """Return who wrote a message; *about*: the entry of ``contacts`` that is about them."""
    found = _person(
        said.get("from") or about.get("wa_id"),
        said.get("from_user_id") or about.get("user_id"),
        said.get("from_parent_user_id") or about.get("parent_user_id"),
    )
    told = mapping(said.get("system"))
    return found if found.id else _person("", told.get("previous_user_id") or told.get("user_id"))


def recipient_of(echo: Mapping[str, Any]) -> Person:
    """Return to whom a message went that was written by another program with the same number."""
    to = identifier(echo.get("to")) or identifier(echo.get("recipient"))
    users = (echo.get("to_user_id"), echo.get("to_parent_user_id"))
    return _person(to, *users) if to.isdecimal() else _person("", *users, to)


def handed_over(value: Mapping[str, Any]) -> Person:
    """Return whose conversation changed hands."""
    who = mapping(value.get("sender"))
    return _person(who.get("phone_number") or who.get("wa_id"), who.get("user_id"), who.get("parent_user_id"))


def reported_of(status: Mapping[str, Any]) -> Person:
    """Return whom a report is about."""
    return _person(
        status.get("recipient_id"),
        status.get("recipient_user_id"),
        status.get("recipient_parent_user_id") or status.get("parent_recipient_user_id"),
    )


def changed(said: Mapping[str, Any], person: Person, at: datetime) -> ContactIdentified | None:
    """Return what a system message says of a customer's ids; None if it is about something else.

    A new number may come with new ids for the business; the message then still comes from the old ones.
    """
    told = mapping(said.get("system"))
    sort = text(told.get("type"), 60)
    number = identifier(told.get("wa_id")) or identifier(told.get("new_wa_id"))
    users = _ids(told, "user_id", "parent_user_id")
    if sort == "user_changed_number" and number:
        old = tuple(one for one in person.users if users and one not in users)
        return _change(IdChange.NUMBER, number, users or person.users, person.phone, old, at)
    if sort == "user_changed_user_id" and users:
        old = _ids(told, "previous_user_id", "previous_parent_user_id")
        more = tuple(one for one in person.users if one not in old)
        return _change(IdChange.ID, number or person.phone, (*users, *more), "", old, at)
    return None


def _ids(told: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(filter(None, (identifier(told.get(name)) for name in names)))


def _change(
    what: IdChange, phone: str, users: tuple[str, ...], before: str, old: tuple[str, ...], at: datetime
) -> ContactIdentified | None:
    """Return the change of the number *before* and the ids *old*; None if neither is known."""
    users = tuple(dict.fromkeys(one for one in users if one not in old))
    former = [PersonId(one, lasting=True, former=True) for one in dict.fromkeys(old)]
    if before and before != phone:
        former.append(PersonId(before, former=True))
    now = _as_ids(phone, users)
    return ContactIdentified(next(iter(users), phone), at, (*now, *former), what) if former and now else None
