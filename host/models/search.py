"""The search index, which maps words to documents. It is built from other tables, and can be rebuilt."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, LongText, UTCDateTime, Word


class DocumentKind(IntEnum):
    """The kind of a document; its id is that row's."""

    MESSAGE = 1
    CONTACT = 2


class Posting(Base):
    """A term of a document. Rows of a term are in display order, newest last.

    It has no foreign keys, which would cost time for each word of each message. Code that deletes a message
    or a workspace calls :mod:`host.search.postings`.
    """

    __tablename__ = "search_postings"
    __writers__ = ("search",)
    __table_args__ = ({**Base.__table_args__, "sqlite_with_rowid": False},)

    workspace_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    kind: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    term: Mapped[str] = mapped_column(Word, primary_key=True)
    """A word, or a mark such as ``:note``, which cannot be a word."""
    at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """Time the message was sent, in seconds since 1970; 0 for a contact."""
    document_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)


class SearchDocument(Base):
    """A searchable document with every term it has, by which its postings are found and deleted."""

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
    """Separated by spaces."""


class SearchBuild(Base):
    """Progress of indexing earlier documents, for each kind of document, newest first."""

    __tablename__ = "search_builds"
    __writers__ = ("search",)

    kind: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(sa.Integer)
    """The :data:`host.search.words.VERSION` of the index."""
    begun_below: Mapped[int] = mapped_column(Id)
    below: Mapped[int] = mapped_column(Id)
    """Documents with a lower id are not yet indexed."""
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
