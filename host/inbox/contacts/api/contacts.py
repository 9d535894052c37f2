"""Routes for contacts: list, show, change, notes, merge and split, opt-out, block, erase, export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import sqlalchemy as sa
from flask import Response
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.changes import UpdatedSince, changes, sorted_by
from host.api.http import cursors
from host.api.http.call import Call, locked
from host.api.http.declare import Binary, Id, Moment, Router, Wire, rename
from host.api.http.errors import CursorError
from host.api.http.fields import about
from host.api.http.log_cursors import EventsGoneError
from host.core import db
from host.events import changes as event_changes
from host.inbox import erasure, queries
from host.inbox.contacts import attributes, consent, details, export, finding, merging, people
from host.inbox.contacts.finding import ContactFilter, Sort
from host.inbox.contacts.models import ContactEntry, EntryKind
from host.inbox.erasure import BeingSentError
from host.inbox.errors import (
    AttributeNotFoundError,
    ContactFieldError,
    ContactNoteNotFoundError,
    ContactNotFoundError,
    EmptyTextError,
    MergeError,
    MergeNotFoundError,
    TooLongError,
)
from host.inbox.labels.queries import labels_of_contacts
from host.models.channels import ChannelAccount
from host.models.inbox import PAST_KINDS, Contact, ContactIdentity, IdKind
from host.models.users import User
from host.search.finding import finder
from host.search.finding.query import read_query
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Contacts", read=Scope.CONTACTS_READ, write=Scope.CONTACTS_WRITE)

Limit = Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")]
LIST = "contacts"
MOST_FOUND = 200
MOST_NOTES = 200


class ContactQuery(Wire, frozen=True):
    """Filters for a list of contacts."""

    q: (
        Annotated[
            str,
            Meta(
                max_length=200,
                description="Words that names, handles or addresses begin with; at most 200 characters.",
            ),
        ]
        | None
    ) = None
    channel: Annotated[str, Meta(max_length=32, description="The key of a channel they use.")] | None = None
    label: Annotated[Id | None, Meta(description="A label of one of their conversations.")] = None
    attribute: Annotated[Id | None, Meta(description="An attribute with a value.")] = None
    value: Annotated[str, Meta(max_length=250, description="The value of `attribute`.")] | None = None
    opted_out: bool | None = None
    blocked: bool | None = None
    since: Annotated[Moment | None, Meta(description="Their conversations have messages since then.")] = None
    before: Annotated[Moment | None, Meta(description="Their conversations have no messages since then.")] = (
        None
    )
    updated_since: UpdatedSince | None = None
    sort: Annotated[
        Literal["newest", "recent", "quiet", "updated"],
        Meta(
            description=(
                "`newest`: newest contacts first; `recent`: latest message first; `quiet`: latest "
                "message last. The last two omit contacts without a conversation. `updated`: in the order "
                "of changes, with `updatedSince`."
            )
        ),
    ] = "newest"
    limit: Limit = 50
    cursor: shapes.Cursor | None = None


class Contacts(Wire, frozen=True):
    """A page of contacts."""

    data: list[shapes.Contact]
    next: Annotated[
        shapes.Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")
    ]


AttributeValues = Annotated[
    dict[str, str | None],
    Meta(
        description="By the id of the attribute; null clears it. Omitted attributes stay unchanged.",
        examples=[{"5": "Sage"}],
    ),
]


class UpdateContact(Wire, frozen=True):
    """Fields to change; omitted fields keep their values, null clears them."""

    name: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    email: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    attributes: AttributeValues | UnsetType = UNSET


class OptOut(Wire, frozen=True):
    """How it is known that a contact opted out of automated messages."""

    source: Annotated[str, Meta(max_length=1000, examples=["wrote “stop” to the autumn sale"])] = ""


class Blocked(Wire, frozen=True):
    """A contact that was blocked or unblocked, and the providers that failed to do so."""

    contact: shapes.Contact
    problems: Annotated[
        list[str], Meta(description="Why a provider failed. The change applies in Lobby anyway.")
    ]


class MergeContact(Wire, frozen=True):
    """The contact to merge into this one."""

    other: Annotated[Id, Meta(description="The contact to merge into this one.")]
    take: Annotated[
        list[Annotated[str, Meta(max_length=60)]],
        Meta(
            description=(
                "Details to take from the other contact: `name`, `email`, `attribute:5`. Missing "
                "details are always taken."
            ),
            max_length=100,
        ),
    ] = []  # noqa: RUF012 - msgspec copies it


class Merged(Wire, frozen=True):
    """Two merged contacts."""

    id: Annotated[Id, Meta(description="The id of the merge, to undo it.")]
    contact: shapes.Contact
    other: Annotated[Id, Meta(description="The merged contact.")]


class Splitting(Wire, frozen=True):
    """The merge to undo."""

    merge: Annotated[Id, Meta(description="The id that the merge returned.")]


class ContactNote(Wire, frozen=True):
    """A note of the team about a contact."""

    id: Id
    text: str
    author: Annotated[str | None, Meta(description="A member, or the name of an API key.")]
    at: Moment


class ContactNotes(Wire, frozen=True):
    """The notes about a contact, newest first; at most 200."""

    data: list[ContactNote]


class CreateContactNote(Wire, frozen=True):
    """A note about a contact."""

    text: Annotated[str, Meta(max_length=20_000)]


def shown(session: Session, call: Call, ids: Sequence[int]) -> list[shapes.Contact]:
    """Return contacts of the workspace, in the order of *ids*: five statements, however many."""
    if not ids:
        return []
    contacts = {
        one.id: one
        for one in session.scalars(
            sa.select(Contact).where(Contact.id.in_(ids), Contact.workspace_id == call.workspace_id)
        )
    }
    identities: dict[int, list[shapes.Identity]] = {}
    query = (
        sa.select(ContactIdentity, ChannelAccount.channel)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id.in_(ids), ContactIdentity.workspace_id == call.workspace_id)
        .order_by(ContactIdentity.id)
    )
    if call.accounts is not None:
        query = query.where(ContactIdentity.account_id.in_(sorted(call.accounts)))
    for row, channel in session.execute(query):
        past = row.id_kind in PAST_KINDS
        identities.setdefault(row.contact_id, []).append(
            shapes.Identity.of(
                row,
                channel=channel,
                external_id_name=call.contact_id_name(channel),
                primary=row.same_as_id is None,
                kind=cast(Any, IdKind.FORMER if past else row.id_kind),
                since=None if past else row.id_named_at or row.created_at,
                until=row.id_named_at if past else None,
                profile=row.profile or {},
            )
        )
    values = attributes.values_of(session, ids)
    known = attributes.all_of(session, call.workspace_id)
    labels = labels_of_contacts(session, ids, call.accounts)
    return [
        shapes.Contact(
            id=id_,
            name=contacts[id_].name,
            email=contacts[id_].email,
            created_at=contacts[id_].created_at,
            opted_out_at=contacts[id_].opted_out_at,
            opted_out_source=contacts[id_].opted_out_source,
            blocked_at=contacts[id_].blocked_at,
            attributes=[
                shapes.AttributeValue(id=one.id, name=one.name, value=value)
                for one, value in attributes.named(known, values.get(id_, {}))
                if value
            ],
            labels=[
                shapes.LabelRef(id=one.id, name=one.name, tone=cast(Any, str(one.tone)))
                for one in labels.get(id_, ())
            ],
            identities=identities.get(id_, []),
        )
        for id_ in ids
        if id_ in contacts
    ]


def _one(session: Session, call: Call, contact_id: int) -> shapes.Contact:
    return shown(
        session, call, [people.get(session, call.workspace_id, contact_id, accounts=call.accounts).id]
    )[0]


@routes.get("/contacts", "List contacts", limited=True, errors=(CursorError, EventsGoneError))
def list_contacts(call: Call, query: ContactQuery) -> Contacts:
    """Newest contacts come first by default; see `sort`. All conditions must match.

    With `updatedSince`, returns the contacts that changed since then, or in whose conversations something
    happened, oldest change first. One that changes again appears again.
    """
    sort = sorted_by(query, "newest")
    kind = call.list_name(f"{LIST} {sort}")
    with db.read() as session:
        page = None
        if sort == "updated":
            page = changes(session, call, query, kind, event_changes.contacts)
        if query.channel is not None and not queries.has_accounts(session, call.workspace_id, query.channel):
            return Contacts(data=[], next=None)
        ids = None
        if query.q is not None:
            ids = finder.find_contacts(session, call.workspace_id, read_query(query.q), MOST_FOUND)
        order = Sort.NEWEST
        after, limit = None, query.limit
        if page is not None:
            named = people.named(session, call.workspace_id, page.ids)
            ids = [id_ for id_ in named if ids is None or id_ in ids]
            limit = max(1, len(ids))
        else:
            order = Sort(sort)
            after = None if query.cursor is None else cursors.read(kind, query.cursor, "cursor")
        filter_ = ContactFilter(
            ids=ids,
            channel=query.channel,
            label=query.label,
            opted_out=query.opted_out,
            blocked=query.blocked,
            attribute=query.attribute,
            value=query.value if query.attribute is not None else None,
            since=query.since,
            before=query.before,
            accounts=call.accounts,
        )
        found, following = finding.find_ids(
            session, call.workspace_id, filter_, sort=order, after=after, limit=limit
        )
        if page is not None:
            found = [id_ for id_ in ids or () if id_ in set(found)]
        data = shown(session, call, found)
    if page is not None:
        return Contacts(data=data, next=page.next)
    return Contacts(data=data, next=None if following is None else cursors.write(kind, following))


@routes.get("/contacts/{contact_id}", "Get a contact", limited=True, errors=(ContactNotFoundError,))
def get_contact(call: Call, contact_id: int) -> shapes.Contact:
    """A person, with their id on each account they wrote to.

    A merged contact returns the contact it was merged into, which has another `id`.
    """
    with db.read() as session:
        return _one(session, call, contact_id)


def _current(session: Session, call: Call, contact_id: int) -> shapes.Contact:
    locked(session, Contact, contact_id)
    return _one(session, call, contact_id)


@routes.patch(
    "/contacts/{contact_id}",
    "Change a contact",
    limited=True,
    current=_current,
    errors=(AttributeNotFoundError, ContactFieldError, ContactNotFoundError),
    examples={"An attribute and a name": {"name": "Rosa S.", "attributes": {"5": "Sage"}}},
    fields={AttributeNotFoundError: "attributes"},
)
def change_contact(call: Call, contact_id: int, body: UpdateContact) -> shapes.Contact:
    """Changes everything or nothing. The provider's own data about the contact stays."""
    changes: dict[str, str | None] = {}
    if body.name is not UNSET:
        changes[details.NAME] = body.name
    if body.email is not UNSET:
        changes[details.EMAIL] = body.email
    if body.attributes is not UNSET:
        changes |= {f"{details.ATTRIBUTE}{id_}": value for id_, value in body.attributes.items()}

    return call.write(
        lambda work: details.change(work, contact_id, changes),
        lambda work, row: _one(work.session, call, row.id),
    )


