"""The alternative form of a message to send: a channel, the customer's id on it, and a content with a type.

Programs written for other inboxes send this form. It has fewer kinds than :mod:`host.api.http.bodies`, and is
converted to one of those first.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta

from host.api.http.bodies import (
    OPTIONS,
    Address,
    Answer,
    Button,
    Card,
    Copies,
    FileRef,
    HiddenCopies,
    IfLastMessageId,
    OwnAddress,
    QuickReply,
    ReplyTo,
    Sendable,
    SendAt,
    SendAudio,
    SendFile,
    SendImage,
    SendSticker,
    SendTemplate,
    SendText,
    SendVideo,
    Short,
    Text,
    UnlessWritten,
)
from host.api.http.declare import ChannelId, Wire
from host.inbox.composition.recipients import AnswerChoice
from host.sdk.capabilities import Ask

_ASKS = {"user_phone_number": Ask.PHONE, "user_email": Ask.EMAIL}
_FIRST = re.compile(r"^(\w+)(?:\[0\])?")


class OfferedReply(Wire, frozen=True):
    """An answer offered below a text."""

    content_type: Annotated[
        Literal["text", "user_phone_number", "user_email"],
        Meta(
            description="Other than `text`: it has no title, and a tap sends the customer's own. Refused "
            "with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."
        ),
    ] = "text"
    title: Short | None = None
    payload: Annotated[
        str, Meta(max_length=1000, description="The payload returned by a tap. Default: the title.")
    ] = ""


class TextContent(Wire, frozen=True, tag_field="type", tag="text"):
    """A text."""

    text: Text
    quick_replies: Annotated[tuple[OfferedReply, ...], Meta(max_length=50)] = ()


class ImageContent(Wire, frozen=True, tag_field="type", tag="image"):
    """A picture."""

    image: FileRef


class VideoContent(Wire, frozen=True, tag_field="type", tag="video"):
    """A video."""

    video: FileRef


class AudioContent(Wire, frozen=True, tag_field="type", tag="audio"):
    """An audio file."""

    audio: FileRef


class FileContent(Wire, frozen=True, tag_field="type", tag="file"):
    """Any other file."""

    file: FileRef


class StickerRef(Wire, frozen=True):
    """A reference to a sticker."""

    id: Annotated[Literal["like", "heart"], Meta(description="Both are the heart.")]


class StickerContent(Wire, frozen=True, tag_field="type", tag="sticker"):
    """A sticker."""

    sticker: StickerRef


class LinkButton(Wire, frozen=True, tag_field="type", tag="web_url"):
    """A button that opens an address."""

    title: Short
    url: Address


class PostbackButton(Wire, frozen=True, tag_field="type", tag="postback"):
    """A button that sends a payload."""

    title: Short
    payload: Annotated[str, Meta(max_length=1000)]


class Element(Wire, frozen=True):
    """A card. It needs more than its title."""

    title: Short
    subtitle: Short | None = None
    image_url: Address | None = None
    buttons: Annotated[tuple[LinkButton | PostbackButton, ...], Meta(max_length=50)] = ()


class GenericTemplate(Wire, frozen=True):
    """Cards side by side."""

    elements: Annotated[list[Element], Meta(min_length=1, max_length=50)]
    type: Literal["generic"] = "generic"


class TemplateContent(Wire, frozen=True, tag_field="type", tag="template"):
    """Cards side by side."""

    template: GenericTemplate


class SendContent(Wire, frozen=True):
    """A content for the customer `to` of a channel. Field names in snake_case are accepted, too."""

    channel_id: ChannelId
    to: Annotated[str, Meta(min_length=1, max_length=512, description="The contact's external id.")]
    content: (
        TextContent
        | ImageContent
        | VideoContent
        | AudioContent
        | FileContent
        | StickerContent
        | TemplateContent
    )
    reply_to: ReplyTo = None
    if_last_message_id: IfLastMessageId = None
    send_at: SendAt = None
    unless_written: UnlessWritten = True
    answer: Answer = AnswerChoice.EVERYONE
    cc: Copies = ()
    bcc: HiddenCopies = ()
    own_address: OwnAddress | None = None

    def as_sendable(self, account_id: int) -> Sendable:
        """Return the same message in the API's own form, sent through the account *account_id*."""
        found = self.content
        common: dict[str, Any] = {name: getattr(self, name) for name in OPTIONS}
        common |= {"account_id": account_id, "to": self.to}
        if isinstance(found, TextContent):
            offered = tuple(_quick_reply(one) for one in found.quick_replies)
            return SendText(**common, text=found.text, quick_replies=offered)
        if isinstance(found, ImageContent):
            return SendImage(**common, files=[found.image])
        if isinstance(found, VideoContent):
            return SendVideo(**common, files=[found.video])
        if isinstance(found, AudioContent):
            return SendAudio(**common, files=[found.audio])
        if isinstance(found, FileContent):
            return SendFile(**common, files=[found.file])
        if isinstance(found, StickerContent):
            return SendSticker(**common)
        cards = [_card(one) for one in found.template.elements]
        return SendTemplate(**common, elements=cards)

    def place_of(self, field: str | None) -> str | None:
        """Return the field of this body that corresponds to *field* in the API's own form."""
        first = _FIRST.match(field or "")
        if field is None or first is None or first[1] in _SHARED:
            return field
        if first[1] == "files":
            return f"content.{self.content.__struct_config__.tag}{field[first.end() :]}"
        if first[1] == "elements":
            place = re.sub(r"\.image(?:\.url)?$", ".imageUrl", field)
            return f"content.template.{place}"
        return {"accountId": "channelId"}.get(first[1], f"content.{field}")


_SHARED = frozenset(SendContent.__struct_encode_fields__) - {"channelId", "content"}
"""The fields that both forms have."""


def _quick_reply(one: OfferedReply) -> QuickReply:
    ask = _ASKS.get(one.content_type)
    return QuickReply(title=one.title, payload="" if ask else one.payload, ask=ask)


def _card(one: Element) -> Card:
    return Card(
        title=one.title,
        subtitle=one.subtitle,
        image=None if one.image_url is None else FileRef(url=one.image_url),
        buttons=tuple(
            Button(title=button.title, url=button.url)
            if isinstance(button, LinkButton)
            else Button(title=button.title, payload=button.payload)
            for button in one.buttons
        ),
    )


EXAMPLES = {
    "A text, by the channel's public id": {
        "channelId": "3f2b8c1d9a7b4c6e8f1a2b3c4d5e6f70",
        "to": "1026000000000001",
        "content": {"type": "text", "text": "It ships tomorrow."},
    },
    "Cards, by the channel's public id": {
        "channelId": "3f2b8c1d9a7b4c6e8f1a2b3c4d5e6f70",
        "to": "1026000000000001",
        "content": {
            "type": "template",
            "template": {
                "type": "generic",
                "elements": [
                    {
                        "title": "Blue mug",
                        "imageUrl": "https://example.com/mug.jpg",
                        "buttons": [
                            {"type": "web_url", "title": "Look", "url": "https://example.com/mug"},
                            {"type": "postback", "title": "Hold it", "payload": "hold-mug"},
                        ],
                    }
                ],
            },
        },
    },
}
