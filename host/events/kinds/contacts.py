"""Events about contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from msgspec import UNSET, Meta, UnsetType

from host.events.declaration import EventSubject, Kind, Kinds
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT
from host.events.kinds.shapes import ChannelId, Shape, Timestamp
from host.sdk.i18n import noop

KINDS = Kinds()


class OfContact(Facts, frozen=True, kw_only=True):
    """The id of a contact."""

    contact: int


class OfConsent(OfContact, frozen=True, kw_only=True):
    """The contact of an opt-out, and the customer's word that started or ended it."""

    word: str = ""
    """The word as in the table of ``docs/answer.md``; empty: the team or a program set it."""
    message: int = 0
    """Id of the message with this word."""


class OfContactChange(Facts, frozen=True, kw_only=True):
    """The changed field of a contact, without its value."""

    contact: int = 0
    field: str = ""
    """``name``, ``email``, ``attribute`` or ``note``."""
    attribute: int = 0
    """Id of the attribute; 0: none."""


class OfMerge(Facts, frozen=True, kw_only=True):
    """The contact of a merge, or of an undone merge."""

    contact: int = 0
    """Id of the contact that remains."""
    other: int = 0


class OfIdentity(OfContact, frozen=True, kw_only=True):
    """The contact that has a further id on an account, and the row of that id."""

    named: ClassVar[Mapping[str, str]] = {"identity": "identities"}

    identity: int = 0


class ContactChanged(Shape, frozen=True, kw_only=True):
    """A contact that changed. Get its details from the API."""

    id: Annotated[str, Meta(description="The contact's id.")]
    field: (
        Annotated[Literal["name", "email", "attribute", "note"], Meta(description="The detail that changed.")]
        | UnsetType
    ) = UNSET
    attribute_id: Annotated[str, Meta(description="The id of the attribute, if one changed.")] | UnsetType = (
        UNSET
    )
    timestamp: Timestamp


def _changed(about: EventSubject) -> Shape:
    facts = about.event.facts(OfContactChange)
    return ContactChanged(
        id=str(facts.contact),
        field=cast(Any, facts.field) if facts.field else UNSET,
        attribute_id=str(facts.attribute) if facts.attribute else UNSET,
        timestamp=parts.at(about),
    )


CONTACT_CHANGED = KINDS.add(
    Kind(
        "contact.changed",
        noop("A customer's details changed."),
        make=_changed,
        sample=ContactChanged(id="17", field="attribute", attribute_id="5", timestamp=AT),
        facts=OfContactChange,
        since="1.1",
    )
)


class ContactMerged(Shape, frozen=True, kw_only=True):
    """Two contacts that were merged, or whose merge was undone."""

    id: Annotated[str, Meta(description="The remaining contact.")]
    other: Annotated[str, Meta(description="The contact that was merged into it, or split from it.")]
    timestamp: Timestamp


def _merged(about: EventSubject) -> Shape:
    facts = about.event.facts(OfMerge)
    return ContactMerged(id=str(facts.contact), other=str(facts.other), timestamp=parts.at(about))


CONTACT_MERGED = KINDS.add(
    Kind(
        "contact.merged",
        noop("Two customers were merged. The event contains the other customer's ID."),
        make=_merged,
        sample=ContactMerged(id="17", other="23", timestamp=AT),
        facts=OfMerge,
        since="1.1",
    )
)
CONTACT_SPLIT = KINDS.add(
    Kind(
        "contact.split",
        noop("Two merged customers were separated."),
        make=_merged,
        sample=ContactMerged(id="17", other="23", timestamp=AT),
        facts=OfMerge,
        since="1.1",
    )
)


class ContactIdentityAdded(Shape, frozen=True, kw_only=True):
    """A further id of a contact on an account of a channel. Get all of their ids from the API."""

    id: Annotated[str, Meta(description="The contact's id.")]
    channel_id: ChannelId
    channel_type: str
    external_id: Annotated[str, Meta(description="The further id; omitted if it is no longer stored.")] = ""
    timestamp: Timestamp


def _identity_added(about: EventSubject) -> Shape | None:
    facts, account = about.event.facts(OfIdentity), about.account
    if account is None:
        return None
    return ContactIdentityAdded(
        id=str(facts.contact),
        channel_id=account.uuid,
        channel_type=account.channel,
        external_id=about.names["identities"].get(facts.identity, ""),
        timestamp=parts.at(about),
    )


CONTACT_IDENTITY_ADDED = KINDS.add(
    Kind(
        "contact.identity_added",
        noop("A customer has a further ID on an account, such as a new phone number."),
        make=_identity_added,
        sample=ContactIdentityAdded(
            id="17",
            channel_id=parts.CHANNEL_ID,
            channel_type="email",
            external_id=parts.CUSTOMER,
            timestamp=AT,
        ),
        facts=OfIdentity,
        since="1.1",
    )
)


def _state(about: EventSubject) -> Shape:
    contact = about.event.facts(OfContact).contact
    return ContactChanged(id=str(contact), timestamp=parts.at(about))


CONTACT_BLOCKED = KINDS.add(
    Kind(
        "contact.blocked",
        noop("A customer was blocked. Their messages go to spam."),
        make=_state,
        sample=ContactChanged(id="17", timestamp=AT),
        facts=OfContact,
        since="1.1",
    )
)
CONTACT_UNBLOCKED = KINDS.add(
    Kind(
        "contact.unblocked",
        noop("A customer was unblocked."),
        make=_state,
        sample=ContactChanged(id="17", timestamp=AT),
        facts=OfContact,
        since="1.1",
    )
)


class ContactAgreed(Shape, frozen=True, kw_only=True):
    """A contact who opted out of automated messages, or opted in again."""

    id: Annotated[str, Meta(description="The contact's id.")]
    word: Annotated[
        str,
        Meta(
            description="What the customer wrote; omitted if a person or a program recorded it.",
            examples=["STOP"],
        ),
    ] = ""
    message_id: Annotated[str, Meta(description="The id of the message with this word.")] = ""
    timestamp: Timestamp


def _agreed(about: EventSubject) -> Shape:
    facts = about.event.facts(OfConsent)
    return ContactAgreed(
        id=str(facts.contact),
        word=facts.word,
        message_id=str(facts.message) if facts.message else "",
        timestamp=parts.at(about),
    )


CONTACT_OPTED_OUT = KINDS.add(
    Kind(
        "contact.opted_out",
        noop("A customer opted out of automated messages."),
        make=_agreed,
        sample=ContactAgreed(id="17", word="STOP", message_id="4711", timestamp=AT),
        facts=OfConsent,
        since="1.1",
    )
)
CONTACT_OPTED_IN = KINDS.add(
    Kind(
        "contact.opted_in",
        noop("A customer opted in to automated messages again."),
        make=_agreed,
        sample=ContactAgreed(id="17", word="START", message_id="4712", timestamp=AT),
        facts=OfConsent,
        since="1.1",
    )
)


class ContactErased(Shape, frozen=True, kw_only=True):
    """An erased contact."""

    id: Annotated[str, Meta(description="The contact's id. Remove what you have of them.")]
    timestamp: Timestamp


def _erased(about: EventSubject) -> Shape:
    return ContactErased(id=str(about.event.facts(OfContact).contact), timestamp=parts.at(about))


CONTACT_ERASED = KINDS.add(
    Kind(
        "contact.erased",
        noop("A customer's data was erased."),
        make=_erased,
        sample=ContactErased(id="17", timestamp=AT),
        facts=OfContact,
    )
)
