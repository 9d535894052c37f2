"""Events about runs of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import Meta

from host.events.declaration import ConversationRow, EventSubject, Kind, Kinds, of_talk
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT, CUSTOMER, SAMPLE_IDS
from host.events.kinds.shapes import ChannelId, Customer, Shape, Timestamp
from host.models.channels import ChannelAccount
from host.sdk.i18n import noop

KINDS = Kinds()


class OfSequence(Facts, frozen=True, kw_only=True):
    """The sequence and its run; never an answer."""

    named: ClassVar[Mapping[str, str]] = {"sequence": "sequences"}

    sequence: int = 0
    run: int = 0
    version: int = 0
    by: str = ""
    """For a start: what started it."""
    step: str = ""
    """For an end: the name of the step."""
    outcome: str = ""
    reason: str = ""


class SequenceRef(Shape, frozen=True, kw_only=True):
    """A sequence."""

    id: str
    name: Annotated[str, Meta(description="Empty: it has been deleted.")] = ""


class SequenceStarted(Shape, frozen=True, kw_only=True):
    """The start of a run of a sequence with a customer."""

    sequence: SequenceRef
    run_id: Annotated[str, Meta(description="The id of the run in the API.")]
    version: Annotated[int, Meta(description="The version of the sequence. The run ends on it.")]
    started_by: Annotated[
        Literal["words", "tap", "ref", "first", "story", "rule", "campaign", "api"],
        Meta(description="What started it: a message of the customer, a rule, a campaign or the API."),
    ]
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[str, Meta(description="The customer's last message; omitted: none.")] = ""
    timestamp: Timestamp


class SequenceEnded(Shape, frozen=True, kw_only=True):
    """The end of a run of a sequence."""

    sequence: SequenceRef
    run_id: Annotated[str, Meta(description="The id of the run in the API.")]
    version: int
    step: Annotated[
        str, Meta(description="The step it ended at. Omitted: it ended before its first one.")
    ] = ""
    outcome: Annotated[
        Literal["done", "people", "stopped", "failed"],
        Meta(description="`people`: it was handed to people. `stopped`: it could not go on."),
    ]
    reason: Annotated[
        str,
        Meta(description="The reason, as a stable word such as `asked` or `window_closed`. Omitted: none."),
    ] = ""
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    timestamp: Timestamp


def _both(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> dict[str, Any]:
    """Return the fields that both kinds share."""
    facts = about.event.facts(OfSequence)
    return {
        "sequence": SequenceRef(
            id=str(facts.sequence), name=about.names["sequences"].get(facts.sequence, "")
        ),
        "run_id": str(facts.run),
        "version": facts.version,
        "from_": talk.external_id,
        "timestamp": parts.at(about),
        **parts.ids(account, talk),
    }


@of_talk
def _started(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
    event = about.event
    return SequenceStarted(
        started_by=cast(Any, event.facts(OfSequence).by),
        message_id=str(event.message_id) if event.message_id is not None else "",
        **_both(about, account, talk),
    )


@of_talk
def _ended(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
    facts = about.event.facts(OfSequence)
    return SequenceEnded(
        step=facts.step,
        outcome=cast(Any, facts.outcome),
        reason=facts.reason,
        **_both(about, account, talk),
    )


_SAMPLE: dict[str, Any] = {
    "sequence": SequenceRef(id="4", name="Where is my order?"),
    "run_id": "233",
    "version": 3,
    "from_": CUSTOMER,
    "timestamp": AT,
    **SAMPLE_IDS,
}

SEQUENCE_STARTED = KINDS.add(
    Kind(
        "sequence.started",
        noop("A customer's run of a sequence started."),
        make=_started,
        sample=SequenceStarted(started_by="words", message_id="4711", **_SAMPLE),
        facts=OfSequence,
        since="1.1",
    )
)
SEQUENCE_ENDED = KINDS.add(
    Kind(
        "sequence.ended",
        noop("A customer's run of a sequence ended."),
        make=_ended,
        sample=SequenceEnded(step="hand", outcome="people", reason="asked", **_SAMPLE),
        facts=OfSequence,
        since="1.1",
    )
)
