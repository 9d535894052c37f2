"""Export all data of a contact as a zip: a page for people, JSON for programs, and the files.

It is created while it is sent, some messages at a time, so memory use does not grow with the history. Unsent
and erased content is left out.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from markupsafe import escape

from host.core import clock, db, storage
from host.inbox.contacts import attributes, history, people
from host.inbox.contacts.models import ContactEntry
from host.inbox.list_positions import EPOCH, Position
from host.inbox.messages import Entry, File, load_thread
from host.models.channels import ChannelAccount
from host.models.inbox import (
    PAST_KINDS,
    Attachment,
    AttachmentState,
    ContactIdentity,
    Conversation,
    Direction,
    IdKind,
    InternalKind,
    Message,
)
from host.models.users import User
from host.users.actor import UnitOfWork
from host.users.reach import includes

PORTION = 200
"""Messages or files read at a time."""
PIECE = 256 * 1024


class ExportTexts(msgspec.Struct, frozen=True):
    """Texts of the page, in the reader's language.

    :param when: formats a time.
    """

    language: str
    name: str
    email: str
    details: str
    identities: str
    notes: str
    conversation: str
    customer: str
    team: str
    note: str
    not_kept: str
    when: Callable[[datetime], str]
    left_out: Callable[[int, int], str]
    """Says how many accounts, and conversations there, the reader does not see."""


ENGLISH = ExportTexts(
    language="en",
    name="Name",
    email="Email",
    details="Details",
    identities="Where they can be reached",
    notes="Notes about them",
    conversation="Conversation",
    customer="Customer",
    team="Team",
    note="private note",
    not_kept="not kept here",
    when=lambda at: f"{at:%Y-%m-%d %H:%M} UTC",
    left_out=lambda accounts, conversations: (
        f"The key sees only some accounts. Left out: accounts: {accounts}, conversations: {conversations}."
    ),
)
"""The texts for programs."""


class ContactSummary(msgspec.Struct, frozen=True):
    """A contact as JSON, with its conversations but without their messages.

    :param hidden: how many accounts, and conversations there, were left out; None: the reader sees them all.
    """

    contact_id: int
    name: str
    about: Mapping[str, Any]
    conversations: Sequence[Mapping[str, Any]]
    hidden: tuple[int, int] | None = None


def note_list(work: UnitOfWork) -> None:
    """Record that somebody takes the list of contacts along as a file."""
    work.audit("contact.list_exported", f"workspace {work.workspace_id}")


def summary(work: UnitOfWork, contact_id: int) -> ContactSummary:
    """Return a contact without its messages, and record the export in the audit log.

    :raises ContactNotFoundError: if the workspace has no such contact.
    """
    session, accounts = work.session, work.accounts
    contact = people.get(session, work.workspace_id, contact_id, accounts=accounts)
    # No name: the audit log must not keep data that may be erased.
    work.audit("contact.exported", f"contact {contact_id}")
    members = people.members_of(session, contact.id)
    whole = session.execute(
        sa.select(ContactIdentity, ChannelAccount.channel, ChannelAccount.handle)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id == contact.id)
        .order_by(ContactIdentity.id)
    ).all()
    identities = [one for one in whole if includes(accounts, one[0].account_id)]
    values = attributes.values_of(session, [contact.id]).get(contact.id, {})
    named = attributes.named(attributes.all_of(session, work.workspace_id), values)
    entries = session.execute(
        sa.select(ContactEntry, User.name)
        .outerjoin(User, User.id == ContactEntry.author_id)
        .where(ContactEntry.contact_id.in_(members))
        .order_by(ContactEntry.at, ContactEntry.id)
    ).all()
    seen = history.without_hidden_merges(session, [entry for entry, _author in entries], accounts)
    known = {entry.id for entry in seen}
    every = session.scalars(
        sa.select(Conversation).where(Conversation.contact_id == contact.id).order_by(Conversation.id)
    ).all()
    talks = [one for one in every if includes(accounts, one.account_id)]
    hidden = {row.account_id for row, _, _ in whole} | {one.account_id for one in every}
    hidden -= hidden if accounts is None else accounts
    first = next((row.name or row.username for row, _, _ in identities if row.name or row.username), "")
    about = {
        "id": contact.id,
        "name": contact.name,
        "email": contact.email,
        "createdAt": contact.created_at.isoformat(),
        "optedOutAt": clock.to_text(contact.opted_out_at),
        "optedOutSource": contact.opted_out_source,
        "blockedAt": clock.to_text(contact.blocked_at),
        "attributes": {one.name: value for one, value in named if value},
        "identities": [
            {
                "id": row.id,
                "channel": channel,
                "account": handle,
                "externalId": row.external_id,
                "primary": row.same_as_id is None,
                "kind": IdKind.FORMER if row.id_kind in PAST_KINDS else row.id_kind,
                "name": row.name,
                "username": row.username,
                "phone": row.phone,
                "verifiedEmail": row.verified_email,
                "profile": row.profile or {},
                "since": row.created_at.isoformat(),
            }
            for row, channel, handle in identities
        ],
        "history": [
            {
                "kind": row.kind,
                "text": row.text,
                "about": row.content,
                "by": row.content.get("by") or author,
                "at": row.at.isoformat(),
            }
            for row, author in entries
            if row.id in known
        ],
    }
    conversations = [
        {
            "id": row.id,
            "channel": row.channel,
            "status": row.status,
            "subject": row.subject,
            "createdAt": row.created_at.isoformat(),
            "closedAt": clock.to_text(row.closed_at),
        }
        for row in talks
    ]
    return ContactSummary(
        contact.id,
        contact.name or contact.email or first or str(contact.id),
        about,
        conversations,
        (len(hidden), len(every) - len(talks)) if hidden else None,
    )


def pieces(workspace_id: int, found: ContactSummary, words: ExportTexts) -> Iterator[bytes]:
    """Yield the zip of a contact. Data is read while it is sent, so it does not use the request's session."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, parts in _members(workspace_id, found, words):
            with archive.open(name, "w", force_zip64=True) as member:
                for part in parts:
                    member.write(part)
                    yield from pipe.taken()
    yield from pipe.taken()


