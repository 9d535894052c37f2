"""Types of the API's answers, except those of conversations, which are with their routes.

The API document and the answers are both generated from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from host.api.http.declare import ChannelId, Id, Moment, Wire
from host.models.inbox import Actor
from host.models.users import Role
from host.sdk.text import TextUnit

ExternalId = Annotated[
    str,
    Meta(description="The provider's id, always a string.", examples=["17841400000000001"]),
]
Cursor = Annotated[str, Meta(description="A cursor from a response, unchanged.")]


RequestId = Annotated[str, Meta(description="Identifies this request in Lobby's log.")]
ErrorField = Annotated[
    str,
    Meta(
        description="The value of the request that is at fault: a path into the body, or the name of a "
        "parameter or header.",
        examples=["content.quickReplies[2].title"],
    ),
]
ErrorLimit = Annotated[int, Meta(description="The limit that was exceeded.")]


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """An error."""

    # Open, because answers also have ``request_id``, the old name of ``requestId``. Generated clients for
    # TypeScript would have two fields of one name if it were declared.

    code: Annotated[str, Meta(description="Stable code, for programs.", examples=["too_long"])]
    message: Annotated[
        str, Meta(description="What happened, in a sentence for the program's author, in their language.")
    ]
    reference: RequestId = msgspec.field(name="requestId")
    next: Annotated[str, Meta(description="What the program can do; omitted: nothing.")] = ""
    field: ErrorField | None = None
    limit: ErrorLimit | None = None


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An error as problem details (RFC 9457), for `Accept: application/problem+json`."""

    type: Annotated[str, Meta(description="Identifies the kind of the problem, and leads to the docs.")]
    title: Annotated[str, Meta(description="The kind of the problem, in English.")]
    status: Annotated[int, Meta(description="The status of the answer.")]
    detail: Annotated[str, Meta(description="What happened: `message` of an error.")]
    instance: Annotated[str, Meta(description="The path of the request.")]
    code: Annotated[str, Meta(description="Stable code, for programs.")]
    request_id: RequestId
    next: Annotated[str, Meta(description="What the program can do; omitted: nothing.")] = ""
    field: ErrorField | None = None
    limit: ErrorLimit | None = None


class Person(Wire, frozen=True):
    """Somebody of the team."""

    id: Id
    name: str


Tone = Annotated[
    Literal["grey", "blue", "teal", "green", "amber", "orange", "red", "pink", "violet"],
    Meta(description="Name of its color."),
]


class LabelRef(Wire, frozen=True):
    """A label of a conversation."""

    id: Id
    name: str
    tone: Tone


class TeamRef(Wire, frozen=True):
    """A team of the workspace."""

    id: Id
    name: str


class Snooze(Wire, frozen=True):
    """The snooze of a conversation."""

    kind: Annotated[
        Literal["until", "reply", "fixed"],
        Meta(
            description=(
                "What ends it: `until` the time or a message from the customer; `reply` a message "
                "from the customer; `fixed` only the time."
            )
        ),
    ]
    until: Annotated[Moment | None, Meta(description="Null only with `reply`.")] = None


class Member(Wire, frozen=True):
    """A person conversations can be assigned to."""

    id: Id
    name: str
    role: Role
    email: Annotated[str | None, Meta(description="Null: the key is read-only.")] = None
    on_duty_since: Annotated[
        Moment | None,
        Meta(description="Since when they are on duty, so that conversations go to them; null: they aren't."),
    ] = None


class UpdateDuty(Wire, frozen=True):
    """Whether a person is on duty."""

    on: bool


class Members(Wire, frozen=True):
    """The people of the workspace, by name."""

    data: list[Member]


class Identity(Wire, frozen=True):
    """An id of a contact on one account of a channel. There may be several on the same account."""

    account_id: Id
    channel: str
    external_id: ExternalId
    external_id_name: Annotated[str, Meta(description="The channel's name for that id.")]
    primary: Annotated[
        bool,
        Meta(
            description=(
                "Whether messages to them on this account go to this id. Their name, profile and block are "
                "with this one."
            )
        ),
    ]
    kind: Annotated[
        Literal["lasting", "passing", "former"] | None,
        Meta(
            description=(
                "`lasting`: never means anybody else; `passing`: may become somebody else's, such as a phone "
                "number; `former`: another of their ids replaced it, or somebody else has it; null: the "
                "provider did not say."
            )
        ),
    ]
    since: Annotated[
        Moment | None, Meta(description="Since when it is known to be theirs; null: a `former` one.")
    ]
    until: Annotated[Moment | None, Meta(description="Until when a `former` one was theirs.")]
    name: str | None
    username: str | None
    profile: Annotated[
        dict[str, Any], Meta(description="Other data from the provider; depends on the channel.")
    ]
    blocked_at: Annotated[
        Moment | None, Meta(description="When they were blocked at the provider; null: not blocked.")
    ]


