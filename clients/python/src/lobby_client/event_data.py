"""The names of the desk's events, the data of each, and a type of event for each name.

Made by tools/generate.py: do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Union, final

from lobby_client._event import Event, Webhook


@final
class EventAccount(TypedDict):
    """An account of a channel."""

    channelId: str
    """The account of the channel."""
    channelType: str
    name: str
    handle: str
    timestamp: str
    """In UTC, to the second."""


class _EventAssistantRequired(TypedDict):
    id: str


@final
class EventAssistant(_EventAssistantRequired, total=False):
    """An assistant."""

    name: str
    """Empty: it has been deleted."""


@final
class EventPerson(TypedDict):
    """Somebody of the team."""

    id: str
    name: str


class _EventAssistantModeRequired(TypedDict):
    assistant: EventAssistant
    channelId: str
    """The account of the channel."""
    channelType: str
    mode: Literal["answer", "off", "shadow", "suggest"]
    before: Literal["answer", "off", "shadow", "suggest"]
    timestamp: str
    """In UTC, to the second."""


@final
class EventAssistantMode(_EventAssistantModeRequired, total=False):
    """The new mode of an assistant on an account."""

    by: EventPerson
    """Omitted: a program did it."""


class _EventAssistantStateRequired(TypedDict):
    assistant: EventAssistant
    timestamp: str
    """In UTC, to the second."""


@final
class EventAssistantState(_EventAssistantStateRequired, total=False):
    """An assistant that was stopped or resumed."""

    by: EventPerson
    """Omitted: a program did it."""


_EventAssistantTurnRequired = TypedDict(
    "_EventAssistantTurnRequired",
    {
        "assistant": EventAssistant,
        "turnId": str,
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "conversationId": str,
        "timestamp": str,
    },
)


@final
class EventAssistantTurn(_EventAssistantTurnRequired, total=False):
    """An assistant's response to a customer, without the words. Get the turn from the API."""

    messageId: str
    """The customer's newest message in this turn."""
    reason: str
    """The reason, as a stable word such as `no_source` or `model_timeout`. Omitted: none."""
    edited: bool
    """For `assistant.taken`: whether a person edited it first."""
    by: EventPerson
    """Omitted: no person did it."""


class _EventAttachmentRequired(TypedDict):
    type: str
    url: str


@final
class EventAttachment(_EventAttachmentRequired, total=False):
    """One of several files, or a file of a kind without its own key."""

    name: str


class _EventContactAgreedRequired(TypedDict):
    id: str
    """The contact's id."""
    timestamp: str
    """In UTC, to the second."""


@final
class EventContactAgreed(_EventContactAgreedRequired, total=False):
    """A contact who opted out of automated messages, or opted in again."""

    word: str
    """What the customer wrote; omitted if a person or a program recorded it."""
    messageId: str
    """The id of the message with this word."""


class _EventContactChangedRequired(TypedDict):
    id: str
    """The contact's id."""
    timestamp: str
    """In UTC, to the second."""


@final
class EventContactChanged(_EventContactChangedRequired, total=False):
    """A contact that changed. Get its details from the API."""

    field: Literal["attribute", "email", "name", "note"]
    """The detail that changed."""
    attributeId: str
    """The id of the attribute, if one changed."""


@final
class EventContactErased(TypedDict):
    """An erased contact."""

    id: str
    """The contact's id. Remove what you have of them."""
    timestamp: str
    """In UTC, to the second."""


class _EventContactIdentityAddedRequired(TypedDict):
    id: str
    """The contact's id."""
    channelId: str
    """The account of the channel."""
    channelType: str
    timestamp: str
    """In UTC, to the second."""


@final
class EventContactIdentityAdded(_EventContactIdentityAddedRequired, total=False):
    """A further id of a contact on an account of a channel. Get all of their ids from the API."""

    externalId: str
    """The further id; omitted if it is no longer stored."""


@final
class EventContactMerged(TypedDict):
    """Two contacts that were merged, or whose merge was undone."""

    id: str
    """The remaining contact."""
    other: str
    """The contact that was merged into it, or split from it."""
    timestamp: str
    """In UTC, to the second."""


@final
class EventMedia(TypedDict, total=False):
    """A file."""

    url: str
    """URL to download it with an API key of the workspace."""
    id: str
    """For a sticker that the provider identifies by name."""


class _EventContentRequired(TypedDict):
    type: str
    """New kinds may be added."""


