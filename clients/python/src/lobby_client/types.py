"""Types of the API's bodies and answers.

Made by tools/generate.py: do not edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Optional, Union

from lobby_client._model import Model


@dataclass(frozen=True)
class ButtonsLimits(Model):
    """A text with buttons. Lengths are in characters."""

    text_length: int
    buttons: int
    title_length: int
    payload_length: int


@dataclass(frozen=True)
class FileLimits(Model):
    """Files of one kind."""

    content_types: Sequence[str]
    """None: any type."""
    max_bytes: int


@dataclass(frozen=True)
class IceBreakerLimits(Model):
    """Questions offered to customers who have not written yet, per locale. Lengths are in characters."""

    most: int
    question_length: int
    payload_length: int


@dataclass(frozen=True)
class MenuLimits(Model):
    """The menu next to the customer's composer, per locale. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int


@dataclass(frozen=True)
class QuickReplyLimits(Model):
    """Answers offered below a text. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int
    asks: Sequence[str]
    """What `ask` of one may be."""


@dataclass(frozen=True)
class PrivateReplyLimits(Model):
    """The one message that may go to the author of a public message alone."""

    text_limit_bytes: int
    quick_replies: Optional[QuickReplyLimits]
    per_hour: Optional[int]
    """How many the provider takes; null: it does not say."""


@dataclass(frozen=True)
class TemplateLimits(Model):
    """Cards side by side. Lengths are in characters."""

    elements: int
    buttons: int
    """Of one card."""
    title_length: int
    subtitle_length: int
    button_title_length: int
    payload_length: int


@dataclass(frozen=True)
class Capabilities(Model):
    """The kinds of messages that can be sent, and their limits."""

    kinds: Sequence[str]
    """What `kind` of a message to send may be."""
    text_limit_bytes: Optional[int]
    """Of one message, in UTF-8."""
    files: Mapping[str, FileLimits]
    """By kind."""
    images_per_message: int
    text_with_files: bool
    """Whether a text and its files are one message."""
    files_bytes: Optional[int]
    """Of the files of one message together."""
    formatting: bool
    """Whether `**bold**`, `*italic*`, lists, links and quotes are shown so."""
    can_start: bool
    """Whether the team may write to a contact first."""
    copies: Optional[int]
    """Most of `cc` and `bcc` together; null: none."""
    forwards: bool
    """Messages of any channel can be forwarded by an account of this one."""
    quick_replies: Optional[QuickReplyLimits]
    template: Optional[TemplateLimits]
    buttons: Optional[ButtonsLimits]
    most_products: Optional[int]
    provider_files: bool
    """Whether a file the provider has can be sent by the provider's id."""
    reply_quote: bool
    """Whether a message may quote an earlier one."""
    reactions: Optional[Sequence[str]]
    """Emoji to react with; empty: any; null: none at all."""
    typing: bool
    """Whether the customer can be shown that somebody writes."""
    mark_seen: bool
    """Whether the customer can be shown that we have read."""
    ice_breakers: Optional[IceBreakerLimits]
    menu: Optional[MenuLimits]
    thread_control: bool
    """Whether a conversation can be taken from another app, and passed to one."""
    blocks: bool
    """Whether the provider can be asked to block a customer."""
    public: bool
    """Whether everybody reads what is sent, each an answer to one message."""
    private_only: Sequence[str]
    """Kinds of post below which nothing of ours can be public."""
    private_replies: Optional[PrivateReplyLimits]
    """Of the one private reply to a message; null: none."""
    moderation: Sequence[str]
    """What can be done with a customer's message: `hide`, `delete`."""
    mobile_only: Sequence[str]
    """What the customer sees in the provider's mobile app only."""


@dataclass(frozen=True)
class Account(Model):
    """An account of a channel that the workspace connected."""

    id: int
    channel_id: str
    """The public id of an account, a string; the last part of its webhook address."""
    channel: str
    channel_name: str
    external_id: str
    """The provider's id; a string, whatever it looks like."""
    name: str
    handle: str
    state: Literal["connected", "disconnected", "needs_reconnect"]
    active: bool
    """Whether the addon that brings the channel is active."""
    capabilities: Optional[Capabilities]
    """Null while the channel is not active."""
    own_addresses: Sequence[str]
    """Where its messages can go from, if there is a choice; its own first."""
    connected_at: datetime
    disconnected_at: Optional[datetime]
    last_event_at: Optional[datetime]
    reply_target: Optional[int]
    """Within how many minutes customers are to be answered; null: no time."""


@dataclass(frozen=True)
class Away(Model):
    """The message sent once per absence, outside working hours."""

    on: bool
    """A text is kept while it is off."""
    text: str = ""
    """With variables in double braces, each with words to fall back on."""


@dataclass(frozen=True)
class Greeting(Model):
    """The message sent once to new customers, and to those who were silent for long."""

    on: bool
    """A text is kept while it is off."""
    text: str = ""
    """With variables in double braces, each with words to fall back on."""
    silence_days: int = 30
    """After how many days without a word they are greeted again."""
    after: Sequence[Literal["mention", "message", "story_reply", "tap"]] = ()
    """What a customer has to send for it. Empty: all but a mention that says nothing."""


@dataclass(frozen=True)
class Routing(Model):
    """The assignment of new conversations."""

    on: bool
    team: Optional[int] = None
    """The id of the team; its hours are those of the account."""
    to_person: bool = True
    """Give it to who of the team is on duty and waited longest; else it waits there."""
    to_last: bool = True
    """Give a customer who returns to who wrote with them last, if on duty."""


@dataclass(frozen=True)
class AccountAutomation(Model):
    """The automation settings of an account."""

    greeting: Greeting
    away: Away
    routing: Routing
    version: int
    """Grows with each change."""


@dataclass(frozen=True)
class Accounts(Model):
    """The accounts of the workspace, by channel and name."""

    data: Sequence[Account]


@dataclass(frozen=True)
class Took(Model):
    """A duration in whole seconds; null if it was not measured."""

    count: int
    """How often it happened."""
    half_within: Optional[int]
    """Half of them took no longer: the median."""
    nine_in_ten_within: Optional[int]
    """Nine in ten took no longer."""


