"""The abilities of customers on the active channels: pages offer nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.models.channels import AccountState, ChannelAccount
from host.sdk.capabilities import Capabilities, Moderation, Threading
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import MessageKind

NEUTRAL = frozenset(
    {
        *(MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE),
        *(MessageKind.STICKER, MessageKind.REACTION, MessageKind.EDIT, MessageKind.UNSEND),
        MessageKind.UNSUPPORTED,
    }
)
"""Kinds of messages on a channel that declares none."""


def received(capabilities: Capabilities) -> frozenset[MessageKind]:
    """Return the kinds of messages that customers can send on a channel."""
    if capabilities.receives is not None:
        return capabilities.receives
    kinds = set(NEUTRAL)
    if capabilities.quick_replies is not None:
        kinds.add(MessageKind.QUICK_REPLY)
    if any((capabilities.template, capabilities.buttons, capabilities.ice_breakers, capabilities.menu)):
        kinds.add(MessageKind.POSTBACK)
    return frozenset(kinds)


class Abilities(msgspec.Struct, frozen=True):
    """The abilities of customers on at least one of some channels, and of the team with what they send.

    :param kinds: kinds of messages they can send.
    :param ads: whether they can come from an ad.
    :param comments: whether they can comment on posts.
    :param public: whether comments can be answered publicly; *private*: whether privately.
    :param hides: whether comments can be hidden.
    :param forwards: whether messages can be forwarded.
    """

    kinds: frozenset[MessageKind] = frozenset(MessageKind)
    ads: bool = True
    ice_breakers: bool = True
    menu: bool = True
    comments: bool = True
    public: bool = True
    private: bool = True
    hides: bool = True
    forwards: bool = True

    @property
    def links(self) -> bool:
        """Whether customers can come by a link or an ad."""
        return self.ads or MessageKind.REFERRAL in self.kinds

    @property
    def taps(self) -> bool:
        """Whether customers can tap an ice breaker, a menu item, a button or a quick reply."""
        tapped = {MessageKind.POSTBACK, MessageKind.QUICK_REPLY}
        return self.ice_breakers or self.menu or not tapped.isdisjoint(self.kinds)


EVERYTHING = Abilities()


def of(adapters: Iterable[ChannelAdapter]) -> Abilities:
    """Return the abilities that any of *adapters* has; without any, those of a channel that declares none."""
    all_ = [one.capabilities for one in adapters] or [Capabilities()]
    return Abilities(
        kinds=frozenset[MessageKind]().union(*map(received, all_)),
        ads=any(one.ads for one in all_),
        ice_breakers=any(one.ice_breakers is not None for one in all_),
        menu=any(one.menu is not None for one in all_),
        comments=any(one.threading is Threading.POST for one in all_),
        public=any(one.public for one in all_),
        private=any(one.private_replies is not None for one in all_),
        hides=any(Moderation.HIDE in one.moderation for one in all_),
        forwards=any(one.forwards for one in all_),
    )


def of_workspace(adapters: Collection[ChannelAdapter], channels: Collection[str]) -> Abilities:
    """Return the abilities that the active channels of a workspace have.

    A channel beside one of them counts, too, because its account is opened on that one's page.

    :param adapters: all active channels.
    :param channels: those with an account in the workspace; empty: every active channel counts.
    """
    own = [one for one in adapters if one.key in channels or one.beside in channels]
    return of(own or adapters)


def load(session: Session, workspace_id: int, adapters: Collection[ChannelAdapter]) -> Abilities:
    """Return the abilities of a workspace, see :func:`of_workspace`. One statement."""
    query = sa.select(ChannelAccount.channel).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    return of_workspace(adapters, set(session.scalars(query.distinct())))
