"""API keys, and stored responses, so that a repeated request is executed only once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace


class KeyEnd(StrEnum):
    """Why an API key is no longer valid."""

    REVOKED = "revoked"
    LEFT = "left"
    DEMOTED = "demoted"
    LOCKED_OUT = "locked_out"
    EXPIRED = "expired"
    """Its expiry has passed. Never stored."""


class ApiKey(Base):
    """An API key. The row holds its SHA-256, so a database dump gives no access."""

    __tablename__ = "api_keys"
    __writers__ = ("users",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    hint: Mapped[str] = mapped_column(sa.String(16))
    """The first characters of the key, to distinguish keys."""
    scopes: Mapped[str] = mapped_column(sa.String(64))
    """Permissions of a key from before scopes by resource: ``read`` and ``write``; otherwise empty."""
    granted: Mapped[str | None] = mapped_column(sa.String(500))
    """Its permissions: names of :class:`host.users.api_keys.Scope`, separated by spaces; NULL: see *scopes*.

    The release before reads *scopes* alone, so it refuses such a key.
    """
    automatic: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether its messages are automatic: they respect handlers and opt-outs."""
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    holder_id: Mapped[int | None] = mapped_column(Id, index=True)
    """The owner responsible for it: its creator, or the owner it was transferred to. It works only while they
    are an owner.
    """
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Exact to a few minutes; see :data:`host.users.api_keys.TOUCH_EVERY`."""
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time it was revoked, for any reason."""
    ended_because: Mapped[str | None] = mapped_column(sa.String(16))
    """A name of :class:`host.models.api_keys.KeyEnd`, once revoked."""
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time from which it no longer works; NULL: never."""
    noticed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the last notice to the owners that it will expire."""
    limited_to: Mapped[dict[str, list[int]] | None] = mapped_column(JsonDict)
    """Ids of the ``accounts`` and ``teams`` it is limited to; NULL: no limit. An id that no longer exists
    opens nothing, so it may stay.
    """


class IdempotentRequest(Base):
    """A request that carried an Idempotency-Key: being worked on, or answered.

    The answer is written in the transaction of the request's changes: neither exists without the other.
    """

    __tablename__ = "api_idempotent_requests"
    __writers__ = ("api",)
    __table_args__ = (
        sa.UniqueConstraint("key_id", "name_hash"),
        sa.Index("ix_api_idempotent_requests_expires_at", "expires_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key_id: Mapped[int] = mapped_column(sa.ForeignKey(ApiKey.id, ondelete="CASCADE"))
    name_hash: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the header's value."""
    fingerprint: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of method, path and body. The same name for another request is an error."""
    claim: Mapped[str | None] = mapped_column(Ascii64)
    """The claim of the process that works on it; NULL once it is answered."""
    claimed_until: Mapped[datetime] = mapped_column(UTCDateTime)
    """After this time the process is assumed dead."""
    status: Mapped[int | None] = mapped_column(sa.Integer)
    answer: Mapped[str | None] = mapped_column(LongText)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