class _Pipe:
    """A buffer from which the zip is read in pieces as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: data is read directly from memory."""

    def taken(self) -> Iterator[bytes]:
        parts, self._parts = self._parts, []
        if parts:
            yield b"".join(parts)


def _members(
    workspace_id: int, found: ContactSummary, words: ExportTexts
) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "contact.json", _json(workspace_id, found)
    yield "contact.html", _page(workspace_id, found, words)
    for talk in found.conversations:
        for name, key in _kept(talk["id"]):
            try:
                file = storage.open_stored(key)
            except storage.NotStoredError:
                continue
            yield name, _read(file)


def _read(file: Any) -> Iterator[bytes]:
    with closing(file):
        while part := file.read(PIECE):
            yield part


def _kept(conversation_id: int) -> Iterator[tuple[str, str]]:
    """Yield name and key of every stored file of a conversation."""
    after = 0
    query = (
        sa.select(Attachment.id, Attachment.name, Attachment.storage_key)
        .join(Message, Message.id == Attachment.message_id)
        .where(
            Message.conversation_id == conversation_id,
            Message.unsent_at.is_(None),
            Attachment.state == AttachmentState.STORED,
            Attachment.storage_key.is_not(None),
        )
        .order_by(Attachment.id)
        .limit(PORTION)
    )
    while True:
        with db.read() as session:
            rows = session.execute(query.where(Attachment.id > after)).all()
        if not rows:
            return
        for row in rows:
            yield _file_name(row.id, row.name), row.storage_key
        after = rows[-1].id


def _file_name(id_: int, name: str) -> str:
    """Return a file's path in the zip; a customer's file name cannot lead outside of it."""
    safe = "".join(one if one.isalnum() or one in "-_. " else "_" for one in name).strip(". ")
    return f"files/{id_}-{safe[-80:] or 'file'}"


def _entries(workspace_id: int, conversation_id: int) -> Iterator[Entry]:
    """Yield the messages and notes of a conversation, oldest first."""
    position: Position | None = (EPOCH, 0)
    while position is not None:
        with db.read() as session:
            thread = load_thread(
                session, workspace_id, conversation_id, after=position, limit=PORTION, parts=False
            )
        for entry in thread.entries:
            activity = entry.direction == Direction.INTERNAL and entry.kind != InternalKind.NOTE
            if entry.unsent_at is None and not activity:
                yield entry
        position = thread.last if thread.has_later else None


def _json(workspace_id: int, found: ContactSummary) -> Iterator[bytes]:
    accounts, conversations = found.hidden or (0, 0)
    left_out = {"accounts": accounts, "conversations": conversations}
    head = json.dumps({"contact": found.about, "leftOut": left_out}, ensure_ascii=False, indent=1)
    yield head[: head.rindex("}")].rstrip().encode() + b',\n "conversations": ['
    for number, talk in enumerate(found.conversations):
        text = json.dumps(talk, ensure_ascii=False)
        yield (",\n  " if number else "\n  ").encode() + text[:-1].encode() + b', "messages": ['
        for place, entry in enumerate(_entries(workspace_id, talk["id"])):
            yield (",\n   " if place else "\n   ").encode()
            yield json.dumps(_message(entry), ensure_ascii=False).encode("utf-8", "replace")
        yield b"]}"
    yield b"]\n}\n"


