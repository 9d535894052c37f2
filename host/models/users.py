"""Users, their logins, workspaces and who belongs to which."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime


class Role(StrEnum):
    """What a member is in a workspace; :mod:`host.users.roles` says what each may do.

    Admin of the desk is not a role but a property of a user.
    """

    OWNER = "owner"
    LEAD = "lead"
    AGENT = "agent"
    AUDITOR = "auditor"


class SignedInBy(StrEnum):
    """What somebody showed first when they signed in; whether a second factor followed, stands beside it."""

    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    PROVIDER = "provider"


class ConfirmedBy(StrEnum):
    """How somebody confirmed that it is them."""

    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    CODE = "code"
    """A code of their app, or a recovery code."""
    PROVIDER = "provider"


class User(Base):
    """A person of the team."""

    __tablename__ = "users"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    theme: Mapped[str] = mapped_column(sa.String(8), default="auto")
    locale: Mapped[str | None] = mapped_column(sa.String(16))
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    """A name of the IANA list, such as Europe/Berlin; None: as the browser has it."""
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """Where the person's picture is stored."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they last opened a page, to five minutes; None: never."""
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they deleted their account. The row stays, for the name beside what they wrote."""
    new_password: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether they have to choose a new password before anything else."""
    second_factor_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they set a second factor up; NULL: they have none. With one, no session without it is theirs."""


class LoginSession(Base):
    """One signed-in browser. The cookie holds the token, the row its SHA-256, so a dump gives no access."""

    __tablename__ = "login_sessions"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the person last confirmed in this browser that it is them."""
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(16))
    """A value of :class:`ConfirmedBy`; NULL: it was not confirmed, or before this was written down."""
    second_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the second factor was shown in this browser; NULL: it was not."""
    signed_in_by: Mapped[str | None] = mapped_column(sa.String(16))
    """A value of :class:`SignedInBy`; NULL: begun before this was written down."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    remote: Mapped[str] = mapped_column(sa.String(64))
    user_agent: Mapped[str] = mapped_column(sa.String(255), default="", server_default="")


class PasswordLink(Base):
    """A link with which a person chooses a password, once, without the one before."""

    __tablename__ = "password_links"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    """Whose it is; NULL: of whoever has *asked_by*, which was not looked at yet."""
    asked_by: Mapped[str | None] = mapped_column(sa.String(254))
    """The address that was typed on the sign-in page, until the mail goes out."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    mail_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """When to mail it; NULL: it was mailed, or shown to an admin."""


class Workspace(Base):
    """A team with its own inbox, contacts and channel accounts."""

    __tablename__ = "workspaces"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """Where its picture is stored."""
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    """A name of the IANA list, such as Europe/Berlin; None: UTC."""
    language: Mapped[str | None] = mapped_column(sa.String(16))
    """Of mails to people who are not signed in; None: the desk's."""
    retention_days: Mapped[int | None] = mapped_column(sa.Integer)
    """How many days messages of closed conversations are kept; 0: for ever; None: as the desk says."""
    archived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Since when it can only be read: nothing is applied and nothing goes out."""
    delete_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When an owner asked to delete it: it is archived from then on, and can be taken back for some days."""
    deleting_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Since when it is being deleted: nobody sees it any more, and its rows go portion by portion."""
    version: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    """Grows with each change of its settings, so that of two people who save at once one is told."""
    assigns_on_reply: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether who answers a conversation that nobody has gets it."""
    undo_seconds: Mapped[int] = mapped_column(sa.Integer, server_default="10")
    """How many seconds a person's reply waits so that it can be undone; 0: it goes out at once."""


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
    """Whether they see the accounts of :class:`MemberAccount` only."""
    by_teams: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Of one who is limited: whether they also see the accounts of their teams."""
    on_duty_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Since when they take conversations that are given out by themselves; NULL: they take none."""
    given_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When one was last given to them so; NULL: never."""


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
    """The accounts they will see; None: all."""
    invited_by: Mapped[int] = mapped_column(sa.ForeignKey(User.id))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    mail_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    """When to mail it; NULL: it was mailed, or its link was shown."""
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a server last took the mail with its link; NULL: never."""


class AuditEntry(Base):
    """An action on the installation or a workspace, and who did it. Never holds a secret."""

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
    __writers__ = ("addons", "automation", "delivery", "queue", "users")

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(255))


class DeskSetting(Base):
    """A setting of the whole desk that an admin chose on a page. What the environment says goes first."""

    __tablename__ = "desk_settings"
    __writers__ = ("users",)

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64)
    """With ``workspace_id``, 0 for the desk, what a sealed value is bound to."""
    workspace_id: Mapped[int] = mapped_column(Id, default=0)
    value: Mapped[str] = mapped_column(LongText)
    """As the variable would hold it; sealed where it holds a password."""
    picture_key: Mapped[str | None] = mapped_column(Ascii64)
    """Of a picture: where it is stored."""


class Counter(Base):
    """A number every process watches: ``generation`` (which addons run), ``accounts`` (who is connected)."""

    __tablename__ = "counters"
    __writers__ = ("counters",)

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)
