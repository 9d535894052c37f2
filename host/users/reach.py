"""What of a workspace a member sees who is limited to some of its accounts.

Lists are narrowed in their queries (:class:`host.inbox.queries.ConversationFilter`), live events by
:func:`accounts_of`. What an address names by its id is looked up here, in one place for every view.
What they may not see does not exist for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, ContactIdentity, Conversation, Message
from host.models.media import Upload

Accounts = frozenset[int] | None
"""The accounts of a workspace somebody sees; None: all of them."""

_BY_ACCOUNT: Mapping[str, Any] = {
    "conversation_id": sa.select(Conversation.account_id).where(
        Conversation.id == sa.bindparam("id"), Conversation.workspace_id == sa.bindparam("workspace")
    ),
    "message_id": sa.select(Message.account_id).where(
        Message.id == sa.bindparam("id"), Message.workspace_id == sa.bindparam("workspace")
    ),
    "attachment_id": sa.select(Message.account_id)
    .join(Attachment, Attachment.message_id == Message.id)
    .where(Attachment.id == sa.bindparam("id"), Attachment.workspace_id == sa.bindparam("workspace")),
    "identity_id": sa.select(ContactIdentity.account_id).where(
        ContactIdentity.id == sa.bindparam("id"), ContactIdentity.workspace_id == sa.bindparam("workspace")
    ),
    "contact_id": sa.select(ContactIdentity.account_id).where(
        ContactIdentity.contact_id == sa.bindparam("id"),
        ContactIdentity.workspace_id == sa.bindparam("workspace"),
    ),
}
"""Names of ids in addresses -> the accounts the row belongs to."""

_UPLOADER = sa.select(Upload.user_id).where(
    Upload.uuid == sa.bindparam("id"), Upload.workspace_id == sa.bindparam("workspace")
)

WITHOUT_ACCOUNT = frozenset({"workspace_id", "label_id", "view_id", "bulk_id"})
"""Names of ids in addresses of workspaces that say nothing of an account."""

KNOWN = frozenset({*_BY_ACCOUNT, "account_id", "upload_id"}) | WITHOUT_ACCOUNT


def sees(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], ids: Mapping[str, Any]
) -> bool:
    """Tell whether somebody who sees *accounts* only may see all that *ids*, parts of an address, name.

    A kind of id that is not known here is not seen.
    """
    return all(_sees_one(session, workspace_id, user_id, accounts, name, id_) for name, id_ in ids.items())


def _sees_one(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], name: str, id_: Any
) -> bool:
    if name in WITHOUT_ACCOUNT:
        return True
    if name == "account_id":
        return id_ in accounts
    values = {"id": id_, "workspace": workspace_id}
    if name == "upload_id":
        return session.scalar(_UPLOADER, values) == user_id
    query = _BY_ACCOUNT.get(name)
    return query is not None and not accounts.isdisjoint(session.scalars(query, values))


def accounts_of(session: Session, ids: Collection[int]) -> dict[int, int]:
    """Return the account of each conversation of *ids*."""
    query = sa.select(Conversation.id, Conversation.account_id).where(Conversation.id.in_(ids))
    return {row.id: row.account_id for row in session.execute(query)}


@dataclass(frozen=True, slots=True)
class Choice:
    """An account that somebody may be let see."""

    id: int
    channel: str
    name: str


def choices(session: Session, workspace_id: int) -> list[Choice]:
    """Return the accounts of a workspace by name, disconnected ones too: their conversations are there."""
    query = (
        sa.select(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.name)
        .where(ChannelAccount.workspace_id == workspace_id)
        .order_by(ChannelAccount.name, ChannelAccount.id)
    )
    return [Choice(row.id, row.channel, row.handle or row.name) for row in session.execute(query)]
