"""What search is made of: which document has which word. It is made of other tables, and can be again."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, LongText, UTCDateTime, Word


class DocumentKind(IntEnum):
    """What a document is; its id is that row's."""

    MESSAGE = 1
    CONTACT = 2


class Posting(Base):
    """A document has a term. Rows of a term stand in the order in which they are shown, the newest last.

    There are no foreign keys: a row for each word of each message would pay for them. Whatever removes a
    message or a workspace calls :mod:`host.search.postings`.
    """

    __tablename__ = "search_postings"
    __writers__ = ("search",)
    __table_args__ = ({**Base.__table_args__, "sqlite_with_rowid": False},)

    workspace_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    kind: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    term: Mapped[str] = mapped_column(Word, primary_key=True)
    """A word, or a mark such as ``:note``, which no word is."""
    at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """When the message was sent, in seconds since 1970; 0 for a contact."""
    document_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)


class SearchDocument(Base):
    """A document that can be found, and every term it has: by these its postings are found and removed."""

    __tablename__ = "search_documents"
    __writers__ = ("search",)
    __table_args__ = (
        sa.Index("ix_search_documents_workspace_id", "workspace_id"),
        {**Base.__table_args__, "sqlite_with_rowid": False},
    )

    kind: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    document_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    workspace_id: Mapped[int] = mapped_column(Id)
    at: Mapped[int] = mapped_column(sa.BigInteger)
    terms: Mapped[str] = mapped_column(LongText)
    """With a space between them."""


class SearchBuild(Base):
    """How far making the postings of what was there before is, for each kind of document, newest first."""

    __tablename__ = "search_builds"
    __writers__ = ("search",)

    kind: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(sa.Integer)
    """The :data:`host.search.words.VERSION` it is made with."""
    begun_below: Mapped[int] = mapped_column(Id)
    below: Mapped[int] = mapped_column(Id)
    """Documents with a lower id are still to be looked at."""
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
