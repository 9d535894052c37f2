"""Working hours of workspaces and teams."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Base, Id, JsonDict
from host.inbox.teams.models import Team
from host.models.users import Workspace


class BusinessHours(Base):
    """The working hours of a workspace or of a team. Without a row, none have been set.

    The lock on the workspace prevents two rows for one workspace: a unique constraint of the database would
    allow them, because their team is NULL.
    """

    __tablename__ = "business_hours"
    __writers__ = ("working_hours",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id, ondelete="CASCADE"), unique=True)
    """NULL: the hours of the workspace."""
    timezone: Mapped[str] = mapped_column(sa.String(64))
    """An IANA time zone name, such as Europe/Berlin."""
    week: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Seven days, Monday first, each a list of pairs of minutes after midnight; NULL: no hours of its own."""
    exceptions: Mapped[list[Any]] = mapped_column(JsonDict)
    """Days with hours that differ from the week, see :class:`host.working_hours.hours.ExceptionalDays`."""
    version: Mapped[int] = mapped_column(sa.Integer)
    """Increases with each change, so that one of two people who save concurrently gets an error."""
