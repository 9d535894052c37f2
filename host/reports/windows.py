"""Until when channels let anybody answer a question, as their adapters say."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from host.core.ports import GenerationSource
from host.models.channels import ChannelAccount, ref
from host.sdk.channel import ReplyContext, ReplyState

log = logging.getLogger(__name__)


class ChannelWindows:
    """Asks the channels of the running generation."""

    def __init__(self, generation: GenerationSource) -> None:
        self._generation = generation

    def __call__(self, session: Session, account_id: int, asked_at: datetime) -> datetime | None:
        """Return when anybody may answer no longer; None: it does not end, or the channel is not here."""
        row = session.get(ChannelAccount, account_id)
        adapter = None if row is None else self._generation().directory.adapter(row.channel)
        if row is None or adapter is None:
            return None
        try:
            policy = adapter.reply_policy(ReplyContext(ref(row), asked_at, asked_at))
        except Exception:
            log.exception("the channel %s does not say how long its reply window is", row.channel)
            return None
        return policy.until if policy.state is ReplyState.OPEN else asked_at
