"""Request bodies for sending: one form for each kind of message."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from host.api.http.declare import Id, Moment, Wire
from host.inbox.composition.recipients import AnswerChoice
from host.inbox.reply import MAX_LENGTH
from host.sdk.capabilities import Ask

Text = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
Short = Annotated[str, Meta(min_length=1, max_length=1000)]
Copied = Annotated[str, Meta(min_length=1, max_length=512)]
OwnAddress = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=512,
        description=(
            "The address to send from, one of the account's `ownAddresses`. Omitted: the address the "
            "customer wrote to, if it still belongs to the account."
        ),
    ),
]
ProductId = Annotated[str, Meta(min_length=1, max_length=64)]
Address = Annotated[str, Meta(min_length=1, max_length=2000)]

ReplyTo = Annotated[
    Id | None,
    Meta(
        description="The id of the message of the same conversation that this one quotes. Below a post "
        "the one it answers; left out, the customer's newest."
    ),
]
IfLastMessageId = Annotated[
    Id | None,
    Meta(
        description=(
            "The newest message you know. If the team has replied since, nothing is sent "
            "(`answered_meanwhile`)."
        )
    ),
]
SendAt = Annotated[
    Moment | None,
    Meta(
        description=(
            "Send it at this time: in the future, within 60 days, and while the reply window is "
            "open to programs."
        )
    ),
]
UnlessWritten = Annotated[
    bool, Meta(description="With `sendAt`: don't send it if the customer writes first.")
]
Copies = Annotated[
    tuple[Copied, ...],
    Meta(max_length=50, description="Additional recipients, visible to all, if the channel has `copies`."),
]
HiddenCopies = Annotated[
    tuple[Copied, ...], Meta(max_length=50, description="Additional recipients, hidden from the others.")
]
Answer = Annotated[
    AnswerChoice,
    Meta(
        description="Who gets it, if the channel has `copies`: everyone on the newest message, its writer in "
        "To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with "
        "`everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."
    ),
]
OPTIONS = (
    "reply_to",
    "if_last_message_id",
    "send_at",
    "unless_written",
    "answer",
    "cc",
    "bcc",
    "own_address",
)
"""Fields of every message to send, in whichever form."""


class Send(Wire, frozen=True):
    """The recipient: a conversation, or an account and the contact's id there."""

    conversation_id: Id | None = None
    account_id: Annotated[Id | None, Meta(description="With `to`, instead of `conversationId`.")] = None
    to: (
        Annotated[str, Meta(min_length=1, max_length=512, description="The contact's external id.")] | None
    ) = None
    reply_to: ReplyTo = None
    if_last_message_id: IfLastMessageId = None
    send_at: SendAt = None
    unless_written: UnlessWritten = True
    answer: Answer = AnswerChoice.EVERYONE
    cc: Copies = ()
    bcc: HiddenCopies = ()
    own_address: OwnAddress | None = None


class QuickReply(Wire, frozen=True):
    """A quick reply offered below a text: a title, or with `ask` a contact detail the provider knows."""

    title: Short | None = None
    payload: Annotated[
        str, Meta(max_length=1000, description="The payload returned by a tap. Default: the title.")
    ] = ""
    ask: Annotated[
        Ask | None,
        Meta(
            description="Instead of a title. A tap sends the customer's own number or address. Refused with "
            "`quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."
        ),
    ] = None


class FileRef(Wire, frozen=True):
    """A file to send: an address to fetch it from, an upload, or a file the provider already has."""

    url: Annotated[Address, Meta(description="An https address on the internet.")] | None = None
    upload: Annotated[str, Meta(max_length=64, description="The id of an upload.")] | None = None
    provider_id: (
        Annotated[str, Meta(max_length=64, description="The id that the provider assigned to it.")] | None
    ) = None


class Button(Wire, frozen=True):
    """A button of a card: it opens `url`, or sends `payload`."""

    title: Short
    url: Address | None = None
    payload: Annotated[str, Meta(max_length=1000)] | None = None


