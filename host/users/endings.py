"""What ends with a person: the keys they answer for, the invitations they sent that nobody used yet, and that
they take care of conversations.

Called where somebody leaves a workspace, stops being an owner or is locked out, in the same transaction.
Else they could come back by what they made, and customers would wait for somebody who is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.api import ApiKey, KeyEnd
from host.models.inbox import Conversation, ConversationStatus
from host.models.users import Invitation


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended: names of keys, addresses of invitations."""

    keys: Sequence[str]
    invitations: Sequence[str]


def end_all(session: Session, user_id: int, because: KeyEnd, *, workspace_id: int | None = None) -> Ended:
    """End keys and invitations of a person, of one workspace or of all."""
    live = [ApiKey.holder_id == user_id, ApiKey.revoked_at.is_(None)]
    sent = [Invitation.invited_by == user_id, Invitation.used_at.is_(None)]
    if workspace_id is not None:
        live.append(ApiKey.workspace_id == workspace_id)
        sent.append(Invitation.workspace_id == workspace_id)
    keys = session.scalars(sa.select(ApiKey).where(*live).order_by(ApiKey.id).with_for_update()).all()
    for key in keys:
        key.revoked_at, key.ended_because = clock.now(), because
    invitations = session.scalars(
        sa.select(Invitation).where(*sent, Invitation.expires_at > clock.now())
    ).all()
    for invitation in invitations:
        session.delete(invitation)
    session.flush()
    return Ended([key.name for key in keys], [invitation.email for invitation in invitations])


def open_conversations(session: Session, user_id: int, workspace_id: int) -> int:
    """Return how many open conversations of a workspace are assigned to a person."""
    query = sa.select(sa.func.count()).where(
        Conversation.workspace_id == workspace_id,
        Conversation.assignee_id == user_id,
        Conversation.status == ConversationStatus.OPEN,
    )
    return session.scalar(query) or 0


def assign_all(
    session: Session,
    user_id: int,
    workspace_id: int | None,
    to: int | None,
    *,
    besides: frozenset[int] | None = None,
) -> None:
    """Give the conversations of a person, open and closed, to somebody else, or back to nobody.

    :param workspace_id: None: those of every workspace.
    :param besides: accounts whose conversations stay theirs.
    """
    mine = [Conversation.assignee_id == user_id]
    if workspace_id is not None:
        mine.append(Conversation.workspace_id == workspace_id)
    if besides is not None:
        mine.append(Conversation.account_id.not_in(sorted(besides)))
    session.execute(sa.update(Conversation).where(*mine).values(assignee_id=to))
