"""What calls take: words, and dicts of messages, rules and sequences.

Made by tools/generate.py: do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional, TypedDict, Union

AnalyticsStep = Literal["day", "hour"]
AssistantModeWord = Literal["answer", "off", "shadow", "suggest"]
AssistantTrigger = Literal["mention", "message", "story_reply", "tap"]
AttributeKind = Literal["choice", "date", "number", "text", "yes_no"]
BulkActionWord = Literal[
    "assign", "close", "label", "open", "read", "snooze", "spam", "team", "unlabel", "unspam", "wake"
]
CampaignResult = Literal["got", "had", "refused", "waits"]
ContactSort = Literal["newest", "quiet", "recent", "updated"]
ConversationSort = Literal["newest", "updated", "waiting"]
ConversationStatus = Literal["closed", "open"]
DeliveryFilter = Literal["all", "delivered", "failed", "waiting"]
EndpointState = Literal["active", "paused"]
HandledBy = Literal["automation", "nobody", "person"]
HandledByToSet = Literal["nobody", "person"]
MessageSort = Literal["newest", "oldest", "updated"]
ModerationState = Literal["deleted", "hidden", "shown"]
RuleState = Literal["draft", "live", "off", "shadow"]
SequenceRunFilter = Literal["active", "ended"]
SequenceStart = Literal["api", "campaign", "first", "ref", "rule", "story", "tap", "words"]
ToolEffect = Literal["asks", "reads", "reversible"]
Tone = Literal["amber", "blue", "green", "grey", "orange", "pink", "red", "teal", "violet"]
TurnFilter = Literal["all", "failed", "handed_over", "shadow", "taken", "wrong"]


class FileRef(TypedDict, total=False):
    """A file to send: an address to fetch it from, an upload, or a file the provider already has."""

    url: Optional[str]
    upload: Optional[str]
    providerId: Optional[str]
    provider_id: Optional[str]


class AudioContent(TypedDict):
    """An audio file."""

    type: Literal["audio"]
    audio: FileRef


class LinkButton(TypedDict):
    """A button that opens an address."""

    type: Literal["web_url"]
    title: str
    url: str


class PostbackButton(TypedDict):
    """A button that sends a payload."""

    type: Literal["postback"]
    title: str
    payload: str


class _ElementRequired(TypedDict):
    title: str


class Element(_ElementRequired, total=False):
    """A card. It needs more than its title."""

    subtitle: Optional[str]
    imageUrl: Optional[str]
    image_url: Optional[str]
    buttons: Sequence[Union[LinkButton, PostbackButton]]


class FileContent(TypedDict):
    """Any other file."""

    type: Literal["file"]
    file: FileRef


class _GenericTemplateRequired(TypedDict):
    elements: Sequence[Element]


class GenericTemplate(_GenericTemplateRequired, total=False):
    """Cards side by side."""

    type: Literal["generic"]


class ImageContent(TypedDict):
    """A picture."""

    type: Literal["image"]
    image: FileRef


class OfferedReply(TypedDict, total=False):
    """An answer offered below a text."""

    contentType: Literal["text", "user_email", "user_phone_number"]
    """Other than `text`: it has no title, and a tap sends the customer's own. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""
    content_type: Literal["text", "user_email", "user_phone_number"]
    """Other than `text`: it has no title, and a tap sends the customer's own. Refused with `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it."""
    title: Optional[str]
    payload: str
    """The payload returned by a tap. Default: the title."""


class StickerRef(TypedDict):
    """A reference to a sticker."""

    id: Literal["heart", "like"]
    """Both are the heart."""


class StickerContent(TypedDict):
    """A sticker."""

    type: Literal["sticker"]
    sticker: StickerRef


class TemplateContent(TypedDict):
    """Cards side by side."""

    type: Literal["template"]
    template: GenericTemplate


class _TextContentRequired(TypedDict):
    type: Literal["text"]
    text: str


class TextContent(_TextContentRequired, total=False):
    """A text."""

    quickReplies: Sequence[OfferedReply]
    quick_replies: Sequence[OfferedReply]


