"""Types of the API's bodies and answers.

Made by tools/generate.py: do not edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Optional, Union

from lobby_client._model import Model
from lobby_client.events import EventChoice, EventName
from lobby_client.params import RuleBody, SequenceBody


@dataclass(frozen=True)
class ButtonsLimits(Model):
    """A text with buttons. Lengths are in characters."""

    text_length: int
    buttons: int
    title_length: int
    payload_length: int
    unique: bool
    """Whether titles and payloads of answers must differ."""


@dataclass(frozen=True)
class CaptionLimits(Model):
    """A text below a file, in one message with it."""

    length: int
    """In `textLimitUnit`."""
    kinds: Sequence[str]
    """Kinds of files that can have one."""


@dataclass(frozen=True)
class CustomKind(Model):
    """A kind of message that only one channel has."""

    name: str
    """Value of `content.custom.kind`."""
    label: str
    data_schema: Mapping[str, Any]
    """JSON Schema of `content.custom.data`."""


@dataclass(frozen=True)
class FileLimits(Model):
    """Files of one kind."""

    content_types: Sequence[str]
    """Empty: any type."""
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
    """Values of `ask`."""
    unique: bool
    """Whether titles and payloads must differ."""


@dataclass(frozen=True)
class PrivateReplyLimits(Model):
    """The one message that may go to the author of a public message alone."""

    text_limit_bytes: int
    quick_replies: Optional[QuickReplyLimits]
    per_hour: Optional[int]
    """Limit of the provider; null: not known."""


@dataclass(frozen=True)
class TemplateLimits(Model):
    """Cards side by side. Lengths are in characters."""

    elements: int
    buttons: int
    """Per card."""
    title_length: int
    subtitle_length: int
    button_title_length: int
    payload_length: int


@dataclass(frozen=True)
class Capabilities(Model):
    """The kinds of messages that can be sent, and their limits."""

    kinds: Sequence[str]
    """Values of `kind` for messages to send."""
    text_limit_bytes: Optional[int]
    """Per message, in `textLimitUnit`."""
    text_limit_unit: str
    """`bytes` of UTF-8, `characters` of Unicode, or code units of `utf16`."""
    files: Mapping[str, FileLimits]
    """By kind."""
    images_per_message: int
    text_with_files: bool
    """Whether a text and its files are one message."""
    captions: Optional[CaptionLimits]
    """The text of a message with a file, as its caption; null: it is sent after it."""
    files_bytes: Optional[int]
    """Total size of the files of one message."""
    formatting: bool
    """Whether `**bold**`, `*italic*`, lists, links and quotes are formatted."""
    can_start: bool
    """Whether the team can write to a contact first."""
    copies: Optional[int]
    """Maximum number of `cc` and `bcc` recipients together; null: not supported."""
    forwards: bool
    """Whether accounts of this channel can forward messages."""
    quick_replies: Optional[QuickReplyLimits]
    template: Optional[TemplateLimits]
    buttons: Optional[ButtonsLimits]
    most_products: Optional[int]
    provider_files: bool
    """Whether a file can be sent by its provider id."""
    reply_quote: bool
    """Whether a message can quote an earlier one."""
    reactions: Optional[Sequence[str]]
    """Emoji to react with; empty: any; null: not supported."""
    typing: bool
    """Whether a typing indicator is supported."""
    mark_seen: bool
    """Whether read receipts are supported."""
    ice_breakers: Optional[IceBreakerLimits]
    menu: Optional[MenuLimits]
    thread_control: bool
    """Whether a conversation can be taken from another app, and passed to one."""
    thread_release: bool
    """Whether a conversation can be released, so that the provider chooses who answers."""
    blocks: bool
    """Whether the provider can be asked to block a customer."""
    public: bool
    """Whether messages are public, each as a reply to one message."""
    private_only: Sequence[str]
    """Kinds of post whose comments can't be answered publicly."""
    private_replies: Optional[PrivateReplyLimits]
    """Limits of the one private reply to a message; null: not supported."""
    moderation: Sequence[str]
    """Supported actions on a customer's message: `hide`, `delete`."""
    mobile_only: Sequence[str]
    """Kinds that are only shown in the provider's mobile app."""
    custom_kinds: Sequence[CustomKind]
    """Kinds of messages that only this channel has."""


@dataclass(frozen=True)
class Account(Model):
    """An account of a channel that the workspace connected."""

    id: int
    """An id from this API."""
    channel_id: str
    """The public id of an account, a string; the last part of its webhook address."""
    channel: str
    channel_name: str
    external_id: str
    """The provider's id, always a string."""
    name: str
    handle: str
    state: Literal["connected", "disconnected", "needs_reconnect"]
    active: bool
    """Whether the addon that brings the channel is active."""
    capabilities: Optional[Capabilities]
    """Null while the channel is not active."""
    own_addresses: Sequence[str]
    """Addresses its messages can be sent from, if there are several; its own first."""
    connected_at: datetime
    disconnected_at: Optional[datetime]
    last_event_at: Optional[datetime]
    reply_target: Optional[int]
    """Response time in minutes; null: none."""


@dataclass(frozen=True)
class Away(Model):
    """The message sent once per absence, outside working hours."""

    on: bool
    """The text is kept while it is off."""
    text: str = ""
    """Variables in double braces, each with a fallback."""


@dataclass(frozen=True)
class Greeting(Model):
    """The message sent once to new customers, and to those who were silent for long."""

    on: bool
    """The text is kept while it is off."""
    text: str = ""
    """Variables in double braces, each with a fallback."""
    silence_days: int = 30
    """Days without a message after which customers are greeted again."""
    after: Sequence[Literal["mention", "message", "story_reply", "tap"]] = ()
    """Message types that trigger it. Empty: all except a mention without text."""


@dataclass(frozen=True)
class Routing(Model):
    """The assignment of new conversations."""

    on: bool
    team: Optional[int] = None
    """The id of the team, whose hours apply to the account."""
    to_person: bool = True
    """Assign it to the team member on duty who has waited longest. Otherwise it waits with the team."""
    to_last: bool = True
    """Assign returning customers to the person who wrote with them last, if on duty."""


@dataclass(frozen=True)
class AccountAutomation(Model):
    """The automation settings of an account."""

    greeting: Greeting
    away: Away
    routing: Routing
    version: int
    """Increases with each change."""


@dataclass(frozen=True)
class Accounts(Model):
    """The accounts of the workspace, by channel and name."""

    data: Sequence[Account]


@dataclass(frozen=True)
class Took(Model):
    """A duration in whole seconds; null if it was not measured."""

    count: int
    """Number of durations measured."""
    half_within: Optional[int]
    """The median."""
    nine_in_ten_within: Optional[int]
    """The 90th percentile."""


@dataclass(frozen=True)
class Numbers(Model):
    """The figures of one period. Figures of what customers do are null for one person."""

    received: Optional[int]
    """Messages of customers."""
    sent: int
    """Messages of the team that the provider accepted."""
    created: Optional[int]
    """Conversations started."""
    reopened: int
    """Conversations reopened."""
    closed: int
    """Conversations closed."""
    first_response: Took
    """Time until the team's first response."""
    next_responses: Took
    """Time until each later response."""
    resolution: Took
    """Time from start or reopening until closed."""
    windows_missed: int
    """Reply windows that ended without a response."""
    answers_with_target: int
    """Responses on accounts that had a response time when the customer wrote."""
    answers_in_time: int
    """Number of these that were on time."""
    sent_automatically: int
    """Number of `sent` that automation sent, without campaigns."""
    sent_by_campaigns: int
    """Number of `sent` that campaigns sent."""
    closed_automatically: int
    """Number of `closed` that automation and campaigns closed."""


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
    """Figures of the preceding days, as many; null: counting began later."""
    windows: int
    """Reply windows that ended, missed or not."""
    series: Sequence[Step]
    """Each day or hour, earliest first."""
    counting_since: Optional[str]
    """Null: nothing counted yet."""


@dataclass(frozen=True)
class ApprovedButton(Model):
    """A button. It opens `url` or calls `phone`; with neither, a tap sends its title."""

    title: str
    url: str
    phone: str


