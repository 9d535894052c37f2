"""Notes: messages of the team to itself, which customers never see."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from host.core.cleaning import clean_written
from host.events.kinds.conversations import NOTE_ADDED, NOTE_DELETED, NOTE_EDITED
from host.events.models import ActorKind
from host.features import registry
from host.inbox import mentions
from host.inbox.conversations import (
    check_key,
    conversation_of,
    locked_conversation,
    named_by,
    program_of,
    publish_conversation,
    publish_message,
    record_changed_message,
)
from host.inbox.errors import (
    AlreadySentError,
    EmptyTextError,
    MessageNotFoundError,
    NotAuthorError,
    NoteChangedError,
    NoteDeletedError,
    TooLongError,
)
from host.models.inbox import Conversation, Direction, InternalKind, Message, Origin
from host.search import postings
from host.users.actor import Actor, UnitOfWork

MAX_LENGTH = 20_000


def add_note(
    work: UnitOfWork,
    conversation_id: int,
    *,
    text: str,
    reply_key: str,
    mentioned: Collection[int] = (),
    teams: Collection[int] = (),
    typed: bool = False,
) -> Message:
    """Add a note to a conversation, and return it. A repeated *reply_key* returns the existing note.

    :param mentioned: ids of the members it mentions; *teams*: ids of teams; *typed*: whether names after an
        ``@`` in the text count too.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MentionError: if a person, or every member of a team, may not see the conversation.
    :raises EmptyTextError: if *text* is blank.
    :raises TooLongError: if it has more than :data:`MAX_LENGTH` characters.
    :raises ReplyKeyError: if *reply_key* is not 8 to 64 letters, digits, hyphens or underscores.
    :raises AlreadySentError: if *reply_key* was used for another text.
    """
    check_key(reply_key)
    written = clean_written(text)
    if not written:
        raise EmptyTextError(_l("The note is empty, so nothing was added."))
    if len(written) > MAX_LENGTH:
        raise TooLongError(_l("The note is too long, so nothing was added."))
    session, by = work.session, work.by
    conversation = locked_conversation(work, conversation_id)
    before = session.scalars(
        sa.select(Message).where(Message.conversation_id == conversation.id, Message.reply_key == reply_key)
    ).first()
    if before is not None:
        if before.text != written or before.kind != InternalKind.NOTE:
            raise AlreadySentError()
        return before
    program = program_of(session)
    whom = mentions.named(session, conversation, written, mentioned, teams, typed=typed)
    note = Message(
        workspace_id=work.workspace_id,
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        direction=Direction.INTERNAL,
        origin=Origin.AGENT if by is None else program[1],
        kind=InternalKind.NOTE,
        text=written,
        content={**({} if by is None else named_by(session, by)), **mentions.content_of(whom)},
        author_id=work.author_id,
        reply_key=reply_key,
        position=0,
        sent_at=work.now,
        created_at=work.now,
    )
    session.add(note)
    session.flush()
    mentions.note_down(session, note, whom, work.now)
    actor = ActorKind.USER if by is None else program[0]
    publish_message(session, note, kind=NOTE_ADDED, actor=actor)
    return note


def edit_note(
    work: UnitOfWork,
    note_id: int,
    *,
    text: str,
    conversation_id: int | None = None,
    version: int | None = None,
    mentioned: Collection[int] | None = None,
    teams: Collection[int] | None = None,
    typed: bool = False,
) -> None:
    """Change the text of a note. Repeating a saved edit does nothing.

    Newly mentioned people are notified. People whose names were removed from the text are no longer
    mentioned.

    :param conversation_id: the conversation it must be in; None for any of the workspace.
    :param version: number of edits of the note when its author read it; None for any.
    :param mentioned: ids of the members it mentions; *teams*: ids of teams; None keeps the earlier mentions.
    :param typed: whether to keep the earlier mentions in addition, and count names after an ``@`` in the
        text.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such note.
    :raises NotAuthorError: if somebody else wrote it.
    :raises NoteDeletedError: if it was deleted.
    :raises NoteChangedError: if it was edited since *version*.
    :raises MentionError: as :func:`add_note`, and EmptyTextError and TooLongError.
    """
    session = work.session
    conversation, note = _locked_note(work, note_id, conversation_id)
    if note.unsent_at is not None:
        raise NoteDeletedError()
    written = clean_written(text)
    if not written:
        raise EmptyTextError(
            _l("The note is empty, so nothing was changed."),
            next_step=_l("Write something, or delete the note."),
        )
    if len(written) > MAX_LENGTH:
        raise TooLongError(
            _l("The note is too long, so nothing was changed."),
            next_step=_l("Shorten it to 20,000 characters."),
        )
    before, kept = mentions.in_note(note), mentions.in_note(note, written)
    people = {*(mentioned or ()), *(kept.people if typed or mentioned is None else ())}
    groups = {*(teams or ()), *(kept.teams if typed or teams is None else ())}
    if note.text == written and before == mentions.NotedIds(frozenset(people), frozenset(groups)):
        return
    if version is not None and version != note.edit_count:
        raise NoteChangedError(note.text, note.edit_count)
    whom = mentions.named(session, conversation, written, people, groups, typed=typed, before=before)
    said = {name: value for name, value in note.content.items() if name not in mentions.KEYS}
    note.text, note.content = written, {**said, **mentions.content_of(whom)}
    note.edited_at, note.edit_count = work.now, note.edit_count + 1
    session.flush()
    # The old text is no longer found; the new one is, once search has read the event log.
    postings.forget_messages(session, [note.id])
    if mentions.change(session, note, whom, work.now):
        publish_conversation(session, conversation)
    record_changed_message(work, note, NOTE_EDITED)
    work.audit("note.edited", str(conversation.id))


def delete_note(work: UnitOfWork, note_id: int, *, conversation_id: int | None = None) -> None:
    """Delete the text of a note, leaving a line that it was deleted. Repeating it does nothing.

    :param conversation_id: the conversation it must be in; None for any of the workspace.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such note.
    :raises NotAuthorError: if somebody else wrote it.
    """
    session = work.session
    conversation, note = _locked_note(work, note_id, conversation_id)
    if note.unsent_at is not None:
        return
    note.text = ""
    note.content = {name: value for name, value in note.content.items() if name == "by"}
    note.unsent_at = work.now
    session.flush()
    mentioned = mentions.withdraw(session, note)
    registry.hooks().forget_messages(session=session, ids=[note.id])
    if mentioned:
        publish_conversation(session, conversation)
    record_changed_message(work, note, NOTE_DELETED)
    work.audit("note.deleted", str(conversation.id))


def _locked_note(work: UnitOfWork, note_id: int, conversation_id: int | None) -> tuple[Conversation, Message]:
    """Return a note of the actor, with its conversation locked until the write ends."""
    if conversation_id is None:
        conversation_id = conversation_of(work, note_id)
    conversation = locked_conversation(work, conversation_id)
    note = work.session.get(Message, note_id, populate_existing=True)
    if (
        note is None
        or note.conversation_id != conversation.id
        or note.kind != InternalKind.NOTE
        or note.erased_at is not None
    ):
        raise MessageNotFoundError()
    if not is_author(note, work.actor):
        raise NotAuthorError()
    return conversation, note


def is_author(note: Message, actor: Actor) -> bool:
    """Return whether *actor* wrote *note*. API keys with the same name count as one program."""
    if actor.kind is ActorKind.KEY:
        return note.origin == Origin.API and note.content.get("by") == actor.name
    return actor.id is not None and note.author_id == actor.id
