"""Users, their logins, workspaces and memberships."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime


class Role(StrEnum):
    """The role of a member in a workspace; :mod:`host.users.roles` has the permissions.

    Admin of the desk is not a role but a property of a user.
    """

    OWNER = "owner"
    LEAD = "lead"
    AGENT = "agent"
    AUDITOR = "auditor"


class SignedInBy(StrEnum):
    """The first credential of a sign-in; a second factor is stored next to it."""

    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    PROVIDER = "provider"


class ConfirmedBy(StrEnum):
    """How a person confirmed their identity."""

    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    CODE = "code"
    """A code of their authenticator app, or a recovery code."""
    PROVIDER = "provider"


class User(Base):
    """A person of the team."""

    __tablename__ = "users"
    __writers__ = ("users",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    theme: Mapped[str] = mapped_column(sa.String(8), default="auto")
    locale: Mapped[str | None] = mapped_column(sa.String(16))
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    """An IANA time zone name such as Europe/Berlin; None for the browser's."""
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """Storage key of the person's picture."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time they last opened a page, to five minutes; None for never."""
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time they deleted their account. The row stays, for the name on their messages."""
    new_password: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether they must choose a new password before anything else."""
    second_factor_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time they set up a second factor; NULL if they have none. With one, sessions without it are invalid."""


class LoginSession(Base):
    """A signed-in browser. The cookie holds the token, the row its SHA-256, so a dump gives no access."""

    __tablename__ = "login_sessions"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time the person last confirmed their identity in this browser."""
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(16))
    """A value of :class:`ConfirmedBy`; NULL if not confirmed, or before this was recorded."""
    second_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time the second factor was used in this browser; NULL if it was not."""
    signed_in_by: Mapped[str | None] = mapped_column(sa.String(16))
    """A value of :class:`SignedInBy`; NULL if it began before this was recorded."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    remote: Mapped[str] = mapped_column(sa.String(64))
    user_agent: Mapped[str] = mapped_column(sa.String(255), default="", server_default="")


class PasswordLink(Base):
    """A single-use link with which a person sets a password without knowing the old one."""

    __tablename__ = "password_links"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """The person it is for; NULL for the person with the address *asked_by*, not yet looked up."""
    asked_by: Mapped[str | None] = mapped_column(sa.String(254))
    """The address entered on the sign-in page, until the mail is sent."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    mail_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """Time to mail it; NULL if it was mailed, or shown to an admin."""


class Workspace(Base):
    """A team with its own inbox, contacts and channel accounts."""

    __tablename__ = "workspaces"
    __writers__ = ("users",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """Storage key of its picture."""
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    """An IANA time zone name such as Europe/Berlin; None for UTC."""
    language: Mapped[str | None] = mapped_column(sa.String(16))
    """Language of mails to people who are not signed in; None for the desk's."""
    retention_days: Mapped[int | None] = mapped_column(sa.Integer)
    """Days that messages of closed conversations are kept; 0 for forever; None for the desk's setting."""
    archived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time it was archived, and became read-only: nothing is applied and nothing is sent."""
    delete_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time an owner requested its deletion: from then on it is archived, and can be restored for some days.
    """
    deleting_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Start of its deletion: it is hidden from everyone, and its rows are deleted in batches."""
    version: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    """Increases with each change of its settings, to detect concurrent changes."""
    assigns_on_reply: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether an unassigned conversation is assigned to the person who answers."""
    undo_seconds: Mapped[int] = mapped_column(sa.Integer, server_default="10")
    """Seconds a person's reply is held so that it can be undone; 0 to send immediately."""
    shows_drafts: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether members can read the drafts of colleagues."""
    joins_contacts: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.true())
    """Whether a new customer joins the contact with the same verified phone number or address."""
    pushes_content: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether pushes to members' devices may contain names and text."""
    offline_conversations: Mapped[int] = mapped_column(sa.SmallInteger, server_default="50")
    """How many conversations the app keeps on a member's device for reading offline; 0 for none."""


class Membership(Base):
    """A user in a workspace."""

    __tablename__ = "memberships"
    __writers__ = ("automation", "users")

    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(16))
    limited: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether they see only the accounts of :class:`MemberAccount`."""
    by_teams: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """For a limited member: whether they also see the accounts of their teams."""
    on_duty_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time since which they take automatically assigned conversations; NULL if they take none."""
    given_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of their last automatic assignment; NULL if there was none."""


class MemberAccount(Base):
    """An account that a limited member may see."""

    __tablename__ = "member_accounts"
    __writers__ = ("users",)
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["user_id", "workspace_id"],
            ["memberships.user_id", "memberships.workspace_id"],
            name="fk_member_accounts_membership",
            ondelete="CASCADE",
        ),
        Base.__table_args__,
    )

    user_id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("channel_accounts.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Invitation(Base):
    """A link that lets a person join a workspace, once."""

    __tablename__ = "invitations"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    role: Mapped[str] = mapped_column(sa.String(16))
    accounts: Mapped[list[int] | None] = mapped_column(JsonDict)
    """The accounts they will see; None for all."""
    invited_by: Mapped[int] = mapped_column(sa.ForeignKey(User.id))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    mail_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """Time to mail it; NULL if it was mailed, or its link was shown."""
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time a server last accepted the mail with its link; NULL for never."""


class AuditEntry(Base):
    """An action on the installation or a workspace, and its actor. Never contains a secret."""

    __tablename__ = "audit_entries"
    __writers__ = ("users",)
    __table_args__ = (
        sa.Index("ix_audit_entries_workspace_id_id", "workspace_id", "id"),
        sa.Index("ix_audit_entries_user_id_id", "user_id", "id"),
        sa.Index("ix_audit_entries_at", "at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    workspace_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(sa.String(64))
    subject: Mapped[str] = mapped_column(sa.String(255))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    remote: Mapped[str] = mapped_column(sa.String(64))


class InstallationValue(Base):
    """A fact about the installation as a whole, such as the hash of the set-up token."""

    __tablename__ = "installation_values"
    __writers__ = ("addons", "automation", "delivery", "queue", "events", "reports", "users")

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(255))


class DeskSetting(Base):
    """A setting of the whole desk, made by an admin on a page. The environment takes precedence."""

    __tablename__ = "desk_settings"
    __writers__ = ("users",)

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64)
    """With ``workspace_id``, 0 for the desk, the context a sealed value is bound to."""
    workspace_id: Mapped[int] = mapped_column(Id, default=0)
    value: Mapped[str] = mapped_column(LongText)
    """The value as in the environment variable; sealed if it contains a password."""
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """For a picture: its storage key."""


class Counter(Base):
    """A number every process watches: ``generation`` (active addons), ``accounts`` (connected accounts)."""

    __tablename__ = "counters"
    __writers__ = ("counters",)

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)
