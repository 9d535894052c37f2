"""List and show messages, cancel and edit queued ones, and add, edit and delete notes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.changes import UpdatedSince, changes, sorted_by
from host.api.http import cursors
from host.api.http.bodies import Copied
from host.api.http.call import Call, locked, new_reply_key
from host.api.http.declare import DEPRECATED, Id, Moment, Router, Wire
from host.api.http.errors import CursorError, QueryError
from host.api.http.log_cursors import EventsGoneError
from host.api.http.refusals import FORWARDS
from host.api.serialise import shown, some_messages
from host.core import db
from host.events import changes as event_changes
from host.inbox import mentions, notes
from host.inbox.api import conversations
from host.inbox.api.conversations import Limit
from host.inbox.composition import forwarding
from host.inbox.conversations import get_conversation
from host.inbox.errors import (
    ConversationNotFoundError,
    EmptyTextError,
    MessageNotFoundError,
    NotAuthorError,
    NoteChangedError,
    NoteDeletedError,
    SendTimeError,
    TooLongError,
    UnknownChannelError,
)
from host.inbox.mentions import MentionError
from host.inbox.messages import load_all_by_id, load_by_id
from host.inbox.reply import MAX_LENGTH
from host.inbox.unsent import resending, scheduled, undo
from host.models.inbox import Message
from host.queue.outbox import NotInOutboxError, StateMovedOnError
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Messages", read=Scope.MESSAGES_READ, write=Scope.MESSAGES_WRITE)

LIST = "messages"
T = TypeVar("T")


class MessageQuery(Wire, frozen=True):
    """The part of a conversation to list. Without a cursor: its end."""

    limit: Limit = 50
    cursor: Annotated[
        str | None, Meta(description="`next` of the previous page. Returns earlier messages.")
    ] = None
    before: Annotated[str | None, Meta(description="Use `cursor`.", extra_json_schema=DEPRECATED)] = None
    after: Annotated[str | None, Meta(description="A cursor from a response. Returns later messages.")] = None


class UpdateMessage(Wire, frozen=True):
    """A change of a queued message; omitted fields stay unchanged."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)] | UnsetType = UNSET
    send_at: Annotated[
        Moment | UnsetType | None,
        Meta(description="Another time for a scheduled reply; null: send it now."),
    ] = UNSET
    unless_written: Annotated[
        bool, Meta(description="With `sendAt`: don't send it if the customer writes first.")
    ] = True


class CreateForward(Wire, frozen=True):
    """The messages to forward, and the recipients."""

    to: Annotated[
        list[Copied],
        Meta(
            min_length=1,
            max_length=50,
            description="Addresses, also as `Ana Lima <ana@example.org>`. Neither the customer's nor that it "
            "goes from.",
        ),
    ]
    message_id: Annotated[
        Id | None, Meta(description="Null: the whole conversation, up to the newest 200 messages.")
    ] = None
    account_id: Annotated[
        Id | None,
        Meta(description="The account to send from, whose channel must have `forwards`. Null: the first."),
    ] = None
    note: Annotated[str, Meta(max_length=MAX_LENGTH, description="Text above the messages.")] = ""
    files: Annotated[bool, Meta(description="Whether to attach the files of the messages.")] = True


class CreateNote(Wire, frozen=True):
    """A note to add."""

    text: Annotated[str, Meta(min_length=1, max_length=notes.MAX_LENGTH)]
    mentions: Annotated[
        list[Id],
        Meta(
            max_length=mentions.MOST,
            description="Ids of people to notify. Each must have access to the conversation's account.",
        ),
    ] = msgspec.field(default_factory=list)
    teams: Annotated[
        list[Id],
        Meta(
            max_length=mentions.MOST,
            description=(
                "Ids of teams whose members are notified, if they have access to the conversation's "
                "account. At least one member must."
            ),
        ),
    ] = msgspec.field(default_factory=list)


class UpdateNote(Wire, frozen=True):
    """The new text of a note; omitted fields stay unchanged."""

    text: Annotated[str, Meta(min_length=1, max_length=notes.MAX_LENGTH)]
    mentions: (
        Annotated[
            list[Id],
            Meta(
                max_length=mentions.MOST,
                description="Ids of all people it mentions now. Newly mentioned people are notified.",
            ),
        ]
        | UnsetType
    ) = UNSET
    teams: (
        Annotated[list[Id], Meta(max_length=mentions.MOST, description="Ids of all teams it mentions now.")]
        | UnsetType
    ) = UNSET
    edit_count: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=2**31 - 1,
                description="The `editCount` that was read. If the note was edited since, the answer is 409.",
            ),
        ]
        | UnsetType
    ) = UNSET


