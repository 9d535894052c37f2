"""Live events: changes to be shown in open browsers."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, UTCDateTime


class LiveEvent(Base):
    """One change of a workspace. Its id is the ``id:`` of the server-sent event; kept for a day."""

    __tablename__ = "live_events"
    __writers__ = ("live",)
    __table_args__ = (
        sa.Index("ix_live_events_workspace_id_id", "workspace_id", "id"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(Id)
    topic: Mapped[str] = mapped_column(sa.String(32))
    payload: Mapped[str] = mapped_column(sa.Text)
    """JSON: ids and little else; the browser fetches what it needs."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
