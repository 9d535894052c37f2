"""The sentences of the audit log about notes, saved views and stored messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from flask import g
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core import db
from host.models.inbox import Contact, Conversation
from host.web.languages import gettext as _

SENTENCES: Mapping[str, LazyString] = {
    "note.edited": _l("%(who)s edited a private note in conversation %(what)s"),
    "note.deleted": _l("%(who)s deleted a private note in conversation %(what)s"),
    "view.added": _l("%(who)s saved the shared view %(what)s"),
    "view.changed": _l("%(who)s changed the shared view %(what)s"),
    "view.deleted": _l("%(who)s deleted the shared view %(what)s"),
    "workspace.messages_erased": _l(
        "Messages of %(what)s reached the end of their retention and were erased: %(messages)s"
    ),
    "workspace.retention_changed": _l("%(who)s changed the message retention of %(what)s: %(days)s"),
}


def _conversation(subject: str) -> str:
    """Return a conversation by its customer, on the page of their workspace alone."""
    here = g.get("workspace")
    if here is None or not subject.isdigit():
        return subject
    query = (
        sa.select(Contact.name)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .where(Conversation.id == int(subject), Conversation.workspace_id == here.id)
    )
    with db.read() as session:
        name = session.scalar(query)
    return str(_("%(number)s with %(name)s", number=subject, name=name)) if name else subject


SUBJECTS: Mapping[str, Callable[[str], object]] = {"note": _conversation}
