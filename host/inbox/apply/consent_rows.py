"""Rows of opt-outs in customers' own words. A batch without such a word runs no statement here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from host.core.db import padded
from host.core.statements import Statement
from host.events.kinds.contacts import CONTACT_OPTED_IN, CONTACT_OPTED_OUT, OfConsent
from host.events.models import ActorKind
from host.events.writing import Happened
from host.inbox.apply.tables import CONTACTS, CONVERSATIONS, ENTRIES
from host.inbox.apply.values import Consent, ConsentAnswer, Key, Standing, StoredPerson
from host.inbox.contacts.models import EntryKind

LATEST = 50
"""Maximum number of answers read for a contact, so that repeated STOPs do not slow it down."""
TOLD = 200
"""Maximum number of conversations redrawn in open browsers at once."""

_KINDS = (EntryKind.OPTED_OUT, EntryKind.OPTED_IN)
_ids: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
# No key changes, so concurrent writes may insert conversations that refer to them.
_contacts = Statement(
    sa.select(CONTACTS.c.id, CONTACTS.c.opted_out_at, CONTACTS.c.opted_out_source, CONTACTS.c.opted_out_by)
    .where(CONTACTS.c.id.in_(_ids))
    .order_by(CONTACTS.c.id)
    .with_for_update(key_share=True)
)
# Answers of merged contacts count for the contact they are a part of.
_whole = sa.func.coalesce(CONTACTS.c.merged_into_id, CONTACTS.c.id)
_said = (
    sa.select(
        _whole.label("whole"),
        ENTRIES.c.at,
        ENTRIES.c.kind,
        ENTRIES.c.text,
        ENTRIES.c.author_id,
        sa.func.row_number()
        .over(partition_by=_whole, order_by=(ENTRIES.c.at.desc(), ENTRIES.c.id.desc()))
        .label("place"),
    )
    .join(CONTACTS, CONTACTS.c.id == ENTRIES.c.contact_id)
    .where(
        sa.or_(CONTACTS.c.id.in_(_ids), CONTACTS.c.merged_into_id.in_(_ids)),
        ENTRIES.c.kind.in_(_KINDS),
    )
    .subquery()
)
_log = (
    sa.select(_said.c.whole, _said.c.at, _said.c.kind, _said.c.text, _said.c.author_id)
    .where(_said.c.place <= LATEST)
    .order_by(_said.c.at)
)
_change = (
    sa.update(CONTACTS)
    .where(CONTACTS.c.id == sa.bindparam("b_id"))
    .values(
        opted_out_at=sa.bindparam("b_since"),
        opted_out_source=sa.bindparam("b_source"),
        opted_out_by=sa.bindparam("b_author"),
    )
)


def load(
    connection: Connection, wishing: Collection[Key], people: Mapping[Key, StoredPerson]
) -> Mapping[Key, Standing]:
    """Return the consents of the customers *wishing*, locked until the write ends.

    The contacts of all *people* of the batch are locked in the order of their ids, because the batch may also
    fill in their names, and other batches lock them in the same order.
    """
    if not wishing:
        return {}
    contacts = {key: people[key].contact_id for key in wishing if key in people}
    found = _standings(connection, set(contacts.values()), {one.contact_id for one in people.values()})
    return {key: found.get(contacts.get(key, 0), Standing()) for key in wishing}


def _standings(
    connection: Connection, contacts: Collection[int], locked: Collection[int]
) -> Mapping[int, Standing]:
    if not contacts:
        return {}
    rows = _contacts.rows(connection, {"ids": padded(sorted(locked))})
    log: dict[int, list[ConsentAnswer]] = defaultdict(list)
    for whole, at, kind, text, author_id in connection.execute(_log, {"ids": padded(sorted(contacts))}):
        log[whole].append(ConsentAnswer(at, kind == EntryKind.OPTED_OUT, text, author_id))
    return {id_: Standing(since, source, by, tuple(log[id_])) for id_, since, source, by in rows}


def write(connection: Connection, consents: Sequence[Consent], ids: Mapping[Key, int]) -> Iterator[Happened]:
    """Write the consents and yield the events.

    :param ids: ids of the messages that contain the words.
    """
    if not consents:
        return
    changed = [one for one in consents if one.standing[:3] != one.before[:3]]
    if changed:
        connection.execute(
            _change,
            [
                {
                    "b_id": one.person.contact_id,
                    "b_since": one.standing.since,
                    "b_source": one.standing.source,
                    "b_author": one.standing.author_id,
                }
                for one in changed
            ],
        )
    connection.execute(
        sa.insert(ENTRIES),
        [
            {
                "contact_id": one.person.contact_id,
                "kind": EntryKind.OPTED_OUT if wish.word.closes else EntryKind.OPTED_IN,
                "text": wish.word.text,
                "content": {"message": ids[wish.message.account.id, wish.message.external_id]},
                "author_id": None,
                "at": wish.at,
            }
            for one in consents
            for wish, _ in one.noted
        ],
    )
    yield from _told(consents, ids)
    yield from _looks(connection, changed)


def _told(consents: Sequence[Consent], ids: Mapping[Key, int]) -> Iterator[Happened]:
    for one in consents:
        assert one.person.contact_id is not None
        for wish, turned in one.noted:
            if not turned:
                continue
            message = ids[wish.message.account.id, wish.message.external_id]
            yield Happened(
                one.person.account.workspace_id,
                CONTACT_OPTED_OUT if wish.word.closes else CONTACT_OPTED_IN,
                # Without a conversation: it applies to every account, and so to every webhook endpoint.
                actor_kind=ActorKind.CUSTOMER,
                facts=OfConsent(contact=one.person.contact_id, word=wish.word.text, message=message),
                occurred_at=wish.at,
            )


def _looks(connection: Connection, consents: Sequence[Consent]) -> Iterator[Happened]:
    """Yield the contacts' newest conversations, for open browsers to redraw."""
    workspaces = {one.person.contact_id: one.person.account.workspace_id for one in consents}
    if not workspaces:
        return
    newest = (
        sa.select(CONVERSATIONS.c.id, CONVERSATIONS.c.contact_id)
        .where(CONVERSATIONS.c.contact_id.in_(workspaces))
        .order_by(CONVERSATIONS.c.last_message_at.desc(), CONVERSATIONS.c.id.desc())
        .limit(TOLD)
    )
    for id_, contact in connection.execute(newest).all():
        yield Happened(workspaces[contact], topic="conversation", conversation_id=id_)
