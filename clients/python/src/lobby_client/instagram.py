"""The events that the channel Instagram adds."""

from __future__ import annotations

from typing import Literal, TypedDict, Union, final

from lobby_client._event import Event, Webhook
from lobby_client.event_data import EventTombstone

InstagramPart = TypedDict(
    "InstagramPart",
    {
        "channelId": str,  # the public id of the account
        "from": str,  # the customer's id at the provider
        "timestamp": str,  # in UTC, to the second
    },
)
"""What every event of Instagram has. What the provider did not send is omitted."""


class _Metadata(TypedDict, total=False):
    username: str
    mentionText: str


class _StoryMentionRequired(InstagramPart):
    metadata: _Metadata


@final
class StoryMentionData(_StoryMentionRequired, total=False):
    """A customer mentioned the account in a story."""

    storyId: str
    mediaUrl: str


@final
class StoryReplyData(InstagramPart, total=False):
    """A customer replied to a story of the account."""

    storyId: str
    replyText: str


@final
class QuickReplyData(InstagramPart):
    """A customer tapped a quick reply."""

    payload: str
    text: str


@final
class PostbackData(InstagramPart, total=False):
    """A customer tapped an ice breaker, a menu item or a card button."""

    payload: str


class _ReactionRequired(InstagramPart):
    messageId: str
    action: Literal["react", "unreact"]


@final
class ReactionData(_ReactionRequired, total=False):
    """A customer added or removed a reaction to a message."""

    reaction: Literal["love", "laugh", "wow", "sad", "angry", "like", "other"]


class _ProductRequired(TypedDict):
    id: str


class Product(_ProductRequired, total=False):
    """A product of the account's shop."""

    name: str
    price: str
    imageUrl: str
    productUrl: str


@final
class ProductShareData(InstagramPart):
    """A customer asked about a product in the account's shop."""

    product: Product


class _AdPart(TypedDict, total=False):
    id: str
    title: str


class _CommentRequired(InstagramPart):
    live: bool
    mention: bool


@final
class CommentData(_CommentRequired, total=False):
    """A customer commented on a post, reel, ad or live broadcast, or mentioned the account."""

    commentId: str
    postId: str
    parentId: str
    username: str
    text: str
    ad: _AdPart


InstagramEventName = Literal[
    "instagram.story_mention",
    "instagram.story_reply",
    "instagram.quick_reply",
    "instagram.postback",
    "instagram.reaction",
    "instagram.product_share",
    "instagram.comment",
]
"""The name of an event that Instagram adds."""

InstagramEventGroup = Literal["instagram.*"]
"""All events that Instagram adds."""

StoryMention = Event[Literal["instagram.story_mention"], Union[StoryMentionData, EventTombstone]]
StoryReply = Event[Literal["instagram.story_reply"], Union[StoryReplyData, EventTombstone]]
QuickReply = Event[Literal["instagram.quick_reply"], Union[QuickReplyData, EventTombstone]]
Postback = Event[Literal["instagram.postback"], Union[PostbackData, EventTombstone]]
Reaction = Event[Literal["instagram.reaction"], Union[ReactionData, EventTombstone]]
ProductShare = Event[Literal["instagram.product_share"], Union[ProductShareData, EventTombstone]]
Comment = Event[Literal["instagram.comment"], Union[CommentData, EventTombstone]]

InstagramEvent = Union[StoryMention, StoryReply, QuickReply, Postback, Reaction, ProductShare, Comment]

InstagramWebhook = Union[
    Webhook[Literal["instagram.story_mention"], Union[StoryMentionData, EventTombstone]],
    Webhook[Literal["instagram.story_reply"], Union[StoryReplyData, EventTombstone]],
    Webhook[Literal["instagram.quick_reply"], Union[QuickReplyData, EventTombstone]],
    Webhook[Literal["instagram.postback"], Union[PostbackData, EventTombstone]],
    Webhook[Literal["instagram.reaction"], Union[ReactionData, EventTombstone]],
    Webhook[Literal["instagram.product_share"], Union[ProductShareData, EventTombstone]],
    Webhook[Literal["instagram.comment"], Union[CommentData, EventTombstone]],
]
