"""Capabilities of Instagram: the single declaration that composer, API and server check read.

Meta's pages: docs/instagram-messaging/features/send-message,
docs/instagram-messaging/features/attachment-upload, docs/instagram-messaging/features/quick-replies,
docs/instagram-messaging/generic-template, docs/instagram-messaging/button-template,
docs/instagram-messaging/features/product-template, docs/instagram-messaging/features/ice-breakers,
docs/instagram-messaging/features/persistent-menu. The lengths of payloads and button titles are Messenger's,
because the pages about Instagram name none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from host.sdk.channel import (
    Ask,
    ButtonsLimits,
    Capabilities,
    IceBreakerLimits,
    MediaLimits,
    MenuLimits,
    QuickReplyLimits,
    TemplateLimits,
    Threading,
)
from host.sdk.history import HistoryRules, LookRules
from host.sdk.i18n import lazy_gettext, noop
from host.sdk.messages import MessageKind

MB = 1024 * 1024
TEXT_LIMIT_BYTES = 1000
PAYLOAD = 1000
HEART = "\u2764\ufe0f"

STORED_KINDS = frozenset(
    {
        *(MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE, MessageKind.STICKER),
        MessageKind.TEMPLATE,
    }
)
"""Files that people send directly, and pictures of the account's own products. The media of stories may not
be stored; posts and reels belong to others."""

SECOND_LOOK = LookRules(calls_per_customer=200)
"""Meta's page: docs/graph-api/overview/rate-limiting (business use case, Instagram messaging: 200 calls in 24
hours for each engaged user)."""

HISTORY = HistoryRules(
    details=20,
    limits=(
        noop(
            "Instagram returns only the newest 20 messages of each conversation. Older ones are counted "
            "here and can be read in the Instagram app."
        ),
        noop(
            "Message requests are read too, but Instagram doesn't mark them as requests, and omits those "
            "without activity for 30 days."
        ),
        noop(
            "Unsent messages, disappearing messages, and taps on buttons Instagram no longer names can't "
            "be imported. For edited messages, only the latest text is available. For shared posts and "
            "stories, only what their owners still show."
        ),
        noop(
            "Without Advanced Access for the Meta app, people without a role in it are missing, and so "
            "are accounts that share an email address or phone number."
        ),
    ),
)

RECEIVES = frozenset(
    {
        *(MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE),
        *(MessageKind.STICKER, MessageKind.SHARE, MessageKind.STORY_MENTION, MessageKind.STORY_REPLY),
        *(MessageKind.POSTBACK, MessageKind.QUICK_REPLY, MessageKind.REACTION, MessageKind.REFERRAL),
        *(MessageKind.OPT_IN, MessageKind.FEEDBACK, MessageKind.EDIT, MessageKind.UNSEND),
        *(MessageKind.TEMPLATE, MessageKind.DISAPPEARING, MessageKind.UNSUPPORTED),
    }
)

CAPABILITIES = Capabilities(
    text_limit_bytes=TEXT_LIMIT_BYTES,
    sends=frozenset(
        {
            MessageKind.TEXT,
            MessageKind.IMAGE,
            MessageKind.VIDEO,
            MessageKind.AUDIO,
            MessageKind.FILE,
            MessageKind.STICKER,
            MessageKind.SHARE,
            MessageKind.TEMPLATE,
        }
    ),
    threading=Threading.CONTACT,
    media={
        MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png", "image/gif"}), 8 * MB),
        MessageKind.VIDEO: MediaLimits(
            frozenset({"video/mp4", "video/quicktime", "video/ogg", "video/x-msvideo", "video/webm"}), 25 * MB
        ),
        MessageKind.AUDIO: MediaLimits(frozenset({"audio/aac", "audio/mp4", "audio/wav"}), 25 * MB),
        MessageKind.FILE: MediaLimits(frozenset({"application/pdf"}), 25 * MB),
    },
    images_per_message=10,
    quick_replies=QuickReplyLimits(most=13, title_length=20, payload_length=PAYLOAD),
    template=TemplateLimits(
        elements=10,
        buttons=3,
        title_length=80,
        subtitle_length=80,
        button_title_length=20,
        payload_length=PAYLOAD,
    ),
    buttons=ButtonsLimits(text_length=640, buttons=3, title_length=20, payload_length=PAYLOAD),
    product_template=10,
    provider_files=True,
    own_post=True,
    heart=True,
    reply_quote=True,
    reactions=frozenset({HEART}),
    typing=True,
    mark_seen=True,
    ice_breakers=IceBreakerLimits(most=4, question_length=80, payload_length=PAYLOAD),
    menu=MenuLimits(most=5, title_length=30, payload_length=PAYLOAD),
    thread_control=True,
    mobile_only=frozenset({"quick_replies", "template"}),
    history=HISTORY,
    second_look=SECOND_LOOK,
    blocks=True,
    receives=RECEIVES,
    ads=True,
)

WITHDRAWN_ASKS: Mapping[Ask, object] = dict.fromkeys(
    Ask,
    lazy_gettext(
        "Nothing was sent, because Meta disabled quick replies that ask for a phone number or email "
        "address on Instagram on 5 October 2026."
    ),
)
"""Meta accepts a request with them, but ignores them (docs/instagram-platform/changelog)."""

OF_LOGIN = replace(CAPABILITIES, reactions=frozenset(), blocks=False)
"""Capabilities of an account connected with Instagram Login: Meta documents only the heart
(docs/instagram-platform/instagram-api-with-instagram-login/messaging-api), and blocking is a call on the
Page."""
