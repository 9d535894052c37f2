"""Notes: messages of the team to itself, which customers never see."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import clean_written
from host.inbox import mentions
from host.inbox.conversations import check_key, locked_conversation, named_by, program_of, publish_message
from host.inbox.errors import AlreadySentError, EmptyTextError, TooLongError
from host.models.inbox import Direction, InternalKind, Message, Origin
from host.models.record import ActorKind
from host.record import catalogue
from host.users.reach import Accounts

MAX_LENGTH = 20_000


def add_note(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    author_id: int | None,
    text: str,
    reply_key: str,
    now: datetime,
    by: str | None = None,
    mentioned: Collection[int] = (),
    teams: Collection[int] = (),
    typed: bool = False,
) -> Message:
    """Add a note to a conversation, and return it. A repeated *reply_key* returns the note it made first.

    :param by: the name of the API key that writes it, where no person does.
    :param mentioned: ids of the members it mentions; *teams*: those of the teams; *typed*: also those whose
        names it has behind an ``@``.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MentionError: if one of them may not see the conversation, or nobody of a team may.
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
    conversation = locked_conversation(session, workspace_id, conversation_id, accounts=accounts)
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
        workspace_id=workspace_id,
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        direction=Direction.INTERNAL,
        origin=Origin.AGENT if by is None else program[1],
        kind=InternalKind.NOTE,
        text=written,
        content={**({} if by is None else named_by(session, by)), **mentions.content_of(whom)},
        author_id=author_id,
        reply_key=reply_key,
        position=0,
        sent_at=now,
        created_at=now,
    )
    session.add(note)
    session.flush()
    mentions.note_down(session, note, whom, now)
    actor = ActorKind.USER if by is None else program[0]
    publish_message(session, note, kind=catalogue.NOTE_ADDED, actor=actor)
    return note
