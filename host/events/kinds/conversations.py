"""Events about conversations and their labels, teams and notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from host.events.declaration import (
    AnyMessage,
    ConversationRow,
    EventSubject,
    Kind,
    Kinds,
    Maker,
    of_message,
    of_talk,
)
from host.events.facts import Facts
from host.events.kinds import parts
from host.events.kinds.parts import AT, CHANNEL_ID, CUSTOMER, LATER, MIA
from host.events.kinds.shapes import ChannelId, Customer, Label, Person, Shape, Team, Timestamp, timestamp
from host.models.channels import ChannelAccount
from host.sdk.i18n import noop

KINDS = Kinds()


class ConversationState(msgspec.Struct, frozen=True, array_like=True):
    """A conversation as it was when an event was written: stored as an array, which takes half of the bytes.

    :param handled_by: a name of :class:`host.models.inbox.Handler`.
    :param assignee: id of a user; 0: nobody. *team*: id of a team; 0: none. Their names are looked up.
    :param labels: id and name of each label, by name.
    """

    status: str
    handled_by: str
    assignee: int = 0
    team: int = 0
    labels: tuple[tuple[int, str], ...] = ()


class OfConversation(Facts, frozen=True, kw_only=True):
    """Facts about a conversation."""

    state: ConversationState | None = None
    """Its state then; None if an older Lobby wrote the event."""
    program: str = ""
    """The program that changed it: ``campaign``, ``sequence`` or ``assistant``; empty: none of these."""


class OfBeginning(OfConversation, frozen=True, kw_only=True):
    """The conversation that a new one continues."""

    before: int = 0
    """Id of the earlier conversation; 0: none."""


class OfAssignment(OfConversation, frozen=True, kw_only=True):
    """The new and the previous assignee of a conversation: ids of users; 0: nobody."""

    named: ClassVar[Mapping[str, str]] = {"assignee": "people"}

    assignee: int = 0
    before: int = 0


class OfTeam(OfConversation, frozen=True, kw_only=True):
    """The new and the previous team of a conversation: ids of teams; 0: none."""

    named: ClassVar[Mapping[str, str]] = {"team": "teams"}

    team: int = 0
    before: int = 0


class OfHandler(OfConversation, frozen=True, kw_only=True):
    """The new and the previous handler of a conversation: names of :class:`host.models.inbox.Handler`."""

    handler: str = "nobody"
    before: str = "nobody"
    because: str = ""
    """Reason: ``reply``, ``assigned``, ``taken`` (by a person), ``left`` (a person left it to automation) or
    ``handed_over`` (a program handed it over to people)."""


class OfLabel(OfConversation, frozen=True, kw_only=True):
    """A label, as it was called when it was added or removed."""

    named: ClassVar[Mapping[str, str]] = {"label": "labels"}

    label: int = 0
    name: str = ""
    """Its name then; empty if an older Lobby wrote the event."""
    into: int = 0
    """For a deleted label: the label it was merged into; 0: none."""


class OfSnooze(OfConversation, frozen=True, kw_only=True):
    """How a conversation is snoozed."""

    snooze: str = ""
    """A name of :class:`host.models.inbox.SnoozeKind`."""
    until: str = ""
    """The time in ISO 8601; empty: none."""


class OfWaking(OfConversation, frozen=True, kw_only=True):
    """The reason why a snooze ended."""

    because: str = "message"
    """``time``, ``message`` (the customer wrote) or ``team`` (a person or a program unsnoozed it)."""


class OfDue(OfConversation, frozen=True, kw_only=True):
    """The time by which a customer should be answered."""

    until: str = ""
    """The time in ISO 8601."""


class Snooze(Shape, frozen=True, kw_only=True):
    """The snooze of a conversation."""

    kind: Annotated[
        Literal["until", "reply", "fixed"],
        Meta(description="`until` a time or a message, `reply` a message, `fixed` a time whatever comes."),
    ]
    until: Timestamp | UnsetType = UNSET


class Conversation(Shape, frozen=True, kw_only=True):
    """A conversation as it was when the event was sent."""

    id: str
    channel_id: ChannelId
    channel_type: str
    from_: Customer = msgspec.field(name="from")
    contact_id: str
    status: Literal["open", "closed"]
    assignee: Annotated[Person, Meta(description="Omitted: nobody.")] | UnsetType = UNSET
    team: Annotated[Team, Meta(description="Omitted: none.")] | UnsetType = UNSET
    handled_by: Annotated[
        Literal["nobody", "person", "automation"],
        Meta(description="`person`: no automated messages are sent."),
    ]
    by: Annotated[Person, Meta(description="The member who did it.")] | UnsetType = UNSET
    labels: list[Label] = msgspec.field(default_factory=list)
    label: Annotated[Label, Meta(description="The label that was added or removed.")] | UnsetType = UNSET
    snooze: Snooze | UnsetType = UNSET
    because: (
        Annotated[Literal["time", "message", "team"], Meta(description="Why the snooze ended.")] | UnsetType
    ) = UNSET
    until: (
        Annotated[Timestamp, Meta(description="When the response is due, or when the reply window closes.")]
        | UnsetType
    ) = UNSET
    previous_id: (
        Annotated[str, Meta(description="The conversation that a new one continues.")] | UnsetType
    ) = UNSET
    timestamp: Timestamp


Said = Callable[[EventSubject], Mapping[str, Any]]
"""Returns fields of :class:`Conversation` that an event adds or overrides."""


def state_of(about: EventSubject, talk: ConversationRow) -> ConversationState:
    """Return the conversation as it was when the event was written, or as it is if that isn't known."""
    return about.event.facts(OfConversation).state or ConversationState(
        talk.status,
        talk.handled_by,
        talk.assignee_id or 0,
        talk.team_id or 0,
        tuple((label.id, label.name) for label in about.labels),
    )


