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

ExternalId = Annotated[
    str,
    Meta(description="The provider's id; a string, whatever it looks like.", examples=["17841400000000001"]),
]
Cursor = Annotated[str, Meta(description="A place in this list; to be handed back unchanged.")]


class Error(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error."""

    code: Annotated[str, Meta(description="Stable; programs decide by it.", examples=["too_long"])]
    message: Annotated[str, Meta(description="What happened, in a sentence for people.")]
    request_id: Annotated[str, Meta(description="Names this request in the log of the desk.")]
    next: Annotated[str, Meta(description="What to do about it.")] = ""
    field: Annotated[str | None, Meta(description="What was wrong in what was sent.")] = None
    limit: Annotated[int | None, Meta(description="The number that was gone over.")] = None


class Person(Wire, frozen=True):
    """Somebody of the team."""

    id: Id
    name: str


Tone = Annotated[
    Literal["grey", "blue", "teal", "green", "amber", "orange", "red", "pink", "violet"],
    Meta(description="Its colour, by name; each has a shade for light and for dark pages."),
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
            description="What ends it: `until` the time or a message from the customer; `reply` a message "
            "from the customer; `fixed` the time alone, whatever they write."
        ),
    ]
    until: Annotated[Moment | None, Meta(description="Null with `reply`, and only there.")] = None


class Member(Wire, frozen=True):
    """A person conversations can be assigned to."""

    id: Id
    name: str
    role: Role


class Members(Wire, frozen=True):
    """The people of the workspace, by name."""

    data: list[Member]


class Identity(Wire, frozen=True):
    """A contact on one account of a channel."""

    account_id: Id
    channel: str
    external_id: ExternalId
    external_id_name: Annotated[str, Meta(description="What the channel calls that id.")]
    name: str | None
    username: str | None
    profile: Annotated[
        dict[str, Any], Meta(description="What else the provider told; depends on the channel.")
    ]
    blocked_at: Annotated[
        Moment | None, Meta(description="Since when the provider blocks them for us; null: it does not.")
    ]


class AttributeValue(Wire, frozen=True):
    """A contact's value of an attribute of the workspace."""

    id: Annotated[Id, Meta(description="The id of the attribute.")]
    name: str
    value: Annotated[str, Meta(description="As text: a date as `2026-11-20`, yes and no as `yes` and `no`.")]


class Contact(Wire, frozen=True):
    """A person who writes to the workspace."""

    id: Id
    name: str | None
    email: str | None
    created_at: Moment
    opted_out_at: Annotated[
        Moment | None,
        Meta(description="Since when they want nothing that is sent by itself; null: they have not said so."),
    ]
    opted_out_source: Annotated[
        str | None, Meta(description="How that is known; of what they wrote themselves the word, as `STOP`.")
    ]
    blocked_at: Annotated[
        Moment | None, Meta(description="Since when what they write is spam; null: it is not.")
    ]
    attributes: Annotated[list[AttributeValue], Meta(description="Those they have something for.")]
    labels: Annotated[list[LabelRef], Meta(description="That their conversations have, by name.")]
    identities: list[Identity]


class Attachment(Wire, frozen=True):
    """A file of a message."""

    id: Id
    kind: str
    name: str
    content_type: Annotated[str, Meta(description="What its bytes are; empty where nobody knows yet.")]
    size: Annotated[int | None, Meta(description="In bytes, where it is known.")]
    width: Annotated[int | None, Meta(description="In pixels, of a picture.")]
    height: int | None
    url: Annotated[str, Meta(description="Where to get it, with the same key.")]


class Problem(Wire, frozen=True):
    """The reason why a message was not sent."""

    code: str
    sentence: str
    cause: Annotated[str, Meta(description="What it most likely comes from; may be empty.")]
    next_step: str
    raw: Annotated[str, Meta(description="The provider's words.")]


class Reaction(Wire, frozen=True):
    """A reaction of one side to a message. Each side has at most one."""

    actor: Actor
    emoji: str
    name: Annotated[str, Meta(description="What the provider calls it.", examples=["love"])]
    author: Annotated[str | None, Meta(description="Who of the team put it there.")]
    state: Annotated[
        Literal["queued", "sending", "sent", "failed", "unknown"] | None, Meta(description="Of one of ours.")
    ]


class Quote(Wire, frozen=True):
    """The message another one quotes."""

    external_id: ExternalId
    message_id: Annotated[Id | None, Meta(description="Null for one this desk does not have.")]


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
        Meta(description="`live`: a broadcast, which can be answered about privately while it goes on."),
    ]
    text: Annotated[str, Meta(description="Its caption; empty where it has none, or none is known yet.")]
    url: Annotated[str, Meta(description="Its page, for people; may be empty.")]
    owner: Annotated[str, Meta(description="The handle of whom it belongs to; empty: the account.")]
    published_at: Moment | None
    ended_at: Annotated[Moment | None, Meta(description="When a broadcast was over.")]
    gone_at: Annotated[Moment | None, Meta(description="When the provider first said it is not there.")]