@dataclass(frozen=True)
class Numbers(Model):
    """The figures of one period. Figures of what customers do are null for one person."""

    received: Optional[int]
    """Messages of customers."""
    sent: int
    """Messages of the team that the provider took."""
    created: Optional[int]
    """Conversations that began."""
    reopened: int
    """Conversations that were opened again."""
    closed: int
    """Conversations that were closed."""
    first_response: Took
    """Until the team's first answer."""
    next_responses: Took
    """Until each answer after that."""
    resolution: Took
    """From the beginning, or opening again, to the closing."""
    windows_missed: int
    """Reply windows that ended before an answer."""
    answers_with_target: int
    """Answers on accounts that had a time for them when the customer wrote."""
    answers_in_time: int
    """How many of these came within it."""


@dataclass(frozen=True)
class Step(Model):
    """The figures of one day or one hour."""

    begins: str
    """When the day or the hour begins."""
    figures: Numbers


@dataclass(frozen=True)
class Analytics(Model):
    """The figures of a range of days."""

    total: Numbers
    before: Optional[Numbers]
    """Of as many days before; null: counting began later than those."""
    windows: int
    """Reply windows that ended, missed or not."""
    series: Sequence[Step]
    """Each day, or each hour, the earliest first."""
    counting_since: Optional[str]
    """Null: nothing was counted yet."""


@dataclass(frozen=True)
class AssistantCap(Model):
    """Limits for a conversation, a day or a month."""

    turns: int = 0
    """0: as much as comes."""
    tokens: int = 0
    """0: as much as comes."""
    money: int = 0
    """In millionths of the model's currency; 0: as much as comes."""


@dataclass(frozen=True)
class AssistantLimits(Model):
    """Usage limits of an assistant. Days and months follow the workspace's time zone."""

    conversation: AssistantCap
    """Until a conversation is closed."""
    day: AssistantCap
    """Of all assistants of the workspace."""
    month: AssistantCap
    """Of all assistants of the workspace."""
    seconds: int
    """How long one answer may take, 5 to 60."""
    calls: int
    """Most uses of tools for one answer, 0 to 10."""


@dataclass(frozen=True)
class AssistantBody(Model):
    """The content of one version of an assistant."""

    prompt: str
    """How it is to write."""
    announces: bool
    """Whether its first answer says that it is automatic."""
    announcement: str
    """In these words; empty: in the desk's own."""
    phrases: Sequence[str]
    """What it may say without a source."""
    pause: int
    """Seconds without a word of the customer before it reads."""
    limits: AssistantLimits
    tools: Sequence[str]
    """The desk's own tools it may use, and those of addons."""


@dataclass(frozen=True)
class AssistantPlace(Model):
    """The mode of an assistant on an account."""

    account_id: int
    channel: str
    name: str
    """The name of the account, as it is typed."""
    mode: Literal["answer", "off", "shadow", "suggest"]
    """`shadow`: nobody sees what it would say; it is set beside what people answer. `suggest`: people see it. `answer`: it answers by itself."""
    answers_on: Sequence[Literal["mention", "message", "story_reply", "tap"]]
    """What a customer has to send for it."""
    needed: int
    """Suggestions that have to be taken before it may answer."""
    earned: int
    """How many were taken as they stood, or called right. What programs took is none."""
    opened_by: Optional[str]
    """Who let it answer before it had earned that; null: nobody."""
    changed_at: datetime


@dataclass(frozen=True)
class Assistant(Model):
    """An assistant that answers customers from its knowledge."""

    id: int
    name: str
    """At most 40 letters."""
    version: int
    """Grows with each change of `body`."""
    changed_at: datetime
    stopped_at: Optional[datetime]
    """Null: nobody stopped it."""
    model_id: Optional[int]
    """Null: it asks no model, and offers topics."""
    body: Optional[AssistantBody]
    """Null: it was made by a newer Lobby."""
    accounts: Sequence[AssistantPlace]
    """Where it is not off."""


@dataclass(frozen=True)
class AssistantCase(Model):
    """A question with a description of a good answer."""

    id: int
    question: str
    hands_over: bool
    """Whether a person is to answer it; words count nothing then."""
    says: Sequence[str]
    """What a good answer has, each of them."""
    never_says: Sequence[str]
    """What it never has."""
    passed: Optional[bool]
    """Null: it was not tried."""
    tried_version: Optional[int]
    """The version of the assistant it was tried with; null: none."""
    answer: str
    """What that version said; empty: nothing."""
    conversation_id: Optional[int]
    """Where it was asked: what is erased there is erased here."""


@dataclass(frozen=True)
class AssistantCases(Model):
    """Cases of an assistant, oldest first; at most 200."""

    data: Sequence[AssistantCase]
    next: Optional[str]
    """For more; null: there is none."""


@dataclass(frozen=True)
class AssistantCounts(Model):
    """Number of turns by outcome."""

    suggested: int
    """Shown to people."""
    taken: int
    """Sent as they stood, by people."""
    edited: int
    written: int
    """Where a person wrote something else."""
    dismissed: int
    used: int
    """Sent as they stood, by programs."""
    answered: int
    """Sent by itself."""
    shadow: int
    """Thought in shadow."""
    handed_over: int
    failed: int
    right: int
    """Called right by somebody."""
    wrong: int
    tokens: int
    cost: int
    """In millionths of the model's currency."""


@dataclass(frozen=True)
class AssistantDay(Model):
    """A day, in the workspace's time zone."""

    day: str
    counts: AssistantCounts


@dataclass(frozen=True)
class AssistantSpent(Model):
    """Usage counted against limits."""

    turns: int
    tokens: int
    money: int
    """In millionths of the model's currency."""


@dataclass(frozen=True)
class AssistantFigures(Model):
    """Figures of an assistant, and the usage of the whole workspace."""

    days: Sequence[AssistantDay]
    """The oldest first; today is the last."""
    today: AssistantSpent
    """Of all assistants of the workspace."""
    month: AssistantSpent
    """Of all assistants of the workspace."""


@dataclass(frozen=True)
class AssistantSource(Model):
    """A source of an answer."""

    title: str
    kind: str
    """`entry`, `hours`, `tool` or `contact`."""
    place: str
    """Where in its entry it stands; empty: that says nothing."""
    entry_id: Optional[int]
    """Null: it is no entry of its knowledge."""
    at: Optional[str]
    """How old it is, in ISO 8601; null: it held at that moment."""
    citations: Sequence[int]
    """The places of `text` that rest on it: how many letters (code points) stand before each. Empty: the model named none."""