@dataclass(frozen=True)
class ApprovedHeader(Model):
    """The part above the text: a text, or one file of another `kind`."""

    kind: str
    """`text`, `image`, `video` or `file`. More can be added."""
    text: str


@dataclass(frozen=True)
class ApprovedParameter(Model):
    """A parameter to fill in. The template's texts contain it as `{{key}}`."""

    key: str
    label: str
    """Its name for people."""
    example: str
    max_length: int
    """Maximum characters of its value."""


@dataclass(frozen=True)
class ApprovedTemplate(Model):
    """A template at the provider, in one language."""

    id: str
    """The provider's id, `templateId` of a message."""
    name: str
    language: str
    """BCP 47 tag, such as `pt-BR`."""
    state: Literal["approved", "disabled", "paused", "pending", "rejected"]
    reason: str
    """Why it can't be sent; empty if it can."""
    category: str
    """The provider's category; empty: unknown."""
    price: str
    """What a message costs, for people; empty: unknown."""
    promotional: bool
    """Whether it advertises something."""
    header: Optional[ApprovedHeader]
    body: str
    footer: str
    buttons: Sequence[ApprovedButton]
    parameters: Sequence[ApprovedParameter]


@dataclass(frozen=True)
class ApprovedTemplates(Model):
    """A page of templates, in the provider's order."""

    data: Sequence[ApprovedTemplate]
    next: Optional[str]
    """Cursor for the next page; null on the last."""


@dataclass(frozen=True)
class AssistantCap(Model):
    """Limits for a conversation, a day or a month."""

    turns: int = 0
    """0: no limit."""
    tokens: int = 0
    """0: no limit."""
    money: int = 0
    """In millionths of the model's currency; 0: no limit."""


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
    """Time limit for one answer in seconds, 5 to 60."""
    calls: int
    """Maximum tool calls for one answer, 0 to 10."""


@dataclass(frozen=True)
class AssistantBody(Model):
    """The content of one version of an assistant."""

    prompt: str
    """Instructions for writing."""
    announces: bool
    """Whether its first answer says that it is automatic."""
    announcement: str
    """The announcement. Empty: the default."""
    tells_handoff: bool
    """Whether customers are told when it hands off."""
    handoff: str
    """The message at a handoff. Empty: the default."""
    phrases: Sequence[str]
    """Phrases allowed without a source."""
    pause: int
    """Seconds to wait after the customer's last message."""
    limits: AssistantLimits
    tools: Sequence[str]
    """Built-in tools it can use, and those of addons."""


@dataclass(frozen=True)
class AssistantPlace(Model):
    """The mode of an assistant on an account."""

    account_id: int
    """An id from this API."""
    channel: str
    name: str
    """The account's name, as it must be typed."""
    mode: Literal["answer", "off", "shadow", "suggest"]
    """`shadow`: its answers are hidden and compared with people's answers. `suggest`: people see them. `answer`: it answers automatically."""
    answers_on: Sequence[Literal["mention", "message", "story_reply", "tap"]]
    """Message types it answers."""
    needed: int
    """Suggestions that must be accepted before it can answer."""
    earned: int
    """Suggestions accepted unchanged or rated right. Those sent by programs don't count."""
    opened_by: Optional[str]
    """Who allowed it to answer before enough suggestions were accepted; null: nobody."""
    changed_at: datetime


@dataclass(frozen=True)
class Assistant(Model):
    """An assistant that answers customers from its knowledge."""

    id: int
    """An id from this API."""
    name: str
    """At most 40 characters."""
    version: int
    """Increases with each change of `body`."""
    changed_at: datetime
    stopped_at: Optional[datetime]
    """Null: it is not stopped."""
    model_id: Optional[int]
    """Null: it uses no model and offers topics."""
    body: Optional[AssistantBody]
    """Null: created by a newer version of Lobby."""
    accounts: Sequence[AssistantPlace]
    """The accounts where it is not off."""


@dataclass(frozen=True)
class AssistantCase(Model):
    """A question with a description of a good answer."""

    id: int
    """An id from this API."""
    question: str
    hands_over: bool
    """Whether a person should answer it. Words are then ignored."""
    says: Sequence[str]
    """Words that a good answer contains, all of them."""
    never_says: Sequence[str]
    """Words that it never contains."""
    passed: Optional[bool]
    """Null: not run yet."""
    tried_version: Optional[int]
    """The version of the assistant it was run with; null: none."""
    answer: str
    """The answer of that version; empty: none."""
    conversation_id: Optional[int]
    """Where it was asked. It is erased with that conversation."""


@dataclass(frozen=True)
class AssistantCases(Model):
    """Cases of an assistant, oldest first; at most 200."""

    data: Sequence[AssistantCase]
    next: Optional[str]
    """Cursor for more; null: there are none."""


@dataclass(frozen=True)
class AssistantCounts(Model):
    """Number of turns by outcome."""

    suggested: int
    """Shown to people."""
    taken: int
    """Sent unchanged by people."""
    edited: int
    written: int
    """A person wrote something else."""
    dismissed: int
    used: int
    """Sent unchanged by programs."""
    answered: int
    """Sent automatically."""
    shadow: int
    """In shadow mode."""
    handed_over: int
    failed: int
    right: int
    """Rated right by a person."""
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
    """Oldest first; today is last."""
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
    """Its place in the entry; empty: not specific."""
    entry_id: Optional[int]
    """Null: not a knowledge entry."""
    at: Optional[str]
    """Its time, in ISO 8601; null: current at that moment."""
    citations: Sequence[int]
    """The places in `text` that cite it, as offsets in code points. Empty: the model cited none."""


@dataclass(frozen=True)
class AssistantTool(Model):
    """Another program that an assistant can call. Its secret is never shown."""

    id: int
    """An id from this API."""
    name: str
    """The name the model uses."""
    title: str
    about: str
    """When the assistant should use it."""
    url: str
    parameters: Mapping[str, Any]
    header: str
    """The header that carries its secret."""
    has_secret: bool
    effect: Literal["asks", "reads", "reversible"]
    """`reads`: it looks something up. `reversible`: a person can undo it easily. `asks`: everything else; a person approves each use."""
    uses: int
    """Number of calls in 30 days."""
    failed: int
    """Number of those calls that failed."""
    created_at: datetime


@dataclass(frozen=True)
class AssistantToolCall(Model):
    """The use of a tool by an assistant."""

    id: int
    """An id from this API."""
    turn_id: int
    """An id from this API."""
    tool: str
    """Its name, as in the assistant's `tools`, or a built-in one."""
    arguments: Mapping[str, Any]
    """What it is called with."""
    state: Literal["allowed", "asked", "begun", "done", "failed", "refused"]
    """`asked`: it waits for a person's decision; `begun` without a later state: it isn't known whether it was done."""
    result: str
    """What the tool answered, or why it failed; empty before."""
    at: datetime


@dataclass(frozen=True)
class AssistantToolCalls(Model):
    """The tool calls of a conversation, newest first; at most 100."""

    data: Sequence[AssistantToolCall]


@dataclass(frozen=True)
class AssistantTools(Model):
    """An assistant's tools that are other programs, in the order they were added; at most 20."""

    data: Sequence[AssistantTool]


@dataclass(frozen=True)
class AssistantTurn(Model):
    """Everything a customer wrote since the last answer, and the assistant's answer."""

    id: int
    """An id from this API."""
    at: datetime
    assistant_id: int
    """An id from this API."""
    version: int
    """The version of the assistant."""
    account_id: int
    """An id from this API."""
    conversation_id: int
    """An id from this API."""
    message_id: int
    """The customer's newest message in this turn."""
    mode: Literal["answer", "shadow", "suggest"]
    state: Literal["discarded", "dismissed", "failed", "handed_over", "ready", "sent", "thinking", "waiting"]
    """`ready`: it can be accepted or dismissed; in `shadow`, it waits for a person's answer."""
    outcome: Optional[Literal["dismissed", "edited", "taken", "used", "written"]]
    """What happened to the suggestion. `taken`: a person sent it unchanged; `used`: a program did. Null: nobody has decided."""
    reason: Optional[str]
    """Why there is no answer, as a stable word such as `no_source`."""
    text: str
    """The answer, or what it would have been."""
    sources: Sequence[AssistantSource]
    """The sources of the answer."""
    right: Optional[bool]
    """A person's rating; null: not rated."""
    sent_message_id: Optional[int]
    """The first message sent from it."""
    answered_message_id: Optional[int]
    """The first message a person wrote instead; in `shadow`, for comparison."""
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
    """Cursor for older runs; null: there are none."""