class AttributeValue(Wire, frozen=True):
    """A contact's value of an attribute of the workspace."""

    id: Annotated[Id, Meta(description="The id of the attribute.")]
    name: str
    value: Annotated[str, Meta(description="As text: dates as `2026-11-20`, yes or no as `yes` and `no`.")]


class Contact(Wire, frozen=True):
    """A person who writes to the workspace."""

    id: Id
    name: str | None
    email: str | None
    created_at: Moment
    opted_out_at: Annotated[
        Moment | None,
        Meta(description="When they opted out of automated messages; null: they did not."),
    ]
    opted_out_source: Annotated[
        str | None,
        Meta(description="How that is known; if they wrote it themselves, the word, such as `STOP`."),
    ]
    blocked_at: Annotated[
        Moment | None,
        Meta(description="When they were blocked, so that their messages go to spam; null: not blocked."),
    ]
    attributes: Annotated[list[AttributeValue], Meta(description="Attributes that have a value.")]
    labels: Annotated[list[LabelRef], Meta(description="Labels of their conversations, by name.")]
    identities: list[Identity]


class Attachment(Wire, frozen=True):
    """A file of a message."""

    id: Id
    kind: str
    name: str
    content_type: Annotated[str, Meta(description="Detected from its bytes; empty if not known yet.")]
    size: Annotated[int | None, Meta(description="In bytes, if known.")]
    width: Annotated[int | None, Meta(description="In pixels, for a picture.")]
    height: int | None
    url: Annotated[str, Meta(description="URL to download it with the same key.")]


class Problem(Wire, frozen=True):
    """The reason why a message was not sent."""

    code: str
    sentence: str
    cause: Annotated[str, Meta(description="The most likely cause; may be empty.")]
    next_step: str
    raw: Annotated[str, Meta(description="The provider's error message.")]


class Reaction(Wire, frozen=True):
    """A reaction of one side to a message. Each side has at most one."""

    actor: Actor
    emoji: str
    name: Annotated[str, Meta(description="The provider's name for it.", examples=["love"])]
    author: Annotated[str | None, Meta(description="The member who reacted.")]
    state: Annotated[
        Literal["queued", "sending", "sent", "failed", "unknown"] | None,
        Meta(description="For a reaction of the team."),
    ]


class Quote(Wire, frozen=True):
    """The message another one quotes."""

    external_id: ExternalId
    message_id: Annotated[Id | None, Meta(description="Null if Lobby does not have it.")]


class Waiting(Wire, frozen=True):
    """The reason why a message waits to be sent."""

    sentence: str
    until: Moment | None


class Post(Wire, frozen=True):
    """Something published at the provider that customers comment on."""

    id: Id
    account_id: Id
    external_id: ExternalId
    kind: Annotated[
        Literal["post", "reel", "story", "ad", "live", "other"],
        Meta(description="`live`: a broadcast, whose comments can be answered privately while it is live."),
    ]
    text: Annotated[str, Meta(description="Its caption; empty if it has none, or if it is not known yet.")]
    url: Annotated[str, Meta(description="URL of its page, for people; may be empty.")]
    owner: Annotated[str, Meta(description="The owner's handle; empty: the account.")]
    published_at: Moment | None
    ended_at: Annotated[Moment | None, Meta(description="When the broadcast ended.")]
    gone_at: Annotated[
        Moment | None, Meta(description="When the provider first reported that it no longer exists.")
    ]


