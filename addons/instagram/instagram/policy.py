"""When a reply is allowed, and as whom (docs/instagram-platform: 24 hours; the human agent tag: 7 days)."""

from __future__ import annotations

from datetime import timedelta

from host.sdk.channel import ReplyContext, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.i18n import noop

from .messages import HUMAN_AGENT

WINDOW = timedelta(hours=24)
HUMAN_AGENT_WINDOW = timedelta(days=7)

NEVER_WROTE = noop("On Instagram nobody can write first: a conversation begins with the customer.")
PEOPLE_ONLY = noop(
    "More than 24 hours have passed: only a person may still reply, about what the customer asked, "
    "until seven days after their last message."
)
CLOSED = noop(
    "Instagram allows replies for 24 hours after the customer's last message. "
    "You can write again as soon as they do."
)
CLOSED_FOR_PEOPLE = noop(
    "Instagram allows replies by a person for 7 days after the customer's last message. "
    "You can write again as soon as they do."
)


def reply_policy(context: ReplyContext) -> ReplyPolicy:
    """Tell who may reply now: anybody for 24 hours, then people where the account may, then nobody."""
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