class VideoContent(TypedDict):
    """A video."""

    type: Literal["video"]
    video: FileRef


_RuleActorConditionRequired = TypedDict(
    "_RuleActorConditionRequired",
    {"if": Literal["by"], "actor": Literal["customer", "key", "system", "user"]},
)


class RuleActorCondition(_RuleActorConditionRequired):
    """The actor is a `customer`, a `user` of the desk, a program with a `key`, or the `system`."""


class RuleAddLabel(TypedDict):
    """The action `label`."""

    do: Literal["label"]
    label: int


class RuleAddNote(TypedDict):
    """The action `note`."""

    do: Literal["note"]
    text: str


class RuleAddonDoes(TypedDict):
    """Run an action of an addon."""

    do: Literal["addon"]
    name: str


_RuleConcernsRequired = TypedDict("_RuleConcernsRequired", {"if": Literal["concerns"]})


class RuleConcerns(_RuleConcernsRequired, total=False):
    """The event is about a label that was added or removed, or a team or member that was assigned."""

    label: int
    team: int
    person: int


_RuleContactRequired = TypedDict("_RuleContactRequired", {"if": Literal["contact"], "attribute": int})


class RuleContact(_RuleContactRequired, total=False):
    """An attribute of the contact has this value; if the value is empty, any value."""

    value: str
    negated: bool


_RuleFilterConditionRequired = TypedDict(
    "_RuleFilterConditionRequired", {"if": Literal["conversation"], "filter": Mapping[str, Any]}
)


class RuleFilterCondition(_RuleFilterConditionRequired):
    """The conversation matches a filter. *filter* is stored as in saved views."""


_RuleOfAddonRequired = TypedDict("_RuleOfAddonRequired", {"if": Literal["addon"], "name": str})


class RuleOfAddon(_RuleOfAddonRequired, total=False):
    """A condition of an addon, with the chosen value."""

    value: str


_RuleOnPostRequired = TypedDict("_RuleOnPostRequired", {"if": Literal["post"]})


class RuleOnPost(_RuleOnPostRequired, total=False):
    """The conversation is about any post, or about one whose caption contains one of the words."""

    words: Sequence[str]


_RuleOpenRequired = TypedDict("_RuleOpenRequired", {"if": Literal["hours"]})


class RuleOpen(_RuleOpenRequired, total=False):
    """The time is inside, or outside, the working hours of the conversation's team."""

    open: bool


_RulePatternRequired = TypedDict("_RulePatternRequired", {"if": Literal["pattern"], "pattern": str})


class RulePattern(_RulePatternRequired):
    """The text matches a regular expression, in any case."""


_RuleSentRequired = TypedDict(
    "_RuleSentRequired",
    {
        "if": Literal["sent"],
        "kinds": Sequence[
            Literal[
                "approved_template",
                "audio",
                "call",
                "contacts",
                "custom",
                "disappearing",
                "edit",
                "feedback",
                "file",
                "image",
                "invitation",
                "location",
                "opt_in",
                "order",
                "postback",
                "quick_reply",
                "reaction",
                "referral",
                "share",
                "sticker",
                "story_mention",
                "story_reply",
                "template",
                "text",
                "unsend",
                "unsupported",
                "video",
            ]
        ],
    },
)


class RuleSent(_RuleSentRequired):
    """The message is of one of these kinds, names of `MessageKind`."""


_RuleWindowRequired = TypedDict(
    "_RuleWindowRequired", {"if": Literal["window"], "to": Literal["closed", "people", "programs"]}
)


class RuleWindow(_RuleWindowRequired):
    """The reply window is open for `programs` (and people), only for `people`, or `closed`."""


_RuleWordsRequired = TypedDict("_RuleWordsRequired", {"if": Literal["words"], "words": Sequence[str]})


class RuleWords(_RuleWordsRequired, total=False):
    """The text contains one of these words: whole words or phrases such as `in pieces`, in any case."""

    has: Literal["all", "any", "none"]


_RuleWroteBeforeRequired = TypedDict("_RuleWroteBeforeRequired", {"if": Literal["before"]})


