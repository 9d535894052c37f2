"""End a person's API keys, unused invitations and assignments.

Called in the transaction in which a person leaves a workspace, loses the owner role or is locked out.
Otherwise they could return through a key or invitation they made, and customers would wait for them in vain.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.api_keys import ApiKey, KeyEnd
from host.models.inbox import Conversation, ConversationStatus
from host.models.users import Invitation, Membership
from host.push.models import PushDelivery, PushDevice


class Ended(msgspec.Struct, frozen=True):
    """Names of the keys and addresses of the invitations that ended."""

    keys: Sequence[str]
    invitations: Sequence[str]


def end_all(session: Session, user_id: int, because: KeyEnd, *, workspace_id: int | None = None) -> Ended:
    """End the keys and invitations of a person, in one workspace or in all."""
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


def end_pushes(session: Session, user_id: int) -> None:
    """End pushes to a person's devices if they are in no workspace any more.

    Pushes about a workspace they left end in any case, when they would be sent. A device that may show text
    of it ends when that was replaced.
    """
    left = sa.select(Membership.user_id).where(Membership.user_id == user_id).limit(1)
    if session.scalar(left) is None:
        replaced = sa.exists().where(PushDelivery.device_id == PushDevice.id)
        session.execute(sa.delete(PushDevice).where(PushDevice.user_id == user_id, ~replaced))


def open_conversations(session: Session, user_id: int, workspace_id: int) -> int:
    """Return the number of a workspace's open conversations assigned to a person."""
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
    """Reassign all conversations of a person, open and closed, or unassign them.

    :param workspace_id: None: in every workspace.
    :param besides: accounts whose conversations stay assigned to them.
    """
    mine = [Conversation.assignee_id == user_id]
    if workspace_id is not None:
        mine.append(Conversation.workspace_id == workspace_id)
    if besides is not None:
        mine.append(Conversation.account_id.not_in(sorted(besides)))
    session.execute(sa.update(Conversation).where(*mine).values(assignee_id=to))