@final
class EventContent(_EventContentRequired, total=False):
    """The content of a message. `type` is its kind; a file is under the key of that name."""

    text: str
    image: EventMedia
    video: EventMedia
    audio: EventMedia
    file: EventMedia
    sticker: EventMedia
    payload: str
    """For a tapped button or quick reply."""
    quickReplies: Sequence[Mapping[str, Any]]
    template: Mapping[str, Any]
    attachments: Sequence[EventAttachment]
    """All files, if there are several or one of another kind."""


class _EventLabelRequired(TypedDict):
    id: str


@final
class EventLabel(_EventLabelRequired, total=False):
    """A label."""

    name: str
    """Empty: it has been deleted."""


class _EventSnoozeRequired(TypedDict):
    kind: Literal["fixed", "reply", "until"]
    """`until` a time or a message, `reply` a message, `fixed` a time whatever comes."""


@final
class EventSnooze(_EventSnoozeRequired, total=False):
    """The snooze of a conversation."""

    until: str
    """In UTC, to the second."""


class _EventTeamRequired(TypedDict):
    id: str


@final
class EventTeam(_EventTeamRequired, total=False):
    """A team."""

    name: str
    """Empty: it has been deleted."""


_EventConversationRequired = TypedDict(
    "_EventConversationRequired",
    {
        "id": str,
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "status": Literal["closed", "open"],
        "handledBy": Literal["automation", "nobody", "person"],
        "timestamp": str,
    },
)


@final
class EventConversation(_EventConversationRequired, total=False):
    """A conversation as it was when the event was sent."""

    assignee: EventPerson
    """Omitted: nobody."""
    team: EventTeam
    """Omitted: none."""
    by: EventPerson
    """The member who did it."""
    labels: Sequence[EventLabel]
    label: EventLabel
    """The label that was added or removed."""
    snooze: EventSnooze
    because: Literal["message", "team", "time"]
    """Why the snooze ended."""
    until: str
    """When the response is due, or when the reply window closes."""
    previousId: str
    """The conversation that a new one continues."""


class _EventLabelDeletedRequired(TypedDict):
    id: str
    timestamp: str
    """In UTC, to the second."""


@final
class EventLabelDeleted(_EventLabelDeletedRequired, total=False):
    """A deleted label."""

    into: str
    """The label that replaces it; omitted: none."""


@final
class EventMetadata(TypedDict, total=False):
    """Additional information."""

    mid: str
    """The provider's id of the message."""
    username: str
    """The customer's username at the provider."""


@final
class EventMessageDelivered(TypedDict):
    """A message that was delivered to the customer."""

    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    to: str
    """The customer's id at the provider."""
    conversationId: str
    contactId: str
    timestamp: str
    """In UTC, to the second."""
    metadata: EventMetadata


class _EventMessageEditedRequired(TypedDict):
    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    direction: Literal["inbound", "outbound"]
    conversationId: str
    contactId: str
    content: EventContent
    timestamp: str
    """In UTC, to the second."""
    metadata: EventMetadata


_EventMessageEditedOptional = TypedDict("_EventMessageEditedOptional", {"from": str, "to": str}, total=False)


@final
class EventMessageEdited(_EventMessageEditedRequired, _EventMessageEditedOptional):
    """An edited message, with its new text."""


_EventMessageModeratedRequired = TypedDict(
    "_EventMessageModeratedRequired",
    {
        "id": str,
        "channelId": str,
        "channelType": str,
        "from": str,
        "conversationId": str,
        "contactId": str,
        "timestamp": str,
        "metadata": EventMetadata,
    },
)


@final
class EventMessageModerated(_EventMessageModeratedRequired):
    """A customer's message that the team hid, unhid or deleted at the provider."""


_EventMessageReactedRequired = TypedDict(
    "_EventMessageReactedRequired",
    {
        "messageId": str,
        "channelId": str,
        "channelType": str,
        "from": str,
        "conversationId": str,
        "contactId": str,
        "action": Literal["react", "unreact"],
        "timestamp": str,
    },
)


@final
class EventMessageReacted(_EventMessageReactedRequired, total=False):
    """A customer's reaction."""

    reaction: str
    """The provider's word for it."""
    emoji: str


@final
class EventMessageRead(TypedDict):
    """A message that the customer has seen, with all before it."""

    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    to: str
    """The customer's id at the provider."""
    conversationId: str
    contactId: str
    timestamp: str
    """In UTC, to the second."""
    metadata: EventMetadata


