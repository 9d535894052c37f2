"""Teams of a workspace, with their members and accounts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.users import Workspace


class Team(Base):
    """A team of a workspace. Conversations can be assigned to it."""

    __tablename__ = "teams"
    __writers__ = ("inbox",)
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name_key"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    name_key: Mapped[str] = mapped_column(Ascii64)
    """SHA-256 of the folded name, as with labels: names are unique ignoring case."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class TeamMember(Base):
    """A member of a team. Leaving the workspace removes the row."""

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
    """Whether they lead the team: they may change its members, replies and views."""
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class TeamAccount(Base):
    """An account that a team is responsible for."""

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


NAMES = sa.select(Team.id, Team.name)
"""Names of the teams that events name by id."""