class RuleWroteBefore(_RuleWroteBeforeRequired, total=False):
    """The customer wrote on an earlier day; or this is their first message."""

    yes: bool


_RuleAnyOfRequired = TypedDict(
    "_RuleAnyOfRequired",
    {
        "if": Literal["any"],
        "of": Sequence[
            Union[
                RuleWords,
                RulePattern,
                RuleSent,
                RuleFilterCondition,
                RuleOpen,
                RuleWindow,
                RuleWroteBefore,
                RuleContact,
                RuleConcerns,
                RuleActorCondition,
                RuleOnPost,
                RuleOfAddon,
            ]
        ],
    },
)


class RuleAnyOf(_RuleAnyOfRequired):
    """At least one of these conditions is met."""


class RuleAssignNobody(TypedDict):
    """The action `assignNobody`."""

    do: Literal["assignNobody"]


class RuleAssignTo(TypedDict):
    """The action `assign`."""

    do: Literal["assign"]
    person: int


class RuleCall(TypedDict):
    """Notify another program, by one of the workspace's webhook endpoints."""

    do: Literal["webhook"]
    endpoint: int


class RuleCampaign(TypedDict, total=False):
    """Settings that make a rule a campaign: each person who comments with a keyword gets one private reply."""

    team: int
    label: int
    sequence: int
    people: int
    until: Optional[str]


class RuleClose(TypedDict):
    """The action `close`."""

    do: Literal["close"]


class RuleGiveOut(TypedDict):
    """Assign to a team, and to the member on duty who has waited longest for a conversation."""

    do: Literal["giveOut"]
    team: int


class RuleGiveToTeam(TypedDict):
    """The action `team`."""

    do: Literal["team"]
    team: int


class RuleMarkSpam(TypedDict):
    """The action `spam`."""

    do: Literal["spam"]


class _RuleNotifyPeopleRequired(TypedDict):
    do: Literal["tell"]


class RuleNotifyPeople(_RuleNotifyPeopleRequired, total=False):
    """Notify a member, or all members of a team."""

    person: int
    team: int


class RuleRemoveLabel(TypedDict):
    """The action `unlabel`."""

    do: Literal["unlabel"]
    label: int


class _RuleReplyPrivatelyRequired(TypedDict):
    do: Literal["privately"]
    text: str


class RuleReplyPrivately(_RuleReplyPrivatelyRequired, total=False):
    """Answer the public message of the event privately, only to its author; possible once per message."""

    quick_replies: Sequence[str]


class RuleReplyPublicly(TypedDict):
    """Answer the message of the event publicly, with these texts in turn."""

    do: Literal["publicly"]
    texts: Sequence[str]


class RuleSay(TypedDict):
    """Send a text with variables that does not count as an answer: the customer keeps waiting."""

    do: Literal["say"]
    text: str


class RuleSendReply(TypedDict):
    """The action `reply`."""

    do: Literal["reply"]
    canned: int


class RuleSnoozeUntil(TypedDict):
    """Snooze until *when*: `reply`, or a key of `PRESETS`."""

    do: Literal["snooze"]
    when: Literal["evening", "hour", "later", "monday", "reply", "tomorrow", "week"]


class RuleStartSequence(TypedDict):
    """Start a sequence in the conversation."""

    do: Literal["sequence"]
    sequence: int


class _RuleBodyRequired(TypedDict):
    when: Literal[
        "conversation.assigned",
        "conversation.closed",
        "conversation.created",
        "conversation.forwarded",
        "conversation.handler_changed",
        "conversation.labelled",
        "conversation.marked_spam",
        "conversation.reopened",
        "conversation.reply_due",
        "conversation.snoozed",
        "conversation.team_assigned",
        "conversation.unanswered",
        "conversation.unlabelled",
        "conversation.unmarked_spam",
        "conversation.window_closing",
        "conversation.woken",
        "message.edited",
        "message.failed",
        "message.reacted",
        "message.read",
        "message.received",
        "message.sent",
        "message.unconfirmed",
        "message.unsent",
        "note.added",
    ]