@dataclass(frozen=True)
class AssistantTool(Model):
    """Another program that an assistant can call. Its secret is never shown."""

    id: int
    name: str
    """What a model asks for it by."""
    title: str
    about: str
    """When the assistant is to use it."""
    url: str
    parameters: Mapping[str, Any]
    header: str
    """The header its secret is sent in."""
    has_secret: bool
    effect: Literal["asks", "reads", "reversible"]
    """`reads`: it looks something up. `reversible`: a person can undo it at once. `asks`: everything else; a person says yes each time."""
    uses: int
    """How often it was used in 30 days."""
    failed: int
    """How often of these it failed."""
    created_at: datetime


@dataclass(frozen=True)
class AssistantTools(Model):
    """An assistant's tools that are other programs, in the order they were added; at most 20."""

    data: Sequence[AssistantTool]


@dataclass(frozen=True)
class AssistantTurn(Model):
    """Everything a customer wrote since the last answer, and the assistant's answer."""

    id: int
    at: datetime
    assistant_id: int
    version: int
    """Which version of the assistant it was."""
    account_id: int
    conversation_id: int
    message_id: int
    """The newest message of the customer that it is about."""
    mode: Literal["answer", "shadow", "suggest"]
    state: Literal["discarded", "dismissed", "failed", "handed_over", "ready", "sent", "thinking", "waiting"]
    """`ready`: it can be taken or dismissed; in `shadow` it waits for a person's answer."""
    outcome: Optional[Literal["dismissed", "edited", "taken", "used", "written"]]
    """What was made of a suggestion. `taken`: a person sent it as it stood; `used`: a program did. Null: nobody decided."""
    reason: Optional[str]
    """Why nothing was said, a stable word: `no_source`."""
    text: str
    """What it says, or would have said."""
    sources: Sequence[AssistantSource]
    """What that rests on."""
    right: Optional[bool]
    """What somebody thinks of it; null: nobody said."""
    sent_message_id: Optional[int]
    """The first message that was sent of it."""
    answered_message_id: Optional[int]
    """The first message a person wrote by themselves; in `shadow` beside it."""
    model: Optional[str]
    tokens: int
    cost: int
    """In millionths of the model's currency."""
    took_ms: int


@dataclass(frozen=True)
class AssistantTurns(Model):
    """Turns, newest first."""

    data: Sequence[AssistantTurn]
    next: Optional[str]
    """For older ones; null: there are none."""


@dataclass(frozen=True)
class AssistantVersion(Model):
    """A current or earlier version of an assistant."""

    version: int
    author: str
    """Who made it: a member, or the name of a key."""
    at: datetime
    body: Optional[AssistantBody]
    """Null: it was made by a newer Lobby."""


@dataclass(frozen=True)
class AssistantVersions(Model):
    """Versions of an assistant, newest first; the last 50."""

    data: Sequence[AssistantVersion]


@dataclass(frozen=True)
class Assistants(Model):
    """The assistants of the workspace, oldest first."""

    data: Sequence[Assistant]


@dataclass(frozen=True)
class Attachment(Model):
    """A file of a message."""

    id: int
    kind: str
    name: str
    content_type: str
    """What its bytes are; empty where nobody knows yet."""
    size: Optional[int]
    """In bytes, where it is known."""
    width: Optional[int]
    """In pixels, of a picture."""
    height: Optional[int]
    url: str
    """Where to get it, with the same key."""


@dataclass(frozen=True)
class Attribute(Model):
    """An attribute of the workspace's contacts."""

    id: int
    name: str
    kind: Literal["choice", "date", "number", "text", "yes_no"]
    """What its values are. It stays."""
    choices: Optional[Sequence[str]]
    """Null: it is no choice."""


@dataclass(frozen=True)
class AttributeValue(Model):
    """A contact's value of an attribute of the workspace."""

    id: int
    """The id of the attribute."""
    name: str
    value: str
    """As text: a date as `2026-11-20`, yes and no as `yes` and `no`."""


@dataclass(frozen=True)
class Attributes(Model):
    """The attributes of the workspace, in the order they were created."""

    data: Sequence[Attribute]


@dataclass(frozen=True)
class FileRef(Model):
    """A file to send: an address to fetch it from, an upload, or a file the provider already has."""

    url: Optional[str] = None
    upload: Optional[str] = None
    provider_id: Optional[str] = None


@dataclass(frozen=True)
class AudioContent(Model):
    """An audio file."""

    audio: FileRef
    type: Literal["audio"] = field(default="audio", init=False)


@dataclass(frozen=True)
class Identity(Model):
    """A contact on one account of a channel."""

    account_id: int
    channel: str
    external_id: str
    """The provider's id; a string, whatever it looks like."""
    external_id_name: str
    """What the channel calls that id."""
    name: Optional[str]
    username: Optional[str]
    profile: Mapping[str, Any]
    """What else the provider told; depends on the channel."""
    blocked_at: Optional[datetime]
    """Since when the provider blocks them for us; null: it does not."""


@dataclass(frozen=True)
class LabelRef(Model):
    """A label of a conversation."""

    id: int
    name: str
    tone: Literal["amber", "blue", "green", "grey", "orange", "pink", "red", "teal", "violet"]
    """Its colour, by name; each has a shade for light and for dark pages."""


@dataclass(frozen=True)
class Contact(Model):
    """A person who writes to the workspace."""

    id: int
    name: Optional[str]
    email: Optional[str]
    created_at: datetime
    opted_out_at: Optional[datetime]
    """Since when they want nothing that is sent by itself; null: they have not said so."""
    opted_out_source: Optional[str]
    """How that is known; of what they wrote themselves the word, as `STOP`."""
    blocked_at: Optional[datetime]
    """Since when what they write is spam; null: it is not."""
    attributes: Sequence[AttributeValue]
    """Those they have something for."""
    labels: Sequence[LabelRef]
    """That their conversations have, by name."""
    identities: Sequence[Identity]


@dataclass(frozen=True)
class Blocked(Model):
    """A contact that was blocked or unblocked, and the providers that failed to do so."""

    contact: Contact
    problems: Sequence[str]
    """Why a provider did not do it; here it holds anyway."""


@dataclass(frozen=True)
class BulkAction(Model):
    """The progress of a bulk action."""

    id: int
    action: Literal[
        "assign", "close", "label", "open", "read", "snooze", "spam", "team", "unlabel", "unspam", "wake"
    ]
    state: Literal["done", "running", "stopped", "undoing", "undone"]
    """It runs in the background: ask again while it is `running` or `undoing`."""
    total: int
    """How many conversations it is about."""
    done: int
    """How many were looked at."""
    changed: int
    """How many became different."""
    skipped: int
    """How many could not be changed."""
    restored: int
    """How many undoing put back."""
    kept: int
    """How many undoing left alone: they changed since."""
    created_at: datetime
    undo_until: datetime


