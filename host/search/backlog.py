"""How far search is behind: what is stored, but not yet found by its words.

Two things are behind: earlier documents, which :mod:`host.search.building` indexes, and the event log, which
:class:`host.search.documents.Indexing` reads. One statement counts both, along an index, and stops at
:data:`MOST`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.core import clock
from host.events.models import Consumer
from host.events.reading import TABLE as EVENTS
from host.models.inbox import Contact, Message
from host.models.search import DocumentKind, SearchBuild
from host.search import words
from host.search.documents import NAMING, NAMING_TOPIC, SAYING, SHOWING, Indexing
from host.web.languages import gettext as _
from host.web.languages import number as number_text

MOST = 100_000
"""Most documents, and most events, that are counted."""
USUAL = timedelta(seconds=2)
"""Within this time a message is found; later ones are not behind."""
_MESSAGES = cast(sa.Table, Message.__table__)
_CONTACTS = cast(sa.Table, Contact.__table__)
_ALL = 2**62


class Backlog(msgspec.Struct, frozen=True):
    """How many messages and contacts of a workspace are not yet indexed; :data:`MOST` + 1: more."""

    messages: int = 0
    contacts: int = 0

    @property
    def sentence(self) -> str:
        """The sentence in place of “No results.”; empty: everything is indexed."""
        if self.messages > MOST:
            return _("Still indexing, more than %(count)s messages left.", count=number_text(MOST))
        if self.messages:
            return str(
                ngettext(
                    "Still indexing, %(count)s message left.",
                    "Still indexing, %(count)s messages left.",
                    self.messages,
                    count=number_text(self.messages),
                )
            )
        return self.contact_sentence

    @property
    def contact_sentence(self) -> str:
        """The same where only contacts are looked for."""
        if self.contacts > MOST:
            return _("Still indexing, more than %(count)s contacts left.", count=number_text(MOST))
        if self.contacts:
            return str(
                ngettext(
                    "Still indexing, %(count)s contact left.",
                    "Still indexing, %(count)s contacts left.",
                    self.contacts,
                    count=number_text(self.contacts),
                )
            )
        return ""


def backlog(session: Session, workspace_id: int, most: int = MOST) -> Backlog:
    """Count what of a workspace is not yet indexed.

    :param most: stop above this number; 0 tells whether there is anything.
    """
    builds = {one.kind: one for one in session.scalars(sa.select(SearchBuild))}
    reader = session.get(Consumer, Indexing.name)
    values = {
        "workspace": workspace_id,
        "most": most + 1,
        "messages": _below(builds.get(int(DocumentKind.MESSAGE))),
        "contacts": _below(builds.get(int(DocumentKind.CONTACT))),
        # Without a reader everything is an earlier document.
        "place": reader.place if reader is not None else _ALL,
        "event": reader.event_id if reader is not None else _ALL,
        "until": clock.now() - USUAL,
    }
    row = session.connection().execute(_count_query(), values).one()
    # Events name conversations, so their contacts are counted only where no earlier ones are.
    return Backlog(
        min(row.messages + row.later_messages, most + 1), min(row.contacts or row.later_contacts, most + 1)
    )


def _below(build: SearchBuild | None) -> int:
    """Return the id below which documents are not yet indexed: 0 if all are."""
    if build is None or build.version != words.VERSION:
        return _ALL
    return 0 if build.done_at is not None else build.below


@lru_cache(maxsize=1)
def _count_query() -> Any:
    most = sa.bindparam("most", type_=sa.Integer)
    below = {name: sa.bindparam(name, type_=sa.BigInteger) for name in ("messages", "contacts")}
    place, event = (sa.bindparam(name, type_=sa.BigInteger) for name in ("place", "event"))

    def earlier(table: sa.Table, name: str, *conditions: Any) -> Any:
        found = sa.select(table.c.id).where(
            table.c.workspace_id == sa.bindparam("workspace"), table.c.id < below[name], *conditions
        )
        return found.limit(most)

    # Of this workspace and behind the reader, along the index of both.
    events = EVENTS.c
    unread = (
        sa.select(events.message_id, events.conversation_id, events.kind, events.topic)
        .where(
            events.workspace_id == sa.bindparam("workspace"),
            events.id > event,
            sa.or_(events.place.is_(None), events.place >= place),
            events.at <= sa.bindparam("until", type_=events.at.type),
        )
        .order_by(events.id)
        .limit(most)
    )
    said, named = unread.subquery("said"), unread.subquery("named")
    later_messages = sa.select(said.c.message_id).where(
        # Those below are counted as earlier ones.
        said.c.message_id >= below["messages"],
        sa.or_(said.c.kind.in_(sorted(SAYING)), said.c.topic.in_(sorted(SHOWING))),
    )
    later_contacts = sa.select(named.c.conversation_id).where(
        named.c.conversation_id.is_not(None),
        sa.or_(
            named.c.kind.in_(sorted(NAMING)),
            sa.and_(named.c.topic == NAMING_TOPIC, named.c.kind.is_(None)),
        ),
    )
    counted = {
        "messages": earlier(_MESSAGES, "messages"),
        "contacts": earlier(_CONTACTS, "contacts", _CONTACTS.c.merged_into_id.is_(None)),
        "later_messages": later_messages.distinct(),
        "later_contacts": later_contacts.distinct(),
    }
    return sa.select(
        *(
            sa.select(sa.func.count()).select_from(some.subquery()).scalar_subquery().label(name)
            for name, some in counted.items()
        )
    )