_EventMessageReceivedRequired = TypedDict(
    "_EventMessageReceivedRequired",
    {
        "id": str,
        "channelId": str,
        "channelType": str,
        "direction": Literal["inbound"],
        "from": str,
        "conversationId": str,
        "contactId": str,
        "content": EventContent,
        "timestamp": str,
        "metadata": EventMetadata,
    },
)


@final
class EventMessageReceived(_EventMessageReceivedRequired, total=False):
    """A customer's message."""

    claimedBy: str
    """For a tap on an addon's quick reply that nobody else has to answer: the addon."""


@final
class EventMessageUnsent(TypedDict):
    """An unsent message, without its content."""

    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    direction: Literal["inbound", "outbound"]
    conversationId: str
    contactId: str
    timestamp: str
    """In UTC, to the second."""


class _EventNoteAddedRequired(TypedDict):
    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    conversationId: str
    text: str
    timestamp: str
    """In UTC, to the second."""


@final
class EventNoteAdded(_EventNoteAddedRequired, total=False):
    """An internal note, visible only to the team."""

    author: EventPerson


class _EventNoteDeletedRequired(TypedDict):
    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    conversationId: str
    timestamp: str
    """In UTC, to the second."""


@final
class EventNoteDeleted(_EventNoteDeletedRequired, total=False):
    """A deleted internal note, without its text."""

    author: EventPerson


class _EventNoteEditedRequired(TypedDict):
    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    conversationId: str
    text: str
    timestamp: str
    """In UTC, to the second."""


@final
class EventNoteEdited(_EventNoteEditedRequired, total=False):
    """An edited internal note, with its new text."""

    author: EventPerson


@final
class EventProblem(TypedDict):
    """The reason why a message was not sent."""

    code: str
    message: str


class _EventOurMessageRequired(TypedDict):
    id: str
    channelId: str
    """The account of the channel."""
    channelType: str
    direction: Literal["outbound"]
    to: str
    """The customer's id at the provider."""
    conversationId: str
    contactId: str
    origin: str
    """Who made it: `agent`, `api`, `system` or `provider`."""
    content: EventContent
    timestamp: str
    """In UTC, to the second."""
    metadata: EventMetadata


@final
class EventOurMessage(_EventOurMessageRequired, total=False):
    """A message of the team, and its delivery state."""

    author: EventPerson
    error: EventProblem


class _EventRuleRequired(TypedDict):
    id: str


@final
class EventRule(_EventRuleRequired, total=False):
    """A rule."""

    name: str
    """Empty: it has been deleted."""


_EventRuleCalledRequired = TypedDict(
    "_EventRuleCalledRequired",
    {
        "rule": EventRule,
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "conversationId": str,
        "timestamp": str,
    },
)


@final
class EventRuleCalled(_EventRuleCalledRequired, total=False):
    """A rule's call of one webhook endpoint. Get the conversation and the message from the API."""

    messageId: str
    """The message that triggered the rule; omitted: none."""


_EventRuleToldRequired = TypedDict(
    "_EventRuleToldRequired",
    {
        "rule": EventRule,
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "conversationId": str,
        "timestamp": str,
    },
)


@final
class EventRuleTold(_EventRuleToldRequired, total=False):
    """A rule's notification about a conversation, to a member or a team."""

    messageId: str
    """The message that triggered the rule; omitted: none."""
    person: EventPerson
    """Omitted: a team is notified."""
    team: EventTeam
    """Omitted: a member is notified."""


class _EventSequenceRefRequired(TypedDict):
    id: str


@final
class EventSequenceRef(_EventSequenceRefRequired, total=False):
    """A sequence."""

    name: str
    """Empty: it has been deleted."""


_EventSequenceEndedRequired = TypedDict(
    "_EventSequenceEndedRequired",
    {
        "sequence": EventSequenceRef,
        "runId": str,
        "version": int,
        "outcome": Literal["done", "failed", "people", "stopped"],
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "conversationId": str,
        "timestamp": str,
    },
)


@final
class EventSequenceEnded(_EventSequenceEndedRequired, total=False):
    """The end of a run of a sequence."""

    step: str
    """The step it ended at. Omitted: it ended before its first one."""
    reason: str
    """The reason, as a stable word such as `asked` or `window_closed`. Omitted: none."""


