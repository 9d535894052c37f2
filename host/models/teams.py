"""Teams of a workspace: who is in each, which accounts it looks after, and when people work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.users import Workspace


class Team(Base):
    """Some members of a workspace whom conversations can be given to together."""

    __tablename__ = "teams"
    __writers__ = ("inbox",)
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name_key"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    name_key: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the folded name, as with labels: two teams never differ by capital letters alone."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class TeamMember(Base):
    """A member of the workspace in a team. Who leaves the workspace leaves its teams."""

    __tablename__ = "team_members"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["user_id", "workspace_id"],
            ["memberships.user_id", "memberships.workspace_id"],
            name="fk_team_members_membership",
            ondelete="CASCADE",
        ),
        sa.Index("ix_team_members_membership", "user_id", "workspace_id"),
        Base.__table_args__,
    )

    team_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Team.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    workspace_id: Mapped[int] = mapped_column(Id)
    lead: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether they lead the team: its members, replies and views are theirs to keep."""
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class TeamAccount(Base):
    """An account that a team looks after."""

    __tablename__ = "team_accounts"
    __writers__ = ("inbox",)

    team_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Team.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    )


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
