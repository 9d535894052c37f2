"""What can be done below posts: the one declaration composer, API and server check read.

Meta's pages: docs/instagram-platform/comment-moderation,
docs/messenger-platform/instagram/features/private-replies, docs/instagram-platform (750 private replies an
hour to comments on posts and reels, 100 a second to those on a broadcast). Instagram's own app takes 2,200
characters in a comment; Meta's pages name no length.
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

from ..limits import CAPABILITIES as DIRECT
from ..limits import TEXT_LIMIT_BYTES

PUBLIC_BYTES = 2200
PRIVATE_BYTES = TEXT_LIMIT_BYTES
PRIVATE_FOR = timedelta(days=7)

HISTORY = HistoryRules(
    details=50,
    limits=(
        noop(
            "Comments are read below the 25 newest posts and below broadcasts that run, the newest 1,000 "
            "of each. Those on ads, and mentions elsewhere, come only while they are delivered."
        ),
        noop("Of a comment Instagram tells its latest text alone, and nothing of one that was deleted."),
    ),
)

SECOND_LOOK = LookRules(calls_per_customer=4800, shortest=timedelta(minutes=15))
"""Meta's page: docs/graph-api/overview/rate-limiting (4,800 calls in 24 hours for each impression). Nothing
tells how many impressions there were, but each person who commented saw the post."""

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
    moderation=frozenset({Moderation.HIDE, Moderation.DELETE}),
)


@cache
def capabilities(per_hour: int | None) -> Capabilities:
    """Return what can be done where the operator lets so many private replies out in an hour."""
    private = CAPABILITIES.private_replies
    assert private is not None
    return replace(CAPABILITIES, private_replies=replace(private, per_hour=per_hour))


OF_MENTION = noop("A mention below somebody else's post can be answered in public only.")
OF_BROADCAST = noop("A comment on a broadcast can be answered in private only while the broadcast runs.")
TOO_LATE = noop("Instagram takes a private reply for seven days after the comment.")


def reply_policy(_context: ReplyContext) -> ReplyPolicy:
    """Tell whether a public answer may be written: below a post there is no window."""
    return OPEN_ALWAYS


def private_policy(context: PrivateContext) -> ReplyPolicy:
    """Tell whether a comment may be answered in private: for seven days, on a broadcast while it runs."""
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