@routes.get(
    "/conversations/{conversation_id}/messages",
    "List the messages of a conversation",
    limited=True,
    errors=(CursorError, ConversationNotFoundError),
)
def list_messages(call: Call, conversation_id: int, query: MessageQuery) -> shapes.Messages:
    """Oldest first, including the team's notes and lines about activity.

    Without a cursor, returns the newest. Pages are by id, so none misses a message whose time changes
    meanwhile; each page is sorted as in the thread: by `sentAt`, or without it by the time it waits for.
    """
    given = {"cursor": query.cursor, "before": query.before, "after": query.after}
    given = {field: text for field, text in given.items() if text is not None}
    if len(given) > 1:
        raise QueryError(_l("Send one of cursor, before and after."), field=[*given][-1])
    name = call.list_name(LIST)
    ends_at = {field: cursors.read_numbers(name, text or "", field)[1] for field, text in given.items()}
    before, after = ends_at.get("cursor", ends_at.get("before")), ends_at.get("after")
    with db.read() as session:
        conversations.get(session, call, conversation_id)
        thread = load_by_id(
            session,
            call.workspace_id,
            conversation_id,
            before=before,
            after=after,
            limit=query.limit,
        )
        data = shown(session, call.workspace_id, thread.entries, accounts=call.accounts)
    # An empty page keeps the requested position.
    ids = [entry.id for entry in thread.entries]
    ends = (min(ids), max(ids)) if ids else (after or before,) * 2
    first, last = (
        None if id_ is None else cursors.write_numbers(name, conversation_id, id_, 0) for id_ in ends
    )
    return shapes.Messages(
        data=data,
        before=first,
        after=last,
        has_before=thread.has_earlier,
        has_after=thread.has_later,
        next=first if thread.has_earlier else None,
    )


class MessagesQuery(Wire, frozen=True):
    """The messages to list, of all conversations."""

    updated_since: UpdatedSince | None = None
    sort: Annotated[
        Literal["newest", "oldest", "updated"],
        Meta(
            description=(
                "`newest`: the message that was stored last comes first; `oldest`: it comes last; "
                "`updated`: in the order of changes, with `updatedSince`."
            )
        ),
    ] = "newest"
    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


@routes.get(
    "/messages", "List the messages of all conversations", limited=True, errors=(CursorError, EventsGoneError)
)
def list_all_messages(call: Call, query: MessagesQuery) -> shapes.MessagePage:
    """Including the team's notes and lines about activity. Pages are by id, not by `sentAt`.

    With `updatedSince`, returns the messages that changed since then, oldest change first: their delivery
    state, text, reactions or files. One that changes again appears again.

    A key that is limited to some accounts gets the messages of these. Its pages can be short or empty
    although there are more: go on until `next` is null.
    """
    sort = sorted_by(query, "newest")
    name = call.list_name(f"all messages {sort}")
    with db.read() as session:
        if sort == "updated":
            page = changes(session, call, query, name, event_changes.messages)
            entries = {one.id: one for one in _of_key(session, call, page.ids)}
            return shapes.MessagePage(
                data=[entries[id_] for id_ in page.ids if id_ in entries], next=page.next
            )
        at = None if query.cursor is None else cursors.read_numbers(name, query.cursor, "cursor")[1]
        found, end = load_all_by_id(
            session,
            call.workspace_id,
            beyond=at,
            oldest_first=sort == "oldest",
            limit=query.limit,
            accounts=call.accounts,
        )
        data = shown(session, call.workspace_id, found, accounts=call.accounts)
    following = None if end is None else cursors.write_numbers(name, 0, end, 0)
    return shapes.MessagePage(data=data, next=following)


def _of_key(session: Session, call: Call, ids: Collection[int]) -> list[shapes.Message]:
    """Return the messages of *ids* that the key may see."""
    return some_messages(session, call.workspace_id, ids, accounts=call.accounts)


def get(session: Session, call: Call, message_id: int) -> shapes.Message:
    """Return a message of the key's workspace.

    :raises MessageNotFoundError: if the workspace has no such message.
    """
    found = _of_key(session, call, [message_id])
    if not found:
        raise MessageNotFoundError(_l("This message does not exist in this workspace."), next_step="")
    return found[0]


@routes.get("/messages/{message_id}", "Get a message", limited=True, errors=(MessageNotFoundError,))
def get_message(call: Call, message_id: int) -> shapes.Message:
    """The message with its state: queued, sent, read, or failed and why."""
    with db.read() as session:
        return get(session, call, message_id)


def _current(session: Session, call: Call, message_id: int) -> shapes.Message:
    locked(session, Message, message_id)
    return get(session, call, message_id)


WAITING = (MessageNotFoundError, NotInOutboxError, StateMovedOnError)


@routes.post("/messages/{message_id}/cancel", "Cancel a queued message", limited=True, errors=WAITING)
def cancel_message(call: Call, message_id: int) -> shapes.Message:
    """Cancels a queued message that has not left. While it is being sent it is too late: 409, and it is sent.

    An unconfirmed message that is queued for a retry becomes unconfirmed again, not cancelled: it may have
    arrived.
    """

    def use_case(session: Session) -> shapes.Message:
        get(session, call, message_id)
        resending.cancel(session, message_id)
        return get(session, call, message_id)

    return call.commit(use_case)


