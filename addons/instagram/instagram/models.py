"""The addon's own tables: what an account needs beyond the host's row, and the admin's checklist."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.sdk.db import (
    Ascii64,
    ExternalId,
    Id,
    JsonDict,
    LongText,
    UTCDateTime,
    addon_model_base,
    host_table,
)

from .config import SLUG

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Base
else:
    Base = addon_model_base(SLUG)


class InstagramAccount(Base):
    """Credentials and facts of one connected account.

    ``uuid`` is generated before the row is inserted, because the sealed values are bound to it. The row
    outlives a disconnect: late deliveries must still verify, or Meta would see 401s and switch off the whole
    app's webhooks.
    """

    __tablename__ = "instagram_accounts"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("channel_accounts").c.id, ondelete="CASCADE"), unique=True
    )
    workspace_id: Mapped[int] = mapped_column(Id, index=True)
    flavour: Mapped[str] = mapped_column(sa.String(16))
    page_id: Mapped[str | None] = mapped_column(ExternalId, index=True)
    page_name: Mapped[str] = mapped_column(sa.String(255))
    ig_user_id: Mapped[str] = mapped_column(ExternalId, index=True)
    ig_username: Mapped[str] = mapped_column(sa.String(255))
    app_id: Mapped[str] = mapped_column(sa.String(32))
    """The Meta app the token was made for, read from the token."""
    token: Mapped[str] = mapped_column(LongText)
    app_secret: Mapped[str] = mapped_column(LongText)
    verify_token: Mapped[str] = mapped_column(LongText)
    secret_fingerprint: Mapped[str] = mapped_column(Ascii64, index=True)
    """Equal for accounts of the same Meta app; reveals nothing about the secret."""
    token_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """NULL if it does not expire."""
    renewal_failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When renewing the token last failed; NULL after a success."""
    renewal_error: Mapped[str | None] = mapped_column(sa.String(500))
    scopes: Mapped[list[str]] = mapped_column(JsonDict)
    subscribed_fields: Mapped[list[str]] = mapped_column(JsonDict)
    token_set_at: Mapped[datetime] = mapped_column(UTCDateTime)
    app_secret_set_at: Mapped[datetime] = mapped_column(UTCDateTime)
    verify_token_set_at: Mapped[datetime] = mapped_column(UTCDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the watchdog last got an answer from Meta about this account."""
    person_id: Mapped[str | None] = mapped_column(ExternalId, index=True)
    """App-scoped id of the person who signed in; NULL if credentials were pasted."""
    leave_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """When to notify Meta next of the disconnect; NULL if there is nothing to notify."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AppRestriction(Base):
    """Whether Meta has restricted an app. No row means that Meta never answered as if it had."""

    __tablename__ = "instagram_restrictions"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    refusals: Mapped[list[dict[str, str]]] = mapped_column(JsonDict)
    """The last answers that may mean a restriction: ``message``, ``account`` at Instagram, ``at``."""
    refused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the newest accepted message since the last refusal was sent."""
    words: Mapped[str] = mapped_column(sa.String(500))
    """Meta's answer."""
    restricted_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    me_refused: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether Meta also refused ``GET /me``, so that repeating it shows whether the restriction ended."""
    probe_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    probes: Mapped[int] = mapped_column(sa.Integer)
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WorkspaceApp(Base):
    """A workspace's own Meta app for one way to connect; it takes precedence over the installation's."""

    __tablename__ = "instagram_apps"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "flavour"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    flavour: Mapped[str] = mapped_column(sa.String(16))
    app_id: Mapped[str] = mapped_column(sa.String(32))
    app_secret: Mapped[str] = mapped_column(LongText)
    app_secret_set_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Deletion(Base):
    """A person's request to delete their data from this app, for the status page."""

    __tablename__ = "instagram_deletions"

    code: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    accounts: Mapped[int] = mapped_column(sa.Integer)
    """Number of accounts disconnected because of it."""
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ChecklistMark(Base):
    """A checklist item that an admin ticked. No row: not ticked."""

    __tablename__ = "instagram_checklist"

    item: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    done_by: Mapped[str] = mapped_column(sa.String(255))
    done_at: Mapped[datetime] = mapped_column(UTCDateTime)