_EventSequenceStartedRequired = TypedDict(
    "_EventSequenceStartedRequired",
    {
        "sequence": EventSequenceRef,
        "runId": str,
        "version": int,
        "startedBy": Literal["api", "campaign", "first", "ref", "rule", "story", "tap", "words"],
        "channelId": str,
        "channelType": str,
        "from": str,
        "contactId": str,
        "conversationId": str,
        "timestamp": str,
    },
)


@final
class EventSequenceStarted(_EventSequenceStartedRequired, total=False):
    """The start of a run of a sequence with a customer."""

    messageId: str
    """The customer's last message; omitted: none."""


@final
class EventTeamDeleted(TypedDict):
    """A deleted team."""

    id: str
    timestamp: str
    """In UTC, to the second."""


class _EventTombstoneRequired(TypedDict):
    erased: Literal[True]


@final
class EventTombstone(_EventTombstoneRequired, total=False):
    """The remains of an event whose message was unsent or whose customer was erased: its ids."""

    id: str
    messageId: str
    conversationId: str
    contactId: str
    channelId: str
    channelType: str


DeskEventName = Literal[
    "message.received",
    "message.sent",
    "message.failed",
    "message.unconfirmed",
    "message.delivered",
    "message.read",
    "message.edited",
    "message.unsent",
    "message.reacted",
    "message.hidden",
    "message.shown",
    "message.deleted",
    "message.completed",
    "conversation.created",
    "conversation.closed",
    "conversation.reopened",
    "conversation.assigned",
    "conversation.team_assigned",
    "conversation.handler_changed",
    "conversation.labelled",
    "conversation.unlabelled",
    "conversation.snoozed",
    "conversation.woken",
    "conversation.marked_spam",
    "conversation.unmarked_spam",
    "conversation.forwarded",
    "conversation.window_closing",
    "conversation.reply_due",
    "label.deleted",
    "team.deleted",
    "note.added",
    "note.edited",
    "note.deleted",
    "contact.changed",
    "contact.merged",
    "contact.split",
    "contact.identity_added",
    "contact.blocked",
    "contact.unblocked",
    "contact.opted_out",
    "contact.opted_in",
    "contact.erased",
    "rule.called",
    "rule.told",
    "sequence.started",
    "sequence.ended",
    "assistant.suggested",
    "assistant.taken",
    "assistant.answered",
    "assistant.handed_over",
    "assistant.dismissed",
    "assistant.failed",
    "assistant.mode_changed",
    "assistant.stopped",
    "assistant.resumed",
    "account.connected",
    "account.stopped",
    "account.disconnected",
]
"""The name of an event of the desk itself."""


DeskEventGroup = Literal[
    "message.*",
    "conversation.*",
    "label.*",
    "team.*",
    "note.*",
    "contact.*",
    "rule.*",
    "sequence.*",
    "assistant.*",
    "account.*",
]
"""All events of the desk that begin so."""


MessageReceived = Event[Literal["message.received"], Union[EventMessageReceived, EventTombstone]]
"""A customer's message arrived."""


MessageSent = Event[Literal["message.sent"], Union[EventOurMessage, EventTombstone]]
"""The provider accepted a message from the team."""


MessageFailed = Event[Literal["message.failed"], Union[EventOurMessage, EventTombstone]]
"""A message from the team will not reach the customer."""


MessageUnconfirmed = Event[Literal["message.unconfirmed"], Union[EventOurMessage, EventTombstone]]
"""The outcome of sending a message is unknown."""


MessageDelivered = Event[Literal["message.delivered"], Union[EventMessageDelivered, EventTombstone]]
"""A message from the team was delivered. Only some channels report it."""


MessageRead = Event[Literal["message.read"], Union[EventMessageRead, EventTombstone]]
"""The customer read a message from the team."""


MessageEdited = Event[Literal["message.edited"], Union[EventMessageEdited, EventTombstone]]
"""A message was edited."""


MessageUnsent = Event[Literal["message.unsent"], Union[EventMessageUnsent, EventTombstone]]
"""A message was unsent. Its content was deleted."""


MessageReacted = Event[Literal["message.reacted"], Union[EventMessageReacted, EventTombstone]]
"""A customer reacted to a message or removed a reaction."""


MessageHidden = Event[Literal["message.hidden"], Union[EventMessageModerated, EventTombstone]]
"""The team hid a customer's message at the provider."""