@routes.patch(
    "/messages/{message_id}",
    "Edit a queued message",
    limited=True,
    current=_current,
    errors=(
        EmptyTextError,
        TooLongError,
        UnknownChannelError,
        resending.NotEditableError,
        SendTimeError,
        scheduled.NotForLaterError,
        *WAITING,
    ),
    examples={
        "Another text": {"text": "It ships on Friday."},
        "Another time": {"sendAt": "2026-12-24T09:00:00Z"},
        "Now": {"sendAt": None},
    },
    fields={EmptyTextError: "text", TooLongError: "text", SendTimeError: "sendAt"},
)
def edit_message(call: Call, message_id: int, body: UpdateMessage) -> shapes.Message:
    """Edits a queued message that has not left; it keeps its place. A text must fit in one message.

    All parts of a reply have the same time.
    """

    def edited(work: UnitOfWork) -> shapes.Message:
        session, found = work.session, get(work.session, call, message_id)
        conversation = get_conversation(
            session, work.workspace_id, found.conversation_id, accounts=work.accounts
        )
        adapter = call.adapter(conversation.channel)
        if body.send_at is not UNSET and body.send_at is not None:
            scheduled.change_time(
                work,
                conversation.id,
                message_id,
                at=body.send_at,
                unless_written=body.unless_written,
                adapter=adapter,
            )
        if body.text is not UNSET:
            resending.edit(session, message_id, body.text, adapter)
        if body.send_at is None:
            undo.send_now(work, conversation.id, message_id)
        return get(session, call, message_id)

    return call.write(edited)


@routes.post(
    "/conversations/{conversation_id}/notes",
    "Add a note",
    limited=True,
    location="/messages/{id}",
    errors=(ConversationNotFoundError, EmptyTextError, MentionError, TooLongError),
    examples={
        "A note": {"text": "Paid by card, order 1042."},
        "A note that mentions a person": {"text": "Is the blue glaze ready?", "mentions": [7]},
        "A note that mentions a team": {"text": "Who is at the kiln?", "teams": [3]},
    },
    fields={EmptyTextError: "text", TooLongError: "text", MentionError: "mentions"},
)
def add_note(call: Call, conversation_id: int, body: CreateNote) -> shapes.Message:
    """Only the team sees it. Mentioned people are notified according to their settings."""

    return call.write(
        lambda work: notes.add_note(
            work,
            conversation_id,
            text=body.text,
            reply_key=new_reply_key(),
            mentioned=body.mentions,
            teams=body.teams,
        ),
        lambda work, note: get(work.session, call, note.id),
    )


@routes.patch(
    "/notes/{message_id}",
    "Edit a note",
    limited=True,
    errors=(
        EmptyTextError,
        MentionError,
        MessageNotFoundError,
        NotAuthorError,
        NoteChangedError,
        NoteDeletedError,
        TooLongError,
    ),
    examples={
        "Another text": {"text": "Paid by bank transfer, order 1042."},
        "Only if it has not been edited since": {"text": "Paid by bank transfer.", "editCount": 0},
    },
    fields={EmptyTextError: "text", TooLongError: "text", MentionError: "mentions"},
)
def edit_note(call: Call, message_id: int, body: UpdateNote) -> shapes.Message:
    """Edits a note that a key of the same name added. Repeating it does nothing."""

    changes: dict[str, Any] = {"version": body.edit_count, "mentioned": body.mentions, "teams": body.teams}
    given = {name: value for name, value in changes.items() if value is not UNSET}

    def edited(work: UnitOfWork) -> shapes.Message:
        get(work.session, call, message_id)
        notes.edit_note(work, message_id, text=body.text, **given)
        return get(work.session, call, message_id)

    return call.write(edited)


@routes.delete(
    "/notes/{message_id}", "Delete a note", limited=True, errors=(MessageNotFoundError, NotAuthorError)
)
def delete_note(call: Call, message_id: int) -> None:
    """Deletes the content of a note that a key of the same name added. Repeating it does nothing.

    The message stays, without text and with `unsentAt`.
    """

    def deleted(work: UnitOfWork) -> None:
        get(work.session, call, message_id)
        notes.delete_note(work, message_id)

    call.write(deleted)


@routes.post(
    "/conversations/{conversation_id}/forwards",
    "Forward messages",
    limited=True,
    location="/messages/{id}",
    errors=(
        ConversationNotFoundError,
        MessageNotFoundError,
        TooLongError,
        forwarding.NoForwarderError,
        *FORWARDS,
    ),
    examples={
        "A conversation": {"to": ["Ana Lima <ana@example.org>"], "note": "Can you look at this?"},
        "A message": {"to": ["ana@example.org"], "messageId": 4711, "files": False},
    },
    fields={TooLongError: "note", MessageNotFoundError: "messageId"},
)
def forward(call: Call, conversation_id: int, body: CreateForward) -> shapes.Message:
    """The customer is not notified; answers arrive in the conversation. Notes are never forwarded.

    Returns an internal message of kind `forward` with a delivery state: it is queued, and
    `GET /messages/{message_id}` returns its current state.
    """

    return call.write(
        lambda work: forwarding.forward(
            work,
            conversation_id,
            body.message_id,
            account_id=body.account_id,
            to=body.to,
            note=body.note,
            files=body.files,
            reply_key=new_reply_key(),
            directory=call.directory,
        ),
        lambda work, made: get(work.session, call, made.id),
    )
