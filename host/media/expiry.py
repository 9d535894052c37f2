"""Remove received files after the account's retention period. The message stays, with its link."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.media.fetching import publish_change
from host.media.file_removal import remove_later
from host.media.retention import Retention
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, AttachmentState, Message

CHUNK = 200

_attachments = Attachment.metadata.tables["attachments"]
_messages = Message.metadata.tables["messages"]


def purge_due() -> int:
    """Remove expired files, in small writes; return the number of files checked."""
    looked = 0
    while seen := db.write(_purge):
        looked += seen
    return looked


def recheck_account(session: Session, account_id: int) -> None:
    """Schedule a check of every stored file of an account, because its retention period changed."""
    of_account = sa.select(_messages.c.id).where(_messages.c.account_id == account_id)
    session.execute(
        sa.update(_attachments)
        .where(_attachments.c.message_id.in_(of_account), *_received())
        .values(due_at=clock.now())
    )


def _received() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for fetched files; sent files and those included in a message have no URL."""
    return _attachments.c.state == AttachmentState.STORED, _attachments.c.url.is_not(None)


def _purge(session: Session) -> int:
    now = clock.now()
    rows = session.execute(
        sa.select(Attachment, Message.created_at, ChannelAccount.settings)
        .join(Message, Message.id == Attachment.message_id)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .where(*_received(), Attachment.due_at <= now)
        .order_by(Attachment.due_at)
        .limit(CHUNK)
        .with_for_update(skip_locked=True, of=Attachment)
    ).all()
    keys = []
    for attachment, arrived_at, settings in rows:
        attachment.due_at = Retention.of(settings).ends_at(arrived_at)
        if attachment.due_at is None or attachment.due_at > now:
            continue
        keys.append(attachment.storage_key)
        attachment.state, attachment.storage_key, attachment.due_at = AttachmentState.LINKED, None, None
        session.flush()
        publish_change(session, attachment.id)
    session.flush()
    remove_later(session, (key for key in keys if key))
    return len(rows)