@dataclass(frozen=True)
class OpenHours(Model):
    """An opening of a day, from one time to another."""

    starts: str
    """As the clocks there show it."""
    ends: str
    """`24:00`: to the end of the day."""


@dataclass(frozen=True)
class HoursException(Model):
    """Days with hours that differ from the week."""

    first: str
    last: str
    """The same day, or up to a year later."""
    hours: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    name: str = ""
    """Why, in at most 80 letters."""
    yearly: bool = False
    """In each year from then on, where no other exception names the day."""


@dataclass(frozen=True)
class Week(Model):
    """The hours of each day of the week."""

    monday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    tuesday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    wednesday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    thursday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    friday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    saturday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""
    sunday: Sequence[OpenHours]
    """At most six that do not overlap; none: closed."""


@dataclass(frozen=True)
class BusinessHours(Model):
    """The working hours of a workspace or a team."""

    week: Optional[Week]
    """Null: none of its own. A team has those of the workspace then, and a workspace is always open."""
    exceptions: Sequence[HoursException]
    timezone: str
    """A name of the IANA list."""
    version: int
    """Grows with each change."""
    open: bool
    """Whether it is open now, by the hours that hold."""
    until: Optional[datetime]
    """When that ends; null: not within 400 days."""


@dataclass(frozen=True)
class Button(Model):
    """A button of a card: it opens `url`, or sends `payload`."""

    title: str
    url: Optional[str] = None
    payload: Optional[str] = None


@dataclass(frozen=True)
class CampaignPerson(Model):
    """A person who commented with a campaign's keyword. Listed once, even if they did so several times."""

    contact_id: int
    name: Optional[str]
    """Null: it is not known."""
    username: Optional[str]
    conversation_id: int
    """Where they wrote the word last."""
    message_id: int
    """The last message with it."""
    messages: int
    """In how many messages they wrote it."""
    at: datetime
    """When they wrote it last."""
    got: Literal["got", "had", "refused", "waits"]
    """`had`: they had it already when they wrote the word last. `waits`: the private reply is not sent yet. `refused`: it was not sent, for `reason` or `problem`."""
    reason: Optional[str]
    """Why nothing was sent, or no public answer: a stable word. Null: all was done."""
    problem: Optional[str]
    """Why the private reply failed, or what it waits for, as a sentence."""
    private_message_id: Optional[int]
    """The private reply. Null: there is none."""
    public_answer: Optional[int]
    """Which of the public answers it was, from 1. Null: none."""
    answered_at: Optional[datetime]
    """When they answered the private reply. Null: they did not yet."""


@dataclass(frozen=True)
class CampaignPeople(Model):
    """A page of the people of a campaign, the most recent comment first."""

    data: Sequence[CampaignPerson]
    next: Optional[str]
    """For earlier ones; null: there are none."""


@dataclass(frozen=True)
class CannedFile(Model):
    """A file of a canned reply."""

    id: int
    kind: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True)
class CannedReply(Model):
    """A saved reply."""

    id: int
    shortcut: str
    """Up to 32 letters, digits, dots and hyphens."""
    title: str
    texts: Mapping[str, str]
    """By language, `default` for whoever has none of them. `{{contact.name}}` and such are filled in when it is used; a person fills in what is left."""
    team: Optional[int]
    """The id of the team whose it is; null: everybody's."""
    files: Sequence[CannedFile]
    uses: int
    """How many replies were sent with it."""
    used_at: Optional[datetime]
    changed_at: datetime


@dataclass(frozen=True)
class CannedReplies(Model):
    """Shared and team replies, most used first."""

    data: Sequence[CannedReply]


@dataclass(frozen=True)
class Card(Model):
    """A card. It needs more than its title."""

    title: str
    subtitle: Optional[str] = None
    image: Optional[FileRef] = None
    url: Optional[str] = None
    buttons: Sequence[Button] = ()


@dataclass(frozen=True)
class ContactNote(Model):
    """A note of the team about a contact."""

    id: int
    text: str
    author: Optional[str]
    """A member, or the name of a key."""
    at: datetime


@dataclass(frozen=True)
class ContactNotes(Model):
    """The notes about a contact, newest first; at most 200."""

    data: Sequence[ContactNote]


@dataclass(frozen=True)
class ContactRef(Model):
    """The contact of a conversation."""

    id: int
    name: Optional[str]
    username: Optional[str]
    external_id: str
    """The provider's id; a string, whatever it looks like."""
    external_id_name: str
    """What the channel calls that id."""


@dataclass(frozen=True)
class Contacts(Model):
    """A page of contacts."""

    data: Sequence[Contact]
    next: Optional[str]
    """For the next page; null: there is none."""


@dataclass(frozen=True)
class Last(Model):
    """The last message of a conversation, briefly."""

    at: datetime
    direction: str
    kind: str
    preview: str


@dataclass(frozen=True)
class Person(Model):
    """Somebody of the team."""

    id: int
    name: str


@dataclass(frozen=True)
class Post(Model):
    """Something published at the provider that customers comment on."""

    id: int
    account_id: int
    external_id: str
    """The provider's id; a string, whatever it looks like."""
    kind: Literal["ad", "live", "other", "post", "reel", "story"]
    """`live`: a broadcast, which can be answered about privately while it goes on."""
    text: str
    """Its caption; empty where it has none, or none is known yet."""
    url: str
    """Its page, for people; may be empty."""
    owner: str
    """The handle of whom it belongs to; empty: the account."""
    published_at: Optional[datetime]
    ended_at: Optional[datetime]
    """When a broadcast was over."""
    gone_at: Optional[datetime]
    """When the provider first said it is not there."""


@dataclass(frozen=True)
class Snooze(Model):
    """The snooze of a conversation."""

    kind: Literal["fixed", "reply", "until"]
    """What ends it: `until` the time or a message from the customer; `reply` a message from the customer; `fixed` the time alone, whatever they write."""
    until: Optional[datetime] = None
    """Null with `reply`, and only there."""


@dataclass(frozen=True)
class TeamRef(Model):
    """A team of the workspace."""

    id: int
    name: str


@dataclass(frozen=True)
class Window(Model):
    """The reply window of the API."""

    state: Literal["closed", "open", "people_only", "unavailable"]
    """`people_only`: a person may, in the inbox; the API may not. `unavailable`: the channel is not active, or the account is disconnected."""
    until: Optional[datetime]
    """When that ends; null: it does not."""
    sentence: str
    """Why, where it is not open."""