class Card(Wire, frozen=True):
    """A card. It needs more than its title."""

    title: Short
    subtitle: Short | None = None
    image: FileRef | None = None
    url: Address | None = None
    buttons: Annotated[tuple[Button, ...], Meta(max_length=50)] = ()


class SendText(Send, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """A text."""

    text: Text
    overflow: Annotated[
        Literal["split", "truncate", "reject"],
        Meta(description="What to do with a text longer than one message of the channel."),
    ] = "split"
    files: Annotated[
        tuple[FileRef, ...],
        Meta(
            max_length=10,
            description=(
                "Files to send: in the same message if the channel has `textWithFiles`; with `captions` the "
                "text is that of the last file that can have one; otherwise before it."
            ),
        ),
    ] = ()
    quick_replies: Annotated[tuple[QuickReply, ...], Meta(max_length=50)] = ()
    private: Annotated[
        bool,
        Meta(
            description="Send it only to the author of `replyTo`, as the one private reply to that comment."
        ),
    ] = False


Files = Annotated[list[FileRef], Meta(min_length=1, max_length=10)]


class SendImage(Send, frozen=True, kw_only=True, tag_field="kind", tag="image"):
    """One or more pictures. Those a channel accepts together become one message."""

    files: Files


class SendVideo(Send, frozen=True, kw_only=True, tag_field="kind", tag="video"):
    """Videos, each sent as its own message."""

    files: Files


class SendAudio(Send, frozen=True, kw_only=True, tag_field="kind", tag="audio"):
    """Audio files, each sent as its own message."""

    files: Files


class SendFile(Send, frozen=True, kw_only=True, tag_field="kind", tag="file"):
    """Other files, each sent as its own message."""

    files: Files


class SendSticker(Send, frozen=True, kw_only=True, tag_field="kind", tag="sticker"):
    """A sticker."""

    sticker: Literal["heart"] = "heart"


class SendTemplate(Send, frozen=True, kw_only=True, tag_field="kind", tag="template"):
    """Cards side by side."""

    elements: Annotated[list[Card], Meta(min_length=1, max_length=50)]


TemplateId = Annotated[
    str,
    Meta(min_length=1, max_length=500, description="Its `id`, from `GET /accounts/{account_id}/templates`."),
]
TemplateParameters = Annotated[
    dict[str, Annotated[str, Meta(max_length=10_000)]],
    Meta(max_length=100, description="The value of each parameter, by its `key`."),
]
TemplateFile = Annotated[FileRef | None, Meta(description="For a template whose header is a file.")]


class SendApprovedTemplate(Send, frozen=True, kw_only=True, tag_field="kind", tag="approved_template"):
    """A text that the provider approved in advance, which may be sent outside the reply window."""

    template_id: TemplateId
    parameters: TemplateParameters | None = None
    file: TemplateFile = None


class FirstTemplate(Wire, frozen=True):
    """A text that the provider approved in advance, with which a conversation begins."""

    template_id: TemplateId
    parameters: TemplateParameters | None = None
    file: TemplateFile = None


class SendButtons(Send, frozen=True, kw_only=True, tag_field="kind", tag="buttons"):
    """A text with buttons below it."""

    text: Text
    buttons: Annotated[list[Button], Meta(min_length=1, max_length=50)]


class SendProduct(Send, frozen=True, kw_only=True, tag_field="kind", tag="product"):
    """Products of the account's catalogue."""

    products: Annotated[list[ProductId], Meta(min_length=1, max_length=50)]


class SendPost(Send, frozen=True, kw_only=True, tag_field="kind", tag="post"):
    """A post of the account itself."""

    post: Annotated[Address, Meta(description="Its id or URL.")]


class SendLocation(Send, frozen=True, kw_only=True, tag_field="kind", tag="location"):
    """A place."""

    latitude: Annotated[float, Meta(ge=-90, le=90, description="In degrees, north of the equator positive.")]
    longitude: Annotated[float, Meta(ge=-180, le=180, description="In degrees, east of Greenwich positive.")]
    name: Annotated[str, Meta(max_length=200)] = ""
    address: Annotated[str, Meta(max_length=200)] = ""


class ContactCard(Wire, frozen=True):
    """A contact card, with at least one phone number or email address."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    phones: Annotated[tuple[Annotated[str, Meta(max_length=41)], ...], Meta(max_length=10)] = ()
    emails: Annotated[tuple[Annotated[str, Meta(max_length=255)], ...], Meta(max_length=10)] = ()
    company: Annotated[str, Meta(max_length=200)] = ""


class SendContacts(Send, frozen=True, kw_only=True, tag_field="kind", tag="contacts"):
    """Contact cards."""

    contacts: Annotated[list[ContactCard], Meta(min_length=1, max_length=10)]


Sendable = (
    SendText
    | SendImage
    | SendVideo
    | SendAudio
    | SendFile
    | SendSticker
    | SendTemplate
    | SendApprovedTemplate
    | SendButtons
    | SendProduct
    | SendPost
    | SendLocation
    | SendContacts
)
EXAMPLES: dict[str, Any] = {
    "A text, to a conversation": {"conversationId": 42, "kind": "text", "text": "It ships tomorrow."},
    "A text, to a contact of an account": {
        "accountId": 3,
        "to": "1026000000000001",
        "kind": "text",
        "text": "It ships tomorrow.",
        "overflow": "reject",
    },
    "A text with a file and a copy, by email": {
        "conversationId": 42,
        "kind": "text",
        "text": "Here is your **invoice**.",
        "files": [{"upload": "0f2e8c1d9a7b4c6e8f1a2b3c4d5e6f70"}],
        "cc": ["books@example.com"],
    },
    "A text with quick replies": {
        "conversationId": 42,
        "kind": "text",
        "text": "Which size?",
        "quickReplies": [{"title": "Small", "payload": "size-s"}, {"title": "Large"}],
    },
    "A text that asks for a phone number": {
        "conversationId": 42,
        "kind": "text",
        "text": "Under which number can we call you?",
        "quickReplies": [{"ask": "phone"}, {"title": "Rather not"}],
    },
    "A text with buttons": {
        "conversationId": 42,
        "kind": "buttons",
        "text": "Shall we set the mug aside?",
        "buttons": [
            {"title": "Yes, please", "payload": "hold-mug"},
            {"title": "Look at it", "url": "https://example.com/mug"},
        ],
    },
    "A picture, by URL": {
        "conversationId": 42,
        "kind": "image",
        "files": [{"url": "https://example.com/mug.jpg"}],
    },
    "An uploaded voice note": {
        "conversationId": 42,
        "kind": "audio",
        "files": [{"upload": "0f2e8c1d9a7b4c6e8f1a2b3c4d5e6f70"}],
    },
    "A video the provider already has": {
        "conversationId": 42,
        "kind": "video",
        "files": [{"providerId": "687799999980546"}],
    },
    "A heart, quoting a message": {"conversationId": 42, "kind": "sticker", "replyTo": 991},
    "Cards": {
        "conversationId": 42,
        "kind": "template",
        "elements": [
            {
                "title": "Blue mug",
                "subtitle": "18 €",
                "image": {"url": "https://example.com/mug.jpg"},
                "buttons": [
                    {"title": "Look at it", "url": "https://example.com/mug"},
                    {"title": "Set it aside", "payload": "hold-mug"},
                ],
            }
        ],
    },
    "An approved template, outside the reply window": {
        "conversationId": 42,
        "kind": "approved_template",
        "templateId": "1129884422",
        "parameters": {"first_name": "Zoe", "order": "B-9"},
    },
    "Products": {"conversationId": 42, "kind": "product", "products": ["5550001"]},
    "A place": {
        "conversationId": 42,
        "kind": "location",
        "latitude": 52.5163,
        "longitude": 13.3777,
        "name": "Our workshop",
    },
    "A contact card": {
        "conversationId": 42,
        "kind": "contacts",
        "contacts": [{"name": "Zoe Sample", "phones": ["+49 30 1234567"]}],
    },
    "A post of the account": {"conversationId": 42, "kind": "post", "post": "17900000000000001"},
}
