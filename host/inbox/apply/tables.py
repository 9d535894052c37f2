"""The tables the inbox writes to in bulk, as Core tables: executing on them costs a fraction of the ORM."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import sqlalchemy as sa

from host.core.db import padded
from host.inbox.contacts.models import ContactEntry
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, Contact, ContactIdentity, Conversation, Mark, Message, Reaction
from host.models.posts import Post
from host.models.queue import OutboxEntry

ACCOUNTS = cast(sa.Table, ChannelAccount.__table__)
ATTACHMENTS = cast(sa.Table, Attachment.__table__)
CONTACTS = cast(sa.Table, Contact.__table__)
CONVERSATIONS = cast(sa.Table, Conversation.__table__)
ENTRIES = cast(sa.Table, ContactEntry.__table__)
IDENTITIES = cast(sa.Table, ContactIdentity.__table__)
MARKS = cast(sa.Table, Mark.__table__)
MESSAGES = cast(sa.Table, Message.__table__)
OUTBOX = cast(sa.Table, OutboxEntry.__table__)
POSTS = cast(sa.Table, Post.__table__)
REACTIONS = cast(sa.Table, Reaction.__table__)


def has_name(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that finds rows of *table* by the values of :func:`names`."""
    return sa.and_(
        table.c.account_id.in_(sa.bindparam("accounts", expanding=True)),
        table.c.external_id.in_(sa.bindparam("names", expanding=True)),
    )


def names(keys: Collection[tuple[int, str]]) -> dict[str, list[Any]]:
    """Return the bound values of a statement that finds rows by account id and external id.

    It may find other rows as well: the external id of one key on the account of another.
    """
    return {
        "accounts": padded({account for account, _ in keys}),
        "names": padded({external for _, external in keys}),
    }
