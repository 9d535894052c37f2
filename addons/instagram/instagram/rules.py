"""Conditions, actions and tools for rules and assistants on Instagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.i18n import noop
from host.sdk.messages import MessageKind
from host.sdk.rules import AskedAbout, AssistantTool, React, RuleAction, RuleCondition, UsedFor

from . import accounts, posts
from .capabilities import HEART
from .config import CHANNEL

_NO_MESSAGES = frozenset(
    {
        MessageKind.REACTION,
        MessageKind.REFERRAL,
        MessageKind.OPT_IN,
        MessageKind.FEEDBACK,
        MessageKind.POSTBACK,
        MessageKind.EDIT,
        MessageKind.UNSEND,
    }
)
"""Kinds of messages that cannot be reacted to."""


def _follows(about: AskedAbout, _value: str) -> bool:
    return about.profile.get("follows_us") is True


def _verified(about: AskedAbout, _value: str) -> bool:
    return about.profile.get("verified") is True


def _has_followers(about: AskedAbout, value: str) -> bool:
    followers = about.profile.get("followers")
    return isinstance(followers, int) and value.isdigit() and followers >= int(value)


def _came_from(about: AskedAbout, value: str) -> bool:
    """Return whether the message came through an ad or a link.

    A question about a shop product also has a referral, but without a source or a link's ref.
    """
    referral = about.content.get("referral")
    if not isinstance(referral, dict):
        return False
    is_ad = str(referral.get("source") or "").upper() == "ADS"
    is_link = not is_ad and bool(referral.get("source") or referral.get("ref"))
    return is_ad if value == "ad" else is_link


CONDITIONS = (
    RuleCondition("instagram.follows", CHANNEL, noop("they follow the account"), _follows),
    RuleCondition("instagram.verified", CHANNEL, noop("Instagram verified them"), _verified),
    RuleCondition(
        "instagram.followers",
        CHANNEL,
        noop("they have many followers"),
        _has_followers,
        (
            ("1000", noop("1,000 or more")),
            ("10000", noop("10,000 or more")),
            ("100000", noop("100,000 or more")),
        ),
    ),
    RuleCondition(
        "instagram.came_from",
        CHANNEL,
        noop("they came through"),
        _came_from,
        (("ad", noop("an ad")), ("link", noop("a link"))),
    ),
)


def _heart(about: AskedAbout) -> React | None:
    return React(HEART) if about.kind and about.kind not in _NO_MESSAGES else None


ACTIONS = (RuleAction("instagram.heart", CHANNEL, noop("react with a heart"), _heart),)


class _NotConnectedError(Exception):
    """The account has no usable token."""


def _posts(about: UsedFor, arguments: Mapping[str, Any]) -> str:
    """Return the account's newest posts as text, those that contain the words first."""
    found = accounts.credentials(about.account.id)
    if found is None:
        raise _NotConnectedError
    return posts.about(found, str(arguments.get("words", "")))


TOOLS = (
    AssistantTool(
        "instagram.posts",
        CHANNEL,
        noop("Read the account's posts"),
        noop(
            "Use when the customer asks about something you posted. Returns the text of the newest "
            "posts, with links."
        ),
        {
            "type": "object",
            "properties": {
                "words": {
                    "type": "string",
                    "description": "What the post is about, in a few words of the account's language.",
                    "maxLength": 100,
                }
            },
            "additionalProperties": False,
        },
        _posts,
    ),
)
