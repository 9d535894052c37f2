"""Save and read a person's draft in a conversation.

Versions detect concurrent changes by two devices. A device names the version its copy is based on. If there
is a newer one, it receives that, merges the two and saves again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.inbox.conversations import get_conversation
from host.inbox.kept_drafts import content as contents
from host.inbox.kept_drafts.content import Content, Mode
from host.inbox.kept_drafts.models import KeptDraft, KeptDraftFile
from host.media import uploads
from host.models.inbox import ContactIdentity, Conversation, Message
from host.models.media import Upload
from host.models.users import Membership, User, Workspace
from host.users.reach import Accounts

FIRST_VERSIONS = 2**31
"""Upper bound of a new row's first version, far below 2**53, the largest exact integer in a browser."""
MOST_COLLEAGUES = 20
"""Maximum number of colleagues whose drafts are shown."""

_DRAFTS = cast(sa.Table, KeptDraft.__table__)
_FILES = cast(sa.Table, KeptDraftFile.__table__)


class SavedDraft(msgspec.Struct, frozen=True):
    """A stored draft.

    :param version: 0 if there is none.
    :param newer: whether it was not saved now, because another device had saved a newer version, or because
        the customer was erased since it was begun.
    :param erased: when the customer of its conversation was last erased; empty if never.
    """

    version: int
    content: Content
    newer: bool = False
    erased: str = ""


class ColleagueDraft(msgspec.Struct, frozen=True):
    """A colleague's draft in the same conversation.

    :param text: None unless the workspace shows drafts to colleagues.
    """

    user_id: int
    name: str
    text: str | None


