"""When teams work: their week, the days on which it is different, and where their clocks are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, JsonDict
from host.models.teams import Team
from host.models.users import Workspace


class BusinessHours(Base):
    """The hours of a workspace, or of a team that has its own. Who has no row never chose any.

    Two rows of one place are kept away by the lock on the workspace: a rule of the database would let two
    without a team pass.
    """

    __tablename__ = "business_hours"
    __writers__ = ("users",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="CASCADE"), unique=True)
    """NULL: those of the workspace."""
    timezone: Mapped[str] = mapped_column(sa.String(64))
    """A name of the IANA list, such as Europe/Berlin."""
    week: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Seven days, Monday first, each a list of pairs of minutes after midnight; NULL: none of its own."""
    exceptions: Mapped[list[Any]] = mapped_column(JsonDict)
    """Days on which it is different, see :class:`host.users.hours.Exceptional`."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Grows with each change, so that of two people who save at once one is told."""
