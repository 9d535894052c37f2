"""Attributes, notes, history and merges of contacts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.inbox import Contact
from host.models.users import User, Workspace


class AttributeKind(StrEnum):
    """The type of an attribute's values."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"


class ContactAttribute(Base):
    """A custom field for the contacts of a workspace, such as a price list. Its kind never changes."""

    __tablename__ = "contact_attributes"
    __writers__ = ("inbox.contacts",)
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name_key"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    name_key: Mapped[str] = mapped_column(Ascii64)
    """Folded like the name of a label, so that "Glaze" and "GLAZE" are one attribute."""
    kind: Mapped[str] = mapped_column(sa.String(16))
    choices: Mapped[list[str] | None] = mapped_column(JsonDict)
    """The words of a choice, in order. A stored value stays when its word is removed."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ContactValue(Base):
    """The value of an attribute for a contact; without a row it is empty."""

    __tablename__ = "contact_values"
    __writers__ = ("inbox.contacts",)
    __table_args__ = (
        sa.Index("ix_contact_values_attribute", "attribute_id", "value", "contact_id"),
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
    """A note about a contact, or a change of it. Merging leaves it with the contact it was written for."""

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
    """Details by kind; ``by`` names the API key, where no person did it, ``message`` the
    customer's own message that is an opt-out, or ends one."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class MergeState(StrEnum):
    """The outcome for two contacts that may be the same person."""

    MERGED = "merged"
    SPLIT = "split"
    """They were merged and are two again."""
    REFUSED = "refused"
    """Somebody said that they are not the same person."""


class ContactMerge(Base):
    """Two contacts that became one, with all it takes to make them two again.

    The row of the contact that is gone stays, with its own name, values and entries.
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
    """The one that stays."""
    other_id: Mapped[int] = mapped_column(sa.ForeignKey(Contact.id, ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(sa.String(16))
    moved: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """``identities`` and ``contacts``: ids of what came along."""
    taken: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """By field: what the one that stays had ``before``, and has ``after``."""
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
