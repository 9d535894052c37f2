"""Installed addons and their releases."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongBlob, LongText, UTCDateTime
from host.models.users import User, Workspace


class AddonState(StrEnum):
    """The state of an addon. An admin's options for each are in :mod:`host.addons.listing`."""

    INACTIVE = "inactive"
    ACTIVATING = "activating"
    ACTIVE = "active"
    MIGRATION_FAILED = "migration_failed"
    QUARANTINED = "quarantined"
    """Set aside because it kept failing; requests to its webhooks are kept and wait."""
    INCOMPATIBLE = "incompatible"
    MODIFIED = "modified"
    """The files on disk are not those of the accepted zip."""
    UNTRUSTED = "untrusted"
    """This desk does not trust its signature."""


class Operation(StrEnum):
    """The operation that is running on an addon, in addition to its state."""

    UPDATING = "updating"
    ROLLING_BACK = "rolling_back"
    REMOVING = "removing"


class AddonRelease(Base):
    """One accepted zip. Its bytes are in :class:`AddonArchivePart`, so every machine can unpack it."""

    __tablename__ = "addon_releases"
    __writers__ = ("addons",)
    __table_args__ = (sa.UniqueConstraint("slug", "sha256"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(48))
    version: Mapped[str] = mapped_column(sa.String(64))
    sha256: Mapped[str] = mapped_column(Ascii64)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    manifest: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    files: Mapped[dict[str, str]] = mapped_column(JsonDict)
    """Path in the zip -> SHA-256 of its content."""
    public_key: Mapped[str] = mapped_column(Ascii64)
    """The Ed25519 key of its valid signature, in base64; empty for none. The trusted keys are a setting."""
    signature_problem: Mapped[str] = mapped_column(sa.String(500))
    uploaded_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    uploaded_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AddonArchivePart(Base):
    """1 MB of a release's zip."""

    __tablename__ = "addon_archive_parts"
    __writers__ = ("addons.package",)

    release_id: Mapped[int] = mapped_column(
        sa.ForeignKey(AddonRelease.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    position: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LongBlob)


class AddonPublisher(Base):
    """The publisher of the addon of a slug. Kept after the addon is removed, like its tables."""

    __tablename__ = "addon_publishers"
    __writers__ = ("addons",)

    slug: Mapped[str] = mapped_column(sa.String(48), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    public_key: Mapped[str] = mapped_column(Ascii64)
    """The key of the first signed release; an admin must allow any other. Empty: no release was signed."""
    highest_version: Mapped[str] = mapped_column(sa.String(64))
    """The highest version by this publisher; installing an older one is a downgrade."""


class Addon(Base):
    """An installed addon: its release and its state."""

    __tablename__ = "addons"
    __writers__ = ("addons",)

    slug: Mapped[str] = mapped_column(sa.String(48), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(32))
    release_id: Mapped[int] = mapped_column(sa.ForeignKey(AddonRelease.id))
    previous_release_id: Mapped[int | None] = mapped_column(sa.ForeignKey(AddonRelease.id))
    error: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The last step that failed: ``step``, ``sentence``, ``statement``, ``database`` (its message)."""
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """The steps of the last activation, in order: ``name``, ``result``, ``detail``, ``ms``."""
    wanted: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether an admin has activated it and not deactivated it, so that requests to its webhooks are kept
    even while it does not run.
    """
    webhooks: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    """Its webhooks when it ran last, readable without running it: ``path``, ``max_body``."""
    operation: Mapped[str | None] = mapped_column(sa.String(16))
    operation_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """During an operation: when it counts as abandoned."""
    activated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AddonCalls(Base):
    """The counted calls of addon code in one process, which rewrites the row when they change.

    A row that has not been written for long belongs to a process that exited; see
    :mod:`host.addons.metrics.across_processes`.
    """

    __tablename__ = "addon_calls"
    __writers__ = ("addons.metrics",)

    process: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)
    counted: Mapped[str] = mapped_column(LongText)
    """JSON."""


class ParkedRequest(Base):
    """A webhook request kept until its addon runs again, unverified."""

    __tablename__ = "parked_requests"
    __writers__ = ("addons.running",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64)
    workspace_id: Mapped[int] = mapped_column(Id)
    """Always 0. The sealed headers are bound to it and the UUID."""
    slug: Mapped[str] = mapped_column(sa.String(48), index=True)
    path: Mapped[str] = mapped_column(sa.String(255))
    account: Mapped[str | None] = mapped_column(sa.String(128))
    about: Mapped[str] = mapped_column(LongText)
    """Headers and query as JSON, sealed: a provider may send a shared secret in them."""
    body: Mapped[bytes] = mapped_column(LongBlob)
    size: Mapped[int] = mapped_column(sa.Integer)
    remote: Mapped[str] = mapped_column(sa.String(64))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When to pass it to its addon again, after the addon failed on it."""


class AddonSettingValue(Base):
    """The value of a setting that an addon declares as a field of a form. One per workspace, or one in all.

    A row stays when its setting is cleared, or the addon no longer declares it: rolling back needs the value.
    """

    __tablename__ = "addon_settings"
    __writers__ = ("addons",)
    __table_args__ = (sa.UniqueConstraint("slug", "workspace_id", "name"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64)
    slug: Mapped[str] = mapped_column(sa.String(48))
    workspace_id: Mapped[int] = mapped_column(Id, index=True)
    """0: a value for the whole Lobby server. No foreign key for that reason."""
    name: Mapped[str] = mapped_column(sa.String(48))
    value: Mapped[str | None] = mapped_column(LongText)
    """JSON; None if it is a secret or not set."""
    secret: Mapped[str | None] = mapped_column(LongText)
    """Sealed for this row; None if it is no secret or not set."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Number of the save that wrote it, counted for each addon and workspace."""
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AddonWrite(Base):
    """A change that an addon made on the desk, so that repeating it with the same key changes nothing.

    The row is written in the transaction of the change.
    """

    __tablename__ = "addon_writes"
    __writers__ = ("addons", "sdk")
    __table_args__ = (
        sa.Index("ix_addon_writes_slug_workspace_id_at", "slug", "workspace_id", "at"),
        sa.Index("ix_addon_writes_at", "at"),
        Base.__table_args__,
    )

    slug: Mapped[str] = mapped_column(sa.String(48), primary_key=True)
    key_hash: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    """SHA-256 of the addon's key."""
    fingerprint: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the change, so that a key used for another one is noticed."""
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    result: Mapped[list[int] | None] = mapped_column(JsonDict)
    """The ids of the messages it wrote; NULL: none."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class ParkedEvent(Base):
    """An event that a listener could not handle, or that waits behind such a one, in the order of ``id``.

    See :mod:`host.addons.running.parked_events`. It has no foreign keys, like the event log that it refers
    to.
    """

    __tablename__ = "parked_events"
    __writers__ = ("addons",)
    __table_args__ = (
        sa.Index("ix_parked_events_behind_listener_id", "behind", "listener", "id"),
        sa.Index("ix_parked_events_listener_retry_at_id", "listener", "retry_at", "id"),
        sa.Index("ix_parked_events_workspace_id", "workspace_id"),
        # No id is given again, so that a page shown before skips nothing else.
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    listener: Mapped[str] = mapped_column(Ascii64)
    """The name of the listener's position."""
    event_id: Mapped[int] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(Ascii64)
    workspace_id: Mapped[int] = mapped_column(Id)
    behind: Mapped[str] = mapped_column(Ascii64)
    """Name of its queue: ``conversation.12``, ``contact.5``, or ``event.77`` for itself alone."""
    parked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    retry_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When to pass it again, if it is the first one of ``behind``."""
    tries: Mapped[int] = mapped_column(sa.Integer)
    """How often it failed; 0: it waits behind another."""
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    problem: Mapped[str | None] = mapped_column(sa.String(500))
    """The type of the error, and the line of the addon; never its message, which may quote a customer."""