class RuleBody(_RuleBodyRequired, total=False):
    """The definition of a rule."""

    hours: int
    minutes: int
    working: bool
    conditions: Sequence[
        Union[
            RuleWords,
            RulePattern,
            RuleSent,
            RuleFilterCondition,
            RuleOpen,
            RuleWindow,
            RuleWroteBefore,
            RuleContact,
            RuleConcerns,
            RuleActorCondition,
            RuleOnPost,
            RuleOfAddon,
            RuleAnyOf,
        ]
    ]
    actions: Sequence[
        Union[
            RuleAddLabel,
            RuleRemoveLabel,
            RuleAssignTo,
            RuleAssignNobody,
            RuleGiveToTeam,
            RuleSnoozeUntil,
            RuleClose,
            RuleMarkSpam,
            RuleSendReply,
            RuleAddNote,
            RuleSay,
            RuleReplyPublicly,
            RuleReplyPrivately,
            RuleGiveOut,
            RuleNotifyPeople,
            RuleCall,
            RuleStartSequence,
            RuleAddonDoes,
        ]
    ]
    stops: bool
    once: Literal["", "contact", "conversation"]
    campaign: Optional[RuleCampaign]


class SequenceAddLabel(TypedDict):
    """The action `label`."""

    do: Literal["label"]
    label: int


class SequenceAddNote(TypedDict):
    """The action `note`."""

    do: Literal["note"]
    text: str


class SequenceAddonDoes(TypedDict):
    """Run an action of an addon."""

    do: Literal["addon"]
    name: str


class SequenceAssignNobody(TypedDict):
    """The action `assignNobody`."""

    do: Literal["assignNobody"]


class SequenceAssignTo(TypedDict):
    """The action `assign`."""

    do: Literal["assign"]
    person: int


class SequenceGiveToTeam(TypedDict):
    """The action `team`."""

    do: Literal["team"]
    team: int


class SequenceRemoveLabel(TypedDict):
    """The action `unlabel`."""

    do: Literal["unlabel"]
    label: int


class SequenceRunMacro(TypedDict):
    """Run a shared macro: all of it, or nothing."""

    do: Literal["macro"]
    macro: int


class SequenceSendReply(TypedDict):
    """The action `reply`."""

    do: Literal["reply"]
    canned: int


class _SequenceSetAttributeRequired(TypedDict):
    do: Literal["attribute"]
    attribute: int


class SequenceSetAttribute(_SequenceSetAttributeRequired, total=False):
    """Set an attribute of the contact to a text with variables; empty: clear it."""

    value: str


class _SequenceActRequired(TypedDict):
    do: Literal["act"]
    id: str
    action: Union[
        SequenceAddLabel,
        SequenceRemoveLabel,
        SequenceAssignTo,
        SequenceAssignNobody,
        SequenceGiveToTeam,
        SequenceAddNote,
        SequenceSetAttribute,
        SequenceSendReply,
        SequenceRunMacro,
        SequenceAddonDoes,
    ]


class SequenceAct(_SequenceActRequired, total=False):
    """Run an action on the conversation."""

    then: str


_SequenceActorConditionRequired = TypedDict(
    "_SequenceActorConditionRequired",
    {"if": Literal["by"], "actor": Literal["customer", "key", "system", "user"]},
)


class SequenceActorCondition(_SequenceActorConditionRequired):
    """The actor is a `customer`, a `user` of the desk, a program with a `key`, or the `system`."""


_SequenceConcernsRequired = TypedDict("_SequenceConcernsRequired", {"if": Literal["concerns"]})


class SequenceConcerns(_SequenceConcernsRequired, total=False):
    """The event is about a label that was added or removed, or a team or member that was assigned."""

    label: int
    team: int
    person: int


_SequenceContactRequired = TypedDict("_SequenceContactRequired", {"if": Literal["contact"], "attribute": int})


class SequenceContact(_SequenceContactRequired, total=False):
    """An attribute of the contact has this value; if the value is empty, any value."""

    value: str
    negated: bool


