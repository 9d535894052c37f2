"""Instagram's own outgoing events, key by key.

Data that Meta does not send, such as a product's price, is left out. A story mention is sent once Meta was
asked for the story's id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from host.sdk.i18n import noop
from host.sdk.messages import MessageKind
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldMessage, ToldReaction

from .config import CHANNEL
from .values import identifier, mapping, text
from .webhook import products
from .webhook.events import EMOJI, OTHER

COMPLETED = "message.completed"
STORY_MENTION = f"{CHANNEL}.story_mention"
STORY_REPLY = f"{CHANNEL}.story_reply"
QUICK_REPLY = f"{CHANNEL}.quick_reply"
POSTBACK = f"{CHANNEL}.postback"
REACTION = f"{CHANNEL}.reaction"
PRODUCT_SHARE = f"{CHANNEL}.product_share"

KINDS: Sequence[OutgoingKind] = (
    OutgoingKind(
        STORY_MENTION,
        noop("A customer mentioned the account in a story."),
        {
            "storyId": "17891234567890123",
            "mediaUrl": "https://desk.example/api/v1/attachments/42",
            "metadata": {"username": "sample.customer", "mentionText": "Look at this!"},
        },
    ),
    OutgoingKind(
        STORY_REPLY,
        noop("A customer replied to a story of the account."),
        {"storyId": "17891234567890123", "replyText": "Love this!"},
    ),
    OutgoingKind(
        QUICK_REPLY,
        noop("A customer tapped a quick reply."),
        {"payload": "BROWSE_NEW", "text": "New Arrivals"},
    ),
    OutgoingKind(
        POSTBACK,
        noop("A customer tapped an ice breaker, a menu item or a card button."),
        {"payload": "GET_PRODUCTS"},
    ),
    OutgoingKind(
        REACTION,
        noop("A customer added or removed a reaction to a message."),
        {"messageId": "4711", "reaction": "love", "action": "react"},
    ),
    OutgoingKind(
        PRODUCT_SHARE,
        noop("A customer asked about a product in the account's shop."),
        {"product": {"id": "4381572605000001", "name": "Blue mug"}},
    ),
)


def outgoing(event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
    """Return *event* under Instagram's names."""
    if message is None:
        return ()
    if event.reaction is not None:
        return (OutgoingEvent(REACTION, _reaction(event.reaction, message)),)
    if event.kind != COMPLETED:
        return tuple(_of_message(event, message))
    return tuple(one for one in _of_message(event, message) if one.name == STORY_MENTION)


def _reaction(reaction: ToldReaction, message: ToldMessage) -> dict[str, Any]:
    found = {"messageId": message.id, "action": "unreact" if reaction.removed else "react"}
    if reaction.name:
        found["reaction"] = reaction.name if reaction.name in EMOJI else OTHER
    return found


def _of_message(event: DeskEvent, message: ToldMessage) -> Iterator[OutgoingEvent]:
    content = message.content
    story = mapping(content.get("story"))
    match message.kind:
        case MessageKind.STORY_MENTION:
            told = _told(storyId=identifier(story.get("id")), mediaUrl=_first_file(message))
            metadata = _told(username=event.username or "", mentionText=message.text)
            # The story's id is requested after the message arrives; the event waits for the response.
            later = story.get("asked") is True and event.kind != COMPLETED
            yield OutgoingEvent(STORY_MENTION, {**told, "metadata": metadata}, later=later)
        case MessageKind.STORY_REPLY:
            yield OutgoingEvent(
                STORY_REPLY, _told(storyId=identifier(story.get("id")), replyText=message.text)
            )
        case MessageKind.QUICK_REPLY:
            yield OutgoingEvent(QUICK_REPLY, {"payload": text(content.get("payload")), "text": message.text})
        case MessageKind.POSTBACK:
            # In standby it has no payload.
            yield OutgoingEvent(POSTBACK, _told(payload=text(content.get("payload"))))
    product = next(iter(products.shown(content)), None)
    if product is not None:
        shown = {**_told(imageUrl=_picture(message)), **product}
        # The customer's own text is only in the message event.
        yield OutgoingEvent(PRODUCT_SHARE, {"product": shown}, replaces=not message.text)


def _told(**values: str) -> dict[str, Any]:
    """Return those of *values* that are set."""
    return {name: value for name, value in values.items() if value}


def _first_file(message: ToldMessage) -> str:
    return message.files[0].url if message.files else ""


def _picture(message: ToldMessage) -> str:
    """Return the URL of a product's picture, if the message has one."""
    return next((one.url for one in message.files if one.kind == MessageKind.TEMPLATE), "")
