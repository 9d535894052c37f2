"""The ends of reply windows, according to the channels' adapters."""

from __future__ import annotations

import logging
from datetime import datetime

from host.core.ports import GenerationSource
from host.models.channels import ChannelAccount, ref
from host.sdk.channel import ReplyContext, ReplyState

log = logging.getLogger(__name__)


class ChannelWindows:
    """Reply windows of the channels in the running revision."""

    def __init__(self, generation: GenerationSource) -> None:
        self._generation = generation

    def __call__(self, account: ChannelAccount, asked_at: datetime) -> datetime | None:
        """Return when the reply window ends; None: it does not end, or the channel is not active."""
        adapter = self._generation().directory.adapter(account.channel)
        if adapter is None:
            return None
        try:
            policy = adapter.reply_policy(ReplyContext(ref(account), asked_at, asked_at))
        except Exception:
            log.exception("the channel %s does not say how long its reply window is", account.channel)
            return None
        return policy.until if policy.state is ReplyState.OPEN else asked_at
