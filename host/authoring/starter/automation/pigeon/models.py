"""The addon's own table, and what it asks of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from host.sdk.db import Ascii64, Id, addon_model_base, host_table

Base = addon_model_base("pigeon")


class PigeonMessage(Base):  # type: ignore[misc, valid-type]
    """A message a customer wrote. It goes when the contact is deleted."""

    __tablename__ = "pigeon_messages"

    event_id: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    contact_id: Mapped[int] = mapped_column(
        Id, ForeignKey(host_table("contacts").c.id, ondelete="CASCADE"), index=True
    )


def remember(session: Session, event_id: str, contact_id: int) -> int:
    """Remember a message, once for each event, and return how many of the contact's are known."""
    if session.get(PigeonMessage, event_id) is None:
        session.add(PigeonMessage(event_id=event_id, contact_id=contact_id))
        session.flush()
    return counts(session, [contact_id])[contact_id]


def counts(session: Session, contact_ids: Collection[int]) -> Mapping[int, int]:
    """Return the number of known messages of each contact, without those who have none."""
    query = (
        sa.select(PigeonMessage.contact_id, sa.func.count().label("messages"))
        .where(PigeonMessage.contact_id.in_(contact_ids))
        .group_by(PigeonMessage.contact_id)
    )
    return {row.contact_id: row.messages for row in session.execute(query)}