@dataclass(frozen=True)
class Conversation(Model):
    """A conversation between one contact and the team on one account."""

    id: int
    status: Literal["closed", "open"]
    channel: str
    account_id: int
    channel_id: str
    """The public id of an account, a string; the last part of its webhook address."""
    contact: ContactRef
    subject: Optional[str]
    post: Optional[Post]
    """What it is about, on a channel of comments; null: no post."""
    assignee: Optional[Person]
    team: Optional[TeamRef]
    """Which looks after it, beside who has it."""
    handled_by: Literal["automation", "nobody", "person"]
    """`person`: nothing automatic is sent; `automation`: something automatic answered; `nobody`: neither, since it began or was closed."""
    unread_count: int
    """Messages nobody of the team has looked at. What one person has not read is theirs."""
    failed_count: int
    """Messages of ours that failed."""
    last_message: Last
    last_inbound_at: Optional[datetime]
    """The provider's time of the last message that opens a reply window."""
    reply_window: Window
    labels: Sequence[LabelRef]
    """By name."""
    snooze: Optional[Snooze]
    """Null: it is not put away."""
    spam: bool
    """Whether the team marked it as spam."""
    waiting_since: Optional[datetime]
    """Since when the customer waits for an answer; null: they do not."""
    due_at: Optional[datetime]
    """By when they are to be answered; null: they do not wait, or there is no time."""
    scheduled_at: Optional[datetime]
    """When the first reply goes out that waits for its time; null: none."""
    previous_id: Optional[int]
    """The conversation it goes on from, on another account; null: none."""
    next_id: Optional[int]
    """The conversation it goes on as, on another account; null: none."""
    created_at: datetime
    closed_at: Optional[datetime]


@dataclass(frozen=True)
class Conversations(Model):
    """A page of conversations, ordered by the latest message or the latest end of a snooze, newest first."""

    data: Sequence[Conversation]
    next: Optional[str]
    """For the next page; null: there is none."""


@dataclass(frozen=True)
class Try(Model):
    """One delivery attempt."""

    at: str
    status: Optional[int]
    """Null: there was no answer."""
    milliseconds: int


@dataclass(frozen=True)
class Delivery(Model):
    """One event for one endpoint."""

    id: int
    event_id: str
    """The header `webhook-id`, the same in every try."""
    event: str
    state: Literal["delivered", "given_up", "waiting"]
    attempts: int
    """Of eight, since it was last put in."""
    next_at: Optional[str]
    """When it is tried again."""
    status: Optional[int]
    words: str
    """The beginning of the last answer, or why there was none."""
    tries: Sequence[Try]
    """The newest, oldest first."""
    erased: bool
    """Whether what it told of was taken back or erased."""
    created_at: str


@dataclass(frozen=True)
class Deliveries(Model):
    """A page of the log, newest first."""

    data: Sequence[Delivery]
    before: Optional[int]
    """For what comes after this page; null: nothing does."""


@dataclass(frozen=True)
class DeliveryWithBody(Model):
    """A delivery and its body."""

    delivery: Delivery
    body: Mapping[str, Any]
    """`{event, data}`, as it would be sent now."""


@dataclass(frozen=True)
class LinkButton(Model):
    """A button that opens an address."""

    title: str
    url: str
    type: Literal["web_url"] = field(default="web_url", init=False)


@dataclass(frozen=True)
class PostbackButton(Model):
    """A button that sends a payload."""

    title: str
    payload: str
    type: Literal["postback"] = field(default="postback", init=False)


@dataclass(frozen=True)
class Element(Model):
    """A card. It needs more than its title."""

    title: str
    subtitle: Optional[str] = None
    image_url: Optional[str] = None
    buttons: Sequence[Union[LinkButton, PostbackButton]] = ()


@dataclass(frozen=True)
class Endpoint(Model):
    """An address that receives events."""

    id: int
    url: str
    events: Sequence[str]
    accounts: Sequence[int]
    labels: Sequence[int]
    both: bool
    """Get the desk's own event too where a channel has one of its own for the same, such as `message.received` beside a channel's event for a tapped button."""
    ordered: bool
    """Let an event wait until the earlier ones of its conversation got through."""
    state: Literal["active", "off", "paused"]
    reason: Optional[Literal["failing", "gone"]]
    """Why it is off: it answered 410, or nothing got through for five days."""
    failing_since: Optional[str]
    """Null: the last delivery got through."""
    old_secret_until: Optional[str]
    """Until when requests are signed with the secret before, too."""
    created_at: str


@dataclass(frozen=True)
class Endpoints(Model):
    """The endpoints of the workspace, in order of creation."""

    data: Sequence[Endpoint]


@dataclass(frozen=True)
class Event(Model):
    """One event, as webhook endpoints get it."""

    id: str
    """The same as the header `webhook-id`."""
    event: str
    data: Mapping[str, Any]
    at: str
    """When the desk noted it."""


@dataclass(frozen=True)
class Events(Model):
    """Events, in the order they happened."""

    data: Sequence[Event]
    next: str
    """For what comes after these; also where there are none."""
    more: bool
    """Whether there is more at this moment."""


@dataclass(frozen=True)
class FileContent(Model):
    """Any other file."""

    file: FileRef
    type: Literal["file"] = field(default="file", init=False)


@dataclass(frozen=True)
class FoundContact(Model):
    """A contact that was found, with its most recently active conversation."""

    contact_id: int
    conversation_id: int
    name: str
    handle: Optional[str]
    channel: str
    last_message_at: datetime


@dataclass(frozen=True)
class GenericTemplate(Model):
    """Cards side by side."""

    elements: Sequence[Element]
    type: Literal["generic"] = "generic"


@dataclass(frozen=True)
class IceBreaker(Model):
    """A question. A tap on it arrives as a message of the kind `postback`, with its payload."""

    question: str
    payload: str = ""
    """What a tap sends; else the question."""


@dataclass(frozen=True)
class IceBreakersOfAccount(Model):
    """The questions per locale. `default` is shown for locales without their own."""

    locales: Mapping[str, Sequence[IceBreaker]]
    """By locale, as `de_DE`, or `default`."""


@dataclass(frozen=True)
class ImageContent(Model):
    """A picture."""

    image: FileRef
    type: Literal["image"] = field(default="image", init=False)


