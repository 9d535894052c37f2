"""Moving an account from one workspace to another: only by somebody who owns both, and only if they say so.

The conversations stay where they are, readable; what customers write from then on comes to the new workspace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.channels.accounts import disconnect_account
from host.channels.models import AccountState, ChannelAccount
from host.sdk.accounts import ref
from host.sdk.cards import SettingsCard
from host.sdk.channel import AccountRef
from host.web import Role, audit, current_user

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An account that is live in another workspace of the same owner."""

    account: AccountRef
    workspace_name: str

    @property
    def sentence(self) -> str:
        """What moving it means."""
        return str(
            _(
                "It is connected in your workspace “%(name)s”. Moving it ends that: its conversations stay "
                "there, readable, and what customers write from now on comes here.",
                name=self.workspace_name,
            )
        )


def movable(session: Session, workspace_id: int, channel: str) -> Sequence[Elsewhere]:
    """Return the live accounts of *channel* in the other workspaces the signed-in person owns, by name."""
    owned = {
        one.workspace_id: one.workspace_name
        for one in current_user().memberships
        if one.role is Role.OWNER and one.workspace_id != workspace_id
    }
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.channel == channel,
            ChannelAccount.workspace_id.in_(owned),
            ChannelAccount.state != AccountState.DISCONNECTED,
        )
        .order_by(ChannelAccount.name, ChannelAccount.id)
    )
    return [Elsewhere(ref(row), owned[row.workspace_id]) for row in session.scalars(query)]


def leave(session: Session, moved: Elsewhere, to_workspace_id: int) -> None:
    """Switch the account off where it was, in the write that connects it anew; both journals say so.

    :raises AccountGoneError: if it was disconnected meanwhile.
    """
    disconnect_account(session, moved.account.id)
    for workspace_id, action in (
        (moved.account.workspace_id, "account.moved_away"),
        (to_workspace_id, "account.moved_here"),
    ):
        audit(
            session,
            action,
            moved.account.handle,
            workspace_id=workspace_id,
            details={"channel": moved.account.channel},
        )


def clear_up(card: SettingsCard, moved: Elsewhere) -> None:
    """Let the addon drop what it kept for the account where it was. The account is live elsewhere by now."""
    try:
        card.disconnect(moved.account)
    except Exception:
        log.exception("the addon of channel %s failed after a move", card.channel)
