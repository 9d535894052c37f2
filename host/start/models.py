"""How far the first steps of a workspace are."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, JsonDict, UTCDateTime
from host.models.users import Workspace


class WorkspaceStart(Base):
    """A workspace whose list of first steps was shown. Without a row, it never was.

    What is done is not stored: it is read from what is there.
    """

    __tablename__ = "workspace_starts"
    __writers__ = ("start",)

    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Workspace.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    step: Mapped[str] = mapped_column(sa.String(16))
    """The first step that is neither done nor skipped, a value of :class:`host.start.steps.Key`; empty: none
    is left."""
    step_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time since which that is the step."""
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time every step was first done or skipped."""
    hidden_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time somebody hid the list; NULL: it is shown."""
    skipped: Mapped[list[str]] = mapped_column(JsonDict)
    """The steps somebody skipped, values of :class:`host.start.steps.Key`."""