@routes.get(
    "/contacts/{contact_id}/notes",
    "List the notes about a contact",
    limited=True,
    errors=(ContactNotFoundError,),
)
def list_contact_notes(call: Call, contact_id: int) -> ContactNotes:
    """Newest first. Notes in a conversation are with its messages."""
    with db.read() as session:
        contact = people.get(session, call.workspace_id, contact_id, accounts=call.accounts)
        rows = session.execute(
            sa.select(ContactEntry, User.name)
            .outerjoin(User, User.id == ContactEntry.author_id)
            .where(
                ContactEntry.contact_id.in_(people.members_of(session, contact.id)),
                ContactEntry.kind == EntryKind.NOTE,
            )
            .order_by(ContactEntry.at.desc(), ContactEntry.id.desc())
            .limit(MOST_NOTES)
        )
        return ContactNotes(data=[_note(row, name) for row, name in rows])


@routes.get(
    "/contacts/{contact_id}/notes/{contact_note_id}",
    "Get a note about a contact",
    limited=True,
    errors=(ContactNotFoundError, ContactNoteNotFoundError),
)
def get_contact_note(call: Call, contact_id: int, contact_note_id: int) -> ContactNote:
    """A note of the team about the contact."""
    with db.read() as session:
        contact = people.get(session, call.workspace_id, contact_id, accounts=call.accounts)
        row = session.execute(
            sa.select(ContactEntry, User.name)
            .outerjoin(User, User.id == ContactEntry.author_id)
            .where(
                ContactEntry.id == contact_note_id,
                ContactEntry.contact_id.in_(people.members_of(session, contact.id)),
                ContactEntry.kind == EntryKind.NOTE,
            )
        ).first()
        if row is None:
            raise ContactNoteNotFoundError()
        return _note(*row)


