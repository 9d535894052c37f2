"""The rate at which Telegram lets a bot send.

https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this names the limits: about 30
messages a second in total, one a second per chat, 20 a minute per group. Bursts may pass. Above a limit,
Telegram answers 429 with a time to wait, which :mod:`.sending` passes on.
"""

from __future__ import annotations

from host.sdk.channel import ModerateRequest, ReactRequest, SearchRequest, SendLimit, SendRequest
from host.sdk.i18n import noop

OF_BOT = noop("This bot is sending many messages at once. This message is queued.")
OF_CHAT = noop("Telegram allows one message per second to a person. This message is queued.")
OF_GROUP = noop("Telegram allows 20 messages per minute to a group. This message is queued.")


def limits(request: SendRequest | ReactRequest | ModerateRequest | SearchRequest) -> list[SendLimit]:
    """Return the limits that sending *request* counts against; other requests have none."""
    if not isinstance(request, SendRequest):
        return []
    account, chat = request.account.id, request.recipient
    found = [
        SendLimit(f"bot {account}", 30, 1, OF_BOT, whole_account=True),
        SendLimit(f"chat {account} {chat}", 1, 1, OF_CHAT),
    ]
    if chat.startswith("-"):
        found.append(SendLimit(f"group {account} {chat}", 20, 60, OF_GROUP))
    return found
