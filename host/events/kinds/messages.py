"""Events about messages."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from host.events.declaration import (
    AnyMessage,
    ConversationRow,
    EventSubject,
    Kind,
    Kinds,
    of_message,
    of_talk,
)
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT, CUSTOMER, MIA
from host.events.kinds.shapes import (
    ChannelId,
    Content,
    Customer,
    Media,
    Metadata,
    Person,
    Problem,
    Shape,
    Timestamp,
    timestamp,
)
from host.events.reading import Recorded
from host.models.channels import ChannelAccount
from host.models.inbox import CLAIMED_BY, Direction
from host.sdk.i18n import noop

KINDS = Kinds()


class OfMessage(Facts, frozen=True, kw_only=True):
    """Facts about a message."""

    state: str = ""
    """New delivery state, see :class:`host.models.inbox.DeliveryState`; empty: unchanged."""
    error: str = ""
    """Code of the error it then had; empty if it had none, or if an older Lobby wrote the event."""
    late: bool = False
    """Whether it arrived too late to open a reply window."""
    claimed_by: str = ""
    """Slug of the addon that claims this tap on its quick reply, so that nothing else reacts; empty: none."""
    campaign: bool = False
    """Whether a campaign sent it."""
    copied: bool = False
    """Whether the provider only reports what this desk sent, which has its own event."""


class OfReaction(Facts, frozen=True, kw_only=True):
    """Facts about a reaction."""

    name: str = ""
    """The provider's name for it, such as ``love``."""
    emoji: str = ""
    removed: bool = False


class MessageReceived(Shape, frozen=True, kw_only=True):
    """A customer's message."""

    id: str
    channel_id: ChannelId
    channel_type: Annotated[str, Meta(description="The channel.", examples=["email"])]
    direction: Literal["inbound"]
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    content: Content
    claimed_by: Annotated[
        str,
        Meta(description="For a tap on an addon's quick reply that nobody else has to answer: the addon."),
    ] = ""
    timestamp: Timestamp
    metadata: Metadata


