"""The tools of a composer: what the channel's declaration lets people add to a reply, in words and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from host.media import limits, links, transcode
from host.sdk.channel import Capabilities, MediaLimits
from host.sdk.messages import MessageKind

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "video/mp4": ("mp4", "m4v"),
    "video/quicktime": ("mov",),
    "video/ogg": ("ogv",),
    "video/x-msvideo": ("avi",),
    "video/webm": ("webm",),
    "audio/aac": ("aac",),
    "audio/mp4": ("m4a",),
    "audio/wav": ("wav",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/amr": ("amr",),
    "audio/flac": ("flac",),
    "application/pdf": ("pdf",),
}
"""How names of files of a type end: browsers do not know every type."""

VOICE_TYPE = "audio/wav"
EMOJI = (
    "\u2764\ufe0f",
    "\U0001f602",
    "\U0001f62e",
    "\U0001f622",
    "\U0001f621",
    "\U0001f44d",
    "\U0001f64f",
    "\U0001f389",
)
"""What the picker offers, in this order, where a channel takes any emoji."""

_FAMILIES = {
    MessageKind.IMAGE: "image",
    MessageKind.VIDEO: "video",
    MessageKind.AUDIO: "audio",
    MessageKind.FILE: "application",
}
_WRONG_TYPE = {
    MessageKind.IMAGE: _l("A picture has to be %(types)s here."),
    MessageKind.VIDEO: _l("A video has to be %(types)s here."),
    MessageKind.AUDIO: _l("A recording has to be %(types)s here."),
    MessageKind.FILE: _l("A document has to be %(types)s here."),
}
_TOO_LARGE = {
    MessageKind.IMAGE: _l("It has {size}, and a picture may have %(most)s here."),
    MessageKind.VIDEO: _l("It has {size}, and a video may have %(most)s here."),
    MessageKind.AUDIO: _l("It has {size}, and a recording may have %(most)s here."),
    MessageKind.FILE: _l("It has {size}, and a document may have %(most)s here."),
}


@dataclass(frozen=True, slots=True)
class Tools:
    """What a composer offers besides text.

    :param files: a rule for each kind of file, for the browser; empty: no files.
    :param accept: what the file picker shows first.
    :param voice_bytes: largest recording; None: no voice notes.
    :param reactions: emoji of the picker, in order; empty: none.
    :param card_pictures: whether an uploaded picture can stand on a card: the provider has to fetch it.
    :param mobile_only: what the customer sees in the provider's mobile app only.
    """

    files: tuple[dict[str, Any], ...] = ()
    accept: str = ""
    voice_bytes: int | None = None
    heart: bool = False
    quick_replies: dict[str, int] | None = None
    cards: dict[str, int] | None = None
    card_pictures: bool = False
    products: int | None = None
    own_post: bool = False
    quote: bool = False
    reactions: tuple[str, ...] = ()
    typing: bool = False
    mobile_only: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """Return what makes the page draw the composer anew when it differs."""
        return f"{crc32(repr(self).encode()):08x}"

    @property
    def any(self) -> bool:
        """Whether there is a tool to show below the text."""
        return bool(
            self.files or self.heart or self.quick_replies or self.cards or self.products or self.own_post
        )


NO_TOOLS = Tools()


def tools_of(capabilities: Capabilities, settings: Mapping[str, Any]) -> Tools:
    """Return the tools a channel's declaration and an account's *settings* leave."""
    media = transcode.taken(capabilities.media)
    audio = capabilities.media.get(MessageKind.AUDIO)
    quick, cards = capabilities.quick_replies, capabilities.template
    return Tools(
        files=tuple(_rule(kind, media[kind]) for kind in _FAMILIES if kind in media),
        accept=_accept(media),
        voice_bytes=audio.max_bytes if audio and VOICE_TYPE in audio.content_types else None,
        heart=capabilities.heart,
        quick_replies={"most": quick.most, "title": quick.title_length} if quick else None,
        cards={
            "elements": cards.elements,
            "buttons": cards.buttons,
            "title": cards.title_length,
            "subtitle": cards.subtitle_length,
            "button_title": cards.button_title_length,
            "payload": cards.payload_length,
        }
        if cards
        else None,
        card_pictures=MessageKind.IMAGE in media and links.reachable(),
        products=capabilities.product_template,
        own_post=capabilities.own_post,
        quote=capabilities.reply_quote,
        reactions=_emoji(capabilities.reactions),
        typing=capabilities.typing and settings.get("typing") is not False,
        mobile_only=tuple(sorted(capabilities.mobile_only)),
    )


def _rule(kind: MessageKind, taken: MediaLimits) -> dict[str, Any]:
    """Return what the browser checks a file of *kind* by, with the sentences for it."""
    types = sorted(taken.content_types)
    return {
        "kind": kind.value,
        "family": _FAMILIES[kind],
        "types": types,
        "extensions": [ending for one in types for ending in ENDINGS.get(one, ())],
        "most": taken.max_bytes,
        "wrong_type": str(_WRONG_TYPE[kind]) % {"types": type_names(taken.content_types)},
        "too_large": str(_TOO_LARGE[kind]) % {"most": limits.megabytes(taken.max_bytes)},
    }


def _accept(media: Mapping[MessageKind, MediaLimits]) -> str:
    types = sorted({one for taken in media.values() for one in taken.content_types})
    return ",".join([*types, *(f".{ending}" for one in types for ending in ENDINGS.get(one, ()))])


def _emoji(allowed: frozenset[str] | None) -> tuple[str, ...]:
    if allowed is None:
        return ()
    if not allowed:
        return EMOJI
    known = [one for one in EMOJI if one in allowed]
    return (*known, *sorted(allowed - set(known)))


def type_names(content_types: frozenset[str]) -> str:
    """Return content types as people call them: ``GIF, JPEG or PNG``."""
    names = sorted({limits.type_name(one) for one in content_types})
    if len(names) < 2:
        return "".join(names)
    return str(_("%(some)s or %(last)s", some=", ".join(names[:-1]), last=names[-1]))


def words() -> dict[str, str]:
    """Return what the composer's scripts say, in the reader's language; ``{n}`` and such are values."""
    return {
        "unnamed": str(_("Unnamed file")),
        "taken": str(_("Files added: {n}")),
        "wrong-file": str(_("Files of this type cannot be sent here.")),
        "empty-file": str(_("It is empty.")),
        "not-uploaded": str(_("It could not be uploaded.")),
        "failed-files": str(_("A file cannot be sent, so nothing was sent.")),
        "failed-files-next": str(_("Remove it or try it again, then send.")),
        "waiting": str(_("Waiting for the files to be uploaded…")),
        "megabytes": str(_("%(n)s MB", n="{n}")),
        "kilobytes": str(_("%(n)s kB", n="{n}")),
        "recording": str(_("Recording.")),
        "full": str(_("The recording is as long as it can be and has ended.")),
        "cancelled": str(_("The recording was thrown away.")),
        "title-long": str(_("It has {used} characters, and an answer may have {most}.")),
        "twice": str(_("This answer is there already.")),
        "no-id": str(_("“{text}” is not an ID of a product.")),
        "too-many-products": str(_("At most {most} products can be sent together.")),
        "no-post": str(_("Enter the ID of the post, a row of digits, or its link.")),
        "quick-alone": str(_("Quick replies need a text above them.")),
        "quick-alone-next": str(_("Write what is being asked, then send.")),
    }


def voice_problems() -> dict[str, tuple[str, str]]:
    """Return why there can be no recording, each with what to do."""
    return {
        "refused": (
            str(_("The browser does not let this page use the microphone.")),
            str(_("Allow it beside the address of this page, then try again.")),
        ),
        "missing": (
            str(_("No microphone was found.")),
            str(_("Connect one, then try again.")),
        ),
        "busy": (
            str(_("The microphone could not be used.")),
            str(_("Another program may be using it: close that, then try again.")),
        ),
        "insecure": (
            str(_("Browsers record on secure pages only.")),
            str(_("Open the desk by its https address.")),
        ),
    }
