"""The sentences of the audit log about contacts and their attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import g
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core import db
from host.models.inbox import Contact
from host.web.languages import gettext as _

SENTENCES: Mapping[str, LazyString] = {
    "attribute.added": _l("%(who)s added the attribute %(what)s"),
    "attribute.changed": _l("%(who)s changed the attribute %(what)s"),
    "attribute.deleted": _l("%(who)s deleted the attribute %(what)s"),
    "contact.exported": _l("%(who)s exported everything about a customer: %(what)s"),
    "contact.list_exported": _l("%(who)s exported the list of contacts"),
    "contact.erased": _l("%(who)s erased the data of a customer: %(what)s"),
}


def _contact(subject: str) -> str:
    """Return a customer by name, on the page of their workspace alone, unless they were erased.

    Otherwise, return their number.
    """
    number, here = subject.rpartition(" ")[2], g.get("workspace")
    if not number.isdigit():
        return subject
    with db.read() as session:
        contact = session.get(Contact, int(number)) if here else None
    if contact is not None and contact.name and contact.workspace_id == here.id:
        return contact.name
    return str(_("no. %(number)s", number=number))


SUBJECTS: Mapping[str, Callable[[str], object]] = {
    "contact": _contact,
    "contact.list_exported": lambda _subject: _("Contacts"),
}