def _note(row: ContactEntry, author: str | None) -> ContactNote:
    return ContactNote.of(row, author=row.content.get("by") or author)


@routes.post(
    "/contacts/{contact_id}/notes",
    "Add a note about a contact",
    limited=True,
    location="/contacts/{contact_id}/notes/{id}",
    errors=(ContactNotFoundError, EmptyTextError, TooLongError),
    examples={"A note": {"text": "Rings the bell twice."}},
    fields={EmptyTextError: "text", TooLongError: "text"},
)
def add_contact_note(call: Call, contact_id: int, body: CreateContactNote) -> ContactNote:
    """The team sees it next to every conversation with the contact; the contact never does."""

    return call.write(lambda work: _note(details.add_note(work, contact_id, body.text), None))


@routes.post(
    "/contacts/{contact_id}/opt-out",
    "Opt a contact out of automated messages",
    limited=True,
    errors=(ContactFieldError, ContactNotFoundError),
    examples={"They said stop": {"source": "wrote “stop” to the autumn sale"}},
    fields={ContactFieldError: "source"},
)
def opt_contact_out(call: Call, contact_id: int, body: OptOut) -> shapes.Contact:
    """People can still reply to them. Repeating it changes nothing."""

    return call.write(
        lambda work: consent.opt_out(work, contact_id, body.source),
        lambda work, row: _one(work.session, call, row.id),
    )