def _message(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "externalId": entry.external_id,
        "direction": entry.direction,
        "kind": entry.kind,
        "by": entry.author_name,
        "text": entry.text,
        "content": entry.content,
        "sentAt": entry.sent_at.isoformat(),
        "state": entry.state,
        "reactions": [{"by": one.actor, "emoji": one.emoji} for one in entry.reactions],
        "files": [
            {
                "id": one.id,
                "kind": one.kind,
                "name": one.name,
                "contentType": one.content_type,
                "size": one.size,
                "path": _path(one),
            }
            for one in entry.files
        ],
    }


def _path(file: File) -> str | None:
    return _file_name(file.id, file.name) if file.state == AttachmentState.STORED else None


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1c2724 } h1 { font-size: 1.5rem }
h2 { font-size: 1.1rem; margin-top: 2rem; border-top: 1px solid #ccc; padding-top: 1rem }
dl { display: grid; grid-template-columns: minmax(6rem, 12rem) minmax(50%, 1fr); gap: .2rem 1rem }
dt { color: #5b6662; overflow-wrap: anywhere } dd { margin: 0; overflow-wrap: anywhere }
article { margin: .6rem 0; padding: .4rem .8rem; border-radius: 8px; background: #f1f4f3 }
article { width: fit-content; max-width: 80% }
article.us { margin-inline-start: auto; background: #e0f2ef } article.note { background: #fff5da }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere } small { color: #5b6662 }
"""


def _page(workspace_id: int, found: ContactSummary, words: ExportTexts) -> Iterator[bytes]:
    for part in _lines(workspace_id, found, words):
        yield part.encode("utf-8", "replace")


def _lines(workspace_id: int, found: ContactSummary, words: ExportTexts) -> Iterator[str]:
    about, name = found.about, escape(found.name)
    yield (
        f'<!doctype html>\n<html lang="{escape(words.language)}"><head><meta charset="utf-8">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n<body><h1>{name}</h1>\n"
    )
    if found.hidden is not None:
        yield f"<p><strong>{escape(words.left_out(*found.hidden))}</strong></p>\n"
    yield f"<h2>{escape(words.details)}</h2><dl>"
    pairs = [(words.name, about["name"]), (words.email, about["email"]), *about["attributes"].items()]
    for label, value in pairs:
        if value:
            yield f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>"
    yield f"</dl>\n<h2>{escape(words.identities)}</h2><dl>"
    for one in about["identities"]:
        called = one["username"] or one["name"] or one["externalId"]
        place = f"{one['channel']} · {one['account']}"
        yield f"<dt>{escape(place)}</dt><dd>{escape(called)} <small>{escape(one['externalId'])}</small></dd>"
    yield "</dl>\n"
    notes = [one for one in about["history"] if one["kind"] == "note"]
    if notes:
        yield f"<h2>{escape(words.notes)}</h2>"
    for one in notes:
        at = words.when(datetime.fromisoformat(one["at"]))
        yield _said("note", one["text"], f"{one['by'] or ''} · {at}")
    for talk in found.conversations:
        title = talk["subject"] or f"{words.conversation} {talk['id']}"
        yield f"<h2>{escape(title)} <small>{escape(talk['channel'])}</small></h2>\n"
        for entry in _entries(workspace_id, talk["id"]):
            side, who = _side(entry, words)
            yield _said(side, entry.text, f"{who} · {words.when(entry.sent_at)}", entry.files, words)
    yield "</body></html>\n"


def _side(entry: Entry, words: ExportTexts) -> tuple[str, str]:
    if entry.direction == Direction.INTERNAL:
        return "note", f"{entry.author_name or words.team}, {words.note}"
    if entry.direction == Direction.OUTBOUND:
        return "us", entry.author_name or words.team
    return "them", words.customer


def _said(
    side: str, text: str, below: str, files: Sequence[File] = (), words: ExportTexts | None = None
) -> str:
    lines = [f"<p>{escape(text)}</p>"] if text else []
    for one in files:
        path, name = _path(one), escape(one.name or one.kind)
        if path is not None:
            lines.append(f'<p><a href="{escape(path)}">{name}</a></p>')
        elif words is not None:
            lines.append(f"<p>{name} <small>{escape(words.not_kept)}</small></p>")
    return f'<article class="{side}">{"".join(lines)}<small>{escape(below)}</small></article>\n'