@dataclass(frozen=True)
class KnowledgeEntry(Model):
    """An entry of an assistant's knowledge."""

    id: int
    kind: Literal["file", "page", "past", "pasted"]
    """Where its words come from. `past`: answers the team gave."""
    title: str
    questions: Sequence[str]
    origin: str
    """The address of its page, the name of its file, or who wrote it."""
    state: Literal["failed", "gone", "ready", "waiting"]
    """`waiting`: it is still to be read. What failed or is gone is not used."""
    problem: Optional[str]
    """Why it is not used, a stable word."""
    checked_at: datetime
    """Its age counts from then."""
    text: Optional[str] = None
    """Null in lists."""


@dataclass(frozen=True)
class Knowledge(Model):
    """The entries of an assistant's knowledge, oldest first."""

    data: Sequence[KnowledgeEntry]
    next: Optional[str]
    """For more; null: there is none."""


@dataclass(frozen=True)
class Labels(Model):
    """The labels of the workspace, by name."""

    data: Sequence[LabelRef]


@dataclass(frozen=True)
class LanguageModel(Model):
    """A language model that assistants can use. Its address and key are only on the desk's pages."""

    id: int
    name: str
    model: str
    """What its provider calls it."""
    currency: str


@dataclass(frozen=True)
class LanguageModels(Model):
    """The language models of the workspace, oldest first."""

    data: Sequence[LanguageModel]


@dataclass(frozen=True)
class LedTo(Model):
    """The private conversation that a private reply to a comment started, on the main account."""

    conversation_id: int
    message_id: int
    """The same message there."""
    read: bool
    """Whether the customer has seen it."""
    answered: bool
    """Whether the customer wrote there since."""


@dataclass(frozen=True)
class Macro(Model):
    """A shared macro: several actions at once."""

    id: int
    name: str
    steps: Sequence[Mapping[str, Any]]
    """What it does, in this order: `do`, and what that names."""
    uses: int
    used_at: Optional[datetime]


@dataclass(frozen=True)
class Macros(Model):
    """The shared macros, most used first."""

    data: Sequence[Macro]


@dataclass(frozen=True)
class Member(Model):
    """A person conversations can be assigned to."""

    id: int
    name: str
    role: str


@dataclass(frozen=True)
class Members(Model):
    """The people of the workspace, by name."""

    data: Sequence[Member]


@dataclass(frozen=True)
class MenuItem(Model):
    """A menu item: it opens `url`, or a tap arrives as a message of the kind `postback`."""

    title: str
    payload: str = ""
    """What a tap sends; else the title."""
    url: str = ""
    """An https address, instead of a payload."""


@dataclass(frozen=True)
class MenuOfAccount(Model):
    """The menu items per locale. `default` is shown for locales without their own."""

    locales: Mapping[str, Sequence[MenuItem]]
    """By locale, as `de_DE`, or `default`."""


@dataclass(frozen=True)
class Merged(Model):
    """Two merged contacts."""

    id: int
    """Of the merge, to take it back by."""
    contact: Contact
    other: int
    """The contact that is a part of it now."""


@dataclass(frozen=True)
class Problem(Model):
    """The reason why a message was not sent."""

    code: str
    sentence: str
    cause: str
    """What it most likely comes from; may be empty."""
    next_step: str
    raw: str
    """The provider's words."""


@dataclass(frozen=True)
class Moderation(Model):
    """The state of a customer's message at the provider, as set by the team."""

    state: Literal["deleted", "hidden", "shown"]
    """How it stands, as far as the provider confirmed it."""
    wanted: Literal["deleted", "hidden", "shown"]
    """How the team wants it to stand."""
    delivery: Literal["failed", "queued", "sent"]
    """What became of the last wish."""
    author: Optional[str]
    """Who did it: of the team, or a rule or a key."""
    at: datetime
    error: Optional[Problem]


@dataclass(frozen=True)
class Quote(Model):
    """The message another one quotes."""

    external_id: str
    """The provider's id; a string, whatever it looks like."""
    message_id: Optional[int]
    """Null for one this desk does not have."""


@dataclass(frozen=True)
class Reaction(Model):
    """A reaction of one side to a message. Each side has at most one."""

    actor: str
    emoji: str
    name: str
    """What the provider calls it."""
    author: Optional[str]
    """Who of the team put it there."""
    state: Optional[Literal["failed", "queued", "sending", "sent", "unknown"]]
    """Of one of ours."""


@dataclass(frozen=True)
class Waiting(Model):
    """The reason why a message waits to be sent."""

    sentence: str
    until: Optional[datetime]


@dataclass(frozen=True)
class Message(Model):
    """A message as the provider knows it, a note, or a line about activity."""

    id: int
    conversation_id: int
    account_id: int
    external_id: Optional[str]
    direction: Literal["inbound", "internal", "outbound"]
    """`internal`: seen by the team only, a note or a line that says what was done."""
    origin: str
    """Who made it: `customer`, `agent`, `api`, `system`, or `provider` for what was written in the provider's own app."""
    kind: str
    """What it is; kinds may be added."""
    text: str
    content: Mapping[str, Any]
    """What the kind needs beyond its text. `imported` is true of what was read from the provider's history."""
    attachments: Sequence[Attachment]
    reactions: Sequence[Reaction]
    reply_to: Optional[Quote]
    """The message it quotes, or answers below a post."""
    private: bool
    """Whether it is the one private reply to `replyTo`, which stands below a post."""
    moderation: Optional[Moderation]
    """Null: nobody of the team hid or deleted it at the provider."""
    led_to: Optional[LedTo]
    """Of a private reply: where it is read. Null: not known yet."""
    author: Optional[Person]
    """Who of the team wrote it."""
    state: Optional[Literal["cancelled", "failed", "queued", "read", "sending", "sent", "unknown"]]
    """Of an outbound message. `unknown`: the provider neither confirmed nor refused it. `cancelled`: it was taken back before it left."""
    error: Optional[Problem]
    waiting: Optional[Waiting]
    edited_at: Optional[datetime]
    """When its text was last changed."""
    edit_count: int
    unsent_at: Optional[datetime]
    """When it was taken back, or its contact erased. Of what it said nothing is left."""
    send_at: Optional[datetime]
    """When it goes out at the earliest, while it waits: the time it is for, or until when a person can undo it."""
    sent_at: datetime
    """The provider's time, by which a thread is sorted. Of ours, when they were handed to the provider; while one waits, when it was written, or the time it is for."""
    created_at: datetime
    """When it was written, or came."""


