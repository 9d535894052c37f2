"""When replies are allowed: for 24 hours after the customer's last message.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from __future__ import annotations

from datetime import timedelta

from host.sdk.channel import ReplyContext, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.i18n import noop

WINDOW = timedelta(hours=24)
NEVER_WROTE = noop(
    "On WhatsApp, replies are possible for 24 hours after a message from the customer, and templates always."
)
CLOSED = noop(
    "WhatsApp allows replies for 24 hours after the customer's last message. Send a template, or reply when "
    "they write again."
)


def reply_policy(context: ReplyContext) -> ReplyPolicy:
    """Return whether a reply may be sent now."""
    since = context.last_inbound_at
    if since is None:
        return ReplyPolicy(ReplyState.CLOSED, sentence=NEVER_WROTE)
    end = since + WINDOW
    phases = (ReplyPhase(ReplyState.OPEN, since, end),)
    if context.now < end:
        return ReplyPolicy(ReplyState.OPEN, until=end, phases=phases)
    return ReplyPolicy(ReplyState.CLOSED, phases=phases, sentence=CLOSED)