@dataclass(frozen=True)
class AssistantVersion(Model):
    """A current or earlier version of an assistant."""

    version: int
    author: str
    """A member, or the name of an API key."""
    at: datetime
    body: Optional[AssistantBody]
    """Null: created by a newer version of Lobby."""


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
    """An id from this API."""
    kind: str
    name: str
    content_type: str
    """Detected from its bytes; empty if not known yet."""
    size: Optional[int]
    """In bytes, if known."""
    width: Optional[int]
    """In pixels, for a picture."""
    height: Optional[int]
    url: str
    """URL to download it with the same key."""


@dataclass(frozen=True)
class Attribute(Model):
    """An attribute of the workspace's contacts."""

    id: int
    """An id from this API."""
    name: str
    kind: Literal["choice", "date", "number", "text", "yes_no"]
    """The type of its values. It can't be changed."""
    choices: Optional[Sequence[str]]
    """Null: not a choice."""


@dataclass(frozen=True)
class AttributeValue(Model):
    """A contact's value of an attribute of the workspace."""

    id: int
    """The id of the attribute."""
    name: str
    value: str
    """As text: dates as `2026-11-20`, yes or no as `yes` and `no`."""


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
    """An id of a contact on one account of a channel. There may be several on the same account."""

    account_id: int
    """An id from this API."""
    channel: str
    external_id: str
    """The provider's id, always a string."""
    external_id_name: str
    """The channel's name for that id."""
    primary: bool
    """Whether messages to them on this account go to this id. Their name, profile and block are with this one."""
    kind: Optional[Literal["former", "lasting", "passing"]]
    """`lasting`: never means anybody else; `passing`: may become somebody else's, such as a phone number; `former`: another of their ids replaced it, or somebody else has it; null: the provider did not say."""
    since: Optional[datetime]
    """Since when it is known to be theirs; null: a `former` one."""
    until: Optional[datetime]
    """Until when a `former` one was theirs."""
    name: Optional[str]
    username: Optional[str]
    profile: Mapping[str, Any]
    """Other data from the provider; depends on the channel."""
    blocked_at: Optional[datetime]
    """When they were blocked at the provider; null: not blocked."""


@dataclass(frozen=True)
class LabelRef(Model):
    """A label of a conversation."""

    id: int
    """An id from this API."""
    name: str
    tone: Literal["amber", "blue", "green", "grey", "orange", "pink", "red", "teal", "violet"]
    """Name of its color."""


@dataclass(frozen=True)
class Contact(Model):
    """A person who writes to the workspace."""

    id: int
    """An id from this API."""
    name: Optional[str]
    email: Optional[str]
    created_at: datetime
    opted_out_at: Optional[datetime]
    """When they opted out of automated messages; null: they did not."""
    opted_out_source: Optional[str]
    """How that is known; if they wrote it themselves, the word, such as `STOP`."""
    blocked_at: Optional[datetime]
    """When they were blocked, so that their messages go to spam; null: not blocked."""
    attributes: Sequence[AttributeValue]
    """Attributes that have a value."""
    labels: Sequence[LabelRef]
    """Labels of their conversations, by name."""
    identities: Sequence[Identity]


@dataclass(frozen=True)
class Blocked(Model):
    """A contact that was blocked or unblocked, and the providers that failed to do so."""

    contact: Contact
    problems: Sequence[str]
    """Why a provider failed. The change applies in Lobby anyway."""


@dataclass(frozen=True)
class BulkAction(Model):
    """The progress of a bulk action."""

    id: int
    """An id from this API."""
    action: Literal[
        "assign", "close", "label", "open", "read", "snooze", "spam", "team", "unlabel", "unspam", "wake"
    ]
    state: Literal["done", "running", "stopped", "undoing", "undone"]
    """It runs in the background: poll while it is `running` or `undoing`."""
    total: int
    """Number of conversations to change."""
    done: int
    """Number of conversations processed."""
    changed: int
    """Number of conversations changed."""
    skipped: int
    """Number of conversations that could not be changed."""
    restored: int
    """Number of conversations restored by the undo."""
    kept: int
    """Number of conversations not restored because they changed since."""
    created_at: datetime
    undo_until: datetime


@dataclass(frozen=True)
class OpenHours(Model):
    """An opening of a day, from one time to another."""

    starts: str
    """Local time."""
    ends: str
    """`24:00`: to the end of the day."""


@dataclass(frozen=True)
class HoursException(Model):
    """Days with hours that differ from the week."""

    first: str
    last: str
    """The same day, or up to a year later."""
    hours: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    name: str = ""
    """The reason, in at most 80 characters."""
    yearly: bool = False
    """Repeats each year, unless another exception covers the day."""


@dataclass(frozen=True)
class Week(Model):
    """The hours of each day of the week."""

    monday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    tuesday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    wednesday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    thursday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    friday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    saturday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""
    sunday: Sequence[OpenHours]
    """At most six, without overlaps; empty: closed."""


@dataclass(frozen=True)
class BusinessHours(Model):
    """The working hours of a workspace or a team."""

    week: Optional[Week]
    """Null: no hours of its own. A team then uses the workspace's hours; a workspace is always open."""
    exceptions: Sequence[HoursException]
    timezone: str
    """An IANA time zone."""
    version: int
    """Increases with each change."""
    open: bool
    """Whether it is open now, according to the hours in effect."""
    until: Optional[datetime]
    """When that changes; null: not within 400 days."""


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
    """An id from this API."""
    name: Optional[str]
    """Null: not known."""
    username: Optional[str]
    conversation_id: int
    """The conversation of their last comment with the keyword."""
    message_id: int
    """Their last comment with the keyword."""
    messages: int
    """Number of their comments with the keyword."""
    at: datetime
    """When they last wrote it."""
    got: Literal["got", "had", "refused", "waits"]
    """`had`: already sent for an earlier comment. `waits`: the private reply is not sent yet. `refused`: it was not sent because of `reason` or `problem`."""
    reason: Optional[str]
    """Why nothing was sent, or no public answer, as a stable word. Null: everything was sent."""
    problem: Optional[str]
    """Why the private reply failed, or what it is waiting for, as a sentence."""
    private_message_id: Optional[int]
    """The private reply; null: none."""
    public_answer: Optional[int]
    """Number of the public answer, from 1; null: none."""
    answered_at: Optional[datetime]
    """When they answered the private reply; null: not yet."""


@dataclass(frozen=True)
class CampaignPeople(Model):
    """A page of the people of a campaign, the most recent comment first."""

    data: Sequence[CampaignPerson]
    next: Optional[str]
    """Cursor for earlier people; null: there are none."""


@dataclass(frozen=True)
class CannedFile(Model):
    """A file of a canned reply."""

    id: int
    """An id from this API."""
    kind: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True)
class CannedReply(Model):
    """A saved reply."""

    id: int
    """An id from this API."""
    shortcut: str
    """Up to 32 letters, digits, dots and hyphens."""
    title: str
    texts: Mapping[str, str]
    """By language; `default` is used for all others. Variables such as `{{contact.name}}` are filled in when it is used; a person fills in the rest."""
    team: Optional[int]
    """The id of its team; null: shared with everyone."""
    files: Sequence[CannedFile]
    uses: int
    """Number of replies sent with it."""
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
class ChannelFieldChoice(Model):
    """An option of a field."""

    value: str
    label: str


@dataclass(frozen=True)
class ChannelField(Model):
    """A field to fill in to connect an account."""

    name: str
    """Its name in `values`."""
    label: str
    help: str
    kind: Literal["checkbox", "lines", "number", "select", "text"]
    """`lines`: several lines; `checkbox`: `1` or empty; `select`: see `choices`."""
    required: bool
    secret: bool = field(repr=False)
    """Whether it is a credential, which is never returned."""
    max_length: int
    choices: Sequence[ChannelFieldChoice]


