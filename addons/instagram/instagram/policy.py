"""When replies are allowed, and from whom (docs/instagram-platform: 24 hours; human agent tag: 7 days)."""

from __future__ import annotations

from datetime import timedelta

from host.sdk.channel import ReplyContext, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.i18n import noop

from .sending.requests import HUMAN_AGENT

WINDOW = timedelta(hours=24)
HUMAN_AGENT_WINDOW = timedelta(days=7)

NEVER_WROTE = noop("On Instagram, only the customer can start a conversation.")
PEOPLE_ONLY = noop(
    "More than 24 hours have passed since the customer's last message. Until 7 days after it, only a "
    "person may reply, and only about what the customer asked."
)
CLOSED = noop(
    "Instagram allows replies for 24 hours after the customer's last message. You can reply again when "
    "they write."
)
CLOSED_FOR_PEOPLE = noop(
    "Instagram allows human replies for 7 days after the customer's last message. You can reply again "
    "when they write."
)


def reply_policy(context: ReplyContext) -> ReplyPolicy:
    """Return who may reply now: anyone for 24 hours, then people if the account allows it, then nobody."""
    since = context.last_inbound_at
    if since is None:
        return ReplyPolicy(ReplyState.CLOSED, sentence=NEVER_WROTE)
    human_agent = context.account.settings.get("human_agent") is True
    end, late_end = since + WINDOW, since + HUMAN_AGENT_WINDOW
    phases: tuple[ReplyPhase, ...] = (ReplyPhase(ReplyState.OPEN, since, end),)
    if human_agent:
        phases += (ReplyPhase(ReplyState.PEOPLE_ONLY, end, late_end),)
    if context.now < end:
        return ReplyPolicy(ReplyState.OPEN, until=end, phases=phases)
    if human_agent and context.now < late_end:
        return ReplyPolicy(
            ReplyState.PEOPLE_ONLY,
            until=late_end,
            phases=phases,
            tag=HUMAN_AGENT if context.by_person else None,
            sentence=PEOPLE_ONLY,
        )
    sentence = CLOSED_FOR_PEOPLE if human_agent else CLOSED
    return ReplyPolicy(ReplyState.CLOSED, phases=phases, sentence=sentence)