rename(
    opt_contact_out, "PUT", "/contacts/{contact_id}/opt-out", operation="putContactOptOut", since="2026-11-27"
)


@routes.delete(
    "/contacts/{contact_id}/opt-out",
    "Opt a contact in to automated messages again",
    limited=True,
    errors=(ContactNotFoundError,),
)
def opt_contact_in(call: Call, contact_id: int) -> None:
    """Only if the contact asked for it."""
    call.write(lambda work: consent.opt_in(work, contact_id))


@routes.post("/contacts/{contact_id}/block", "Block a contact", limited=True, errors=(ContactNotFoundError,))
def block_contact(call: Call, contact_id: int) -> Blocked:
    """Blocks them here, and at each provider that supports it. Their current and new conversations become
    spam.

    The contact is not notified. Repeat the request to retry providers that failed.
    """
    return _blocked(call, contact_id, on=True)


rename(block_contact, "PUT", "/contacts/{contact_id}/block", operation="putContactBlock", since="2026-11-27")


@routes.delete(
    "/contacts/{contact_id}/block", "Unblock a contact", limited=True, errors=(ContactNotFoundError,)
)
def unblock_contact(call: Call, contact_id: int) -> Blocked:
    """Conversations that the block moved to spam, or that started since, leave spam."""
    return _blocked(call, contact_id, on=False)


def _blocked(call: Call, contact_id: int, *, on: bool) -> Blocked:
    missed = consent.block(call.acting, call.directory, contact_id, on=on)
    with db.read() as session:
        problems = [f"{one.label}: {one.sentence}" for one in missed]
        return Blocked(contact=_one(session, call, contact_id), problems=problems)


@routes.post(
    "/contacts/{contact_id}/merge",
    "Merge another contact into this one",
    limited=True,
    errors=(ContactFieldError, ContactNotFoundError, MergeError),
    examples={"Keep the other's name": {"other": 23, "take": ["name"]}},
    fields={ContactNotFoundError: "other"},
)
def merge_contact(call: Call, contact_id: int, body: MergeContact) -> Merged:
    """Their accounts and conversations move to this contact, and requests for the other id return this
    contact.

    If one of them opted out, the result has too. It can be split again at any time.
    """

    def merge(work: UnitOfWork) -> Merged:
        with about("contact_id", ContactNotFoundError):
            people.get(work.session, work.workspace_id, contact_id, accounts=work.accounts)
        found = merging.merge(work, contact_id, body.other, take=body.take)
        return Merged(id=found.id, contact=_one(work.session, call, contact_id), other=body.other)

    return call.write(merge)


@routes.post(
    "/contacts/{contact_id}/split",
    "Split a merged contact",
    limited=True,
    errors=(ContactNotFoundError, MergeError, MergeNotFoundError),
    examples={"The last merge": {"merge": 3}},
    fields={MergeNotFoundError: "merge"},
)
def split_contact(call: Call, contact_id: int, body: Splitting) -> shapes.Contact:
    """Returns the restored contact, with its accounts and all their current conversations."""

    return call.write(
        lambda work: merging.split(work, contact_id, body.merge),
        lambda work, other: _one(work.session, call, other.id),
    )


@routes.delete(
    "/contacts/{contact_id}",
    "Erase a contact",
    scope=Scope.ERASE,
    current=_current,
    errors=(ContactNotFoundError, BeingSentError),
)
def erase_contact(call: Call, contact_id: int) -> None:
    """Deletes what is stored about a person, permanently: their profile, and the content of every message,
    note and file of their conversations.

    Conversations stay, empty, and queued replies are not sent. Erasing a contact again also erases what
    arrived since. A merged contact is erased by the `id` of the one it is part of.
    """
    call.write(lambda work: erasure.erase(work, contact_id))


@routes.get(
    "/contacts/{contact_id}/export",
    "Export a contact",
    scope=Scope.EXPORT,
    limited=True,
    errors=(ContactNotFoundError,),
)
def export_contact(call: Call, contact_id: int) -> Binary:
    """A zip with `contact.json`, a page to read, and the stored files.

    Unsent and erased content is left out. So is everything of accounts that a limited key doesn't see:
    `leftOut` in the JSON, and a line on the page, say how many accounts and conversations that were.
    """
    found = db.write(lambda session: export.summary(call.work(session), contact_id))
    answer = Response(export.pieces(call.workspace_id, found, export.ENGLISH), mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="contact-{found.contact_id}.zip"'
    return answer