class Posts(Wire, frozen=True):
    """A page of posts, the most recently active first."""

    data: list[Post]
    next: Annotated[Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")]


Standing = Literal["shown", "hidden", "deleted"]


class Moderation(Wire, frozen=True):
    """The state of a customer's message at the provider, as set by the team."""

    state: Annotated[Standing, Meta(description="The state that the provider confirmed.")]
    wanted: Annotated[Standing, Meta(description="The state that the team requested.")]
    delivery: Annotated[
        Literal["queued", "sent", "failed"], Meta(description="The outcome of the last request.")
    ]
    author: Annotated[str | None, Meta(description="A member, a rule or an API key.")]
    at: Moment
    error: Problem | None


class LedTo(Wire, frozen=True):
    """The private conversation that a private reply to a comment started, on the main account."""

    conversation_id: Id
    message_id: Annotated[Id, Meta(description="The same message there.")]
    read: Annotated[bool, Meta(description="Whether the customer has seen it.")]
    answered: Annotated[bool, Meta(description="Whether the customer has written there since.")]


class Message(Wire, frozen=True):
    """A message as the provider knows it, a note, or a line about activity."""

    id: Id
    conversation_id: Id
    account_id: Id
    external_id: ExternalId | None
    direction: Annotated[
        Literal["inbound", "outbound", "internal"],
        Meta(description="`internal`: visible only to the team, a note or a line about activity."),
    ]
    origin: Annotated[
        str,
        Meta(
            description="Who made it: `customer`, `agent`, `api`, `system`, or `provider` for what was "
            "written in the provider's own app."
        ),
    ]
    kind: Annotated[
        str,
        Meta(
            description="The kind of message. New kinds may be added.",
            examples=["text", "image", "story_reply"],
        ),
    ]
    text: str
    content: Annotated[
        dict[str, Any],
        Meta(
            description=(
                "Data of the kind other than its text. `imported` is true for messages from the "
                "provider's history."
            )
        ),
    ]
    attachments: list[Attachment]
    reactions: list[Reaction]
    reply_to: Annotated[Quote | None, Meta(description="The message it quotes, or replies to below a post.")]
    private: Annotated[
        bool, Meta(description="Whether it is the one private reply to `replyTo`, a comment on a post.")
    ]
    moderation: Annotated[
        Moderation | None, Meta(description="Null: the team has not hidden or deleted it at the provider.")
    ]
    led_to: Annotated[
        LedTo | None, Meta(description="For a private reply, the private conversation. Null: not known yet.")
    ]
    author: Annotated[Person | None, Meta(description="The member who wrote it.")]
    state: Annotated[
        Literal["queued", "sending", "sent", "delivered", "read", "failed", "unknown", "cancelled"] | None,
        Meta(
            description="Of an outbound message. `unknown`: the provider neither confirmed nor refused it. "
            "`cancelled`: it was taken back before it left."
        ),
    ]
    error: Problem | None
    waiting: Waiting | None
    edited_at: Annotated[Moment | None, Meta(description="When its text was last changed.")]
    edit_count: int
    unsent_at: Annotated[
        Moment | None,
        Meta(description="When it was unsent, or its contact was erased. Its content is deleted."),
    ]
    send_at: Annotated[
        Moment | None,
        Meta(
            description=(
                "Earliest time it is sent, while it is queued: its scheduled time, or the end of the "
                "time to undo it."
            )
        ),
    ]
    sent_at: Annotated[
        Moment | None,
        Meta(
            description="The provider's time, by which a thread is sorted. Of ours, when they were handed to "
            "the provider; null until it accepts one."
        ),
    ]
    created_at: Annotated[Moment, Meta(description="When it was written or received.")]


class Sent(Wire, frozen=True):
    """The messages created by a send, in the order they are sent."""

    data: list[Message]


class Messages(Wire, frozen=True):
    """A page of a conversation, oldest first."""

    data: list[Message]
    before: Annotated[Cursor | None, Meta(description="Cursor for earlier messages; null for an empty page.")]
    after: Annotated[Cursor | None, Meta(description="Cursor for later messages; null for an empty page.")]
    has_before: Annotated[bool, Meta(description="Whether there are earlier messages.")]
    has_after: Annotated[bool, Meta(description="Whether there are later messages.")]
    next: Annotated[
        Cursor | None,
        Meta(description="Cursor of the next page, with earlier messages; null: there are none."),
    ] = None


class MessagePage(Wire, frozen=True):
    """A page of messages of all conversations."""

    data: list[Message]
    next: Annotated[Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")]


class FileLimits(Wire, frozen=True):
    """Files of one kind."""

    content_types: Annotated[list[str], Meta(description="Empty: any type.")]
    max_bytes: int


class QuickReplyLimits(Wire, frozen=True):
    """Answers offered below a text. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int
    asks: Annotated[list[str], Meta(description="Values of `ask`.")]
    unique: Annotated[bool, Meta(description="Whether titles and payloads must differ.")]


class ButtonsLimits(Wire, frozen=True):
    """A text with buttons. Lengths are in characters."""

    text_length: int
    buttons: int
    title_length: int
    payload_length: int
    unique: Annotated[bool, Meta(description="Whether titles and payloads of answers must differ.")]


class CaptionLimits(Wire, frozen=True):
    """A text below a file, in one message with it."""

    length: Annotated[int, Meta(description="In `textLimitUnit`.")]
    kinds: Annotated[list[str], Meta(description="Kinds of files that can have one.")]


class MenuLimits(Wire, frozen=True):
    """The menu next to the customer's composer, per locale. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int


class TemplateLimits(Wire, frozen=True):
    """Cards side by side. Lengths are in characters."""

    elements: int
    buttons: Annotated[int, Meta(description="Per card.")]
    title_length: int
    subtitle_length: int
    button_title_length: int
    payload_length: int


class IceBreakerLimits(Wire, frozen=True):
    """Questions offered to customers who have not written yet, per locale. Lengths are in characters."""

    most: int
    question_length: int
    payload_length: int


class PrivateReplyLimits(Wire, frozen=True):
    """The one message that may go to the author of a public message alone."""

    text_limit_bytes: int
    quick_replies: QuickReplyLimits | None
    per_hour: Annotated[int | None, Meta(description="Limit of the provider; null: not known.")]


class CustomKind(Wire, frozen=True):
    """A kind of message that only one channel has."""

    name: Annotated[str, Meta(description="Value of `content.custom.kind`.")]
    label: str
    data_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of `content.custom.data`.")]


class Capabilities(Wire, frozen=True):
    """The kinds of messages that can be sent, and their limits."""

    kinds: Annotated[list[str], Meta(description="Values of `kind` for messages to send.")]
    text_limit_bytes: Annotated[int | None, Meta(description="Per message, in `textLimitUnit`.")]
    text_limit_unit: Annotated[
        TextUnit,
        Meta(description="`bytes` of UTF-8, `characters` of Unicode, or code units of `utf16`."),
    ]
    files: Annotated[dict[str, FileLimits], Meta(description="By kind.")]
    images_per_message: int
    text_with_files: Annotated[bool, Meta(description="Whether a text and its files are one message.")]
    captions: Annotated[
        CaptionLimits | None,
        Meta(description="The text of a message with a file, as its caption; null: it is sent after it."),
    ]
    files_bytes: Annotated[int | None, Meta(description="Total size of the files of one message.")]
    formatting: Annotated[
        bool,
        Meta(description="Whether `**bold**`, `*italic*`, lists, links and quotes are formatted."),
    ]
    can_start: Annotated[bool, Meta(description="Whether the team can write to a contact first.")]
    copies: Annotated[
        int | None,
        Meta(description="Maximum number of `cc` and `bcc` recipients together; null: not supported."),
    ]
    forwards: Annotated[bool, Meta(description="Whether accounts of this channel can forward messages.")]
    quick_replies: QuickReplyLimits | None
    template: TemplateLimits | None
    buttons: ButtonsLimits | None
    most_products: int | None
    provider_files: Annotated[bool, Meta(description="Whether a file can be sent by its provider id.")]
    reply_quote: Annotated[bool, Meta(description="Whether a message can quote an earlier one.")]
    reactions: Annotated[
        list[str] | None, Meta(description="Emoji to react with; empty: any; null: not supported.")
    ]
    typing: Annotated[bool, Meta(description="Whether a typing indicator is supported.")]
    mark_seen: Annotated[bool, Meta(description="Whether read receipts are supported.")]
    ice_breakers: IceBreakerLimits | None
    menu: MenuLimits | None
    thread_control: Annotated[
        bool, Meta(description="Whether a conversation can be taken from another app, and passed to one.")
    ]
    thread_release: Annotated[
        bool,
        Meta(description="Whether a conversation can be released, so that the provider chooses who answers."),
    ]
    blocks: Annotated[bool, Meta(description="Whether the provider can be asked to block a customer.")]
    public: Annotated[bool, Meta(description="Whether messages are public, each as a reply to one message.")]
    private_only: Annotated[
        list[str], Meta(description="Kinds of post whose comments can't be answered publicly.")
    ]
    private_replies: Annotated[
        PrivateReplyLimits | None,
        Meta(description="Limits of the one private reply to a message; null: not supported."),
    ]
    moderation: Annotated[
        list[str], Meta(description="Supported actions on a customer's message: `hide`, `delete`.")
    ]
    mobile_only: Annotated[
        list[str], Meta(description="Kinds that are only shown in the provider's mobile app.")
    ]
    custom_kinds: Annotated[
        list[CustomKind], Meta(description="Kinds of messages that only this channel has.")
    ]


class Account(Wire, frozen=True):
    """An account of a channel that the workspace connected."""

    id: Id
    channel_id: ChannelId
    channel: str
    channel_name: str
    external_id: ExternalId
    name: str
    handle: str
    state: Literal["connected", "needs_reconnect", "disconnected"]
    active: Annotated[bool, Meta(description="Whether the addon that brings the channel is active.")]
    capabilities: Annotated[Capabilities | None, Meta(description="Null while the channel is not active.")]
    own_addresses: Annotated[
        list[str],
        Meta(description="Addresses its messages can be sent from, if there are several; its own first."),
    ]
    connected_at: Moment
    disconnected_at: Moment | None
    last_event_at: Moment | None
    reply_target: Annotated[int | None, Meta(description="Response time in minutes; null: none.")]


class UpdateAccount(Wire, frozen=True):
    """A change of an account; omitted fields stay unchanged."""

    reply_target: Annotated[
        int | UnsetType | None,
        Meta(description="Minutes from 1 to 43200 (30 days); null: no response time."),
    ] = UNSET


class Accounts(Wire, frozen=True):
    """The accounts of the workspace, by channel and name."""

    data: list[Account]