_SequenceFilterConditionRequired = TypedDict(
    "_SequenceFilterConditionRequired", {"if": Literal["conversation"], "filter": Mapping[str, Any]}
)


class SequenceFilterCondition(_SequenceFilterConditionRequired):
    """The conversation matches a filter. *filter* is stored as in saved views."""


_SequenceOfAddonRequired = TypedDict("_SequenceOfAddonRequired", {"if": Literal["addon"], "name": str})


class SequenceOfAddon(_SequenceOfAddonRequired, total=False):
    """A condition of an addon, with the chosen value."""

    value: str


_SequenceOnPostRequired = TypedDict("_SequenceOnPostRequired", {"if": Literal["post"]})


class SequenceOnPost(_SequenceOnPostRequired, total=False):
    """The conversation is about any post, or about one whose caption contains one of the words."""

    words: Sequence[str]


_SequenceOpenRequired = TypedDict("_SequenceOpenRequired", {"if": Literal["hours"]})


class SequenceOpen(_SequenceOpenRequired, total=False):
    """The time is inside, or outside, the working hours of the conversation's team."""

    open: bool


_SequencePatternRequired = TypedDict("_SequencePatternRequired", {"if": Literal["pattern"], "pattern": str})


class SequencePattern(_SequencePatternRequired):
    """The text matches a regular expression, in any case."""


_SequenceSentRequired = TypedDict(
    "_SequenceSentRequired",
    {
        "if": Literal["sent"],
        "kinds": Sequence[
            Literal[
                "approved_template",
                "audio",
                "call",
                "contacts",
                "custom",
                "disappearing",
                "edit",
                "feedback",
                "file",
                "image",
                "invitation",
                "location",
                "opt_in",
                "order",
                "postback",
                "quick_reply",
                "reaction",
                "referral",
                "share",
                "sticker",
                "story_mention",
                "story_reply",
                "template",
                "text",
                "unsend",
                "unsupported",
                "video",
            ]
        ],
    },
)


class SequenceSent(_SequenceSentRequired):
    """The message is of one of these kinds, names of `MessageKind`."""


_SequenceWindowRequired = TypedDict(
    "_SequenceWindowRequired", {"if": Literal["window"], "to": Literal["closed", "people", "programs"]}
)


class SequenceWindow(_SequenceWindowRequired):
    """The reply window is open for `programs` (and people), only for `people`, or `closed`."""


_SequenceWordsRequired = TypedDict("_SequenceWordsRequired", {"if": Literal["words"], "words": Sequence[str]})


class SequenceWords(_SequenceWordsRequired, total=False):
    """The text contains one of these words: whole words or phrases such as `in pieces`, in any case."""

    has: Literal["all", "any", "none"]


_SequenceWroteBeforeRequired = TypedDict("_SequenceWroteBeforeRequired", {"if": Literal["before"]})


class SequenceWroteBefore(_SequenceWroteBeforeRequired, total=False):
    """The customer wrote on an earlier day; or this is their first message."""

    yes: bool


_SequenceAnyOfRequired = TypedDict(
    "_SequenceAnyOfRequired",
    {
        "if": Literal["any"],
        "of": Sequence[
            Union[
                SequenceWords,
                SequencePattern,
                SequenceSent,
                SequenceFilterCondition,
                SequenceOpen,
                SequenceWindow,
                SequenceWroteBefore,
                SequenceContact,
                SequenceConcerns,
                SequenceActorCondition,
                SequenceOnPost,
                SequenceOfAddon,
            ]
        ],
    },
)


class SequenceAnyOf(_SequenceAnyOfRequired):
    """At least one of these conditions is met."""


class _SequenceAskRequired(TypedDict):
    do: Literal["ask"]
    id: str
    text: str


class SequenceAsk(_SequenceAskRequired, total=False):
    """Ask a question, and go on with the answer."""

    then: str
    kind: Literal["choice", "date", "email", "number", "phone", "text"]
    choices: Sequence[str]
    digits: int
    variable: str
    attribute: int
    again: str
    other: str
    told: str
    hours: int
    silent: str
    closed: str


