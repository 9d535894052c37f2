"""Accounts and webhook endpoints of archived workspaces: their lanes are not claimed, and their work waits.

A process rereads them when the counter of accounts changes, which archiving and restoring increase.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.features import registry
from host.models.channels import ChannelAccount
from host.models.users import Workspace


class Paused(msgspec.Struct, frozen=True):
    """The paused accounts and endpoints.

    :param number: the counter of accounts when it was read.
    """

    number: int
    accounts: frozenset[int] = frozenset()
    endpoints: frozenset[int] = frozenset()


_known: Paused | None = None

RESTS = sa.or_(Workspace.archived_at.is_not(None), Workspace.deleting_at.is_not(None))
"""The condition that a workspace is archived, or being deleted."""


def current(session: Session) -> Paused:
    """Return what is currently paused, from memory unless an account or a workspace changed."""
    global _known  # noqa: PLW0603 - one for the process
    number = counters.accounts()
    if _known is None or _known.number != number:
        rest = session.scalars(sa.select(Workspace.id).where(RESTS)).all()
        _known = _read(session, number, rest)
    return _known


def _read(session: Session, number: int, workspaces: Sequence[int]) -> Paused:
    """Return the accounts and endpoints of some workspaces."""
    if not workspaces:
        return Paused(number)
    accounts = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id.in_(workspaces))
    others = registry.hooks().resting(session=session, workspaces=workspaces)
    return Paused(number, frozenset(session.scalars(accounts)), frozenset(chain.from_iterable(others)))


def forget() -> None:
    """Clear the cache; for tests and commands that change their database."""
    global _known  # noqa: PLW0603
    _known = None
