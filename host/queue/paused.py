"""The accounts and endpoints of archived workspaces: none of their lanes is claimed, what waits waits.

A process reads them again when the counter of accounts moved, which archiving and bringing back do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.models.channels import ChannelAccount
from host.models.outgoing import Endpoint
from host.models.users import Workspace


@dataclass(frozen=True, slots=True)
class Paused:
    """What is paused.

    :param number: the counter of accounts at which it was read.
    """

    number: int
    accounts: frozenset[int] = frozenset()
    endpoints: frozenset[int] = frozenset()


_known: Paused | None = None

RESTS = sa.or_(Workspace.archived_at.is_not(None), Workspace.deleting_at.is_not(None))
"""The condition that a workspace is archived, or being deleted."""


def current(session: Session) -> Paused:
    """Return what is paused now; from memory, unless an account or a workspace changed."""
    global _known  # noqa: PLW0603 - one for the process
    number = counters.accounts()
    if _known is None or _known.number != number:
        rest = session.scalars(sa.select(Workspace.id).where(RESTS)).all()
        _known = Paused(number, _of(session, ChannelAccount, rest), _of(session, Endpoint, rest))
    return _known


def _of(
    session: Session, model: type[ChannelAccount] | type[Endpoint], workspaces: Sequence[int]
) -> frozenset[int]:
    """Return what some workspaces have: all others are not looked at."""
    if not workspaces:
        return frozenset()
    return frozenset(session.scalars(sa.select(model.id).where(model.workspace_id.in_(workspaces))))


def forget() -> None:
    """Drop what was read; for tests and commands that change their database."""
    global _known  # noqa: PLW0603
    _known = None