@dataclass(frozen=True)
class Channel(Model):
    """A channel whose accounts can be connected with credentials."""

    key: str
    """Its key, as in `channel` of an account."""
    name: str
    fields: Sequence[ChannelField]


@dataclass(frozen=True)
class Channels(Model):
    """The channels whose accounts can be connected with credentials."""

    data: Sequence[Channel]


@dataclass(frozen=True)
class ConnectedAccount(Model):
    """The account that was connected, or why it isn't yet."""

    account: Optional[Account]
    asked: Optional[str]
    """The person who has to approve it first, and what happens then."""


@dataclass(frozen=True)
class ContactCard(Model):
    """A contact card, with at least one phone number or email address."""

    name: str
    phones: Sequence[str] = ()
    emails: Sequence[str] = ()
    company: str = ""


@dataclass(frozen=True)
class ContactNote(Model):
    """A note of the team about a contact."""

    id: int
    """An id from this API."""
    text: str
    author: Optional[str]
    """A member, or the name of an API key."""
    at: datetime


@dataclass(frozen=True)
class ContactNotes(Model):
    """The notes about a contact, newest first; at most 200."""

    data: Sequence[ContactNote]


@dataclass(frozen=True)
class ContactRef(Model):
    """The contact of a conversation."""

    id: int
    """An id from this API."""
    name: Optional[str]
    username: Optional[str]
    external_id: str
    """The provider's id, always a string."""
    external_id_name: str
    """The channel's name for that id."""


@dataclass(frozen=True)
class Contacts(Model):
    """A page of contacts."""

    data: Sequence[Contact]
    next: Optional[str]
    """Cursor of the next page; null: this is the last page."""


@dataclass(frozen=True)
class Last(Model):
    """A summary of the last message of a conversation."""

    at: datetime
    direction: str
    kind: str
    preview: str


@dataclass(frozen=True)
class Person(Model):
    """Somebody of the team."""

    id: int
    """An id from this API."""
    name: str


@dataclass(frozen=True)
class Post(Model):
    """Something published at the provider that customers comment on."""

    id: int
    """An id from this API."""
    account_id: int
    """An id from this API."""
    external_id: str
    """The provider's id, always a string."""
    kind: Literal["ad", "live", "other", "post", "reel", "story"]
    """`live`: a broadcast, whose comments can be answered privately while it is live."""
    text: str
    """Its caption; empty if it has none, or if it is not known yet."""
    url: str
    """URL of its page, for people; may be empty."""
    owner: str
    """The owner's handle; empty: the account."""
    published_at: Optional[datetime]
    ended_at: Optional[datetime]
    """When the broadcast ended."""
    gone_at: Optional[datetime]
    """When the provider first reported that it no longer exists."""


@dataclass(frozen=True)
class Snooze(Model):
    """The snooze of a conversation."""

    kind: Literal["fixed", "reply", "until"]
    """What ends it: `until` the time or a message from the customer; `reply` a message from the customer; `fixed` only the time."""
    until: Optional[datetime] = None
    """Null only with `reply`."""


@dataclass(frozen=True)
class TeamRef(Model):
    """A team of the workspace."""

    id: int
    """An id from this API."""
    name: str


@dataclass(frozen=True)
class Window(Model):
    """The reply window of the API."""

    state: Literal["closed", "open", "people_only", "unavailable"]
    """`people_only`: only a person can reply, in the inbox. `unavailable`: the channel is not active, or the account is disconnected."""
    until: Optional[datetime]
    """When this state ends; null: it does not."""
    sentence: str
    """The reason, if it is not open."""


@dataclass(frozen=True)
class Conversation(Model):
    """A conversation between one contact and the team on one account."""

    id: int
    """An id from this API."""
    status: Literal["closed", "open"]
    channel: str
    account_id: int
    """An id from this API."""
    channel_id: str
    """The public id of an account, a string; the last part of its webhook address."""
    contact: ContactRef
    subject: Optional[str]
    post: Optional[Post]
    """The post, on a comment channel; null: none."""
    assignee: Optional[Person]
    team: Optional[TeamRef]
    """The team it is assigned to, in addition to the assignee."""
    handled_by: Literal["automation", "nobody", "person"]
    """`person`: no automated messages are sent; `automation`: automation answered; `nobody`: neither, since it started or was closed."""
    unread_count: int
    """Messages that nobody on the team has read."""
    failed_count: int
    """Messages from the team that failed."""
    last_message: Last
    last_inbound_at: Optional[datetime]
    """The provider's time of the last message that opens a reply window."""
    reply_window: Window
    labels: Sequence[LabelRef]
    """By name."""
    snooze: Optional[Snooze]
    """Null: it is not snoozed."""
    spam: bool
    """Whether the team marked it as spam."""
    waiting_since: Optional[datetime]
    """Since when the customer has been waiting for a reply; null: they are not."""
    due_at: Optional[datetime]
    """When the response is due; null: the customer is not waiting, or there is no response time."""
    scheduled_at: Optional[datetime]
    """When the first scheduled reply is sent; null: none."""
    previous_id: Optional[int]
    """The conversation it continues, on another account; null: none."""
    next_id: Optional[int]
    """The conversation that continues it, on another account; null: none."""
    created_at: datetime
    closed_at: Optional[datetime]


@dataclass(frozen=True)
class Conversations(Model):
    """A page of conversations, ordered by the latest message or the latest end of a snooze, newest first."""

    data: Sequence[Conversation]
    next: Optional[str]
    """Cursor of the next page; null: this is the last page."""


@dataclass(frozen=True)
class Try(Model):
    """One delivery attempt."""

    at: str
    status: Optional[int]
    """Null: no response."""
    milliseconds: int


@dataclass(frozen=True)
class Delivery(Model):
    """One event for one endpoint."""

    id: int
    """An id from this API."""
    event_id: str
    """The header `webhook-id`, the same in every attempt."""
    event: EventName
    state: Literal["delivered", "given_up", "waiting"]
    attempts: int
    """Attempts since it was last queued, at most eight."""
    next_at: Optional[str]
    """When it is retried."""
    status: Optional[int]
    words: str
    """The beginning of the last response, or why there was none."""
    tries: Sequence[Try]
    """The latest attempts, oldest first."""
    erased: bool
    """Whether its message was unsent or erased."""
    created_at: str


@dataclass(frozen=True)
class Deliveries(Model):
    """A page of the log, newest first."""

    data: Sequence[Delivery]
    before: Optional[int]
    """Use `next`."""
    next: Optional[str] = None
    """Cursor of the next page; null: this is the last page."""


@dataclass(frozen=True)
class DeliveryWithBody(Model):
    """A delivery and its body."""

    delivery: Delivery
    body: Mapping[str, Any]
    """`{event, data}`, as it would be sent now."""


@dataclass(frozen=True)
class DiagnosisFinding(Model):
    """The result of a check."""

    name: str
    """A stable name of the check."""
    title: str
    """What was checked, in the language of `Accept-Language`."""
    verdict: Literal["fail", "pass", "unknown", "warn"]
    """`warn`: it blocks nothing yet; `unknown`: the check could not tell."""
    evidence: str
    """What was observed; never a credential."""
    fix: str
    """What to do; empty if it passed."""
    seen_at: Optional[datetime]
    """When that was observed; null: while the check ran."""
    old: bool
    """Whether that is too long ago to rely on."""


@dataclass(frozen=True)
class Diagnosis(Model):
    """The results of all checks of an account."""

    account_id: int
    """An id from this API."""
    at: datetime
    data: Sequence[DiagnosisFinding]


@dataclass(frozen=True)
class DisconnectedAccount(Model):
    """A disconnected account."""

    account: Account
    provider_notified: bool
    """False: the provider could not be notified. Remove Lobby's access there, too."""


