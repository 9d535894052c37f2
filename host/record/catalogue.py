"""Every kind of event in the record, declared once.

``docs/events.md``, the ``webhooks`` of the API document and what addons are told are made of this list. A
kind stays for ever: its facts may get more fields, each with a default, and never lose one.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from host.sdk.i18n import noop


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a kind says beyond the ids of its row. Never what somebody wrote."""


class OfMessage(Facts, frozen=True, kw_only=True):
    """Facts about a message."""

    state: str = ""
    """Its delivery state from now on, see :class:`host.models.inbox.DeliveryState`; empty: as it was."""
    late: bool = False
    """It came so late that it opened no reply window."""


class OfReaction(Facts, frozen=True, kw_only=True):
    """Facts about a reaction."""

    name: str = ""
    """The provider's word for it: ``love``."""
    emoji: str = ""
    removed: bool = False


class OfBeginning(Facts, frozen=True, kw_only=True):
    """What a conversation that began goes on from."""

    before: int = 0
    """The id of the conversation; 0: none."""


class OfAssignment(Facts, frozen=True, kw_only=True):
    """Who looks after a conversation from now on, and who did before: ids of users; 0: nobody."""

    assignee: int = 0
    before: int = 0


class OfTeam(Facts, frozen=True, kw_only=True):
    """Which team looks after a conversation from now on, and which did before: ids of teams; 0: none."""

    team: int = 0
    before: int = 0


class OfHandler(Facts, frozen=True, kw_only=True):
    """Who handles a conversation from now on, and who did: names of :class:`host.models.inbox.Handler`."""

    handler: str = "nobody"
    before: str = "nobody"
    because: str = ""
    """``reply``, ``assigned``, ``taken`` (a person took it), ``left`` (a person left it to automation) or
    ``handed_over`` (a program handed it over to people)."""


class OfLabel(Facts, frozen=True, kw_only=True):
    """The id of a label."""

    label: int = 0
    into: int = 0
    """Of one that is gone: the label its conversations have instead; 0: none."""


class OfSnooze(Facts, frozen=True, kw_only=True):
    """How a conversation is snoozed."""

    snooze: str = ""
    """A name of :class:`host.models.inbox.SnoozeKind`."""
    until: str = ""
    """The time in ISO 8601; empty: there is none."""


class OfWaking(Facts, frozen=True, kw_only=True):
    """Why a snooze ended."""

    because: str = "message"
    """``time``, ``message`` (the customer wrote) or ``team`` (a person or a program ended it)."""


class OfDue(Facts, frozen=True, kw_only=True):
    """Until when a customer is to be answered."""

    until: str = ""
    """The time in ISO 8601."""


class OfContact(Facts, frozen=True, kw_only=True):
    """The id of a contact."""

    contact: int


class OfConsent(OfContact, frozen=True, kw_only=True):
    """Whose opt-out it is, and by which word of their own it began or ended."""

    word: str = ""
    """As it stands in the table of ``docs/answer.md``; empty: the team or a program noted it."""
    message: int = 0
    """The id of the message that is this word."""


class OfContactChange(Facts, frozen=True, kw_only=True):
    """Which detail of a contact is different now, never what it says."""

    contact: int = 0
    field: str = ""
    """``name``, ``email``, ``attribute`` or ``note``."""
    attribute: int = 0
    """The id of the attribute; 0: it is none."""


class OfMerge(Facts, frozen=True, kw_only=True):
    """Two contacts that became one, or are two again."""

    contact: int = 0
    """The id of the one that stays."""
    other: int = 0


class OfRule(Facts, frozen=True, kw_only=True):
    """Which rule it was, and whom it asked for: ids of an endpoint, a member or a team; 0: of none."""

    rule: int = 0
    endpoint: int = 0
    person: int = 0
    team: int = 0


class OfAssistant(Facts, frozen=True, kw_only=True):
    """Which assistant it was, and what it did in which turn: never what was said."""

    assistant: int = 0
    turn: int = 0
    """0: it is of no turn."""
    reason: str = ""
    """A key of :data:`host.automation.assistants.words.REASONS`; empty: there is none."""
    edited: bool = False
    """Of what was taken: whether a person changed it first."""
    mode: str = ""
    """Of an account: a name of :class:`host.models.assistants.Mode`, and so is *before*."""
    before: str = ""


class OfPresence(Facts, frozen=True, kw_only=True):
    """What a member does in a conversation at this moment; for browsers alone."""

    user: int = 0
    state: str = ""


