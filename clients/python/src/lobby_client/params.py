"""What calls take: words, and dicts of messages and rules.

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
                "contacts",
                "custom",
                "disappearing",
                "edit",
                "feedback",
                "file",
                "image",
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


Content = Union[
    TextContent, ImageContent, VideoContent, AudioContent, FileContent, StickerContent, TemplateContent
]