MessageShown = Event[Literal["message.shown"], Union[EventMessageModerated, EventTombstone]]
"""The team unhid a message at the provider."""


MessageDeleted = Event[Literal["message.deleted"], Union[EventMessageModerated, EventTombstone]]
"""The team deleted a customer's message at the provider."""


MessageCompleted = Event[Literal["message.completed"], Union[EventMessageModerated, EventTombstone]]
"""The provider sent more details about an existing message."""


ConversationCreated = Event[Literal["conversation.created"], Union[EventConversation, EventTombstone]]
"""A conversation was started."""


ConversationClosed = Event[Literal["conversation.closed"], Union[EventConversation, EventTombstone]]
"""A conversation was closed."""


ConversationReopened = Event[Literal["conversation.reopened"], Union[EventConversation, EventTombstone]]
"""A closed conversation was reopened."""


ConversationAssigned = Event[Literal["conversation.assigned"], Union[EventConversation, EventTombstone]]
"""A conversation was assigned or unassigned."""


ConversationTeamAssigned = Event[
    Literal["conversation.team_assigned"], Union[EventConversation, EventTombstone]
]
"""A conversation was assigned to a team or removed from one."""


ConversationHandlerChanged = Event[
    Literal["conversation.handler_changed"], Union[EventConversation, EventTombstone]
]
"""A conversation was handed off between automation and people."""


ConversationLabelled = Event[Literal["conversation.labelled"], Union[EventConversation, EventTombstone]]
"""A label was added to a conversation."""


ConversationUnlabelled = Event[Literal["conversation.unlabelled"], Union[EventConversation, EventTombstone]]
"""A label was removed from a conversation."""


ConversationSnoozed = Event[Literal["conversation.snoozed"], Union[EventConversation, EventTombstone]]
"""A conversation was snoozed."""


ConversationWoken = Event[Literal["conversation.woken"], Union[EventConversation, EventTombstone]]
"""A snoozed conversation returned to the inbox."""


ConversationMarkedSpam = Event[Literal["conversation.marked_spam"], Union[EventConversation, EventTombstone]]
"""A conversation was marked as spam."""


ConversationUnmarkedSpam = Event[
    Literal["conversation.unmarked_spam"], Union[EventConversation, EventTombstone]
]
"""A conversation was marked as not spam."""


ConversationForwarded = Event[Literal["conversation.forwarded"], Union[EventConversation, EventTombstone]]
"""Messages were forwarded to someone else."""


ConversationWindowClosing = Event[
    Literal["conversation.window_closing"], Union[EventConversation, EventTombstone]
]
"""The reply window of a waiting customer is about to close."""


ConversationReplyDue = Event[Literal["conversation.reply_due"], Union[EventConversation, EventTombstone]]
"""A customer's wait is about to exceed the account's response target."""


LabelDeleted = Event[Literal["label.deleted"], Union[EventLabelDeleted, EventTombstone]]
"""A label was deleted or merged into another. Its conversations get no events of their own."""


TeamDeleted = Event[Literal["team.deleted"], Union[EventTeamDeleted, EventTombstone]]
"""A team was deleted. Its conversations no longer have a team and get no events of their own."""


NoteAdded = Event[Literal["note.added"], Union[EventNoteAdded, EventTombstone]]
"""The team wrote a note."""


NoteEdited = Event[Literal["note.edited"], Union[EventNoteEdited, EventTombstone]]
"""The author of a note edited it."""


NoteDeleted = Event[Literal["note.deleted"], Union[EventNoteDeleted, EventTombstone]]
"""The author of a note deleted it. Its content was deleted."""


ContactChanged = Event[Literal["contact.changed"], Union[EventContactChanged, EventTombstone]]
"""A customer's details changed."""


ContactMerged = Event[Literal["contact.merged"], Union[EventContactMerged, EventTombstone]]
"""Two customers were merged. The event contains the other customer's ID."""


ContactSplit = Event[Literal["contact.split"], Union[EventContactMerged, EventTombstone]]
"""Two merged customers were separated."""


ContactIdentityAdded = Event[
    Literal["contact.identity_added"], Union[EventContactIdentityAdded, EventTombstone]
]
"""A customer has a further ID on an account, such as a new phone number."""


ContactBlocked = Event[Literal["contact.blocked"], Union[EventContactChanged, EventTombstone]]
"""A customer was blocked. Their messages go to spam."""


