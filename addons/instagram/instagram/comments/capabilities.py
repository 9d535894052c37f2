"""Capabilities for comments: the single declaration that composer, API and server check read.

Meta's pages: docs/instagram-platform/comment-moderation,
docs/messenger-platform/instagram/features/private-replies, docs/instagram-platform (750 private replies an
hour to comments on posts and reels, 100 a second to those on a broadcast). Instagram's own app accepts 2,200
characters in a comment; Meta's pages name no limit.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

from host.sdk.channel import (
    OPEN_ALWAYS,
    Capabilities,
    Moderation,
    PrivateContext,
    PrivateReplyLimits,
    ReplyContext,
    ReplyPhase,
    ReplyPolicy,
    ReplyState,
    Threading,
)
from host.sdk.history import HistoryRules, LookRules
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind, PostKind

from ..capabilities import CAPABILITIES as DIRECT
from ..capabilities import TEXT_LIMIT_BYTES

PUBLIC_BYTES = 2200
PRIVATE_BYTES = TEXT_LIMIT_BYTES
PRIVATE_FOR = timedelta(days=7)

HISTORY = HistoryRules(
    details=50,
    limits=(
        noop(
            "Lobby reads the newest 1,000 comments on each of the 25 newest posts and on each current "
            "live broadcast. Comments on ads and mentions elsewhere can't be imported later. They arrive "
            "only when Instagram delivers them."
        ),
        noop("Instagram returns only the latest text of a comment, and nothing for deleted comments."),
    ),
)

SECOND_LOOK = LookRules(calls_per_customer=4800, shortest=timedelta(minutes=15))
"""Meta's page: docs/graph-api/overview/rate-limiting (4,800 calls in 24 hours for each impression). The
number of impressions is unknown, but each person who commented saw the post."""

CAPABILITIES = Capabilities(
    text_limit_bytes=PUBLIC_BYTES,
    sends=frozenset({MessageKind.TEXT}),
    threading=Threading.POST,
    reply_quote=True,
    history=HISTORY,
    second_look=SECOND_LOOK,
    public=True,
    private_only=frozenset({PostKind.LIVE}),
    private_replies=PrivateReplyLimits(
        text_limit_bytes=PRIVATE_BYTES,
        quick_replies=DIRECT.quick_replies,
        per_hour=750,
        uncounted=frozenset({PostKind.LIVE}),
    ),
    recent_posts=True,
    moderation=frozenset({Moderation.HIDE, Moderation.DELETE}),
    receives=frozenset({MessageKind.TEXT, MessageKind.EDIT, MessageKind.UNSEND}),
)


@cache
def with_limit(per_hour: int | None) -> Capabilities:
    """Return what the channel can do, given the operator's limit of private replies per hour."""
    private = CAPABILITIES.private_replies
    assert private is not None
    return replace(CAPABILITIES, private_replies=replace(private, per_hour=per_hour))


OF_MENTION = noop("Mentions on someone else's post can only be answered publicly.")
OF_BROADCAST = noop("Comments on a live broadcast can be answered privately only while it is live.")
TOO_LATE = noop("Instagram accepts private replies for seven days after the comment.")


def reply_policy(_context: ReplyContext) -> ReplyPolicy:
    """Return whether a public reply is allowed. Comments have no reply window."""
    return OPEN_ALWAYS


def private_policy(context: PrivateContext) -> ReplyPolicy:
    """Return whether a comment can be answered privately: for seven days, or while a broadcast runs."""
    until = context.sent_at + PRIVATE_FOR
    phases = (ReplyPhase(ReplyState.OPEN, context.sent_at, until),)
    post = context.post
    if context.content.get("mention") is True:
        return ReplyPolicy(ReplyState.CLOSED, sentence=OF_MENTION)
    if post is not None and post.ended_at is not None:
        return ReplyPolicy(ReplyState.CLOSED, sentence=OF_BROADCAST)
    if context.now >= until:
        return ReplyPolicy(ReplyState.CLOSED, phases=phases, sentence=TOO_LATE)
    return ReplyPolicy(ReplyState.OPEN, until=until, phases=phases)