@dataclass(frozen=True)
class DismissedPastAnswer(Model):
    """A dismissed answer."""

    id: int
    """The id of the dismissal, to restore the answer."""
    at: datetime


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
    """An id from this API."""
    url: str
    events: Sequence[EventChoice]
    accounts: Sequence[int]
    labels: Sequence[int]
    both: bool
    """Whether to also send the general event along with a channel-specific one, such as `message.received` with a channel's event for a tapped button."""
    ordered: bool
    """Whether an event waits until earlier events of its conversation are delivered."""
    state: Literal["active", "off", "paused"]
    reason: Optional[Literal["failing", "gone"]]
    """Why it is off: it returned 410, or every delivery failed for five days."""
    failing_since: Optional[str]
    """Null: the last delivery succeeded."""
    old_secret_until: Optional[str]
    """Until when requests are also signed with the previous secret."""
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
    event: EventName
    data: Mapping[str, Any]
    at: str
    """When Lobby recorded it."""


@dataclass(frozen=True)
class Events(Model):
    """Events, in the order they happened."""

    data: Sequence[Event]
    next: str
    """Cursor for later events; also set if there are none."""
    more: bool
    """Whether there are more now."""


@dataclass(frozen=True)
class FileContent(Model):
    """Any other file."""

    file: FileRef
    type: Literal["file"] = field(default="file", init=False)


@dataclass(frozen=True)
class FoundContact(Model):
    """A contact that was found, with its most recently active conversation."""

    contact_id: int
    """An id from this API."""
    conversation_id: int
    """An id from this API."""
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
    """What a tap sends. Default: the question."""


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
    """An id from this API."""
    kind: Literal["file", "page", "past", "pasted"]
    """The source of its text. `past`: the team's past answers."""
    title: str
    questions: Sequence[str]
    origin: str
    """The URL of its page, the name of its file, or its author."""
    state: Literal["failed", "gone", "ready", "waiting"]
    """`waiting`: not loaded yet. Entries that failed or were deleted are not used."""
    problem: Optional[str]
    """Why it is not used, as a stable word."""
    checked_at: datetime
    """Its age counts from then."""
    text: Optional[str] = None
    """Null in lists."""


@dataclass(frozen=True)
class Knowledge(Model):
    """The entries of an assistant's knowledge, oldest first."""

    data: Sequence[KnowledgeEntry]
    next: Optional[str]
    """Cursor for more; null: there are none."""


@dataclass(frozen=True)
class Labels(Model):
    """The labels of the workspace, by name."""

    data: Sequence[LabelRef]


@dataclass(frozen=True)
class LanguageModel(Model):
    """A language model that assistants can use. Its address and key are only on the desk's pages."""

    id: int
    """An id from this API."""
    name: str
    model: str
    """The provider's name for it."""
    currency: str


@dataclass(frozen=True)
class LanguageModels(Model):
    """The language models of the workspace, oldest first."""

    data: Sequence[LanguageModel]


@dataclass(frozen=True)
class LedTo(Model):
    """The private conversation that a private reply to a comment started, on the main account."""

    conversation_id: int
    """An id from this API."""
    message_id: int
    """The same message there."""
    read: bool
    """Whether the customer has seen it."""
    answered: bool
    """Whether the customer has written there since."""


@dataclass(frozen=True)
class ListedSequence(Model):
    """A sequence, without its definition."""

    id: int
    """An id from this API."""
    name: str
    """At most 40 characters."""
    state: Literal["draft", "live", "off"]
    """`draft`: never published. `off`: it does not start, but runs can go on."""
    version: int
    """The newest version. It is a draft unless it is published."""
    live_version: Optional[int]
    """The published version; null: none."""
    author: str
    """The author of the newest version: a member, or the name of an API key."""
    changed_at: datetime
    """When the newest version was saved."""
    customers: int
    """Number of customers in it now."""


@dataclass(frozen=True)
class ListedSequenceVersion(Model):
    """A version of a sequence, without its definition."""

    number: int
    """The number of a version, from 1."""
    author: str
    """A member, or the name of an API key."""
    at: datetime
    """When it was saved."""
    published_at: Optional[datetime]
    """When it was first published; null: it wasn't."""


@dataclass(frozen=True)
class Macro(Model):
    """A shared macro: several actions at once."""

    id: int
    """An id from this API."""
    name: str
    steps: Sequence[Mapping[str, Any]]
    """Its steps, in order: `do` and its argument."""
    uses: int
    used_at: Optional[datetime]


@dataclass(frozen=True)
class Macros(Model):
    """The shared macros, most used first."""

    data: Sequence[Macro]


@dataclass(frozen=True)
class MyWorkspace(Model):
    """The workspace of the key."""

    id: int
    """An id from this API."""
    name: str


@dataclass(frozen=True)
class RateLimit(Model):
    """The requests of the key in the current window, as in the headers `RateLimit-*`."""

    limit: int
    remaining: int
    reset: int
    """Seconds until the window ends."""


@dataclass(frozen=True)
class Me(Model):
    """The key of the request."""

    name: str
    workspace: MyWorkspace
    scopes: Sequence[str]
    """What it can do, such as `messages:write`."""
    before_scopes: bool
    """Whether the key is older than scopes: it can still do everything it could then."""
    accounts: Optional[Sequence[int]]
    """The accounts it is limited to, with those of its teams; null: all."""
    teams: Optional[Sequence[int]]
    """The teams whose accounts it is limited to; null: it isn't limited to teams."""
    automatic: bool
    """Whether its messages count as automated."""
    expires_at: Optional[str]
    """When it stops working; null: never."""
    read_only: bool
    """Whether the workspace is archived, so nothing can change."""
    rate_limit: RateLimit
    version: str
    """The version of Lobby."""


@dataclass(frozen=True)
class Member(Model):
    """A person conversations can be assigned to."""

    id: int
    """An id from this API."""
    name: str
    role: str
    email: Optional[str] = None
    """Null: the key is read-only."""
    on_duty_since: Optional[datetime] = None
    """Since when they are on duty, so that conversations go to them; null: they aren't."""


@dataclass(frozen=True)
class Members(Model):
    """The people of the workspace, by name."""

    data: Sequence[Member]


@dataclass(frozen=True)
class MenuItem(Model):
    """A menu item: it opens `url`, or a tap arrives as a message of the kind `postback`."""

    title: str
    payload: str = ""
    """What a tap sends. Default: the title."""
    url: str = ""
    """An https URL, instead of a payload."""


@dataclass(frozen=True)
class MenuOfAccount(Model):
    """The menu items per locale. `default` is shown for locales without their own."""

    locales: Mapping[str, Sequence[MenuItem]]
    """By locale, as `de_DE`, or `default`."""


@dataclass(frozen=True)
class Merged(Model):
    """Two merged contacts."""

    id: int
    """The id of the merge, to undo it."""
    contact: Contact
    other: int
    """The merged contact."""


@dataclass(frozen=True)
class Problem(Model):
    """The reason why a message was not sent."""

    code: str
    sentence: str
    cause: str
    """The most likely cause; may be empty."""
    next_step: str
    raw: str
    """The provider's error message."""


@dataclass(frozen=True)
class Moderation(Model):
    """The state of a customer's message at the provider, as set by the team."""

    state: Literal["deleted", "hidden", "shown"]
    """The state that the provider confirmed."""
    wanted: Literal["deleted", "hidden", "shown"]
    """The state that the team requested."""
    delivery: Literal["failed", "queued", "sent"]
    """The outcome of the last request."""
    author: Optional[str]
    """A member, a rule or an API key."""
    at: datetime
    error: Optional[Problem]


@dataclass(frozen=True)
class Quote(Model):
    """The message another one quotes."""

    external_id: str
    """The provider's id, always a string."""
    message_id: Optional[int]
    """Null if Lobby does not have it."""


@dataclass(frozen=True)
class Reaction(Model):
    """A reaction of one side to a message. Each side has at most one."""

    actor: str
    emoji: str
    name: str
    """The provider's name for it."""
    author: Optional[str]
    """The member who reacted."""
    state: Optional[Literal["failed", "queued", "sending", "sent", "unknown"]]
    """For a reaction of the team."""


@dataclass(frozen=True)
class Waiting(Model):
    """The reason why a message waits to be sent."""

    sentence: str
    until: Optional[datetime]


