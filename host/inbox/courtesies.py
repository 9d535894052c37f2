"""Whether a customer is shown that somebody writes or has looked: by channel, account and window."""

from __future__ import annotations

from host import clock
from host.channels.messaging import Messaging
from host.channels.models import AccountState
from host.delivery import signals
from host.delivery.signals import Signal
from host.inbox.queries import Row
from host.inbox.reply import policy_for
from host.sdk.channel import ChannelAdapter, ReplyState


def show_typing(row: Row, adapter: ChannelAdapter | None, on: bool) -> None:
    """Let the customer of a conversation be shown that somebody writes, or no longer does."""
    if adapter is None or not adapter.capabilities.typing or not Messaging.of(row.account.settings).typing:
        return
    if _may(row, adapter):
        _offer(row, Signal.TYPING if on else Signal.STOPPED)


def show_seen(row: Row, adapter: ChannelAdapter | None) -> None:
    """Let the customer of a conversation be shown that somebody has looked, where the account is set to."""
    if adapter is None or not adapter.capabilities.mark_seen:
        return
    if Messaging.of(row.account.settings).mark_seen and _may(row, adapter):
        _offer(row, Signal.SEEN)


def _may(row: Row, adapter: ChannelAdapter) -> bool:
    now = clock.now()
    if row.account_state != AccountState.CONNECTED or row.out_of_reach(now) is not None:
        return False
    return policy_for(adapter, row.account, row.last_inbound_at, now).state is ReplyState.OPEN


def _offer(row: Row, signal: Signal) -> None:
    signals.current().offer(row.account, row.identity_external_id, signal)