def _conversation(said: Said = lambda _about: {}) -> Maker:
    """Return the maker for a kind about a conversation: its state at that time, and what *said* adds.

    *said* also overrides the state, which is today's for an event of an older Lobby.
    """

    @of_talk
    def made(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape:
        state = state_of(about, talk)
        then: dict[str, Any] = {
            "status": "closed" if state.status == "closed" else "open",
            "assignee": parts.person(about, state.assignee),
            "team": parts.team(about, state.team),
            "handled_by": state.handled_by,
        }
        return Conversation(
            id=str(talk.id),
            channel_id=account.uuid,
            channel_type=account.channel,
            from_=talk.external_id,
            contact_id=str(talk.contact_id),
            by=parts.by(about),
            labels=[Label(id=str(id_), name=name) for id_, name in state.labels],
            timestamp=parts.at(about),
            **{**then, **said(about)},
        )

    return made


def _sample(**more: Any) -> Conversation:
    fields = {
        "id": "42",
        "channel_id": CHANNEL_ID,
        "channel_type": "email",
        "from_": CUSTOMER,
        "contact_id": "17",
        "status": "open",
        "handled_by": "nobody",
        "timestamp": AT,
    }
    return Conversation(**{**fields, **more})


# ---- its life ----------------------------------------------------------------------------------------


def _began(about: EventSubject) -> Mapping[str, Any]:
    previous = about.event.facts(OfBeginning).before
    return {"status": "open"} | ({"previous_id": str(previous)} if previous else {})


CONVERSATION_CREATED = KINDS.add(
    Kind(
        "conversation.created",
        noop("A conversation was started."),
        make=_conversation(_began),
        sample=_sample(),
        facts=OfBeginning,
    )
)
CONVERSATION_CLOSED = KINDS.add(
    Kind(
        "conversation.closed",
        noop("A conversation was closed."),
        make=_conversation(lambda _about: {"status": "closed"}),
        sample=_sample(status="closed", by=MIA),
        facts=OfConversation,
    )
)
CONVERSATION_REOPENED = KINDS.add(
    Kind(
        "conversation.reopened",
        noop("A closed conversation was reopened."),
        make=_conversation(lambda _about: {"status": "open"}),
        sample=_sample(by=MIA),
        facts=OfConversation,
    )
)


# ---- assignment --------------------------------------------------------------------------------------

CONVERSATION_ASSIGNED = KINDS.add(
    Kind(
        "conversation.assigned",
        noop("A conversation was assigned or unassigned."),
        make=_conversation(
            lambda about: {"assignee": parts.person(about, about.event.facts(OfAssignment).assignee)}
        ),
        sample=_sample(assignee=MIA, by=MIA),
        facts=OfAssignment,
    )
)
CONVERSATION_TEAM_ASSIGNED = KINDS.add(
    Kind(
        "conversation.team_assigned",
        noop("A conversation was assigned to a team or removed from one."),
        make=_conversation(lambda about: {"team": parts.team(about, about.event.facts(OfTeam).team)}),
        sample=_sample(team=Team(id="5", name="Orders"), by=MIA),
        facts=OfTeam,
        since="1.1",
    )
)
CONVERSATION_HANDLER_CHANGED = KINDS.add(
    Kind(
        "conversation.handler_changed",
        noop("A conversation was handed off between automation and people."),
        make=_conversation(lambda about: {"handled_by": about.event.facts(OfHandler).handler}),
        sample=_sample(handled_by="person"),
        facts=OfHandler,
        since="1.1",
    )
)


# ---- its labels --------------------------------------------------------------------------------------


def _label(about: EventSubject) -> Mapping[str, Any]:
    facts = about.event.facts(OfLabel)
    name = facts.name or about.names["labels"].get(facts.label, "")
    return {"label": Label(id=str(facts.label), name=name)}


_ORDER = Label(id="3", name="order")

CONVERSATION_LABELLED = KINDS.add(
    Kind(
        "conversation.labelled",
        noop("A label was added to a conversation."),
        make=_conversation(_label),
        sample=_sample(by=MIA, labels=[_ORDER], label=_ORDER),
        facts=OfLabel,
        since="1.1",
    )
)
CONVERSATION_UNLABELLED = KINDS.add(
    Kind(
        "conversation.unlabelled",
        noop("A label was removed from a conversation."),
        make=_conversation(_label),
        sample=_sample(by=MIA, label=_ORDER),
        facts=OfLabel,
        since="1.1",
    )
)


# ---- put away ----------------------------------------------------------------------------------------


def _snooze(about: EventSubject) -> Mapping[str, Any]:
    facts = about.event.facts(OfSnooze)
    until = timestamp(datetime.fromisoformat(facts.until)) if facts.until else UNSET
    return {"snooze": Snooze(kind=cast(Any, facts.snooze), until=until)}


CONVERSATION_SNOOZED = KINDS.add(
    Kind(
        "conversation.snoozed",
        noop("A conversation was snoozed."),
        make=_conversation(_snooze),
        sample=_sample(by=MIA, snooze=Snooze(kind="until", until=LATER)),
        facts=OfSnooze,
        since="1.1",
    )
)
CONVERSATION_WOKEN = KINDS.add(
    Kind(
        "conversation.woken",
        noop("A snoozed conversation returned to the inbox."),
        make=_conversation(lambda about: {"because": about.event.facts(OfWaking).because}),
        sample=_sample(because="time"),
        facts=OfWaking,
        since="1.1",
    )
)
CONVERSATION_MARKED_SPAM = KINDS.add(
    Kind(
        "conversation.marked_spam",
        noop("A conversation was marked as spam."),
        make=_conversation(),
        sample=_sample(by=MIA),
        facts=OfConversation,
        since="1.1",
    )
)
CONVERSATION_UNMARKED_SPAM = KINDS.add(
    Kind(
        "conversation.unmarked_spam",
        noop("A conversation was marked as not spam."),
        make=_conversation(),
        sample=_sample(by=MIA),
        facts=OfConversation,
        since="1.1",
    )
)
CONVERSATION_FORWARDED = KINDS.add(
    Kind(
        "conversation.forwarded",
        noop("Messages were forwarded to someone else."),
        make=_conversation(),
        sample=_sample(by=MIA),
        facts=OfConversation,
        since="1.1",
    )
)


# ---- waiting customers -------------------------------------------------------------------------------


def _due(about: EventSubject) -> Mapping[str, Any]:
    until = about.event.facts(OfDue).until
    return {"until": timestamp(datetime.fromisoformat(until))} if until else {}


CONVERSATION_WINDOW_CLOSING = KINDS.add(
    Kind(
        "conversation.window_closing",
        noop("The reply window of a waiting customer is about to close."),
        make=_conversation(_due),
        sample=_sample(until=LATER),
        facts=OfDue,
        since="1.1",
    )
)
CONVERSATION_REPLY_DUE = KINDS.add(
    Kind(
        "conversation.reply_due",
        noop("A customer's wait is about to exceed the account's response target."),
        make=_conversation(_due),
        sample=_sample(until=LATER),
        facts=OfDue,
        since="1.1",
    )
)


# ---- deletion ----------------------------------------------------------------------------------------


class LabelDeleted(Shape, frozen=True, kw_only=True):
    """A deleted label."""

    id: str
    into: Annotated[str, Meta(description="The label that replaces it; omitted: none.")] | UnsetType = UNSET
    timestamp: Timestamp


def _label_deleted(about: EventSubject) -> Shape:
    facts = about.event.facts(OfLabel)
    into = str(facts.into) if facts.into else UNSET
    return LabelDeleted(id=str(facts.label), into=into, timestamp=parts.at(about))


LABEL_DELETED = KINDS.add(
    Kind(
        "label.deleted",
        noop("A label was deleted or merged into another. Its conversations get no events of their own."),
        make=_label_deleted,
        sample=LabelDeleted(id="3", into="7", timestamp=AT),
        facts=OfLabel,
        since="1.1",
    )
)


class TeamDeleted(Shape, frozen=True, kw_only=True):
    """A deleted team."""

    id: str
    timestamp: Timestamp


def _team_deleted(about: EventSubject) -> Shape:
    return TeamDeleted(id=str(about.event.facts(OfTeam).team), timestamp=parts.at(about))


TEAM_DELETED = KINDS.add(
    Kind(
        "team.deleted",
        noop("A team was deleted. Its conversations no longer have a team and get no events of their own."),
        make=_team_deleted,
        sample=TeamDeleted(id="5", timestamp=AT),
        facts=OfTeam,
        since="1.1",
    )
)


# ---- notes -------------------------------------------------------------------------------------------


class NoteAdded(Shape, frozen=True, kw_only=True):
    """An internal note, visible only to the team."""

    id: str
    channel_id: ChannelId
    channel_type: str
    conversation_id: str
    text: str
    author: Person | UnsetType = UNSET
    timestamp: Timestamp


@of_message
def _note(_about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage) -> Shape:
    return NoteAdded(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        conversation_id=str(talk.id),
        text=message.text,
        author=parts.author(message),
        timestamp=timestamp(message.sent_at),
    )


NOTE_ADDED = KINDS.add(
    Kind(
        "note.added",
        noop("The team wrote a note."),
        make=_note,
        sample=NoteAdded(
            id="4713",
            channel_id=CHANNEL_ID,
            channel_type="email",
            conversation_id="42",
            text="Paid by card, order 1042.",
            author=MIA,
            timestamp=AT,
        ),
        says_content=True,
    )
)


class NoteEdited(Shape, frozen=True, kw_only=True):
    """An edited internal note, with its new text."""

    id: str
    channel_id: ChannelId
    channel_type: str
    conversation_id: str
    text: str
    author: Person | UnsetType = UNSET
    timestamp: Timestamp


@of_message
def _note_edited(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return NoteEdited(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        conversation_id=str(talk.id),
        text=message.text,
        author=parts.author(message),
        timestamp=parts.at(about),
    )


NOTE_EDITED = KINDS.add(
    Kind(
        "note.edited",
        noop("The author of a note edited it."),
        make=_note_edited,
        sample=NoteEdited(
            id="4713",
            channel_id=CHANNEL_ID,
            channel_type="email",
            conversation_id="42",
            text="Paid by bank transfer, order 1042.",
            author=MIA,
            timestamp=AT,
        ),
        says_content=True,
        since="1.1",
    )
)


class NoteDeleted(Shape, frozen=True, kw_only=True):
    """A deleted internal note, without its text."""

    id: str
    channel_id: ChannelId
    channel_type: str
    conversation_id: str
    author: Person | UnsetType = UNSET
    timestamp: Timestamp


@of_message
def _note_deleted(
    about: EventSubject, account: ChannelAccount, talk: ConversationRow, message: AnyMessage
) -> Shape:
    return NoteDeleted(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        conversation_id=str(talk.id),
        author=parts.author(message),
        timestamp=parts.at(about),
    )


NOTE_DELETED = KINDS.add(
    Kind(
        "note.deleted",
        noop("The author of a note deleted it. Its content was deleted."),
        make=_note_deleted,
        sample=NoteDeleted(
            id="4713",
            channel_id=CHANNEL_ID,
            channel_type="email",
            conversation_id="42",
            author=MIA,
            timestamp=AT,
        ),
        since="1.1",
    )
)