@dataclass(frozen=True)
class Messages(Model):
    """A page of a conversation, oldest first."""

    data: Sequence[Message]
    before: Optional[str]
    """For what comes before this page; null for an empty one."""
    after: Optional[str]
    """For what comes after this page; null for an empty one."""
    has_before: bool
    """Whether anything comes before."""
    has_after: bool
    """Whether anything comes after, at this moment."""


@dataclass(frozen=True)
class OfferedReply(Model):
    """An answer offered below a text."""

    content_type: Literal["text", "user_email", "user_phone_number"] = "text"
    """Other than `text`: it has no title, and a tap sends the customer's own. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""
    title: Optional[str] = None
    payload: str = ""
    """What comes back; else the title."""


@dataclass(frozen=True)
class PlayedThere(Model):
    """Restrictions of the account."""

    account: str
    person_button: bool
    """Whether *Talk to a person* would go along."""
    writes: bool
    """Whether a program might write, had the customer written now."""
    until: Optional[datetime]
    """When that would end; null: it would not."""


@dataclass(frozen=True)
class PlayedUse(Model):
    """A tool call. Tools that do more than read are not run."""

    tool: str
    arguments: Mapping[str, Any]
    told: str
    """What the model was told."""
    took_ms: int


@dataclass(frozen=True)
class PlayedAnswer(Model):
    """The answer an assistant would give."""

    outcome: Literal["answers", "failed", "hands_over"]
    """`hands_over`: people would get it. `failed`: something went wrong."""
    reason: Optional[str]
    """Why it would say nothing, a stable word: `no_source`."""
    because: str
    """What the model says about that, for the team."""
    text: str
    """What it would say; empty: nothing."""
    sources: Sequence[AssistantSource]
    """What that rests on."""
    weighed: int
    """How many sources it was given."""
    offers: Sequence[str]
    """Topics it would offer as buttons."""
    tools: Sequence[PlayedUse]
    """What it asked of tools."""
    model: Optional[str]
    """Null: it asked none."""
    tokens: int
    cost: int
    """In millionths of `currency`."""
    currency: Optional[str]
    """Null: it has no model."""
    took_ms: int
    there: Optional[PlayedThere]
    """Null: it was played on no account."""


@dataclass(frozen=True)
class Posts(Model):
    """A page of posts, the most recently active first."""

    data: Sequence[Post]
    next: Optional[str]
    """For the next page; null: there is none."""


@dataclass(frozen=True)
class QuickReply(Model):
    """A quick reply offered below a text: a title, or with `ask` a contact detail the provider knows."""

    title: Optional[str] = None
    payload: str = ""
    """What comes back; else the title."""
    ask: Optional[str] = None
    """Instead of a title. A tap sends the customer's own number or address. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""


@dataclass(frozen=True)
class Replayed(Model):
    """The number of deliveries sent again."""

    count: int
    next: Optional[str] = None
    """There is more: ask again with this as `since`."""


@dataclass(frozen=True)
class RuleCounts(Model):
    """Counts of a rule's runs in the last 24 hours, by outcome."""

    did: int
    """How often it did all it says."""
    refused: int
    """How often something of it was not done."""
    shadow: int
    """How often it would have done something."""
    missed: int
    """How often it did nothing although its first condition held."""


@dataclass(frozen=True)
class Rule(Model):
    """A rule: when an event happens, if the conditions are met, then run the actions."""

    id: int
    name: str
    """At most 40 letters."""
    state: Literal["draft", "live", "off", "shadow"]
    """`shadow`: it notes what it would have done, and does nothing. `draft` and `off`: it is not asked."""
    state_at: datetime
    """Since when it is in this state."""
    version: int
    """Grows with each change of `body`."""
    author: str
    """Who made that version: a member, or the name of a key."""
    changed_at: datetime
    body: Optional[Mapping[str, Any]]
    """Null: it was made by a newer Lobby, and is not asked here."""
    gone: Optional[str]
    """The place of something it names that is gone: `body.actions[0]`. Null: nothing is."""
    counts: RuleCounts


@dataclass(frozen=True)
class RuleAction(Model):
    """Result of one action of a run. Actions are listed in order."""

    action: str
    """What it does, as `do` in the rule."""
    reason: Optional[str]
    """Why it was not done, a stable word; null: it was, or would have been."""


@dataclass(frozen=True)
class RuleCondition(Model):
    """Result of one condition of a run. Conditions are listed in order."""

    holds: Optional[bool]
    """Null: it was not asked, for one before it did not hold."""
    saw: str
    """What it saw, a word or an id: `label:3`. Never what a customer wrote."""
    which: Optional[int]
    """Of a group (`any`) the one of it that decided, from 0; null: it is no group."""


@dataclass(frozen=True)
class RuleRun(Model):
    """A run of a rule: one evaluation and its outcome."""

    id: int
    at: datetime
    conversation_id: int
    contact_name: Optional[str]
    version: int
    """Which version of the rule was asked."""
    outcome: Optional[Literal["did", "refused", "shadow"]]
    """`refused`: something of it was not done. Null: it did nothing, for `reason`, though its first condition held. What failed at that is not noted."""
    reason: Optional[str]
    """A stable word: `condition`, `once`, or why an action was not done."""
    conditions: Sequence[RuleCondition]
    actions: Sequence[RuleAction]


@dataclass(frozen=True)
class RuleRuns(Model):
    """A page of a rule's runs, newest first."""

    data: Sequence[RuleRun]
    next: Optional[str]
    """For older ones; null: there are none."""


@dataclass(frozen=True)
class Rules(Model):
    """The rules of the workspace, in the order in which they are evaluated."""

    data: Sequence[Rule]


@dataclass(frozen=True)
class SearchHit(Model):
    """A message that was found."""

    message: Message
    excerpt: str
    """The part of it that shows why, as plain text."""
    marks: Sequence[Sequence[int]]
    """Where in the excerpt the words are: the first letter of each and the one behind."""


@dataclass(frozen=True)
class SearchResults(Model):
    """Search results, the newest message first."""

    data: Sequence[SearchHit]
    contacts: Sequence[FoundContact]
    """By the words of the query, where it has no filters; on the first page alone."""
    next: Optional[str]
    """For what comes after these; null: that was all."""
    stopped: bool
    """The time of a search was over before the page was full: `next` goes on from there."""
    unknown: Sequence[str]
    """Filters that name nothing there is, so that nothing fits."""
    shortened: bool
    """More was asked for than is looked for."""
    complete: bool
    """False while older messages are still being made findable."""