@dataclass(frozen=True)
class Message(Model):
    """A message as the provider knows it, a note, or a line about activity."""

    id: int
    """An id from this API."""
    conversation_id: int
    """An id from this API."""
    account_id: int
    """An id from this API."""
    external_id: Optional[str]
    direction: Literal["inbound", "internal", "outbound"]
    """`internal`: visible only to the team, a note or a line about activity."""
    origin: str
    """Who made it: `customer`, `agent`, `api`, `system`, or `provider` for what was written in the provider's own app."""
    kind: str
    """The kind of message. New kinds may be added."""
    text: str
    content: Mapping[str, Any]
    """Data of the kind other than its text. `imported` is true for messages from the provider's history."""
    attachments: Sequence[Attachment]
    reactions: Sequence[Reaction]
    reply_to: Optional[Quote]
    """The message it quotes, or replies to below a post."""
    private: bool
    """Whether it is the one private reply to `replyTo`, a comment on a post."""
    moderation: Optional[Moderation]
    """Null: the team has not hidden or deleted it at the provider."""
    led_to: Optional[LedTo]
    """For a private reply, the private conversation. Null: not known yet."""
    author: Optional[Person]
    """The member who wrote it."""
    state: Optional[
        Literal["cancelled", "delivered", "failed", "queued", "read", "sending", "sent", "unknown"]
    ]
    """Of an outbound message. `unknown`: the provider neither confirmed nor refused it. `cancelled`: it was taken back before it left."""
    error: Optional[Problem]
    waiting: Optional[Waiting]
    edited_at: Optional[datetime]
    """When its text was last changed."""
    edit_count: int
    unsent_at: Optional[datetime]
    """When it was unsent, or its contact was erased. Its content is deleted."""
    send_at: Optional[datetime]
    """Earliest time it is sent, while it is queued: its scheduled time, or the end of the time to undo it."""
    sent_at: Optional[datetime]
    """The provider's time, by which a thread is sorted. Of ours, when they were handed to the provider; null until it accepts one."""
    created_at: datetime
    """When it was written or received."""


@dataclass(frozen=True)
class MessagePage(Model):
    """A page of messages of all conversations."""

    data: Sequence[Message]
    next: Optional[str]
    """Cursor of the next page; null: this is the last page."""


@dataclass(frozen=True)
class PreviewedMessage(Model):
    """One of the messages that would be sent."""

    kind: str
    """Its kind, as in `GET /messages/{message_id}`."""
    text: str
    """Its text, cut to what fits in one message of the channel."""
    bytes: int
    """The size of the text, of which the channel allows so many."""
    files: Sequence[str]
    """The ids of the uploads that are its files, in order."""
    html: Optional[str]
    """How the channel lays it out, as in an email with earlier messages quoted below. A picture in the text has the address `cid:` with its place in `files`. Null: the channel sends the text as it is."""


@dataclass(frozen=True)
class MessagePreview(Model):
    """The messages that `POST /messages` would send."""

    conversation_id: int
    """An id from this API."""
    data: Sequence[PreviewedMessage]
    """The messages, in the order they would go out."""


@dataclass(frozen=True)
class Messages(Model):
    """A page of a conversation, oldest first."""

    data: Sequence[Message]
    before: Optional[str]
    """Cursor for earlier messages; null for an empty page."""
    after: Optional[str]
    """Cursor for later messages; null for an empty page."""
    has_before: bool
    """Whether there are earlier messages."""
    has_after: bool
    """Whether there are later messages."""
    next: Optional[str] = None
    """Cursor of the next page, with earlier messages; null: there are none."""


@dataclass(frozen=True)
class MessagesAfter(Model):
    """The messages that a change could lead to."""

    change: str
    """`close`, `open`, `assign`, `team`, `label`, `unlabel`, `snooze`, `wake`, `spam` or `unspam`."""
    senders: Sequence[str]
    """The rules and addons that could send one message each, by their names."""


@dataclass(frozen=True)
class MessagesAfterChanges(Model):
    """The changes of a conversation that could lead to messages."""

    data: Sequence[MessagesAfter]


@dataclass(frozen=True)
class OfferedReply(Model):
    """An answer offered below a text."""

    content_type: Literal["text", "user_email", "user_phone_number"] = "text"
    """Other than `text`: it has no title, and a tap sends the customer's own. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""
    title: Optional[str] = None
    payload: str = ""
    """The payload returned by a tap. Default: the title."""


@dataclass(frozen=True)
class PastAnswer(Model):
    """An answer that people of the team gave several times, as a suggested entry."""

    title: str
    text: str
    """May contain personal data of a customer: see `personal`."""
    personal: Sequence[str]
    """Parts of the text that may be a customer's name, address, phone or order number."""
    questions: Sequence[str]
    """Questions it answered."""
    times: int
    """How often it was given."""
    authors: Sequence[str]
    """The names of the people who gave it."""
    last_at: datetime
    dismissed_id: Optional[int]
    """The id of its dismissal, to restore it; null: it wasn't dismissed."""


@dataclass(frozen=True)
class PastAnswers(Model):
    """The past answers of the last 90 days, most frequent first, dismissed ones last."""

    data: Sequence[PastAnswer]


@dataclass(frozen=True)
class PlayedThere(Model):
    """Restrictions of the account."""

    account: str
    person_button: bool
    """Whether *Talk to a person* would be added."""
    writes: bool
    """Whether a program could reply if the customer wrote now."""
    until: Optional[datetime]
    """When that would end; null: never."""


@dataclass(frozen=True)
class PlayedUse(Model):
    """A tool call. Tools that do more than read are not run."""

    tool: str
    arguments: Mapping[str, Any]
    told: str
    """The result the model received."""
    took_ms: int


@dataclass(frozen=True)
class PlayedAnswer(Model):
    """The answer an assistant would give."""

    outcome: Literal["answers", "failed", "hands_over"]
    """`hands_over`: it would hand off to the team. `failed`: something went wrong."""
    reason: Optional[str]
    """Why there is no answer, as a stable word such as `no_source`."""
    because: str
    """The model's reason, for the team."""
    text: str
    """The answer; empty: none."""
    sources: Sequence[AssistantSource]
    """The sources of the answer."""
    weighed: int
    """Number of sources considered."""
    offers: Sequence[str]
    """Topics it would offer as buttons."""
    tools: Sequence[PlayedUse]
    """Its tool calls."""
    model: Optional[str]
    """Null: no model was used."""
    tokens: int
    cost: int
    """In millionths of `currency`."""
    currency: Optional[str]
    """Null: it has no model."""
    took_ms: int
    there: Optional[PlayedThere]
    """Null: no account was given."""


@dataclass(frozen=True)
class Posts(Model):
    """A page of posts, the most recently active first."""

    data: Sequence[Post]
    next: Optional[str]
    """Cursor of the next page; null: this is the last page."""


@dataclass(frozen=True)
class QuickReply(Model):
    """A quick reply offered below a text: a title, or with `ask` a contact detail the provider knows."""

    title: Optional[str] = None
    payload: str = ""
    """The payload returned by a tap. Default: the title."""
    ask: Optional[str] = None
    """Instead of a title. A tap sends the customer's own number or address. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""


@dataclass(frozen=True)
class Replayed(Model):
    """The number of deliveries sent again."""

    count: int
    next: Optional[str] = None
    """If there is more, repeat the request with this as `since`."""


@dataclass(frozen=True)
class RuleCounts(Model):
    """Counts of a rule's runs in the last 24 hours, by outcome."""

    did: int
    """Runs in which all actions were done."""
    refused: int
    """Runs in which an action was refused."""
    shadow: int
    """Runs in shadow mode that would have done something."""
    missed: int
    """Runs in which the first condition matched but another did not."""


@dataclass(frozen=True)
class Rule(Model):
    """A rule: when an event happens, if the conditions are met, then run the actions."""

    id: int
    """An id from this API."""
    name: str
    """At most 40 characters."""
    state: Literal["draft", "live", "off", "shadow"]
    """`shadow`: it logs what it would have done, but does nothing. `draft` and `off`: it does not run."""
    state_at: datetime
    """Since when it is in this state."""
    version: int
    """Increases with each change of `body`."""
    author: str
    """The author of that version: a member, or the name of an API key."""
    changed_at: datetime
    body: Optional[RuleBody]
    """Null: created by a newer version of Lobby; it does not run here."""
    gone: Optional[str]
    """The path of a reference to something deleted, such as `body.actions[0]`. Null: none."""
    counts: RuleCounts


