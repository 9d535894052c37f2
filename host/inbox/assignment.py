"""Who of the team takes care of a conversation."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.accounts.models import Membership, User
from host.inbox.conversations import add_activity, changed, locked
from host.inbox.errors import NotAMemberError


def assign(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    assignee_id: int | None,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> bool:
    """Give a conversation to a member of the workspace, or with None to nobody. Return whether that is news.

    :param by: what did it, where no person did.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises NotAMemberError: if *assignee_id* is not a member.
    """
    conversation = locked(session, workspace_id, conversation_id)
    if conversation.assignee_id == assignee_id:
        return False
    if assignee_id is None:
        content = {"what": "unassigned"}
    else:
        name = session.scalars(
            sa.select(User.name)
            .join(Membership, Membership.user_id == User.id)
            .where(User.id == assignee_id, Membership.workspace_id == workspace_id)
        ).one_or_none()
        if name is None:
            raise NotAMemberError()
        content = {"what": "took" if assignee_id == author_id else "assigned", "name": name}
    conversation.assignee_id = assignee_id
    session.flush()
    add_activity(session, conversation, author_id, content, now, by=by)
    changed(session, conversation)
    return True