class Posts(Wire, frozen=True):
    """A page of posts, the most recently active first."""

    data: list[Post]
    next: Annotated[Cursor | None, Meta(description="For the next page; null: there is none.")]


Standing = Literal["shown", "hidden", "deleted"]


class Moderation(Wire, frozen=True):
    """The state of a customer's message at the provider, as set by the team."""

    state: Annotated[Standing, Meta(description="How it stands, as far as the provider confirmed it.")]
    wanted: Annotated[Standing, Meta(description="How the team wants it to stand.")]
    delivery: Annotated[
        Literal["queued", "sent", "failed"], Meta(description="What became of the last wish.")
    ]
    author: Annotated[str | None, Meta(description="Who did it: of the team, or a rule or a key.")]
    at: Moment
    error: Problem | None


class LedTo(Wire, frozen=True):
    """The private conversation that a private reply to a comment started, on the main account."""

    conversation_id: Id
    message_id: Annotated[Id, Meta(description="The same message there.")]
    read: Annotated[bool, Meta(description="Whether the customer has seen it.")]
    answered: Annotated[bool, Meta(description="Whether the customer wrote there since.")]


class Message(Wire, frozen=True):
    """A message as the provider knows it, a note, or a line about activity."""

    id: Id
    conversation_id: Id
    account_id: Id
    external_id: ExternalId | None
    direction: Annotated[
        Literal["inbound", "outbound", "internal"],
        Meta(description="`internal`: seen by the team only, a note or a line that says what was done."),
    ]
    origin: Annotated[
        str,
        Meta(
            description="Who made it: `customer`, `agent`, `api`, `system`, or `provider` for what was "
            "written in the provider's own app."
        ),
    ]
    kind: Annotated[
        str, Meta(description="What it is; kinds may be added.", examples=["text", "image", "story_reply"])
    ]
    text: str
    content: Annotated[
        dict[str, Any],
        Meta(
            description="What the kind needs beyond its text. `imported` is true of what was read from the "
            "provider's history."
        ),
    ]
    attachments: list[Attachment]
    reactions: list[Reaction]
    reply_to: Annotated[Quote | None, Meta(description="The message it quotes, or answers below a post.")]
    private: Annotated[
        bool, Meta(description="Whether it is the one private reply to `replyTo`, which stands below a post.")
    ]
    moderation: Annotated[
        Moderation | None, Meta(description="Null: nobody of the team hid or deleted it at the provider.")
    ]
    led_to: Annotated[
        LedTo | None, Meta(description="Of a private reply: where it is read. Null: not known yet.")
    ]
    author: Annotated[Person | None, Meta(description="Who of the team wrote it.")]
    state: Annotated[
        Literal["queued", "sending", "sent", "read", "failed", "unknown", "cancelled"] | None,
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
        Meta(description="When it was taken back, or its contact erased. Of what it said nothing is left."),
    ]
    send_at: Annotated[
        Moment | None,
        Meta(
            description="When it goes out at the earliest, while it waits: the time it is for, or until when "
            "a person can undo it."
        ),
    ]
    sent_at: Annotated[
        Moment,
        Meta(
            description="The provider's time, by which a thread is sorted. Of ours, when they were handed to "
            "the provider; while one waits, when it was written, or the time it is for."
        ),
    ]
    created_at: Annotated[Moment, Meta(description="When it was written, or came.")]


class Sent(Wire, frozen=True):
    """The messages created by a send, in the order they are sent."""

    data: list[Message]


class Messages(Wire, frozen=True):
    """A page of a conversation, oldest first."""

    data: list[Message]
    before: Annotated[
        Cursor | None, Meta(description="For what comes before this page; null for an empty one.")
    ]
    after: Annotated[
        Cursor | None, Meta(description="For what comes after this page; null for an empty one.")
    ]
    has_before: Annotated[bool, Meta(description="Whether anything comes before.")]
    has_after: Annotated[bool, Meta(description="Whether anything comes after, at this moment.")]


