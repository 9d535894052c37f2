"""Accounts connected in another workspace: refuse to connect them here too, or move them.

An account belongs to one workspace. Only a person who owns both workspaces may move it, after confirming. Its
conversations stay readable in the old workspace; new messages arrive in the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.accounts import owner_of
from host.core import db
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.cards import SettingsCard
from host.sdk.channel import AccountRef
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, current_user, maybe_user

log = logging.getLogger(__name__)


class Elsewhere(msgspec.Struct, frozen=True):
    """An account that is live in another workspace of the same owner."""

    account: AccountRef
    workspace_name: str

    @property
    def sentence(self) -> str:
        """A sentence that explains what moving it means."""
        return str(
            _(
                "It is connected in your workspace “%(name)s”. Moving it disconnects it there: "
                "existing conversations stay there, readable, and new messages arrive here.",
                name=self.workspace_name,
            )
        )


def movable_accounts(session: Session, workspace_id: int, channel: str) -> Sequence[Elsewhere]:
    """Return the live accounts of *channel* in the other workspaces the signed-in person owns, by name."""
    owned = {
        one.workspace_id: one.workspace_name
        for one in current_user().memberships
        if one.may(Permission.ACCOUNTS) and one.workspace_id != workspace_id
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


def clean_up_moved(card: SettingsCard, moved: Elsewhere) -> None:
    """Let the addon delete its data of the account in the old workspace. The account is already connected
    here.
    """
    try:
        card.disconnect(moved.account)
    except Exception:
        log.exception("the addon of channel %s failed after a move", card.channel)


def taken_sentence(workspace_id: int, channel: str, external_id: str) -> str | None:
    """Return why an account cannot be connected here, or None. This workspace may always connect it again."""
    try:
        with db.read() as session:
            owner = owner_of(session, channel, external_id)
    except ValueError as error:
        return str(error)
    if owner is None or owner[1] == workspace_id:
        return None
    return elsewhere_sentence(channel, external_id)


def elsewhere_sentence(channel: str, external_id: str) -> str:
    """Return a sentence saying where an account is connected; only members see the workspace's name."""
    with db.read() as session:
        owner = owner_of(session, channel, external_id)
    user = maybe_user()  # a program has none
    membership = None if owner is None or user is None else user.membership(owner[1])
    if membership is not None and membership.may(Permission.ACCOUNTS):
        return str(
            _(
                "This account is already connected in your workspace “%(name)s”. An account can "
                "belong to only one workspace: disconnect it there first, or move it here.",
                name=membership.workspace_name,
            )
        )
    if membership is not None:
        return str(
            _(
                "This account is already connected in the workspace “%(name)s”. An account can "
                "belong to only one workspace: disconnect it there first.",
                name=membership.workspace_name,
            )
        )
    return str(
        _(
            "This account is already connected in another workspace. An account can belong to "
            "only one workspace: disconnect it there first."
        )
    )
