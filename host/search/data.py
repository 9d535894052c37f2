"""Erasure and clean-up of what search stores."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.search import postings


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove them from the index."""
    postings.forget_messages(session, ids)


@hookimpl
def forget_contacts(session: Session, ids: Collection[int]) -> None:
    """Remove them from the index."""
    for id_ in ids:
        postings.forget_contact(session, id_)


@hookimpl
def remove_workspace(session: Session, workspace_id: int) -> bool | None:
    """Remove its documents from the index, which has no foreign keys."""
    return bool(postings.forget_workspace(session, workspace_id)) or None