@dataclass(frozen=True)
class SendAudio(Model):
    """Audio files, each sent as its own message."""

    files: Sequence[FileRef]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["audio"] = field(default="audio", init=False)


@dataclass(frozen=True)
class SendButtons(Model):
    """A text with buttons below it."""

    text: str
    buttons: Sequence[Button]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["buttons"] = field(default="buttons", init=False)


@dataclass(frozen=True)
class StickerRef(Model):
    """A reference to a sticker."""

    id: Literal["heart", "like"]
    """Both are the heart."""


@dataclass(frozen=True)
class StickerContent(Model):
    """A sticker."""

    sticker: StickerRef
    type: Literal["sticker"] = field(default="sticker", init=False)


@dataclass(frozen=True)
class TemplateContent(Model):
    """Cards side by side."""

    template: GenericTemplate
    type: Literal["template"] = field(default="template", init=False)


@dataclass(frozen=True)
class TextContent(Model):
    """A text."""

    text: str
    quick_replies: Sequence[OfferedReply] = ()
    type: Literal["text"] = field(default="text", init=False)


@dataclass(frozen=True)
class VideoContent(Model):
    """A video."""

    video: FileRef
    type: Literal["video"] = field(default="video", init=False)


@dataclass(frozen=True)
class SendContent(Model):
    """A content for the customer `to` of a channel. Field names in snake_case are accepted, too."""

    channel_id: str
    """The public id of an account, a string; the last part of its webhook address."""
    to: str
    """The contact's external id."""
    content: Union[
        TextContent, ImageContent, VideoContent, AudioContent, FileContent, StickerContent, TemplateContent
    ]


@dataclass(frozen=True)
class SendFile(Model):
    """Other files, each sent as its own message."""

    files: Sequence[FileRef]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["file"] = field(default="file", init=False)


@dataclass(frozen=True)
class SendImage(Model):
    """One or more pictures. Those a channel accepts together become one message."""

    files: Sequence[FileRef]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["image"] = field(default="image", init=False)


@dataclass(frozen=True)
class SendPost(Model):
    """A post of the account itself."""

    post: str
    """Its id, or its address."""
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["post"] = field(default="post", init=False)


@dataclass(frozen=True)
class SendProduct(Model):
    """Products of the account's catalogue."""

    products: Sequence[str]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["product"] = field(default="product", init=False)


@dataclass(frozen=True)
class SendSticker(Model):
    """A sticker."""

    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    sticker: Literal["heart"] = "heart"
    kind: Literal["sticker"] = field(default="sticker", init=False)


@dataclass(frozen=True)
class SendTemplate(Model):
    """Cards side by side."""

    elements: Sequence[Card]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["template"] = field(default="template", init=False)


@dataclass(frozen=True)
class SendText(Model):
    """A text."""

    text: str
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    overflow: Literal["reject", "split", "truncate"] = "split"
    """What to do with a text longer than one message of the channel."""
    files: Sequence[FileRef] = ()
    """They go along: in one message where the channel has `textWithFiles`, else first."""
    quick_replies: Sequence[QuickReply] = ()
    private: bool = False
    """To the author of `replyTo` alone, as the one private reply to it: below posts, where everything else is public."""
    kind: Literal["text"] = field(default="text", init=False)


@dataclass(frozen=True)
class SendVideo(Model):
    """Videos, each sent as its own message."""

    files: Sequence[FileRef]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know of. If the team has answered since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Not before this time. It has to lie ahead, by 60 days at most, in a reply window that is open for everybody then."""
    unless_written: bool = True
    """With `sendAt`: it stays here if the customer writes first."""
    cc: Sequence[str] = ()
    """Who else gets it, in view of all, where the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Who else gets it, unseen by the others."""
    own_address: Optional[str] = None
    kind: Literal["video"] = field(default="video", init=False)


@dataclass(frozen=True)
class Sent(Model):
    """The messages created by a send, in the order they are sent."""

    data: Sequence[Message]


@dataclass(frozen=True)
class Started(Model):
    """The conversation that was started, and its first messages."""

    conversation: Conversation
    messages: Sequence[Message]


@dataclass(frozen=True)
class TeamMember(Model):
    """A member of a team."""

    id: int
    name: str
    lead: bool
    """Whether they lead it, and so change its members."""


@dataclass(frozen=True)
class Team(Model):
    """A group of members that conversations can be assigned to."""

    id: int
    name: str
    members: Sequence[TeamMember]
    """Whoever leads it first, then by name."""
    accounts: Sequence[int]
    """The ids of the accounts it looks after."""
    open_count: int
    """Its open conversations, snoozed ones and spam too."""


@dataclass(frozen=True)
class Teams(Model):
    """The teams of the workspace, by name."""

    data: Sequence[Team]


@dataclass(frozen=True)
class TriedCase(Model):
    """The result of trying a case."""

    case_id: int
    passed: Optional[bool]
    """Null: it could not be tried, see `problem`."""
    answer: str
    hands_over: bool
    problem: Optional[str]
    """A stable word, such as `model_timeout`."""


@dataclass(frozen=True)
class TriedCases(Model):
    """The results of trying cases, as many as fit into 20 seconds."""

    data: Sequence[TriedCase]
    left: int
    """How many are left: ask again."""


@dataclass(frozen=True)
class TriedTool(Model):
    """The result of trying a tool."""

    good: bool
    """Whether it answered as it should."""
    said: str
    """What a model would be told, or why it failed; no secret."""
    took_ms: int


@dataclass(frozen=True)
class Upload(Model):
    """An uploaded file that waits to be sent. It is deleted after a day."""

    id: str
    """To be named in a message, once."""
    kind: str
    """The kind of message it can be sent as."""
    name: str
    content_type: str
    """As found in its bytes."""
    size: int
    """In bytes; a picture has lost what the camera wrote into it."""
    width: Optional[int]
    height: Optional[int]


@dataclass(frozen=True)
class View(Model):
    """A saved view that the workspace shares."""

    id: int
    name: str
    condition: Mapping[str, Any]
    """The fields of its filter that matter; of a search `search`, its text."""


@dataclass(frozen=True)
class Views(Model):
    """The shared views, in their order."""

    data: Sequence[View]


@dataclass(frozen=True)
class WithSecret(Model):
    """An endpoint and its new secret, which is not shown again."""

    endpoint: Endpoint
    secret: str = field(repr=False)
    """`whsec_…`: what every request is signed with."""