class FileLimits(Wire, frozen=True):
    """Files of one kind."""

    content_types: Annotated[list[str], Meta(description="None: any type.")]
    max_bytes: int


class QuickReplyLimits(Wire, frozen=True):
    """Answers offered below a text. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int
    asks: Annotated[list[str], Meta(description="What `ask` of one may be.")]


class ButtonsLimits(Wire, frozen=True):
    """A text with buttons. Lengths are in characters."""

    text_length: int
    buttons: int
    title_length: int
    payload_length: int


class MenuLimits(Wire, frozen=True):
    """The menu next to the customer's composer, per locale. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int


class TemplateLimits(Wire, frozen=True):
    """Cards side by side. Lengths are in characters."""

    elements: int
    buttons: Annotated[int, Meta(description="Of one card.")]
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
    per_hour: Annotated[int | None, Meta(description="How many the provider takes; null: it does not say.")]


class Capabilities(Wire, frozen=True):
    """The kinds of messages that can be sent, and their limits."""

    kinds: Annotated[list[str], Meta(description="What `kind` of a message to send may be.")]
    text_limit_bytes: Annotated[int | None, Meta(description="Of one message, in UTF-8.")]
    files: Annotated[dict[str, FileLimits], Meta(description="By kind.")]
    images_per_message: int
    text_with_files: Annotated[bool, Meta(description="Whether a text and its files are one message.")]
    files_bytes: Annotated[int | None, Meta(description="Of the files of one message together.")]
    formatting: Annotated[
        bool,
        Meta(description="Whether `**bold**`, `*italic*`, lists, links and quotes are shown so."),
    ]
    can_start: Annotated[bool, Meta(description="Whether the team may write to a contact first.")]
    copies: Annotated[int | None, Meta(description="Most of `cc` and `bcc` together; null: none.")]
    forwards: Annotated[
        bool, Meta(description="Messages of any channel can be forwarded by an account of this one.")
    ]
    quick_replies: QuickReplyLimits | None
    template: TemplateLimits | None
    buttons: ButtonsLimits | None
    most_products: int | None
    provider_files: Annotated[
        bool, Meta(description="Whether a file the provider has can be sent by the provider's id.")
    ]
    reply_quote: Annotated[bool, Meta(description="Whether a message may quote an earlier one.")]
    reactions: Annotated[
        list[str] | None, Meta(description="Emoji to react with; empty: any; null: none at all.")
    ]
    typing: Annotated[bool, Meta(description="Whether the customer can be shown that somebody writes.")]
    mark_seen: Annotated[bool, Meta(description="Whether the customer can be shown that we have read.")]
    ice_breakers: IceBreakerLimits | None
    menu: MenuLimits | None
    thread_control: Annotated[
        bool, Meta(description="Whether a conversation can be taken from another app, and passed to one.")
    ]
    blocks: Annotated[bool, Meta(description="Whether the provider can be asked to block a customer.")]
    public: Annotated[
        bool, Meta(description="Whether everybody reads what is sent, each an answer to one message.")
    ]
    private_only: Annotated[
        list[str], Meta(description="Kinds of post below which nothing of ours can be public.")
    ]
    private_replies: Annotated[
        PrivateReplyLimits | None, Meta(description="Of the one private reply to a message; null: none.")
    ]
    moderation: Annotated[
        list[str], Meta(description="What can be done with a customer's message: `hide`, `delete`.")
    ]
    mobile_only: Annotated[
        list[str], Meta(description="What the customer sees in the provider's mobile app only.")
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
        list[str], Meta(description="Where its messages can go from, if there is a choice; its own first.")
    ]
    connected_at: Moment
    disconnected_at: Moment | None
    last_event_at: Moment | None
    reply_target: Annotated[
        int | None, Meta(description="Within how many minutes customers are to be answered; null: no time.")
    ]


class AccountChange(Wire, frozen=True):
    """A change of an account; omitted fields stay unchanged."""

    reply_target: Annotated[
        int | UnsetType | None,
        Meta(description="Minutes from 1 to 43200, which are 30 days; null: no time."),
    ] = UNSET


class Accounts(Wire, frozen=True):
    """The accounts of the workspace, by channel and name."""

    data: list[Account]
