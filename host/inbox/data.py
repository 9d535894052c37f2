"""Stored conversations: the accounts they belong to, clean-up, and removal with their workspace."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.features.use import KEYS, Use, named
from host.inbox import mentions, saved_views
from host.inbox.apply.bounces import give_up_kept
from host.inbox.apply.changes import apply_all_marks
from host.inbox.apply.tables import MESSAGES, OUTBOX
from host.media import file_removal
from host.models.inbox import Attachment, Conversation, Message
from host.models.posts import Post
from host.models.saved_views import SavedView
from host.queue import journal_erasure
from host.users import leaving
from host.web.languages import gettext as _

CONVERSATIONS_AT_ONCE = 100


# ids in URLs -> the accounts the named objects belong to

CONVERSATION = sa.select(Conversation.account_id).where(
    Conversation.id == sa.bindparam("id"), Conversation.workspace_id == sa.bindparam("workspace")
)
MESSAGE = sa.select(Message.account_id).where(
    Message.id == sa.bindparam("id"), Message.workspace_id == sa.bindparam("workspace")
)
ATTACHMENT = (
    sa.select(Message.account_id)
    .join(Attachment, Attachment.message_id == Message.id)
    .where(Attachment.id == sa.bindparam("id"), Attachment.workspace_id == sa.bindparam("workspace"))
)
POST = sa.select(Post.account_id).where(
    Post.id == sa.bindparam("id"), Post.workspace_id == sa.bindparam("workspace")
)


@hookimpl
def clean_up(most: int) -> None:
    """Apply marks whose message has arrived; remove old reports and saved views of people who left."""
    apply_all_marks()
    while db.write(give_up_kept, most):
        pass
    while db.write(saved_views.remove_departed, most):
        pass


@hookimpl
def uses(session: Session, workspace_id: int, kind: str, user_id: int | None) -> dict[int, list[Use]]:
    """Return the saved views that filter by things of a kind. Personal ones of others have no name."""
    found: dict[int, list[Use]] = {}
    if kind not in KEYS:
        return found
    query = sa.select(SavedView.name, SavedView.owner_id, SavedView.condition)
    for name, owner, condition in session.execute(
        query.where(SavedView.workspace_id == workspace_id).order_by(SavedView.name, SavedView.id)
    ):
        own = owner is None or owner == user_id
        use = (
            Use(_("View"), name, "", ("inbox.views_page", {}))
            if own
            else Use(_("Someone’s personal view"), "")
        )
        for one in named(condition, kind):
            found.setdefault(one, []).append(use)
    return found


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove the mentions in deleted messages."""
    mentions.forget(session, list(ids))


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove conversations with their messages and files. Saved views are deleted with the workspace."""
    mine = sa.select(Conversation.id).where(Conversation.workspace_id == workspace_id)
    conversations = list(session.scalars(mine.order_by(Conversation.id).limit(CONVERSATIONS_AT_ONCE)))
    if not conversations:
        return None
    rows = session.execute(
        sa.select(MESSAGES.c.id, MESSAGES.c.external_id)
        .where(MESSAGES.c.conversation_id.in_(conversations))
        .limit(most)
    ).all()
    ids = [row.id for row in rows]
    if ids:
        file_removal.forget_files(session, ids)
        session.execute(sa.delete(OUTBOX).where(OUTBOX.c.message_id.in_(ids)))
        session.execute(sa.delete(MESSAGES).where(MESSAGES.c.id.in_(ids)))
        journal_erasure.clear_away(session, (), {row.external_id for row in rows if row.external_id})
    if len(ids) < most:
        session.execute(sa.delete(Conversation).where(Conversation.id.in_(conversations)))
    return True


@hookimpl
def own_things(session: Session, user_id: int, workspace_id: int) -> int:
    """Return the number of a person's personal saved views."""
    return leaving.count_own(session, SavedView, user_id, workspace_id)
