"""The tables the inbox writes to in bulk, as Core tables: executing on them costs a fraction of the ORM."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa

from host.channels.models import ChannelAccount
from host.delivery.models import OutboxEntry
from host.inbox.models import Attachment, Contact, ContactIdentity, Conversation, Mark, Message, Reaction

ACCOUNTS = cast(sa.Table, ChannelAccount.__table__)
ATTACHMENTS = cast(sa.Table, Attachment.__table__)
CONTACTS = cast(sa.Table, Contact.__table__)
CONVERSATIONS = cast(sa.Table, Conversation.__table__)
IDENTITIES = cast(sa.Table, ContactIdentity.__table__)
MARKS = cast(sa.Table, Mark.__table__)
MESSAGES = cast(sa.Table, Message.__table__)
OUTBOX = cast(sa.Table, OutboxEntry.__table__)
REACTIONS = cast(sa.Table, Reaction.__table__)