class _SequenceCaseRequired(TypedDict):
    to: str


class SequenceCase(_SequenceCaseRequired, total=False):
    """A way out of a branch: all of it has to hold."""

    variable: str
    value: str
    conditions: Sequence[
        Union[
            SequenceWords,
            SequencePattern,
            SequenceSent,
            SequenceFilterCondition,
            SequenceOpen,
            SequenceWindow,
            SequenceWroteBefore,
            SequenceContact,
            SequenceConcerns,
            SequenceActorCondition,
            SequenceOnPost,
            SequenceOfAddon,
            SequenceAnyOf,
        ]
    ]


class _SequenceBranchRequired(TypedDict):
    do: Literal["branch"]
    id: str
    cases: Sequence[SequenceCase]


class SequenceBranch(_SequenceBranchRequired, total=False):
    """Go on with the first of *cases* that holds, otherwise with *then*."""

    then: str


class SequenceKeep(TypedDict):
    """A field of a program's answer that the run keeps."""

    field: str
    variable: str


class _SequenceCallRequired(TypedDict):
    do: Literal["call"]
    id: str
    url: str


class SequenceCall(_SequenceCallRequired, total=False):
    """Ask a program of the workspace, and go on with its answer."""

    then: str
    keeps: Sequence[SequenceKeep]
    failed: str


class _SequenceEndRequired(TypedDict):
    do: Literal["end"]
    id: str


class SequenceEnd(_SequenceEndRequired, total=False):
    """End the run."""

    then: str
    close: bool


class _SequenceGoToRequired(TypedDict):
    do: Literal["goto"]
    id: str


class SequenceGoTo(_SequenceGoToRequired, total=False):
    """Go on with the step *then*."""

    then: str


class _SequenceHandRequired(TypedDict):
    do: Literal["people"]
    id: str


class SequenceHand(_SequenceHandRequired, total=False):
    """Hand the conversation to people, which ends the run."""

    then: str
    team: int
    text: str


class _SequenceSayRequired(TypedDict):
    do: Literal["say"]
    id: str
    text: str


class SequenceSay(_SequenceSayRequired, total=False):
    """Send a text with variables."""

    then: str
    quick_replies: Sequence[str]
    closed: str


class _SequenceCardRequired(TypedDict):
    title: str


class SequenceCard(_SequenceCardRequired, total=False):
    """A card with a picture and a button."""

    text: str
    picture: str
    button: str
    url: str


class _SequenceShowRequired(TypedDict):
    do: Literal["cards"]
    id: str
    cards: Sequence[SequenceCard]


class SequenceShow(_SequenceShowRequired, total=False):
    """Send cards side by side; channels without cards get a text that says the same."""

    then: str
    closed: str


class SequenceStarts(TypedDict, total=False):
    """The messages of customers that start a run. Any of them is enough."""

    words: Sequence[str]
    taps: Sequence[str]
    refs: Sequence[str]
    first: bool
    story_replies: bool
    programs: bool


class _SequenceWaitRequired(TypedDict):
    do: Literal["wait"]
    id: str


class SequenceWait(_SequenceWaitRequired, total=False):
    """Wait for a time, until the customer writes, or until working hours begin."""

    then: str
    until: Literal["time", "working", "written"]
    minutes: int
    hours: int
    early: bool
    silent: str


class _SequenceBodyRequired(TypedDict):
    steps: Sequence[
        Union[
            SequenceSay,
            SequenceAsk,
            SequenceShow,
            SequenceWait,
            SequenceBranch,
            SequenceAct,
            SequenceCall,
            SequenceHand,
            SequenceGoTo,
            SequenceEnd,
        ]
    ]


class SequenceBody(_SequenceBodyRequired, total=False):
    """The definition of a sequence."""

    starts: SequenceStarts
    accounts: Sequence[int]
    person: Literal["end", "pause"]
    people: Sequence[str]
    team: int


Content = Union[
    TextContent, ImageContent, VideoContent, AudioContent, FileContent, StickerContent, TemplateContent
]
