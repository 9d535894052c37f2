"""The label and the icon of every kind of message, with a fallback for unknown kinds."""

from __future__ import annotations

from typing import NamedTuple

from host.models.inbox import InternalKind
from host.sdk.capabilities import Ask
from host.sdk.messages import MessageKind
from host.web.languages import lazy_gettext as _l


class Look(NamedTuple):
    """The label and icon of a kind.

    :param icon: from the host's sprite.
    :param label: lazily translated.
    """

    icon: str
    label: object


HIDDEN = "hidden"
"""Placeholder for the kind of a conversation's last message while that is hidden."""
UNKNOWN = Look("q", _l("Unsupported message"))

LOOKS: dict[str, Look] = {
    MessageKind.TEXT: Look("reply", _l("Message")),
    MessageKind.IMAGE: Look("image", _l("Photo")),
    MessageKind.VIDEO: Look("play", _l("Video")),
    MessageKind.AUDIO: Look("mic", _l("Voice message")),
    MessageKind.FILE: Look("clip", _l("File")),
    MessageKind.STICKER: Look("heart", _l("Sticker")),
    MessageKind.SHARE: Look("link", _l("Shared a post")),
    MessageKind.STORY_MENTION: Look("at", _l("Mentioned you in a story")),
    MessageKind.STORY_REPLY: Look("reply", _l("Replied to your story")),
    MessageKind.POSTBACK: Look("bolt", _l("Tapped a button")),
    MessageKind.QUICK_REPLY: Look("bolt", _l("Tapped a quick reply")),
    MessageKind.REACTION: Look("smile", _l("Reacted to a message")),
    MessageKind.REFERRAL: Look("link", _l("Came through a link or an ad")),
    MessageKind.OPT_IN: Look("bell", _l("Changed their message preferences")),
    MessageKind.FEEDBACK: Look("smile", _l("Rated a message")),
    MessageKind.LOCATION: Look("globe", _l("Location")),
    MessageKind.CONTACTS: Look("user", _l("Contact")),
    MessageKind.ORDER: Look("bag", _l("Order")),
    MessageKind.CALL: Look("call", _l("Tried to call you")),
    MessageKind.INVITATION: Look("calendar", _l("Invitation")),
    MessageKind.CUSTOM: Look("list", _l("Other kind of message")),
    MessageKind.EDIT: Look("note", _l("Edited a message")),
    MessageKind.UNSEND: Look("unsend", _l("Unsent a message")),
    MessageKind.TEMPLATE: Look("cards", _l("Message with buttons")),
    MessageKind.APPROVED_TEMPLATE: Look("template", _l("Template")),
    MessageKind.DISAPPEARING: Look("eye", _l("Disappearing message, shown only in the app")),
    MessageKind.UNSUPPORTED: UNKNOWN,
    "erased": Look("trash", _l("Erased")),
    HIDDEN: Look("eye-off", _l("Hidden message")),
    InternalKind.ACTIVITY: Look("info", _l("Activity without a message")),
}

AUDIO_FILE = _l("Audio")
"""Label of audio with a name: a file somebody has, while a voice message was recorded to be sent."""

SHARED: dict[str, Look] = {
    "post": Look("image", _l("Shared a post")),
    "reel": Look("play", _l("Shared a reel")),
    "story": Look("image", _l("Shared a story")),
    "product": Look("cards", _l("Shared a product")),
    "link": Look("link", _l("Shared a link")),
    "unknown": UNKNOWN,
}
"""Labels and icons of shared items, by :attr:`host.inbox.pages.message_content.Shared.what`."""

TAPPED: dict[str, object] = {
    "ice_breakers": _l("Tapped an ice breaker"),
    "menu": _l("Chose from the menu"),
    "card": _l("Tapped a button of a card"),
}
"""Labels of known tapped items."""

ASKED: dict[str, object] = {
    Ask.PHONE: _l("Their phone number"),
    Ask.EMAIL: _l("Their email address"),
}
"""Labels of the data a quick reply requests from a customer."""

SHARED_ON_REQUEST: dict[str, object] = {
    Ask.PHONE: _l("Shared their phone number"),
    Ask.EMAIL: _l("Shared their email address"),
}
"""Labels of a tap with which a customer shared what a quick reply asked for."""

TAPS = frozenset({MessageKind.POSTBACK, MessageKind.QUICK_REPLY})
ASIDE = frozenset(
    {
        *(MessageKind.REACTION, MessageKind.REFERRAL, MessageKind.OPT_IN, MessageKind.FEEDBACK),
        *(MessageKind.EDIT, MessageKind.UNSEND, MessageKind.CALL),
    }
)
"""Kinds that are not messages but events of a conversation or a message."""

REACTIONS: dict[str, object] = {
    "love": _l("love"),
    "like": _l("like"),
    "laugh": _l("laughter"),
    "wow": _l("surprise"),
    "sad": _l("sadness"),
    "angry": _l("anger"),
}


def look_of(kind: str) -> Look:
    """Return the label and icon of *kind*."""
    return LOOKS.get(kind, UNKNOWN)
