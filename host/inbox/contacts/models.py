"""Attributes, notes, history and merges of contacts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.inbox import Contact, ContactIdentity
from host.models.users import User, Workspace


class AttributeKind(StrEnum):
    """The type of an attribute's values."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"


class ContactAttribute(Base):
    """A custom field for the contacts of a workspace, such as their price list. Its kind never changes."""

    __tablename__ = "contact_attributes"
    __writers__ = ("inbox.contacts",)
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name_key"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    name_key: Mapped[str] = mapped_column(Ascii64)
    """Folded like the name of a label, so that "Glaze" and "GLAZE" are one attribute."""
    kind: Mapped[str] = mapped_column(sa.String(16))
    choices: Mapped[list[str] | None] = mapped_column(JsonDict)
    """The options of a choice, in order. Stored values stay when an option is removed."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ContactValue(Base):
    """The value of an attribute for a contact; without a row it is empty."""

    __tablename__ = "contact_values"
    __writers__ = ("inbox.contacts",)
    __table_args__ = (
        sa.Index("ix_contact_values_attribute", "attribute_id", "value", "contact_id"),
        sa.Index("ix_contact_values_phone", "phone_key"),
        Base.__table_args__,
    )

    contact_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Contact.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    attribute_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ContactAttribute.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    value: Mapped[str] = mapped_column(sa.String(255))
    """Text for every kind: a date as ``2026-11-20``, yes and no as ``yes`` and ``no``."""
    phone_key: Mapped[str | None] = mapped_column(Ascii64)
    """Its last digits if it may be a phone number, see :func:`host.inbox.apply.phone_numbers.written_key`."""


class EntryKind(StrEnum):
    """The kind of an entry in a contact's history."""

    NOTE = "note"
    CHANGED = "changed"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    MERGED = "merged"
    SPLIT = "split"


class ContactEntry(Base):
    """A note about a contact, or a change of it. It stays with its contact after a merge."""

    __tablename__ = "contact_entries"
    __writers__ = ("inbox.apply", "inbox.contacts")
    __table_args__ = (
        sa.Index("ix_contact_entries_contact", "contact_id", "at", "id"),
        sa.Index("ix_contact_entries_author", "author_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    text: Mapped[str] = mapped_column(LongText)
    """The text of a note, or the source of an opt-out: the customer's own word if they wrote one."""
    content: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """Details by kind. ``by`` names the API key, if no person did it; ``message`` is the customer's message
    that opted out or in."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class MergeState(StrEnum):
    """The state of two contacts that may be the same person."""

    MERGED = "merged"
    SPLIT = "split"
    """They were merged and split again."""
    REFUSED = "refused"
    """Somebody marked them as different people."""


class ContactMerge(Base):
    """A merge of two contacts, with the data to undo it.

    The row of the merged contact stays, with its name, values and entries.
    """

    __tablename__ = "contact_merges"
    __writers__ = ("inbox.contacts",)
    __table_args__ = (
        sa.Index("ix_contact_merges_contact", "contact_id", "state", "id"),
        sa.Index("ix_contact_merges_other", "other_id", "state"),
        sa.Index("ix_contact_merges_author", "author_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    """The remaining contact."""
    other_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(sa.String(16))
    moved: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """``identities`` and ``contacts``: the moved ids."""
    taken: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """By field: values of the remaining contact ``before`` and ``after``."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


IDENTITY_NAMES = sa.select(ContactIdentity.id, ContactIdentity.external_id)
"""The external ids of the identities that events name by id."""