@dataclass(frozen=True)
class RuleAction(Model):
    """Result of one action of a run. Actions are listed in order."""

    action: str
    """The action, as in `do` of the rule."""
    reason: Optional[str]
    """Why it was refused, as a stable word; null: it was done, or would have been."""


@dataclass(frozen=True)
class RuleCondition(Model):
    """Result of one condition of a run. Conditions are listed in order."""

    holds: Optional[bool]
    """Null: not checked, because an earlier condition did not match."""
    saw: str
    """What it checked, a word or an id such as `label:3`. Never a customer's text."""
    which: Optional[int]
    """In a group (`any`), the position of the condition that decided, from 0; null: not a group."""


@dataclass(frozen=True)
class RuleRun(Model):
    """A run of a rule: one evaluation and its outcome."""

    id: int
    """An id from this API."""
    at: datetime
    conversation_id: int
    """An id from this API."""
    contact_name: Optional[str]
    version: int
    """The version of the rule that ran."""
    outcome: Optional[Literal["did", "refused", "shadow"]]
    """`refused`: an action was not done. Null: it did nothing because of `reason`, although its first condition matched. Runs whose first condition did not match are not logged."""
    reason: Optional[str]
    """A stable word: `condition`, `once`, or why an action was refused."""
    conditions: Sequence[RuleCondition]
    actions: Sequence[RuleAction]


@dataclass(frozen=True)
class RuleRuns(Model):
    """A page of a rule's runs, newest first."""

    data: Sequence[RuleRun]
    next: Optional[str]
    """Cursor for older runs; null: there are none."""


@dataclass(frozen=True)
class Rules(Model):
    """The rules of the workspace, in the order in which they are evaluated."""

    data: Sequence[Rule]


@dataclass(frozen=True)
class SearchHit(Model):
    """A message that was found."""

    message: Message
    excerpt: str
    """The matching part of the text, as plain text."""
    marks: Sequence[Sequence[int]]
    """Matches in the excerpt, as start and end offsets."""


@dataclass(frozen=True)
class SearchResults(Model):
    """Search results, the newest message first."""

    data: Sequence[SearchHit]
    contacts: Sequence[FoundContact]
    """Contacts that match the words of the query; only on the first page, and only without filters."""
    next: Optional[str]
    """Cursor of the next page; null: this is the last page."""
    stopped: bool
    """The search timed out before the page was full; continue with `next`."""
    unknown: Sequence[str]
    """Filters whose value does not exist, so nothing matches."""
    shortened: bool
    """The query was too long, so only its first words were used."""
    complete: bool
    """False while older messages are still being indexed."""


@dataclass(frozen=True)
class SendApprovedTemplate(Model):
    """A text that the provider approved in advance, which may be sent outside the reply window."""

    template_id: str
    """Its `id`, from `GET /accounts/{account_id}/templates`."""
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    parameters: Optional[Mapping[str, str]] = None
    file: Optional[FileRef] = None
    """For a template whose header is a file."""
    kind: Literal["approved_template"] = field(default="approved_template", init=False)


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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    kind: Literal["buttons"] = field(default="buttons", init=False)


@dataclass(frozen=True)
class SendContacts(Model):
    """Contact cards."""

    contacts: Sequence[ContactCard]
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    kind: Literal["contacts"] = field(default="contacts", init=False)


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
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None


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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    kind: Literal["image"] = field(default="image", init=False)


@dataclass(frozen=True)
class SendLocation(Model):
    """A place."""

    latitude: float
    """In degrees, north of the equator positive."""
    longitude: float
    """In degrees, east of Greenwich positive."""
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    name: str = ""
    address: str = ""
    kind: Literal["location"] = field(default="location", init=False)


@dataclass(frozen=True)
class SendPost(Model):
    """A post of the account itself."""

    post: str
    """Its id or URL."""
    conversation_id: Optional[int] = None
    account_id: Optional[int] = None
    """With `to`, instead of `conversationId`."""
    to: Optional[str] = None
    reply_to: Optional[int] = None
    """The id of the message of the same conversation that this one quotes. Below a post the one it answers; left out, the customer's newest."""
    if_last_message_id: Optional[int] = None
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    overflow: Literal["reject", "split", "truncate"] = "split"
    """What to do with a text longer than one message of the channel."""
    files: Sequence[FileRef] = ()
    """Files to send: in the same message if the channel has `textWithFiles`; with `captions` the text is that of the last file that can have one; otherwise before it."""
    quick_replies: Sequence[QuickReply] = ()
    private: bool = False
    """Send it only to the author of `replyTo`, as the one private reply to that comment."""
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
    """The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`)."""
    send_at: Optional[datetime] = None
    """Send it at this time: in the future, within 60 days, and while the reply window is open to programs."""
    unless_written: bool = True
    """With `sendAt`: don't send it if the customer writes first."""
    answer: str = "everyone"
    """Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`, the contact gets it in any case. Keys marked as automatic write to the contact alone."""
    cc: Sequence[str] = ()
    """Additional recipients, visible to all, if the channel has `copies`."""
    bcc: Sequence[str] = ()
    """Additional recipients, hidden from the others."""
    own_address: Optional[str] = None
    kind: Literal["video"] = field(default="video", init=False)


@dataclass(frozen=True)
class Sent(Model):
    """The messages created by a send, in the order they are sent."""

    data: Sequence[Message]


@dataclass(frozen=True)
class SequenceAnswer(Model):
    """An answer of the customer that a run keeps."""

    name: str
    """As in `variable` of the question."""
    value: str
    message_id: Optional[int]
    """The message it comes from."""


@dataclass(frozen=True)
class SequenceProblem(Model):
    """Something that keeps a sequence from being published."""

    code: Literal[
        "answer",
        "buttons",
        "cards",
        "choice",
        "end",
        "loop",
        "reference",
        "row",
        "start",
        "text",
        "unreachable",
        "value",
        "window",
    ]
    """`window`: a message could be sent when automated ones aren't allowed. `loop`: steps could repeat for ever. `end`: nothing follows. `row`: too many messages in a row. `unreachable`: no path leads there. `buttons`: the channel does not show them. `text` and `cards`: too long for the channel. `reference`: what it refers to is gone or missing. `answer`: no step asks for what a case compares. `value`: an answer or attribute never has this value. `start`: it starts nothing, or another sequence. `choice`: an opt-out word, or listed twice."""
    step: str
    """The `id` of the step; empty: the starts or settings."""
    sentence: str
    path: Sequence[str]
    """The steps that lead there, `step` last; empty: none."""
    after_seconds: Optional[int]
    """For `window`: how long after the customer's last message it could be sent; null: any time."""


@dataclass(frozen=True)
class SequenceDetail(Model):
    """A sequence: steps that follow a customer's message."""

    id: int
    """An id from this API."""
    name: str
    """At most 40 characters."""
    state: Literal["draft", "live", "off"]
    """`draft`: never published. `off`: it does not start, but runs can go on."""
    version: int
    """The newest version. It is a draft unless it is published."""
    live_version: Optional[int]
    """The published version; null: none."""
    author: str
    """The author of the newest version: a member, or the name of an API key."""
    changed_at: datetime
    """When the newest version was saved."""
    customers: int
    """Number of customers in it now."""
    body: Optional[SequenceBody]
    """The newest version. Null: created by a newer version of Lobby; it can't run here."""
    problems: Sequence[SequenceProblem]
    """What keeps the newest version from being published; empty: nothing."""


@dataclass(frozen=True)
class SequenceEndCount(Model):
    """Customers who left in one way."""

    ended: str
    """A `reason` of runs, or an `outcome` without one; `ended` of the list of runs."""
    count: int


@dataclass(frozen=True)
class SequenceStartCount(Model):
    """Runs that were started in one way."""

    started_by: str
    """As in runs."""
    count: int


@dataclass(frozen=True)
class SequenceStepNumbers(Model):
    """The numbers of a step."""

    step: str
    """The `id` of the step."""
    reached: int
    """Runs that entered it."""
    here: int
    """Runs that are at it now."""
    left: Sequence[SequenceEndCount]
    """Runs that ended at it otherwise than the sequence planned."""
    seconds: Optional[int]
    """The median time at it; null: nobody went on from it."""


