"""Events about assistants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from host.events.declaration import ConversationRow, EventSubject, Kind, Kinds, of_talk
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT, CHANNEL_ID, CUSTOMER, MIA
from host.events.kinds.shapes import ChannelId, Customer, Person, Shape, Timestamp
from host.models.channels import ChannelAccount
from host.sdk.i18n import noop

KINDS = Kinds()


class OfAssistant(Facts, frozen=True, kw_only=True):
    """The assistant, its turn and its action; never the words."""

    named: ClassVar[Mapping[str, str]] = {"assistant": "assistants"}

    assistant: int = 0
    turn: int = 0
    """Id of the turn; 0: none."""
    reason: str = ""
    """Reason code, worded by the hook ``reason``; empty: none."""
    edited: bool = False
    """For an accepted suggestion: whether a person edited it first."""
    mode: str = ""
    """Mode of assistants on an account; *before* is the previous mode."""
    before: str = ""


class Assistant(Shape, frozen=True, kw_only=True):
    """An assistant."""

    id: str
    name: Annotated[str, Meta(description="Empty: it has been deleted.")] = ""


class AssistantTurn(Shape, frozen=True, kw_only=True):
    """An assistant's response to a customer, without the words. Get the turn from the API."""

    assistant: Assistant
    turn_id: Annotated[str, Meta(description="The id of the turn in the API.")]
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[str, Meta(description="The customer's newest message in this turn.")] = ""
    reason: Annotated[
        str,
        Meta(
            description="The reason, as a stable word such as `no_source` or `model_timeout`. Omitted: none."
        ),
    ] = ""
    edited: Annotated[
        bool | UnsetType, Meta(description="For `assistant.taken`: whether a person edited it first.")
    ] = UNSET
    by: Annotated[Person, Meta(description="Omitted: no person did it.")] | UnsetType = UNSET
    timestamp: Timestamp


def _assistant(about: EventSubject) -> Assistant:
    id_ = about.event.facts(OfAssistant).assistant
    return Assistant(id=str(id_), name=about.names["assistants"].get(id_, ""))


@of_talk
def _turn(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
    event, facts = about.event, about.event.facts(OfAssistant)
    return AssistantTurn(
        assistant=_assistant(about),
        turn_id=str(facts.turn),
        from_=talk.external_id,
        message_id=str(event.message_id) if event.message_id is not None else "",
        reason=facts.reason,
        edited=facts.edited if event.kind == ASSISTANT_TAKEN else UNSET,
        by=parts.by(about),
        timestamp=parts.at(about),
        **parts.ids(account, talk),
    )


_SHOP_DESK = Assistant(id="5", name="Shop desk")
_SAMPLE: dict[str, Any] = {
    "assistant": _SHOP_DESK,
    "turn_id": "311",
    "channel_id": CHANNEL_ID,
    "channel_type": "email",
    "from_": CUSTOMER,
    "contact_id": "12",
    "conversation_id": "42",
    "message_id": "4711",
    "timestamp": AT,
}

ASSISTANT_SUGGESTED = KINDS.add(
    Kind(
        "assistant.suggested",
        noop("An assistant suggested an answer to the team."),
        make=_turn,
        sample=AssistantTurn(**_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_TAKEN = KINDS.add(
    Kind(
        "assistant.taken",
        noop("An assistant's suggestion was sent."),
        make=_turn,
        sample=AssistantTurn(edited=False, by=MIA, **_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_ANSWERED = KINDS.add(
    Kind(
        "assistant.answered",
        noop("An assistant answered automatically."),
        make=_turn,
        sample=AssistantTurn(**_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_HANDED_OVER = KINDS.add(
    Kind(
        "assistant.handed_over",
        noop("An assistant had no answer and handed off to the team."),
        make=_turn,
        sample=AssistantTurn(reason="no_source", **_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_DISMISSED = KINDS.add(
    Kind(
        "assistant.dismissed",
        noop("Someone dismissed an assistant's suggestion."),
        make=_turn,
        sample=AssistantTurn(by=MIA, **_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_FAILED = KINDS.add(
    Kind(
        "assistant.failed",
        noop("An assistant or its model failed."),
        make=_turn,
        sample=AssistantTurn(reason="model_timeout", **_SAMPLE),
        facts=OfAssistant,
        since="1.1",
    )
)


class AssistantMode(Shape, frozen=True, kw_only=True):
    """The new mode of an assistant on an account."""

    assistant: Assistant
    channel_id: ChannelId
    channel_type: str
    mode: Literal["off", "shadow", "suggest", "answer"]
    before: Literal["off", "shadow", "suggest", "answer"]
    by: Annotated[Person, Meta(description="Omitted: a program did it.")] | UnsetType = UNSET
    timestamp: Timestamp


def _mode(about: EventSubject) -> Shape | None:
    account, facts = about.account, about.event.facts(OfAssistant)
    if account is None:
        return None
    return AssistantMode(
        assistant=_assistant(about),
        channel_id=account.uuid,
        channel_type=account.channel,
        mode=cast(Any, facts.mode),
        before=cast(Any, facts.before),
        by=parts.by(about),
        timestamp=parts.at(about),
    )


ASSISTANT_MODE_CHANGED = KINDS.add(
    Kind(
        "assistant.mode_changed",
        noop("An assistant's mode on an account changed."),
        make=_mode,
        sample=AssistantMode(
            assistant=_SHOP_DESK,
            channel_id=CHANNEL_ID,
            channel_type="email",
            mode="suggest",
            before="shadow",
            by=MIA,
            timestamp=AT,
        ),
        facts=OfAssistant,
        since="1.1",
    )
)


class AssistantState(Shape, frozen=True, kw_only=True):
    """An assistant that was stopped or resumed."""

    assistant: Assistant
    by: Annotated[Person, Meta(description="Omitted: a program did it.")] | UnsetType = UNSET
    timestamp: Timestamp


def _state(about: EventSubject) -> Shape:
    return AssistantState(assistant=_assistant(about), by=parts.by(about), timestamp=parts.at(about))


ASSISTANT_STOPPED = KINDS.add(
    Kind(
        "assistant.stopped",
        noop("An assistant was stopped on every account."),
        make=_state,
        sample=AssistantState(assistant=_SHOP_DESK, by=MIA, timestamp=AT),
        facts=OfAssistant,
        since="1.1",
    )
)
ASSISTANT_RESUMED = KINDS.add(
    Kind(
        "assistant.resumed",
        noop("A stopped assistant was resumed."),
        make=_state,
        sample=AssistantState(assistant=_SHOP_DESK, by=MIA, timestamp=AT),
        facts=OfAssistant,
        since="1.1",
    )
)