ContactUnblocked = Event[Literal["contact.unblocked"], Union[EventContactChanged, EventTombstone]]
"""A customer was unblocked."""


ContactOptedOut = Event[Literal["contact.opted_out"], Union[EventContactAgreed, EventTombstone]]
"""A customer opted out of automated messages."""


ContactOptedIn = Event[Literal["contact.opted_in"], Union[EventContactAgreed, EventTombstone]]
"""A customer opted in to automated messages again."""


ContactErased = Event[Literal["contact.erased"], Union[EventContactErased, EventTombstone]]
"""A customer's data was erased."""


RuleCalled = Event[Literal["rule.called"], Union[EventRuleCalled, EventTombstone]]
"""A rule called a webhook endpoint. Only that endpoint receives this event."""


RuleTold = Event[Literal["rule.told"], Union[EventRuleTold, EventTombstone]]
"""A rule notified a member or a team."""


SequenceStarted = Event[Literal["sequence.started"], Union[EventSequenceStarted, EventTombstone]]
"""A customer's run of a sequence started."""


SequenceEnded = Event[Literal["sequence.ended"], Union[EventSequenceEnded, EventTombstone]]
"""A customer's run of a sequence ended."""


AssistantSuggested = Event[Literal["assistant.suggested"], Union[EventAssistantTurn, EventTombstone]]
"""An assistant suggested an answer to the team."""


AssistantTaken = Event[Literal["assistant.taken"], Union[EventAssistantTurn, EventTombstone]]
"""An assistant's suggestion was sent."""


AssistantAnswered = Event[Literal["assistant.answered"], Union[EventAssistantTurn, EventTombstone]]
"""An assistant answered automatically."""


AssistantHandedOver = Event[Literal["assistant.handed_over"], Union[EventAssistantTurn, EventTombstone]]
"""An assistant had no answer and handed off to the team."""


AssistantDismissed = Event[Literal["assistant.dismissed"], Union[EventAssistantTurn, EventTombstone]]
"""Someone dismissed an assistant's suggestion."""


AssistantFailed = Event[Literal["assistant.failed"], Union[EventAssistantTurn, EventTombstone]]
"""An assistant or its model failed."""


AssistantModeChanged = Event[Literal["assistant.mode_changed"], Union[EventAssistantMode, EventTombstone]]
"""An assistant's mode on an account changed."""


AssistantStopped = Event[Literal["assistant.stopped"], Union[EventAssistantState, EventTombstone]]
"""An assistant was stopped on every account."""


AssistantResumed = Event[Literal["assistant.resumed"], Union[EventAssistantState, EventTombstone]]
"""A stopped assistant was resumed."""


AccountConnected = Event[Literal["account.connected"], Union[EventAccount, EventTombstone]]
"""A channel account was connected or reconnected."""


AccountStopped = Event[Literal["account.stopped"], Union[EventAccount, EventTombstone]]
"""A channel account needs to be reconnected."""


AccountDisconnected = Event[Literal["account.disconnected"], Union[EventAccount, EventTombstone]]
"""A channel account was disconnected."""


DeskEvent = Union[
    MessageReceived,
    MessageSent,
    MessageFailed,
    MessageUnconfirmed,
    MessageDelivered,
    MessageRead,
    MessageEdited,
    MessageUnsent,
    MessageReacted,
    MessageHidden,
    MessageShown,
    MessageDeleted,
    MessageCompleted,
    ConversationCreated,
    ConversationClosed,
    ConversationReopened,
    ConversationAssigned,
    ConversationTeamAssigned,
    ConversationHandlerChanged,
    ConversationLabelled,
    ConversationUnlabelled,
    ConversationSnoozed,
    ConversationWoken,
    ConversationMarkedSpam,
    ConversationUnmarkedSpam,
    ConversationForwarded,
    ConversationWindowClosing,
    ConversationReplyDue,
    LabelDeleted,
    TeamDeleted,
    NoteAdded,
    NoteEdited,
    NoteDeleted,
    ContactChanged,
    ContactMerged,
    ContactSplit,
    ContactIdentityAdded,
    ContactBlocked,
    ContactUnblocked,
    ContactOptedOut,
    ContactOptedIn,
    ContactErased,
    RuleCalled,
    RuleTold,
    SequenceStarted,
    SequenceEnded,
    AssistantSuggested,
    AssistantTaken,
    AssistantAnswered,
    AssistantHandedOver,
    AssistantDismissed,
    AssistantFailed,
    AssistantModeChanged,
    AssistantStopped,
    AssistantResumed,
    AccountConnected,
    AccountStopped,
    AccountDisconnected,
]
"""An event of the desk itself."""


