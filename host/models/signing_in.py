"""Sign-in methods other than passwords: authenticator apps, passkeys, recovery codes, a provider."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime
from host.models.users import User


class RequirementScope(StrEnum):
    """The people a requirement applies to."""

    NOBODY = "nobody"
    ADMINS = "admins"
    EVERYBODY = "everybody"


class SignInSettings(Base):
    """The desk's sign-in settings: one row, or none for the defaults."""

    __tablename__ = "sign_in_settings"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    second_factor: Mapped[str] = mapped_column(sa.String(16))
    """People who need a second factor: a name of :class:`RequirementScope`."""
    passwords: Mapped[str] = mapped_column(sa.String(16))
    """People who may sign in without the provider, if there is one: ``admins`` or ``everybody``."""
    issuer: Mapped[str] = mapped_column(sa.String(255))
    client_id: Mapped[str] = mapped_column(sa.String(255))
    client_secret: Mapped[str | None] = mapped_column(sa.Text)
    """Sealed; NULL for a client without one."""
    label: Mapped[str] = mapped_column(sa.String(60))
    """Name of the provider on the sign-in page."""
    joins: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether people known only to the provider get an account."""
    trusted: Mapped[bool] = mapped_column(sa.Boolean)
    """Whether the provider's sign-in counts as a second factor."""
    groups_claim: Mapped[str] = mapped_column(sa.String(60))
    groups: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """Groups and the roles they grant: ``{"group": name, "workspace": id, "role": name}``; for an admin both
    are null.
    """
    no_auth_time_from: Mapped[str | None] = mapped_column(sa.String(255))
    """The issuer whose last ID token had no usable ``auth_time``; NULL if there is none."""


class SignInStep(Base):
    """A step that a later request of the same browser completes, once: a challenge, or a correct password."""

    __tablename__ = "sign_in_steps"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    browser: Mapped[str] = mapped_column(Ascii64)
    """Hash of the value that identifies the browser it was started in; no other browser can complete it."""
    kind: Mapped[str] = mapped_column(sa.String(16))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class AuthenticatorApp(Base):
    """A person's authenticator app, with a new code every thirty seconds."""

    __tablename__ = "authenticator_apps"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), unique=True)
    secret: Mapped[str] = mapped_column(sa.Text)
    """The shared secret of desk and app, sealed."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time its first code was entered; NULL while it is being set up and doesn't count."""
    last_step: Mapped[int] = mapped_column(sa.BigInteger)
    """The last thirty-second step whose code was used, since 1970: this code and earlier ones are rejected.
    """
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Passkey(Base):
    """A passkey of a person's device. The desk stores the public key."""

    __tablename__ = "passkeys"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    credential_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    """SHA-256 of the credential's id, which may be a kilobyte long."""
    credential_id: Mapped[str] = mapped_column(sa.Text)
    public_key: Mapped[str] = mapped_column(sa.Text)
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    transports: Mapped[list[str]] = mapped_column(JsonDict)
    name: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RecoveryCode(Base):
    """A single-use code that replaces a lost second factor."""

    __tablename__ = "recovery_codes"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(Ascii64)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ProviderIdentity(Base):
    """A person's identity at the sign-in provider."""

    __tablename__ = "provider_identities"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"), index=True)
    subject_hash: Mapped[str] = mapped_column(Ascii64, unique=True)
    """SHA-256 of issuer and subject: databases that ignore case would merge two people."""
    issuer: Mapped[str] = mapped_column(sa.String(255))
    email: Mapped[str] = mapped_column(sa.String(254))
    """The address the provider had for them when they were linked."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime] = mapped_column(UTCDateTime)
