"""How people prove who they are besides a password: apps with codes, passkeys, recovery codes, a provider."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime
from host.models.users import User


class Wanted(StrEnum):
    """Of whom something is wanted."""

    NOBODY = "nobody"
    ADMINS = "admins"
    EVERYBODY = "everybody"


class SignInSettings(Base):
    """How people sign in to this desk. One row, or none: then everything is as the defaults say."""

    __tablename__ = "sign_in_settings"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    second_factor: Mapped[str] = mapped_column(sa.String(16))
    """Who has to have a second factor: a name of :class:`Wanted`."""
    passwords: Mapped[str] = mapped_column(sa.String(16))
    """Who may sign in without the provider, where there is one: ``admins`` or ``everybody``."""
    issuer: Mapped[str] = mapped_column(sa.String(255))
    client_id: Mapped[str] = mapped_column(sa.String(255))
    client_secret: Mapped[str | None] = mapped_column(sa.Text)
    """Sealed; NULL for a client that has none."""
    label: Mapped[str] = mapped_column(sa.String(60))
    """What the provider is called on the sign-in page."""
    joins: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether people the provider knows and the desk does not get an account."""
    trusted: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether the provider's sign-in counts as a second factor."""
    groups_claim: Mapped[str] = mapped_column(sa.String(60))
    groups: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """What groups give: ``{"group": name, "workspace": id, "role": name}``; for an admin both are null."""
    no_auth_time_from: Mapped[str | None] = mapped_column(sa.String(255))
    """The issuer whose last ID token had no usable ``auth_time``; NULL: there is none."""


class SignInStep(Base):
    """What another request of the same browser ends, once: a challenge, a password that was right."""

    __tablename__ = "sign_in_steps"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    browser: Mapped[str] = mapped_column(Ascii64)
    """The hash of what names the browser it was begun in; it ends in no other."""
    kind: Mapped[str] = mapped_column(sa.String(16))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class AuthenticatorApp(Base):
    """A person's app that shows a code every thirty seconds."""

    __tablename__ = "authenticator_apps"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), unique=True)
    secret: Mapped[str] = mapped_column(sa.Text)
    """What desk and app share, sealed."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its first code was typed; NULL: it is being set up and counts for nothing."""
    last_step: Mapped[int] = mapped_column(sa.BigInteger)
    """The thirty seconds whose code was used last, since 1970: no code of theirs or before counts again."""
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Passkey(Base):
    """A key of a person's device, in its hardware or its keychain. The desk holds the public half."""

    __tablename__ = "passkeys"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    credential_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    """The SHA-256 of the credential's id, which may be a kilobyte long."""
    credential_id: Mapped[str] = mapped_column(sa.Text)
    public_key: Mapped[str] = mapped_column(sa.Text)
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    transports: Mapped[list[str]] = mapped_column(JsonDict)
    name: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RecoveryCode(Base):
    """A code that stands in for a lost second factor, once."""

    __tablename__ = "recovery_codes"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(Ascii64)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ProviderIdentity(Base):
    """Who a person is at the sign-in provider."""

    __tablename__ = "provider_identities"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    subject_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    """The SHA-256 of issuer and subject: databases that ignore case would merge two people."""
    issuer: Mapped[str] = mapped_column(sa.String(255))
    email: Mapped[str] = mapped_column(sa.String(254))
    """The address the provider had for them when they were joined."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime] = mapped_column(UTCDateTime)