@dataclass(frozen=True)
class SequenceNumbers(Model):
    """The numbers of a version in a period, by when runs started."""

    version: int
    started_from: datetime
    started_before: datetime
    started: int
    starts: Sequence[SequenceStartCount]
    active: int
    """Runs that go on."""
    done: int
    """Runs that reached an end, without people."""
    people: int
    """Runs that a step handed to people."""
    asked: int
    """Runs whose customer asked for a person."""
    stopped: Sequence[SequenceEndCount]
    """Runs that ended otherwise."""
    seconds: Optional[int]
    """The median time from start to end of those in `done`; null: none."""
    steps: Sequence[SequenceStepNumbers]
    """In the order of the body."""


@dataclass(frozen=True)
class SequenceRun(Model):
    """A run of a sequence: a customer's way through its steps."""

    id: int
    """An id from this API."""
    sequence_id: int
    """An id from this API."""
    version: int
    """The version of the sequence. The run ends on it."""
    state: Literal["active", "ended"]
    """`active`: the customer is in the sequence."""
    conversation_id: int
    """An id from this API."""
    contact_id: int
    """An id from this API."""
    started_by: Literal["api", "campaign", "first", "ref", "rule", "story", "tap", "words"]
    """What started it: a message of the customer, a rule, a campaign or this API."""
    started_at: datetime
    step: Optional[str]
    """The step it is at, or ended at. Null: it ended before its first one."""
    moved_at: datetime
    """When it entered its step."""
    waits_for: Optional[Literal["answer", "call", "message", "person", "time"]]
    """`answer`: an answer to its question. `message`: any message. `call`: the answer of your program. `person`: it pauses while a member writes. Null: nothing."""
    due_at: Optional[datetime]
    """When it goes on by itself; null: not by itself, or it ended."""
    ended_at: Optional[datetime]
    """Null: it is active."""
    outcome: Optional[Literal["done", "failed", "people", "stopped"]]
    """`people`: it was handed to people. `stopped`: it could not go on. Null: it is active."""
    reason: Optional[str]
    """Why it ended, as a stable word such as `asked` or `window_closed`; null: none."""


@dataclass(frozen=True)
class SequenceVisit(Model):
    """A step that a run entered. Steps are listed in order."""

    step: str
    at: datetime
    way: Optional[Literal["case", "closed", "other", "silent", "then"]]
    """The way it left the step, as in the body; null: it is there, or ended there."""
    refused: Optional[str]
    """Why its action was not done, as a stable word; null: it was."""
    message_id: Optional[int]
    """The message that it sent; null: none."""


@dataclass(frozen=True)
class SequenceRunDetail(Model):
    """A run with its steps and answers."""

    id: int
    """An id from this API."""
    sequence_id: int
    """An id from this API."""
    version: int
    """The version of the sequence. The run ends on it."""
    state: Literal["active", "ended"]
    """`active`: the customer is in the sequence."""
    conversation_id: int
    """An id from this API."""
    contact_id: int
    """An id from this API."""
    started_by: Literal["api", "campaign", "first", "ref", "rule", "story", "tap", "words"]
    """What started it: a message of the customer, a rule, a campaign or this API."""
    started_at: datetime
    step: Optional[str]
    """The step it is at, or ended at. Null: it ended before its first one."""
    moved_at: datetime
    """When it entered its step."""
    waits_for: Optional[Literal["answer", "call", "message", "person", "time"]]
    """`answer`: an answer to its question. `message`: any message. `call`: the answer of your program. `person`: it pauses while a member writes. Null: nothing."""
    due_at: Optional[datetime]
    """When it goes on by itself; null: not by itself, or it ended."""
    ended_at: Optional[datetime]
    """Null: it is active."""
    outcome: Optional[Literal["done", "failed", "people", "stopped"]]
    """`people`: it was handed to people. `stopped`: it could not go on. Null: it is active."""
    reason: Optional[str]
    """Why it ended, as a stable word such as `asked` or `window_closed`; null: none."""
    visits: Sequence[SequenceVisit]
    answers: Optional[Sequence[SequenceAnswer]]
    """Null: the key needs `messages:read` for it, as they are what the customer wrote."""


@dataclass(frozen=True)
class SequenceRuns(Model):
    """A page of a sequence's runs, newest first."""

    data: Sequence[SequenceRun]
    next: Optional[str]
    """Cursor for older runs; null: there are none."""


@dataclass(frozen=True)
class SequenceSecret(Model):
    """The new signing secret of a sequence, which is not shown again."""

    secret: str = field(repr=False)
    """`whsec_…`, which signs what its steps post to your program."""


@dataclass(frozen=True)
class SequenceVersion(Model):
    """A version of a sequence."""

    number: int
    """The number of a version, from 1."""
    author: str
    """A member, or the name of an API key."""
    at: datetime
    """When it was saved."""
    published_at: Optional[datetime]
    """When it was first published; null: it wasn't."""
    body: Optional[SequenceBody]
    """Null: created by a newer version of Lobby; it can't run here."""


@dataclass(frozen=True)
class SequenceVersions(Model):
    """A page of the versions of a sequence, newest first."""

    data: Sequence[ListedSequenceVersion]
    next: Optional[str]
    """Cursor for earlier versions; null: there are none."""


@dataclass(frozen=True)
class Sequences(Model):
    """The sequences of the workspace, in order: a message starts the first of those it could start."""

    data: Sequence[ListedSequence]


@dataclass(frozen=True)
class Started(Model):
    """The conversation that was started, and its first messages."""

    conversation: Conversation
    messages: Sequence[Message]


@dataclass(frozen=True)
class TeamMember(Model):
    """A member of a team."""

    id: int
    """An id from this API."""
    name: str
    lead: bool
    """Whether they are a team lead, who can change its members."""


@dataclass(frozen=True)
class Team(Model):
    """A group of members that conversations can be assigned to."""

    id: int
    """An id from this API."""
    name: str
    members: Sequence[TeamMember]
    """Team leads first, then by name."""
    accounts: Sequence[int]
    """The ids of the accounts it handles."""
    open_count: int
    """Number of open conversations, including snoozed ones and spam."""


@dataclass(frozen=True)
class Teams(Model):
    """The teams of the workspace, by name."""

    data: Sequence[Team]


@dataclass(frozen=True)
class TriedCase(Model):
    """The result of trying a case."""

    case_id: int
    """An id from this API."""
    passed: Optional[bool]
    """Null: it could not be run; see `problem`."""
    answer: str
    hands_over: bool
    problem: Optional[str]
    """A stable word, such as `model_timeout`."""


@dataclass(frozen=True)
class TriedCases(Model):
    """The results of trying cases, as many as fit into 20 seconds."""

    data: Sequence[TriedCase]
    left: int
    """Number of cases left. Repeat the request to run them."""


@dataclass(frozen=True)
class TriedTool(Model):
    """The result of trying a tool."""

    good: bool
    """Whether the response was valid."""
    said: str
    """The result for the model, or why it failed; never the secret."""
    took_ms: int


@dataclass(frozen=True)
class Upload(Model):
    """An uploaded file that waits to be sent. It is deleted after a day."""

    id: str
    """Its id, for use in one message."""
    kind: str
    """The kind of message it can be sent as."""
    name: str
    content_type: str
    """Detected from its bytes."""
    size: int
    """In bytes. Camera metadata is removed from pictures."""
    width: Optional[int]
    height: Optional[int]


@dataclass(frozen=True)
class View(Model):
    """A saved view that the workspace shares."""

    id: int
    """An id from this API."""
    name: str
    condition: Mapping[str, Any]
    """As `filter`, with names such as `no_labels`; for a search, `search` with its text."""
    filter: Optional[Mapping[str, Any]]
    """The parameters of the list of conversations that are set; null for a search."""
    search: Optional[str]
    """The text of a search; null for a filter."""


@dataclass(frozen=True)
class Views(Model):
    """The shared views, in their order."""

    data: Sequence[View]


@dataclass(frozen=True)
class WithSecret(Model):
    """An endpoint and its new secret, which is not shown again."""

    endpoint: Endpoint
    secret: str = field(repr=False)
    """`whsec_…`, which signs every request."""