class OfTold(Facts, frozen=True, kw_only=True):
    """Whom the desk has something new to tell, ids of users; for browsers alone."""

    users: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event.

    :param about: one sentence: what happened.
    :param since: the version of Lobby that has written it first.
    """

    name: str
    about: str
    facts: type[Facts] = Facts
    since: str = "1.0"


MESSAGE_RECEIVED = "message.received"
MESSAGE_SENT = "message.sent"
MESSAGE_FAILED = "message.failed"
MESSAGE_UNCONFIRMED = "message.unconfirmed"
MESSAGE_READ = "message.read"
MESSAGE_EDITED = "message.edited"
MESSAGE_UNSENT = "message.unsent"
MESSAGE_REACTED = "message.reacted"
MESSAGE_HIDDEN = "message.hidden"
MESSAGE_SHOWN = "message.shown"
MESSAGE_DELETED = "message.deleted"
MESSAGE_COMPLETED = "message.completed"
CONVERSATION_CREATED = "conversation.created"
CONVERSATION_CLOSED = "conversation.closed"
CONVERSATION_REOPENED = "conversation.reopened"
CONVERSATION_ASSIGNED = "conversation.assigned"
CONVERSATION_TEAM_ASSIGNED = "conversation.team_assigned"
CONVERSATION_HANDLER_CHANGED = "conversation.handler_changed"
CONVERSATION_LABELLED = "conversation.labelled"
CONVERSATION_UNLABELLED = "conversation.unlabelled"
CONVERSATION_SNOOZED = "conversation.snoozed"
CONVERSATION_WOKEN = "conversation.woken"
CONVERSATION_MARKED_SPAM = "conversation.marked_spam"
CONVERSATION_UNMARKED_SPAM = "conversation.unmarked_spam"
CONVERSATION_FORWARDED = "conversation.forwarded"
CONVERSATION_WINDOW_CLOSING = "conversation.window_closing"
CONVERSATION_REPLY_DUE = "conversation.reply_due"
LABEL_DELETED = "label.deleted"
TEAM_DELETED = "team.deleted"
NOTE_ADDED = "note.added"
CONTACT_CHANGED = "contact.changed"
CONTACT_MERGED = "contact.merged"
CONTACT_SPLIT = "contact.split"
CONTACT_BLOCKED = "contact.blocked"
CONTACT_UNBLOCKED = "contact.unblocked"
CONTACT_OPTED_OUT = "contact.opted_out"
CONTACT_OPTED_IN = "contact.opted_in"
CONTACT_ERASED = "contact.erased"
RULE_CALLED = "rule.called"
RULE_TOLD = "rule.told"
ASSISTANT_SUGGESTED = "assistant.suggested"
ASSISTANT_TAKEN = "assistant.taken"
ASSISTANT_ANSWERED = "assistant.answered"
ASSISTANT_HANDED_OVER = "assistant.handed_over"
ASSISTANT_DISMISSED = "assistant.dismissed"
ASSISTANT_FAILED = "assistant.failed"
ASSISTANT_MODE_CHANGED = "assistant.mode_changed"
ASSISTANT_STOPPED = "assistant.stopped"
ASSISTANT_RESUMED = "assistant.resumed"
ACCOUNT_CONNECTED = "account.connected"
ACCOUNT_STOPPED = "account.stopped"
ACCOUNT_DISCONNECTED = "account.disconnected"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(MESSAGE_RECEIVED, noop("A customer's message arrived."), OfMessage),
        Kind(MESSAGE_SENT, noop("The provider took a message of the team."), OfMessage),
        Kind(MESSAGE_FAILED, noop("A message of the team will not reach the customer."), OfMessage),
        Kind(MESSAGE_UNCONFIRMED, noop("It is not known whether a message reached the customer."), OfMessage),
        Kind(MESSAGE_READ, noop("The customer saw a message of the team."), OfMessage),
        Kind(MESSAGE_EDITED, noop("A message got another text."), OfMessage),
        Kind(MESSAGE_UNSENT, noop("A message was taken back. Its content is gone."), OfMessage),
        Kind(
            MESSAGE_REACTED, noop("A customer reacted to a message, or took the reaction back."), OfReaction
        ),
        Kind(MESSAGE_HIDDEN, noop("The team hid a customer's message at the provider."), OfMessage, "1.1"),
        Kind(MESSAGE_SHOWN, noop("The team showed a hidden message again."), OfMessage, "1.1"),
        Kind(
            MESSAGE_DELETED, noop("The team deleted a customer's message at the provider."), OfMessage, "1.1"
        ),
        Kind(MESSAGE_COMPLETED, noop("The provider told more of a message that is here."), OfMessage, "1.1"),
        Kind(CONVERSATION_CREATED, noop("A conversation began."), OfBeginning),
        Kind(CONVERSATION_CLOSED, noop("A conversation was closed.")),
        Kind(CONVERSATION_REOPENED, noop("A closed conversation was opened again.")),
        Kind(CONVERSATION_ASSIGNED, noop("A conversation went to somebody, or to nobody."), OfAssignment),
        Kind(CONVERSATION_TEAM_ASSIGNED, noop("A conversation went to a team, or to none."), OfTeam, "1.1"),
        Kind(
            CONVERSATION_HANDLER_CHANGED,
            noop("A conversation went from automation to people, or to automation."),
            OfHandler,
            "1.1",
        ),
        Kind(CONVERSATION_LABELLED, noop("A conversation got a label."), OfLabel, "1.1"),
        Kind(CONVERSATION_UNLABELLED, noop("A label was taken off a conversation."), OfLabel, "1.1"),
        Kind(CONVERSATION_SNOOZED, noop("A conversation was put away until later."), OfSnooze, "1.1"),
        Kind(CONVERSATION_WOKEN, noop("A snoozed conversation came back."), OfWaking, "1.1"),
        Kind(CONVERSATION_MARKED_SPAM, noop("A conversation was marked as spam."), since="1.1"),
        Kind(CONVERSATION_UNMARKED_SPAM, noop("A conversation is spam no longer."), since="1.1"),
        Kind(CONVERSATION_FORWARDED, noop("Messages were forwarded to somebody else."), since="1.1"),
        Kind(
            CONVERSATION_WINDOW_CLOSING,
            noop("The time in which a waiting customer can be answered is about to end."),
            OfDue,
            "1.1",
        ),
        Kind(
            CONVERSATION_REPLY_DUE,
            noop("A waiting customer is about to have waited longer than the account's target."),
            OfDue,
            "1.1",
        ),
        Kind(
            LABEL_DELETED,
            noop(
                "A label is gone from every conversation, or became another on each: "
                "no conversation is told of."
            ),
            OfLabel,
            "1.1",
        ),
        Kind(
            TEAM_DELETED,
            noop("A team is gone. Its conversations are of no team: none is told of."),
            OfTeam,
            "1.1",
        ),
        Kind(NOTE_ADDED, noop("The team wrote a note.")),
        Kind(CONTACT_CHANGED, noop("A detail of a customer is different now."), OfContactChange, "1.1"),
        Kind(
            CONTACT_MERGED, noop("Two customers became one: the other's id is a part of it."), OfMerge, "1.1"
        ),
        Kind(CONTACT_SPLIT, noop("Two customers that were merged are two again."), OfMerge, "1.1"),
        Kind(CONTACT_BLOCKED, noop("A customer was blocked: what they write is spam."), OfContact, "1.1"),
        Kind(CONTACT_UNBLOCKED, noop("A customer is blocked no longer."), OfContact, "1.1"),
        Kind(CONTACT_OPTED_OUT, noop("A customer wants nothing that is sent by itself."), OfConsent, "1.1"),
        Kind(CONTACT_OPTED_IN, noop("A customer takes what is sent by itself again."), OfConsent, "1.1"),
        Kind(CONTACT_ERASED, noop("A customer was erased."), OfContact),
        Kind(RULE_CALLED, noop("A rule asked that an endpoint be told: it alone hears this."), OfRule, "1.1"),
        Kind(RULE_TOLD, noop("A rule asked that a member or a team be told."), OfRule, "1.1"),
        Kind(ASSISTANT_SUGGESTED, noop("An assistant suggests an answer to people."), OfAssistant, "1.1"),
        Kind(ASSISTANT_TAKEN, noop("What an assistant suggested was sent."), OfAssistant, "1.1"),
        Kind(ASSISTANT_ANSWERED, noop("An assistant answered by itself."), OfAssistant, "1.1"),
        Kind(
            ASSISTANT_HANDED_OVER,
            noop("An assistant has no answer, and leaves it to people."),
            OfAssistant,
            "1.1",
        ),
        Kind(ASSISTANT_DISMISSED, noop("Somebody wanted no suggestion of an assistant."), OfAssistant, "1.1"),
        Kind(ASSISTANT_FAILED, noop("An assistant, or the model it asks, failed."), OfAssistant, "1.1"),
        Kind(
            ASSISTANT_MODE_CHANGED,
            noop("An assistant does something else on an account."),
            OfAssistant,
            "1.1",
        ),
        Kind(
            ASSISTANT_STOPPED, noop("An assistant was stopped at once, on every account."), OfAssistant, "1.1"
        ),
        Kind(ASSISTANT_RESUMED, noop("A stopped assistant goes on."), OfAssistant, "1.1"),
        Kind(ACCOUNT_CONNECTED, noop("A channel account was connected, or connected again.")),
        Kind(ACCOUNT_STOPPED, noop("A channel account needs to be connected again.")),
        Kind(ACCOUNT_DISCONNECTED, noop("A channel account was disconnected.")),
    )
}
"""By name."""