DeskWebhook = Union[
    Webhook[Literal["message.received"], Union[EventMessageReceived, EventTombstone]],
    Webhook[Literal["message.sent"], Union[EventOurMessage, EventTombstone]],
    Webhook[Literal["message.failed"], Union[EventOurMessage, EventTombstone]],
    Webhook[Literal["message.unconfirmed"], Union[EventOurMessage, EventTombstone]],
    Webhook[Literal["message.delivered"], Union[EventMessageDelivered, EventTombstone]],
    Webhook[Literal["message.read"], Union[EventMessageRead, EventTombstone]],
    Webhook[Literal["message.edited"], Union[EventMessageEdited, EventTombstone]],
    Webhook[Literal["message.unsent"], Union[EventMessageUnsent, EventTombstone]],
    Webhook[Literal["message.reacted"], Union[EventMessageReacted, EventTombstone]],
    Webhook[Literal["message.hidden"], Union[EventMessageModerated, EventTombstone]],
    Webhook[Literal["message.shown"], Union[EventMessageModerated, EventTombstone]],
    Webhook[Literal["message.deleted"], Union[EventMessageModerated, EventTombstone]],
    Webhook[Literal["message.completed"], Union[EventMessageModerated, EventTombstone]],
    Webhook[Literal["conversation.created"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.closed"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.reopened"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.assigned"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.team_assigned"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.handler_changed"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.labelled"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.unlabelled"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.snoozed"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.woken"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.marked_spam"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.unmarked_spam"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.forwarded"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.window_closing"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["conversation.reply_due"], Union[EventConversation, EventTombstone]],
    Webhook[Literal["label.deleted"], Union[EventLabelDeleted, EventTombstone]],
    Webhook[Literal["team.deleted"], Union[EventTeamDeleted, EventTombstone]],
    Webhook[Literal["note.added"], Union[EventNoteAdded, EventTombstone]],
    Webhook[Literal["note.edited"], Union[EventNoteEdited, EventTombstone]],
    Webhook[Literal["note.deleted"], Union[EventNoteDeleted, EventTombstone]],
    Webhook[Literal["contact.changed"], Union[EventContactChanged, EventTombstone]],
    Webhook[Literal["contact.merged"], Union[EventContactMerged, EventTombstone]],
    Webhook[Literal["contact.split"], Union[EventContactMerged, EventTombstone]],
    Webhook[Literal["contact.identity_added"], Union[EventContactIdentityAdded, EventTombstone]],
    Webhook[Literal["contact.blocked"], Union[EventContactChanged, EventTombstone]],
    Webhook[Literal["contact.unblocked"], Union[EventContactChanged, EventTombstone]],
    Webhook[Literal["contact.opted_out"], Union[EventContactAgreed, EventTombstone]],
    Webhook[Literal["contact.opted_in"], Union[EventContactAgreed, EventTombstone]],
    Webhook[Literal["contact.erased"], Union[EventContactErased, EventTombstone]],
    Webhook[Literal["rule.called"], Union[EventRuleCalled, EventTombstone]],
    Webhook[Literal["rule.told"], Union[EventRuleTold, EventTombstone]],
    Webhook[Literal["sequence.started"], Union[EventSequenceStarted, EventTombstone]],
    Webhook[Literal["sequence.ended"], Union[EventSequenceEnded, EventTombstone]],
    Webhook[Literal["assistant.suggested"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.taken"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.answered"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.handed_over"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.dismissed"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.failed"], Union[EventAssistantTurn, EventTombstone]],
    Webhook[Literal["assistant.mode_changed"], Union[EventAssistantMode, EventTombstone]],
    Webhook[Literal["assistant.stopped"], Union[EventAssistantState, EventTombstone]],
    Webhook[Literal["assistant.resumed"], Union[EventAssistantState, EventTombstone]],
    Webhook[Literal["account.connected"], Union[EventAccount, EventTombstone]],
    Webhook[Literal["account.stopped"], Union[EventAccount, EventTombstone]],
    Webhook[Literal["account.disconnected"], Union[EventAccount, EventTombstone]],
]
"""A webhook with an event of the desk itself."""
