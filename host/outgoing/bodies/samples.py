"""Every event there is, with a sample of each: for the page, the documentation and the API document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from host.outgoing.bodies import shapes
from host.outgoing.bodies.shapes import Content, Media, Metadata, Person, Shape
from host.record import catalogue
from host.sdk.channel import ChannelAdapter

CHANNEL_ID = "5f0f6c0e-8a53-4d0a-9c5d-6f6a1f2b7c11"
CUSTOMER = "1026000000000003"
AT = "2026-01-15T10:30:00Z"
_MIA = Person(id="7", name="Mia")


@dataclass(frozen=True, slots=True)
class Kind:
    """An event that endpoints may hear of.

    :param shape: the type of its data; None: a channel's own.
    """

    name: str
    about: str
    sample: Mapping[str, Any]
    shape: type[Shape] | None = None

    @property
    def group(self) -> str:
        """Return what it stands with: ``message``."""
        return self.name.partition(".")[0]


def _received(**more: Any) -> Shape:
    return shapes.MessageReceived(
        **{
            "id": "4711",
            "channel_id": CHANNEL_ID,
            "channel_type": "email",
            "direction": "inbound",
            "from_": CUSTOMER,
            "conversation_id": "42",
            "contact_id": "17",
            "content": Content(type="text", text="Is the blue mug in stock?"),
            "timestamp": AT,
            "metadata": Metadata(mid="m_1", username="sample.customer"),
            **more,
        }
    )


def _ours(**more: Any) -> Shape:
    return shapes.OurMessage(
        **{
            "id": "4712",
            "channel_id": CHANNEL_ID,
            "channel_type": "email",
            "direction": "outbound",
            "to": CUSTOMER,
            "conversation_id": "42",
            "contact_id": "17",
            "origin": "agent",
            "author": _MIA,
            "content": Content(type="image", image=Media(url="https://desk.example/api/v1/attachments/77")),
            "timestamp": AT,
            "metadata": Metadata(mid="m_2", username="sample.customer"),
            **more,
        }
    )


def _conversation(**more: Any) -> Shape:
    return shapes.Conversation(
        **{
            "id": "42",
            "channel_id": CHANNEL_ID,
            "channel_type": "email",
            "from_": CUSTOMER,
            "contact_id": "17",
            "status": "open",
            "handled_by": "nobody",
            "timestamp": AT,
            **more,
        }
    )


def _account(**more: Any) -> Shape:
    return shapes.Account(
        channel_id=CHANNEL_ID,
        channel_type="email",
        name="Sample Pottery",
        handle="hello@pottery.example",
        timestamp=AT,
    )


_ASSISTANT = shapes.Assistant(id="5", name="Shop desk")
_TURN: Mapping[str, Any] = {
    "assistant": _ASSISTANT,
    "turn_id": "311",
    "channel_id": CHANNEL_ID,
    "channel_type": "email",
    "from_": CUSTOMER,
    "contact_id": "12",
    "conversation_id": "42",
    "message_id": "4711",
    "timestamp": AT,
}
_RULE: Mapping[str, Any] = {
    "rule": shapes.Rule(id="9", name="Wholesale"),
    "channel_id": CHANNEL_ID,
    "channel_type": "email",
    "from_": CUSTOMER,
    "contact_id": "17",
    "conversation_id": "42",
    "timestamp": AT,
}
_ORDER = shapes.Label(id="3", name="order")
LATER = "2026-01-16T08:00:00Z"
_PROBLEM = shapes.Problem(code="window_closed", message="The time to reply is over.")
_OF: Mapping[str, Shape] = {
    catalogue.MESSAGE_RECEIVED: _received(),
    catalogue.MESSAGE_SENT: _ours(),
    catalogue.MESSAGE_FAILED: _ours(error=_PROBLEM, metadata=Metadata(username="sample.customer")),
    catalogue.MESSAGE_UNCONFIRMED: _ours(metadata=Metadata(username="sample.customer")),
    catalogue.MESSAGE_READ: shapes.MessageRead(
        id="4712",
        channel_id=CHANNEL_ID,
        channel_type="email",
        to=CUSTOMER,
        conversation_id="42",
        contact_id="17",
        timestamp=AT,
        metadata=Metadata(mid="m_2", username="sample.customer"),
    ),
    catalogue.MESSAGE_EDITED: shapes.MessageEdited(
        id="4711",
        channel_id=CHANNEL_ID,
        channel_type="email",
        direction="inbound",
        from_=CUSTOMER,
        conversation_id="42",
        contact_id="17",
        content=Content(type="text", text="Is the green mug in stock?"),
        timestamp=AT,
        metadata=Metadata(mid="m_1", username="sample.customer"),
    ),
    catalogue.MESSAGE_UNSENT: shapes.MessageUnsent(
        id="4711",
        channel_id=CHANNEL_ID,
        channel_type="email",
        direction="inbound",
        conversation_id="42",
        contact_id="17",
        timestamp=AT,
    ),
    catalogue.MESSAGE_REACTED: shapes.MessageReacted(
        message_id="4712",
        channel_id=CHANNEL_ID,
        channel_type="email",
        from_=CUSTOMER,
        conversation_id="42",
        contact_id="17",
        reaction="love",
        emoji="\u2764\ufe0f",
        action="react",
        timestamp=AT,
    ),
    **dict.fromkeys(
        (
            *(catalogue.MESSAGE_HIDDEN, catalogue.MESSAGE_SHOWN, catalogue.MESSAGE_DELETED),
            catalogue.MESSAGE_COMPLETED,
        ),
        shapes.MessageModerated(
            id="4711",
            channel_id=CHANNEL_ID,
            channel_type="email",
            from_=CUSTOMER,
            conversation_id="42",
            contact_id="17",
            timestamp=AT,
            metadata=Metadata(mid="m_1", username="sample.customer"),
        ),
    ),
    catalogue.CONVERSATION_CREATED: _conversation(),
    catalogue.CONVERSATION_CLOSED: _conversation(status="closed", by=_MIA),
    catalogue.CONVERSATION_REOPENED: _conversation(by=_MIA),
    catalogue.CONVERSATION_ASSIGNED: _conversation(assignee=_MIA, by=_MIA),
    catalogue.CONVERSATION_TEAM_ASSIGNED: _conversation(team=shapes.Team(id="5", name="Orders"), by=_MIA),
    catalogue.CONVERSATION_HANDLER_CHANGED: _conversation(handled_by="person"),
    catalogue.CONVERSATION_LABELLED: _conversation(by=_MIA, labels=[_ORDER], label=_ORDER),
    catalogue.CONVERSATION_UNLABELLED: _conversation(by=_MIA, label=_ORDER),
    catalogue.CONVERSATION_SNOOZED: _conversation(by=_MIA, snooze=shapes.Snooze(kind="until", until=LATER)),
    catalogue.CONVERSATION_WOKEN: _conversation(because="time"),
    catalogue.CONVERSATION_MARKED_SPAM: _conversation(by=_MIA),
    catalogue.CONVERSATION_UNMARKED_SPAM: _conversation(by=_MIA),
    catalogue.CONVERSATION_FORWARDED: _conversation(by=_MIA),
    catalogue.CONVERSATION_WINDOW_CLOSING: _conversation(until=LATER),
    catalogue.CONVERSATION_REPLY_DUE: _conversation(until=LATER),
    catalogue.LABEL_DELETED: shapes.LabelDeleted(id="3", into="7", timestamp=AT),
    catalogue.TEAM_DELETED: shapes.TeamDeleted(id="5", timestamp=AT),
    catalogue.NOTE_ADDED: shapes.NoteAdded(
        id="4713",
        channel_id=CHANNEL_ID,
        channel_type="email",
        conversation_id="42",
        text="Paid by card, order 1042.",
        author=_MIA,
        timestamp=AT,
    ),
    catalogue.CONTACT_CHANGED: shapes.ContactChanged(
        id="17", field="attribute", attribute_id="5", timestamp=AT
    ),
    catalogue.CONTACT_MERGED: shapes.ContactMerged(id="17", other="23", timestamp=AT),
    catalogue.CONTACT_SPLIT: shapes.ContactMerged(id="17", other="23", timestamp=AT),
    catalogue.CONTACT_BLOCKED: shapes.ContactChanged(id="17", timestamp=AT),
    catalogue.CONTACT_UNBLOCKED: shapes.ContactChanged(id="17", timestamp=AT),
    catalogue.CONTACT_OPTED_OUT: shapes.ContactAgreed(id="17", word="STOP", message_id="4711", timestamp=AT),
    catalogue.CONTACT_OPTED_IN: shapes.ContactAgreed(id="17", word="START", message_id="4712", timestamp=AT),
    catalogue.CONTACT_ERASED: shapes.ContactErased(id="17", timestamp=AT),
    catalogue.RULE_CALLED: shapes.RuleCalled(message_id="4711", **_RULE),
    catalogue.RULE_TOLD: shapes.RuleTold(message_id="4711", person=_MIA, **_RULE),
    catalogue.ASSISTANT_SUGGESTED: shapes.AssistantTurn(**_TURN),
    catalogue.ASSISTANT_TAKEN: shapes.AssistantTurn(edited=False, by=_MIA, **_TURN),
    catalogue.ASSISTANT_ANSWERED: shapes.AssistantTurn(**_TURN),
    catalogue.ASSISTANT_HANDED_OVER: shapes.AssistantTurn(reason="no_source", **_TURN),
    catalogue.ASSISTANT_DISMISSED: shapes.AssistantTurn(by=_MIA, **_TURN),
    catalogue.ASSISTANT_FAILED: shapes.AssistantTurn(reason="model_timeout", **_TURN),
    catalogue.ASSISTANT_MODE_CHANGED: shapes.AssistantMode(
        assistant=_ASSISTANT,
        channel_id=CHANNEL_ID,
        channel_type="email",
        mode="suggest",
        before="shadow",
        by=_MIA,
        timestamp=AT,
    ),
    catalogue.ASSISTANT_STOPPED: shapes.AssistantState(assistant=_ASSISTANT, by=_MIA, timestamp=AT),
    catalogue.ASSISTANT_RESUMED: shapes.AssistantState(assistant=_ASSISTANT, by=_MIA, timestamp=AT),
    catalogue.ACCOUNT_CONNECTED: _account(),
    catalogue.ACCOUNT_STOPPED: _account(),
    catalogue.ACCOUNT_DISCONNECTED: _account(),
}


def of_host() -> list[Kind]:
    """Return the host's own events, in the order of the catalogue."""
    return [
        Kind(name, catalogue.KINDS[name].about, msgspec.to_builtins(shape), type(shape))
        for name, shape in _OF.items()
    ]


def of_channel(adapter: ChannelAdapter) -> list[Kind]:
    """Return the events that a channel adds."""
    start = {"channelId": CHANNEL_ID, "from": CUSTOMER}
    return [
        Kind(one.name, one.about, {**start, **one.sample, "timestamp": AT}) for one in adapter.outgoing_kinds
    ]


def everything(adapters: Iterable[ChannelAdapter]) -> list[Kind]:
    """Return every event there is while these channels are active."""
    return [*of_host(), *(kind for adapter in adapters for kind in of_channel(adapter))]
