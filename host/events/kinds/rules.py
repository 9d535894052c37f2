"""Events that rules trigger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from host.events.declaration import ConversationRow, EventSubject, Kind, Kinds, of_talk
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT, CHANNEL_ID, CUSTOMER, MIA
from host.events.kinds.shapes import ChannelId, Customer, Person, Shape, Team, Timestamp
from host.models.channels import ChannelAccount
from host.sdk.i18n import noop

KINDS = Kinds()


class OfRule(Facts, frozen=True, kw_only=True):
    """The rule and its target: ids of an endpoint, a member or a team; 0: none."""

    named: ClassVar[Mapping[str, str]] = {"rule": "rules", "person": "people", "team": "teams"}

    rule: int = 0
    endpoint: int = 0
    person: int = 0
    team: int = 0


class Rule(Shape, frozen=True, kw_only=True):
    """A rule."""

    id: str
    name: Annotated[str, Meta(description="Empty: it has been deleted.")] = ""


class RuleCalled(Shape, frozen=True, kw_only=True):
    """A rule's call of one webhook endpoint. Get the conversation and the message from the API."""

    rule: Rule
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[str, Meta(description="The message that triggered the rule; omitted: none.")] = ""
    timestamp: Timestamp


class RuleTold(Shape, frozen=True, kw_only=True):
    """A rule's notification about a conversation, to a member or a team."""

    rule: Rule
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    conversation_id: str
    message_id: Annotated[str, Meta(description="The message that triggered the rule; omitted: none.")] = ""
    person: Annotated[Person, Meta(description="Omitted: a team is notified.")] | UnsetType = UNSET
    team: Annotated[Team, Meta(description="Omitted: a member is notified.")] | UnsetType = UNSET
    timestamp: Timestamp


def _both(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> dict[str, Any]:
    """Return the fields that both kinds share."""
    event, rule = about.event, about.event.facts(OfRule).rule
    return {
        "rule": Rule(id=str(rule), name=about.names["rules"].get(rule, "")),
        "channel_id": account.uuid,
        "channel_type": account.channel,
        "from_": talk.external_id,
        "contact_id": str(talk.contact_id),
        "conversation_id": str(talk.id),
        "message_id": str(event.message_id) if event.message_id is not None else "",
        "timestamp": parts.at(about),
    }


@of_talk
def _called(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
    return RuleCalled(**_both(about, account, talk))


@of_talk
def _told(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
    facts = about.event.facts(OfRule)
    return RuleTold(
        person=parts.person(about, facts.person),
        team=parts.team(about, facts.team),
        **_both(about, account, talk),
    )


_SAMPLE: dict[str, Any] = {
    "rule": Rule(id="9", name="Wholesale"),
    "channel_id": CHANNEL_ID,
    "channel_type": "email",
    "from_": CUSTOMER,
    "contact_id": "17",
    "conversation_id": "42",
    "message_id": "4711",
    "timestamp": AT,
}

RULE_CALLED = KINDS.add(
    Kind(
        "rule.called",
        noop("A rule called a webhook endpoint. Only that endpoint receives this event."),
        make=_called,
        sample=RuleCalled(**_SAMPLE),
        facts=OfRule,
        since="1.1",
    )
)
RULE_TOLD = KINDS.add(
    Kind(
        "rule.told",
        noop("A rule notified a member or a team."),
        make=_told,
        sample=RuleTold(person=MIA, **_SAMPLE),
        facts=OfRule,
        since="1.1",
    )
)