def _own(user_id: int, conversation_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return _DRAFTS.c.user_id == user_id, _DRAFTS.c.conversation_id == conversation_id


def read(session: Session, user_id: int, conversation_id: int) -> SavedDraft:
    """Return the draft of a person in a conversation they see."""
    query = sa.select(_DRAFTS.c.version, _DRAFTS.c.content).where(*_own(user_id, conversation_id))
    row = session.execute(query).one_or_none()
    erased = erased_mark(session, conversation_id)
    if row is None:
        return SavedDraft(0, contents.EMPTY, erased=erased)
    return SavedDraft(row.version, contents.read(row.content), erased=erased)


def erased_mark(session: Session, conversation_id: int) -> str:
    """Return when the customer of a conversation was last erased, as a text; empty if never.

    A browser keeps it beside what it has of a draft: what was begun before another mark is not kept.
    """
    query = (
        sa.select(ContactIdentity.erased_at)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .where(Conversation.id == conversation_id)
    )
    at = session.scalar(query)
    return at.isoformat() if at is not None else ""


def save(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    user_id: int,
    version: int,
    content: Content,
    now: datetime,
    erased: str | None = None,
) -> SavedDraft:
    """Save a draft if it is based on the stored one; return what is stored now.

    :param version: the version the draft is based on; 0 for none.
    :param erased: what :func:`erased_mark` returned when it was begun; None: unknown.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    # Locked, so that a customer is not erased between this look and the write.
    get_conversation(session, workspace_id, conversation_id, accounts=accounts, locked=erased is not None)
    if erased is not None and erased != erased_mark(session, conversation_id):
        return msgspec.structs.replace(read(session, user_id, conversation_id), newer=True)
    own = _own(user_id, conversation_id)
    values = {"content": contents.stored(content), "saved_at": now}
    new = version + 1
    if version:
        change = sa.update(_DRAFTS).where(*own, _DRAFTS.c.version == version).values(version=new, **values)
        is_saved = _count(session, change) == 1
    elif content.is_empty:
        found = read(session, user_id, conversation_id)
        return msgspec.structs.replace(found, newer=bool(found.version))
    else:
        new = 1 + secrets.randbelow(FIRST_VERSIONS)
        ids = {"user_id": user_id, "conversation_id": conversation_id, "workspace_id": workspace_id}
        insert = db.insert_ignore(_DRAFTS, session.get_bind().dialect.name)
        session.execute(insert, {**ids, "version": new, **values})
        # Not every database reports whether this inserted a row. A row of another device has another version.
        is_saved = session.scalar(sa.select(_DRAFTS.c.version).where(*own).with_for_update()) == new
    if not is_saved:
        return msgspec.structs.replace(read(session, user_id, conversation_id), newer=True)
    _name_files(session, workspace_id, user_id, conversation_id, content)
    return SavedDraft(new, content)


def _count(session: Session, statement: Any) -> int:
    return cast("sa.CursorResult[Any]", session.execute(statement)).rowcount


def _name_files(
    session: Session, workspace_id: int, user_id: int, conversation_id: int, content: Content
) -> None:
    """Record which uploads of the person the draft names, so that they are kept while it does."""
    own = _FILES.c.user_id == user_id, _FILES.c.conversation_id == conversation_id
    before = set(session.scalars(sa.select(_FILES.c.upload_id).where(*own)))
    names = content.uploads()
    named = set(uploads.ids_of(session, workspace_id, user_id, names)) if names else set()
    if gone := before - named:
        session.execute(sa.delete(_FILES).where(*own, _FILES.c.upload_id.in_(gone)))
    if fresh := named - before:
        ids = {"user_id": user_id, "conversation_id": conversation_id}
        session.execute(sa.insert(_FILES), [{**ids, "upload_id": id_} for id_ in sorted(fresh)])


def sent(
    session: Session,
    *,
    user_id: int,
    conversation_id: int,
    mode: Mode,
    version: int | None,
    text: str = "",
    now: datetime,
) -> None:
    """Remove the sent content from a draft, in the write that sends it.

    :param version: the version on which the sent content is based. If the draft was saved since, it stays,
        because it may differ, except for the sent *text* if it begins with that.
    """
    own = _own(user_id, conversation_id)
    query = sa.select(_DRAFTS.c.workspace_id, _DRAFTS.c.content, _DRAFTS.c.version).where(*own)
    row = session.execute(query).one_or_none() if version else None
    if row is None or not row.content:
        return
    found = contents.read(row.content)
    left = found.without(mode) if row.version == version else found.without_text(mode, text)
    if left == found:
        return
    change = sa.update(_DRAFTS).where(*own, _DRAFTS.c.version == row.version)
    values = {"content": contents.stored(left), "version": _DRAFTS.c.version + 1, "saved_at": now}
    if _count(session, change.values(values)):
        _name_files(session, row.workspace_id, user_id, conversation_id, left)


def _drop_files(session: Session, *where: sa.ColumnElement[bool]) -> None:
    session.execute(sa.delete(_FILES).where(*where))


def of_colleagues(
    session: Session, workspace_id: int, conversation_id: int, user_id: int
) -> list[ColleagueDraft]:
    """Return the drafts of other members in a conversation, by name."""
    query = (
        sa.select(User.id, User.name, _DRAFTS.c.content, Workspace.shows_drafts)
        .select_from(_DRAFTS)
        .join(User, User.id == _DRAFTS.c.user_id)
        .join(Workspace, Workspace.id == _DRAFTS.c.workspace_id)
        .join(
            Membership,
            sa.and_(Membership.user_id == User.id, Membership.workspace_id == _DRAFTS.c.workspace_id),
        )
        .where(
            _DRAFTS.c.conversation_id == conversation_id,
            _DRAFTS.c.workspace_id == workspace_id,
            _DRAFTS.c.user_id != user_id,
            _DRAFTS.c.content != "",
            User.disabled_at.is_(None),
        )
        .order_by(User.name, User.id)
        .limit(MOST_COLLEAGUES)
    )
    return [
        ColleagueDraft(id_, name, contents.read(text).text() if shows else None)
        for id_, name, text, shows in session.execute(query)
    ]


def erase(session: Session, conversations: Collection[int], now: datetime) -> None:
    """Erase the drafts in these conversations, and notify open pages."""
    if not conversations:
        return
    session.execute(
        sa.update(_DRAFTS)
        .where(_DRAFTS.c.conversation_id.in_(conversations), _DRAFTS.c.content != "")
        .values(content="", version=_DRAFTS.c.version + 1, saved_at=now)
    )
    _drop_files(session, _FILES.c.conversation_id.in_(conversations))


def forget_quotes(session: Session, message_ids: Collection[int], now: datetime) -> None:
    """Remove what drafts quote of these messages, and notify open pages."""
    where = sa.select(Message.conversation_id).where(Message.id.in_(message_ids))
    query = (
        sa.select(_DRAFTS.c.user_id, _DRAFTS.c.conversation_id, _DRAFTS.c.content)
        .where(_DRAFTS.c.conversation_id.in_(where), _DRAFTS.c.content.contains('"quote"'))
        .with_for_update()
    )
    for row in session.execute(query).all():
        before = contents.read(row.content)
        after = before.without_quotes(message_ids)
        if after != before:
            session.execute(
                sa.update(_DRAFTS)
                .where(*_own(row.user_id, row.conversation_id))
                .values(content=contents.stored(after), version=_DRAFTS.c.version + 1, saved_at=now)
            )


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove up to *most* drafts last changed before *before*; return the number removed."""
    return _remove(session, _DRAFTS.c.saved_at < before, most)


def remove_departed(session: Session, most: int) -> int:
    """Remove up to *most* drafts of people who have left the workspace; return the number removed."""
    place = sa.exists().where(
        Membership.user_id == _DRAFTS.c.user_id, Membership.workspace_id == _DRAFTS.c.workspace_id
    )
    return _remove(session, ~place, most)


def remove_of_workspace(session: Session, workspace_id: int, most: int) -> int:
    """Remove up to *most* drafts of a workspace; return the number removed."""
    return _remove(session, _DRAFTS.c.workspace_id == workspace_id, most)


def _remove(session: Session, where: sa.ColumnElement[bool], most: int) -> int:
    keys = session.execute(
        sa.select(_DRAFTS.c.user_id, _DRAFTS.c.conversation_id).where(where).limit(most)
    ).all()
    for user_id, conversation_id in keys:
        _drop_files(session, _FILES.c.user_id == user_id, _FILES.c.conversation_id == conversation_id)
        session.execute(sa.delete(_DRAFTS).where(*_own(user_id, conversation_id), where))
    return len(keys)


def old_uploads(session: Session, before: datetime, most: int) -> Sequence[int]:
    """Return the ids of up to *most* uploads that drafts name and that were uploaded before *before*."""
    query = (
        sa.select(Upload.id)
        .where(Upload.id.in_(sa.select(_FILES.c.upload_id)))
        .where(Upload.attached_at.is_(None), Upload.created_at < before)
        .order_by(Upload.id)
        .limit(most)
    )
    return session.scalars(query).all()