@of_message
def _received(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return MessageReceived(
        id=str(message.id),
        direction="inbound",
        from_=talk.external_id,
        content=parts.content(message, about.base),
        claimed_by=str(message.content.get(CLAIMED_BY) or ""),
        timestamp=timestamp(message.sent_at),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


MESSAGE_RECEIVED = KINDS.add(
    Kind(
        "message.received",
        noop("A customer's message arrived."),
        make=_received,
        sample=MessageReceived(
            id="4711",
            direction="inbound",
            from_=CUSTOMER,
            content=Content(type="text", text="Is the blue mug in stock?"),
            timestamp=AT,
            metadata=Metadata(mid="m_1", username="sample.customer"),
            **parts.SAMPLE_IDS,
        ),
        facts=OfMessage,
        says_content=True,
        for_channels=True,
    )
)


# ---- the team's messages -----------------------------------------------------------------------------


class OurMessage(Shape, frozen=True, kw_only=True):
    """A message of the team, and its delivery state."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["outbound"]
    to: Customer
    conversation_id: str
    contact_id: str
    origin: Annotated[str, Meta(description="Who made it: `agent`, `api`, `system` or `provider`.")]
    author: Person | UnsetType = UNSET
    content: Content
    error: Problem | UnsetType = UNSET
    timestamp: Timestamp
    metadata: Metadata


@of_message
def _ours(about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage) -> Shape:
    return OurMessage(
        id=str(message.id),
        direction="outbound",
        to=talk.external_id,
        origin=message.origin,
        author=parts.author(message),
        content=parts.content(message, about.base),
        error=_problem(about, message),
        timestamp=parts.at(about),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


def _problem(about: EventSubject, message: AnyMessage) -> Problem | UnsetType:
    """Return the error that the message then had; its sentence is left out once it has another."""
    if about.event.kind == MESSAGE_SENT:
        return UNSET
    facts, stored = about.event.facts(OfMessage), message.error or {}
    code = str(stored.get("code") or "")
    if facts.error and facts.error != code:
        return Problem(code=facts.error, message="")
    return Problem(code=code, message=str(stored.get("sentence") or "")) if stored else UNSET


def _our_sample(mid: str = "", error: Problem | UnsetType = UNSET) -> Shape:
    return OurMessage(
        id="4712",
        direction="outbound",
        to=CUSTOMER,
        origin="agent",
        author=MIA,
        content=Content(type="image", image=Media(url="https://desk.example/api/v1/attachments/77")),
        error=error,
        timestamp=AT,
        metadata=Metadata(mid=mid, username="sample.customer"),
        **parts.SAMPLE_IDS,
    )


MESSAGE_SENT = KINDS.add(
    Kind(
        "message.sent",
        noop("The provider accepted a message from the team."),
        make=_ours,
        sample=_our_sample("m_2"),
        facts=OfMessage,
        says_content=True,
    )
)
MESSAGE_FAILED = KINDS.add(
    Kind(
        "message.failed",
        noop("A message from the team will not reach the customer."),
        make=_ours,
        sample=_our_sample(error=Problem(code="window_closed", message="The time to reply is over.")),
        facts=OfMessage,
        says_content=True,
    )
)
MESSAGE_UNCONFIRMED = KINDS.add(
    Kind(
        "message.unconfirmed",
        noop("The outcome of sending a message is unknown."),
        make=_ours,
        sample=_our_sample(),
        facts=OfMessage,
        says_content=True,
    )
)


class MessageRead(Shape, frozen=True, kw_only=True):
    """A message that the customer has seen, with all before it."""

    id: str
    channel_id: ChannelId
    channel_type: str
    to: Customer
    conversation_id: str
    contact_id: str
    timestamp: Timestamp
    metadata: Metadata


@of_message
def _read(about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage) -> Shape:
    return MessageRead(
        id=str(message.id),
        to=talk.external_id,
        timestamp=parts.at(about),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


class MessageDelivered(MessageRead, frozen=True, kw_only=True):
    """A message that was delivered to the customer."""


@of_message
def _delivered(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return MessageDelivered(
        id=str(message.id),
        to=talk.external_id,
        timestamp=parts.at(about),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


MESSAGE_DELIVERED = KINDS.add(
    Kind(
        "message.delivered",
        noop("A message from the team was delivered. Only some channels report it."),
        make=_delivered,
        sample=MessageDelivered(
            id="4712",
            to=CUSTOMER,
            timestamp=AT,
            metadata=Metadata(mid="m_2", username="sample.customer"),
            **parts.SAMPLE_IDS,
        ),
        facts=OfMessage,
        since="1.1",
    )
)
MESSAGE_READ = KINDS.add(
    Kind(
        "message.read",
        noop("The customer read a message from the team."),
        make=_read,
        sample=MessageRead(
            id="4712",
            to=CUSTOMER,
            timestamp=AT,
            metadata=Metadata(mid="m_2", username="sample.customer"),
            **parts.SAMPLE_IDS,
        ),
        facts=OfMessage,
    )
)


# ---- changes of messages -----------------------------------------------------------------------------


class MessageEdited(Shape, frozen=True, kw_only=True):
    """An edited message, with its new text."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["inbound", "outbound"]
    from_: Annotated[str, Meta(description="For an inbound message.")] = msgspec.field(
        name="from", default=""
    )
    to: Annotated[str, Meta(description="For an outbound message.")] = ""
    conversation_id: str
    contact_id: str
    content: Content
    timestamp: Timestamp
    metadata: Metadata


@of_message
def _edited(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    inbound = message.direction == Direction.INBOUND
    return MessageEdited(
        id=str(message.id),
        direction="inbound" if inbound else "outbound",
        from_=talk.external_id if inbound else "",
        to="" if inbound else talk.external_id,
        content=parts.content(message, about.base),
        timestamp=parts.at(about),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


MESSAGE_EDITED = KINDS.add(
    Kind(
        "message.edited",
        noop("A message was edited."),
        make=_edited,
        sample=MessageEdited(
            id="4711",
            direction="inbound",
            from_=CUSTOMER,
            content=Content(type="text", text="Is the green mug in stock?"),
            timestamp=AT,
            metadata=Metadata(mid="m_1", username="sample.customer"),
            **parts.SAMPLE_IDS,
        ),
        facts=OfMessage,
        says_content=True,
    )
)


class MessageUnsent(Shape, frozen=True, kw_only=True):
    """An unsent message, without its content."""

    id: str
    channel_id: ChannelId
    channel_type: str
    direction: Literal["inbound", "outbound"]
    conversation_id: str
    contact_id: str
    timestamp: Timestamp


@of_message
def _unsent(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return MessageUnsent(
        id=str(message.id),
        direction="inbound" if message.direction == Direction.INBOUND else "outbound",
        timestamp=parts.at(about),
        **parts.ids(account, talk),
    )


MESSAGE_UNSENT = KINDS.add(
    Kind(
        "message.unsent",
        noop("A message was unsent. Its content was deleted."),
        make=_unsent,
        sample=MessageUnsent(
            id="4711",
            direction="inbound",
            timestamp=AT,
            **parts.SAMPLE_IDS,
        ),
        facts=OfMessage,
    )
)


class MessageReacted(Shape, frozen=True, kw_only=True):
    """A customer's reaction."""

    message_id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    reaction: Annotated[str, Meta(description="The provider's word for it.", examples=["love"])] = ""
    emoji: str = ""
    action: Literal["react", "unreact"]
    timestamp: Timestamp


@of_talk
def _reacted(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape | None:
    if about.event.message_id is None:
        return None
    facts = about.event.facts(OfReaction)
    return MessageReacted(
        message_id=str(about.event.message_id),
        from_=talk.external_id,
        reaction=facts.name,
        emoji=facts.emoji,
        action="unreact" if facts.removed else "react",
        timestamp=parts.at(about),
        **parts.ids(account, talk),
    )


MESSAGE_REACTED = KINDS.add(
    Kind(
        "message.reacted",
        noop("A customer reacted to a message or removed a reaction."),
        make=_reacted,
        sample=MessageReacted(
            message_id="4712",
            from_=CUSTOMER,
            reaction="love",
            emoji="\u2764\ufe0f",
            action="react",
            timestamp=AT,
            **parts.SAMPLE_IDS,
        ),
        facts=OfReaction,
        for_channels=True,
    )
)


class MessageModerated(Shape, frozen=True, kw_only=True):
    """A customer's message that the team hid, unhid or deleted at the provider."""

    id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    conversation_id: str
    contact_id: str
    timestamp: Timestamp
    metadata: Metadata


@of_message
def _moderated(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return MessageModerated(
        id=str(message.id),
        from_=talk.external_id,
        timestamp=parts.at(about),
        metadata=parts.metadata(message, talk),
        **parts.ids(account, talk),
    )


_MODERATED = MessageModerated(
    id="4711",
    from_=CUSTOMER,
    timestamp=AT,
    metadata=Metadata(mid="m_1", username="sample.customer"),
    **parts.SAMPLE_IDS,
)

MESSAGE_HIDDEN = KINDS.add(
    Kind(
        "message.hidden",
        noop("The team hid a customer's message at the provider."),
        make=_moderated,
        sample=_MODERATED,
        facts=OfMessage,
        since="1.1",
    )
)
MESSAGE_SHOWN = KINDS.add(
    Kind(
        "message.shown",
        noop("The team unhid a message at the provider."),
        make=_moderated,
        sample=_MODERATED,
        facts=OfMessage,
        since="1.1",
    )
)
MESSAGE_DELETED = KINDS.add(
    Kind(
        "message.deleted",
        noop("The team deleted a customer's message at the provider."),
        make=_moderated,
        sample=_MODERATED,
        facts=OfMessage,
        since="1.1",
    )
)
MESSAGE_COMPLETED = KINDS.add(
    Kind(
        "message.completed",
        noop("The provider sent more details about an existing message."),
        make=_moderated,
        sample=_MODERATED,
        facts=OfMessage,
        since="1.1",
        says_content=True,
        for_channels=True,
    )
)


def is_claimed(event: Recorded) -> bool:
    """Return whether *event* is a customer's tap that an addon claims, so that nothing else reacts to it."""
    return event.kind == MESSAGE_RECEIVED and bool(event.facts(OfMessage).claimed_by)
