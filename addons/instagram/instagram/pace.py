"""Rate limits for an account's calls: documented ones, and those Meta reports in responses.

Meta's pages: docs/instagram-platform (100 messages a second, 10 with audio or video, 2 reads of
conversations, 750 private replies an hour, 100 a second on a broadcast),
documentation/business-messaging/messenger-platform/overview/rate-limiting (300; the usage headers). The limit
per customer is Lobby's own.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from host.sdk import settings
from host.sdk.channel import (
    AccountRef,
    ModerateRequest,
    Pause,
    ProviderProblem,
    ReactRequest,
    SearchRequest,
    SendLimit,
    SendRequest,
)
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind

from . import restrictions
from .accounts import Bound, Credentials, sharing_app
from .config import SLUG
from .graph import Usage

log = logging.getLogger(__name__)

HOUR = 3600
REST_SECONDS = 60.0
"""How long sending pauses when a limit is almost used up and Meta names no time."""

OF_ACCOUNT = noop("This account is sending many messages at once. This message is queued.")
OF_MEDIA = noop(
    "Instagram allows only a few audio and video messages per second from an account. This message is queued."
)
OF_CUSTOMER = noop(
    "This customer has received the maximum number of messages for this hour. This message will be sent "
    "automatically."
)
OF_APP = noop(
    "All accounts of the Meta app together have reached the hourly message limit. This message will be "
    "sent automatically."
)
OF_PRIVATE = noop("Instagram allows 750 private replies per hour from an account. This message is queued.")
OF_LIFTED = noop(
    "Meta accepts this app again after a restriction. Messages are sent at half rate, and this one is queued."
)
OF_LOOKUPS = noop("Instagram allows conversations to be read only a few times per second.")
ALMOST_USED_UP = noop("Meta's request limit is almost used up, so sending is paused briefly.")

_DEFAULTS = {
    "sends_per_second": 100,
    "media_sends_per_second": 10,
    "sends_per_customer_hour": 200,
    "sends_per_app_hour": 0,
    "lookups_per_second": 2,
    "private_replies_per_hour": 750,
    "live_private_replies_per_second": 100,
    "usage_percent": 95,
}


def limits(
    account: AccountRef,
    bound: Bound | None,
    request: SendRequest | ReactRequest | ModerateRequest | SearchRequest,
) -> list[SendLimit]:
    """Return the limits that a call counts against, per account, customer or app."""
    if isinstance(request, SearchRequest):
        return _limit("lookups_per_second", f"lookups {account.id}", 1, OF_LOOKUPS)
    if isinstance(request, SendRequest) and request.part.private:
        found = _private(account, request)
    else:
        found = _limit("sends_per_second", f"account {account.id}", 1, OF_ACCOUNT, whole=True)
    if bound is not None and bound.app_id:
        found += _limit("sends_per_app_hour", f"app {bound.app_id}", HOUR, OF_APP, whole=True)
    if isinstance(request, SendRequest) and request.part.kind in {MessageKind.AUDIO, MessageKind.VIDEO}:
        found += _limit("media_sends_per_second", f"media {account.id}", 1, OF_MEDIA)
    if bound is not None and restrictions.is_easing(bound.app):
        found = [replace(one, amount=max(1, one.amount // 2), sentence=OF_LIFTED) for one in found]
    if isinstance(request, SendRequest):
        customer = f"customer {account.id} {request.recipient}"
        found += _limit("sends_per_customer_hour", customer, HOUR, OF_CUSTOMER)
    return found


def _private(account: AccountRef, request: SendRequest) -> list[SendLimit]:
    """Return the limit of private replies: to comments on posts, or on a broadcast."""
    answers = request.answers
    if answers is not None and answers.content.get("live") is True:
        return _limit("live_private_replies_per_second", f"live {account.id}", 1, OF_ACCOUNT)
    return _limit("private_replies_per_hour", f"private {account.id}", HOUR, OF_PRIVATE)


def private_per_hour() -> int | None:
    """Return how many private replies an account may send per hour; None for no limit."""
    return _number("private_replies_per_hour") or None


def pause(found: Credentials, usage: Usage) -> Pause | None:
    """Return the pause due after a response with *usage*, if any."""
    most = _number("usage_percent")
    if not most or (usage.percent < most and not usage.regain_seconds):
        return None
    what = ProviderProblem(
        "", ALMOST_USED_UP, raw=f"usage {usage.percent} %, of the app {usage.app_percent} %"
    )
    others = sharing_app(found.account_id) if usage.app_percent >= most else ()
    return Pause(what, usage.regain_seconds or REST_SECONDS, other_accounts=others)


def _limit(setting: str, key: str, seconds: int, sentence: str, *, whole: bool = False) -> list[SendLimit]:
    amount = _number(setting)
    return [SendLimit(key, amount, seconds, sentence, whole)] if amount else []


def _number(name: str) -> int:
    """Return a numeric setting, or its default if it is invalid, so that sending continues."""
    text = settings.get(SLUG, name).strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    log.error("LOBBY_ADDON_%s_%s is not a number; %s is used", SLUG.upper(), name.upper(), _DEFAULTS[name])
    return _DEFAULTS[name]
