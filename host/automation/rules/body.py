"""What a rule says: when, if and then. Checked when it is saved, with the place of what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
import regex
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from host.automation import texts
from host.automation.rules import conditions
from host.automation.rules.conditions import (
    AnyOf,
    Concerns,
    Condition,
    Contact,
    Is,
    OfAddon,
    One,
    OnPost,
    Pattern,
    Sent,
    Words,
)
from host.core.cleaning import clean, clean_written
from host.core.errors import InvalidError
from host.inbox.canned.macros import (
    LONGEST_NOTE,
    AddLabel,
    AddNote,
    AssignNobody,
    AssignTo,
    Close,
    GiveToTeam,
    MarkSpam,
    Named,
    RemoveLabel,
    SendReply,
    SnoozeUntil,
)
from host.inbox.queries import AnyTeam, Assignee
from host.record import catalogue
from host.sdk import strictjson
from host.sdk.capabilities import PrivateReplyLimits
from host.sdk.messages import MessageKind

MOST_CONDITIONS = 20
MOST_ACTIONS = 10
MOST_WORDS = 100
LONGEST_WORD = 60
LONGEST_PATTERN = 300
MOST_HOURS = 14 * 24
MOST_ANSWERS = 10
"""Most texts of which each public answer takes the next."""
LONGEST_ANSWER = 300
MOST_PEOPLE = 100_000
"""Most people after which a campaign may end."""
UNANSWERED = "conversation.unanswered"
"""No event of the record: a customer has waited for an answer for so long."""

EVENTS: Mapping[str, LazyString] = {
    catalogue.MESSAGE_RECEIVED: _l("a message arrives"),
    catalogue.CONVERSATION_CREATED: _l("a conversation begins"),
    UNANSWERED: _l("nobody answered for some hours"),
    catalogue.CONVERSATION_REPLY_DUE: _l("an answer is nearly late"),
    catalogue.CONVERSATION_WINDOW_CLOSING: _l("the time to reply ends soon"),
    catalogue.CONVERSATION_LABELLED: _l("a label is added"),
    catalogue.CONVERSATION_UNLABELLED: _l("a label is taken off"),
    catalogue.CONVERSATION_ASSIGNED: _l("a conversation goes to somebody, or to nobody"),
    catalogue.CONVERSATION_TEAM_ASSIGNED: _l("a conversation goes to a team, or to none"),
    catalogue.CONVERSATION_HANDLER_CHANGED: _l("automation hands over, or gets a conversation"),
    catalogue.CONVERSATION_CLOSED: _l("a conversation is closed"),
    catalogue.CONVERSATION_REOPENED: _l("a closed conversation is opened again"),
    catalogue.CONVERSATION_SNOOZED: _l("a conversation is snoozed"),
    catalogue.CONVERSATION_WOKEN: _l("a snoozed conversation comes back"),
    catalogue.CONVERSATION_MARKED_SPAM: _l("a conversation is marked as spam"),
    catalogue.CONVERSATION_UNMARKED_SPAM: _l("a conversation is spam no longer"),
    catalogue.CONVERSATION_FORWARDED: _l("messages are forwarded"),
    catalogue.NOTE_ADDED: _l("somebody writes a note"),
    catalogue.MESSAGE_SENT: _l("a message of the team is sent"),
    catalogue.MESSAGE_READ: _l("the customer sees a message of the team"),
    catalogue.MESSAGE_REACTED: _l("the customer reacts to a message"),
    catalogue.MESSAGE_FAILED: _l("a message of the team is not sent"),
    catalogue.MESSAGE_UNCONFIRMED: _l("it is not known whether a message was sent"),
    catalogue.MESSAGE_EDITED: _l("a message is edited"),
    catalogue.MESSAGE_UNSENT: _l("a message is taken back"),
}
"""What a rule may wait for: everything of the record that happens in a conversation."""


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """Something a rule does that a macro does not."""


class Say(_Action, tag="say", frozen=True):
    """Send a text with variables, as one that answers nothing: the customer waits on."""

    text: str


class ReplyPublicly(_Action, tag="publicly", frozen=True):
    """Answer the message of the event where everybody reads it, with one of these texts in turn."""

    texts: tuple[str, ...]


class ReplyPrivately(_Action, tag="privately", frozen=True):
    """Answer the public message of the event to its author alone, which happens once."""

    text: str
    quick_replies: tuple[str, ...] = ()


class GiveOut(_Action, tag="giveOut", frozen=True):
    """Give it to a team, and there to whoever is on duty and waited longest."""

    team: int


class Tell(_Action, tag="tell", frozen=True):
    """Tell a member, or everybody of a team."""

    person: int = 0
    team: int = 0


class Call(_Action, tag="webhook", frozen=True):
    """Tell another program: one of the workspace's endpoints."""

    endpoint: int


class AddonDoes(_Action, tag="addon", frozen=True):
    """Do what an addon brings."""

    name: str


Action = (
    AddLabel
    | RemoveLabel
    | AssignTo
    | AssignNobody
    | GiveToTeam
    | SnoozeUntil
    | Close
    | MarkSpam
    | SendReply
    | AddNote
    | Say
    | ReplyPublicly
    | ReplyPrivately
    | GiveOut
    | Tell
    | Call
    | AddonDoes
)
ANSWERS = (ReplyPublicly, ReplyPrivately)
"""The actions that answer the message of the event itself."""
SENDING = (Say, SendReply, AddonDoes, *ANSWERS)
"""The actions that send something to the customer."""


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What makes a rule a campaign: whoever writes a word below a post gets the one private reply, once.

    :param team: whom the direct conversation goes to when they answer it, *label*: what it gets; 0: nothing.
    :param people: after how many people it ends, *until*: when; 0 and None: it does not.
    """

    team: int = 0
    label: int = 0
    people: int = 0
    until: datetime | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a rule says.

    :param when: a key of :data:`EVENTS`.
    :param hours: of :data:`UNANSWERED`: after how many.
    :param working: whether only the hours count in which the team works.
    :param stops: whether the rules behind it are not asked where it matched.
    :param once: how often it acts: each time, or once per conversation or contact.
    :param campaign: None: it is none.
    """

    when: str
    hours: int = 0
    working: bool = False
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    stops: bool = False
    once: Literal["", "conversation", "contact"] = ""
    campaign: Campaign | None = None


class RuleError(InvalidError):
    """A rule is not complete, or has what it cannot have; *field* says where: ``conditions.2``."""

    code = "rule"
    title = _l("The rule cannot be saved like that")
    default_sentence = _l("Something is missing in the rule, so nothing was saved.")
    default_next_step = _l("Change it where it says so.")


@dataclass(frozen=True, slots=True)
class There:
    """What rules of a workspace may name, by id.

    :param handles: of accounts; *empty_teams*: teams that nobody is in.
    :param conditions: what addons bring, by name, with the values to choose from; *actions* the same.
    :param posts: those that somebody wrote below, newest first, with the beginning of their captions, and
        their accounts.
    :param running: the channel of each account whose addon runs; *below*: those that have private replies.
    :param public: whether a channel has answers that everybody reads, *private*: what the narrowest channel
        allows of private ones; None: no channel has them.
    """

    steps: Named
    accounts: Mapping[int, str] = field(default_factory=dict)
    handles: Mapping[int, str] = field(default_factory=dict)
    attributes: Mapping[int, str] = field(default_factory=dict)
    endpoints: Mapping[int, str] = field(default_factory=dict)
    empty_teams: Collection[int] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)
    actions: Mapping[str, Any] = field(default_factory=dict)
    posts: Mapping[int, str] = field(default_factory=dict)
    post_accounts: Mapping[int, int] = field(default_factory=dict)
    running: Mapping[int, str] = field(default_factory=dict)
    below: Collection[int] = ()
    public: bool = False
    private: PrivateReplyLimits | None = None


def read(stored: Mapping[str, Any]) -> Body | None:
    """Return a body as it is kept; None: it cannot be read, as of a later Lobby."""
    try:
        return strictjson.convert(dict(stored), Body)
    except msgspec.ValidationError:
        return None


def given(body: Mapping[str, Any]) -> Body:
    """Return a body as programs and pages give it.

    :raises RuleError: if it is none.
    """
    try:
        return strictjson.convert(dict(body), Body)
    except msgspec.ValidationError as error:
        sentence = _l("A part of the rule cannot be read: %(why)s", why=str(error))
        raise RuleError(sentence) from None


def plain(body: Body) -> dict[str, Any]:
    """Return a body as it is kept: of JSON's own types alone, so that two compare equal that say the same."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return kept


def checked(body: Body, there: There) -> Body:
    """Return *body* as it is kept.

    :raises RuleError: for the first thing that is wrong, with its place.
    :raises AutomationTextError, VariableError: as :func:`host.automation.texts.checked`, with the place.
    """
    if body.when not in EVENTS:
        raise RuleError(_l("Choose what the rule waits for."), field="when")
    if body.when == UNANSWERED and not 0 < body.hours <= MOST_HOURS:
        raise RuleError(_l("The hours without an answer are a number from 1 to 336."), field="hours")
    asked = checked_conditions(body, there)
    if not body.actions:
        raise RuleError(_l("The rule does nothing yet."), next_step=_l("Add an action."), field="actions")
    if len(body.actions) > MOST_ACTIONS:
        raise RuleError(_l("A rule has at most 10 actions."), field="actions")
    done = tuple(_action(one, there, f"actions.{at}") for at, one in enumerate(body.actions))
    kept = msgspec.structs.replace(body, conditions=asked, actions=done)
    if body.campaign is not None:
        _check_campaign(body, body.campaign, there)
    if body.when != UNANSWERED:
        kept = msgspec.structs.replace(kept, hours=0, working=False)
    return kept


def _check_campaign(body: Body, campaign: Campaign, there: There) -> None:
    if body.when != catalogue.MESSAGE_RECEIVED or body.once != "contact":
        raise RuleError(_l("A campaign waits for messages, and acts once per contact."), field="campaign")
    if not any(isinstance(one, ReplyPrivately) for one in body.actions):
        raise RuleError(_l("A campaign replies privately."), field="campaign")
    if not 0 <= campaign.people <= MOST_PEOPLE:
        raise RuleError(_l("A campaign ends after 1 to 100,000 people."), field="campaign.people")
    if campaign.until is not None and campaign.until.tzinfo is None:
        raise RuleError(_l("Say in which time zone that is."), field="campaign.until")
    _check_named(there, "campaign.label", label=campaign.label)
    _check_named(there, "campaign.team", team=campaign.team)
    if campaign.team in there.empty_teams:
        raise RuleError(
            _l("%(team)s has nobody in it.", team=there.steps.teams[campaign.team]),
            next_step=_l("Add somebody to the team, or choose another."),
            field="campaign.team",
        )


def checked_conditions(body: Body, there: There) -> tuple[Condition, ...]:
    """Return the conditions of *body* as they are kept.

    :raises RuleError: for the first that is wrong, with its place: ``conditions.2``, or ``conditions.2.1`` in
        a group.
    """
    if len(body.conditions) > MOST_CONDITIONS:
        raise RuleError(_l("A rule has at most 20 conditions."), field="conditions")
    return tuple(_condition(one, there, f"conditions.{at}") for at, one in enumerate(body.conditions))


def _condition(condition: Condition, there: There, place: str) -> Condition:
    if isinstance(condition, AnyOf):
        if not 1 < len(condition.of) <= MOST_CONDITIONS:
            raise RuleError(_l("A group has two to 20 conditions."), field=place)
        return AnyOf(tuple(_one(one, there, f"{place}.{at}") for at, one in enumerate(condition.of)))
    return _one(condition, there, place)


def _one(condition: One, there: There, place: str) -> One:
    match condition:
        case Words():
            words = _checked_words(condition.words, place)
            if not words:
                raise RuleError(_l("Say which words the text is to have."), field=place)
            return Words(words, condition.has)
        case OnPost():
            return OnPost(_checked_words(condition.words, place))
        case Pattern():
            return _pattern(condition, place)
        case Sent():
            if not condition.kinds or not set(condition.kinds) <= set(MessageKind):
                raise RuleError(_l("Choose what they sent."), field=place)
        case Is():
            _check_filter(condition, there, place)
        case Contact():
            if condition.attribute not in there.attributes:
                raise RuleError(_l("This detail of contacts is gone."), field=place)
            return msgspec.structs.replace(condition, value=clean(condition.value)[:200])
        case Concerns():
            _check_named(there, place, label=condition.label, team=condition.team, person=condition.person)
        case OfAddon():
            if condition.name not in there.conditions:
                raise RuleError(_l("The addon that brings this condition is not active."), field=place)
    return condition


def _checked_words(words: Sequence[str], place: str) -> tuple[str, ...]:
    found = tuple(one for one in dict.fromkeys(" ".join(clean(one).split()) for one in words) if one)
    if len(found) > MOST_WORDS or any(len(one) > LONGEST_WORD for one in found):
        raise RuleError(_l("At most 100 words, each of at most 60 letters."), field=place)
    return found


def _pattern(condition: Pattern, place: str) -> Pattern:
    if not condition.pattern.strip() or len(condition.pattern) > LONGEST_PATTERN:
        raise RuleError(_l("A pattern has 1 to 300 letters."), field=place)
    try:
        conditions.compiled(condition.pattern)
    except regex.error as error:
        why = _l("The pattern cannot be read: %(why)s.", why=str(error))
        raise RuleError(why, next_step=_l("Words are simpler, and find the same."), field=place) from None
    if conditions.explodes(condition.pattern):
        raise RuleError(
            _l("The pattern takes too long for some texts."),
            next_step=_l("Avoid repeats inside of repeats, or use words."),
            field=place,
        )
    return condition


def _check_filter(condition: Is, there: There, place: str) -> None:
    wanted = conditions.filter_in(condition)
    if wanted is None or not condition.filter:
        raise RuleError(_l("This condition cannot be read."), field=place)
    if Assignee.ME in {wanted.assignee, wanted.mentioned} or wanted.team is AnyTeam.MINE:
        raise RuleError(
            _l("A rule has no conversations of its own."),
            next_step=_l("Name a person or a team."),
            field=place,
        )
    for label in (*(wanted.labels or ()), *(wanted.all_labels or ()), *(wanted.no_labels or ())):
        _check_named(there, place, label=label)
    if isinstance(wanted.assignee, int):
        _check_named(there, place, person=wanted.assignee)
    if isinstance(wanted.team, int):
        _check_named(there, place, team=wanted.team)
    if wanted.account_id is not None and wanted.account_id not in there.accounts:
        raise RuleError(_l("This account is gone."), field=place)
    if wanted.post is not None and wanted.post not in there.posts:
        raise RuleError(
            _l("This post is gone."), next_step=lazy_pgettext("post", "Choose another one."), field=place
        )


def _check_named(there: There, place: str, *, label: int = 0, team: int = 0, person: int = 0) -> None:
    if label and label not in there.steps.labels:
        raise RuleError(_l("This label is gone."), next_step=_l("Choose another one."), field=place)
    if team and team not in there.steps.teams:
        raise RuleError(_l("This team is gone."), next_step=_l("Choose another one."), field=place)
    if person and person not in there.steps.people:
        raise RuleError(_l("This person may not answer here."), next_step=_l("Choose another."), field=place)


def _action(action: Action, there: There, place: str) -> Action:
    match action:
        case AddNote():
            text = clean_written(action.text)
            if not 0 < len(text) <= LONGEST_NOTE:
                raise RuleError(_l("A note has 1 to 2,000 letters."), field=place)
            return AddNote(text)
        case Say():
            return Say(_text(action.text, None, place))
        case ReplyPublicly():
            return _publicly(action, there, place)
        case ReplyPrivately():
            return _privately(action, there, place)
        case _:
            _check_there(action, there, place)
    return action


def _text(text: str, limit: int | None, place: str) -> str:
    try:
        return texts.checked(text, limit)
    except InvalidError as error:
        error.field = place
        raise


def _publicly(action: ReplyPublicly, there: There, place: str) -> ReplyPublicly:
    if not there.public:
        raise RuleError(_l("No channel here has answers that everybody reads."), field=place)
    given = [one for one in (" ".join(text.split()) for text in action.texts) if one]
    if not 0 < len(given) <= MOST_ANSWERS or any(len(one) > LONGEST_ANSWER for one in given):
        raise RuleError(_l("A public answer has one to 10 texts of at most 300 letters."), field=place)
    return ReplyPublicly(tuple(_text(one, None, place) for one in given))


def _privately(action: ReplyPrivately, there: There, place: str) -> ReplyPrivately:
    limits = there.private
    if limits is None:
        raise RuleError(_l("No channel here has private replies."), field=place)
    offered = tuple(dict.fromkeys(one for each in action.quick_replies if (one := clean(each).strip())))
    allowed = limits.quick_replies
    if offered and allowed is None:
        raise RuleError(_l("A private reply has no quick replies here."), field=place)
    if allowed is not None and (
        len(offered) > allowed.most or any(len(one) > allowed.title_length for one in offered)
    ):
        raise RuleError(
            _l(
                "At most %(most)s quick replies, each of at most %(length)s letters.",
                most=allowed.most,
                length=allowed.title_length,
            ),
            field=place,
        )
    return ReplyPrivately(_text(action.text, limits.text_limit_bytes, place), offered)


def _check_there(action: Action, there: There, place: str) -> None:
    """Refuse an action that names what is not there, or nobody."""
    match action:
        case GiveOut():
            _check_named(there, place, team=action.team)
            if action.team in there.empty_teams:
                raise RuleError(
                    _l("%(team)s has nobody in it.", team=there.steps.teams[action.team]),
                    next_step=_l("Add somebody to the team, or choose another."),
                    field=place,
                )
        case Tell():
            if not (action.person or action.team):
                raise RuleError(_l("Say who is to be told."), field=place)
            _check_named(there, place, team=action.team, person=action.person)
        case Call():
            if action.endpoint not in there.endpoints:
                gone = _l("This address of another program is gone.")
                raise RuleError(gone, next_step=lazy_pgettext("address", "Choose another one."), field=place)
        case AddonDoes():
            if action.name not in there.actions:
                raise RuleError(_l("The addon that brings this action is not active."), field=place)
        case Say() | ReplyPublicly() | ReplyPrivately():
            pass
        case _:
            if there.steps.gone(action):
                gone = lazy_pgettext("action", "What it names is gone.")
                raise RuleError(gone, next_step=_l("Choose another one."), field=place)


def sends(body: Body) -> bool:
    """Tell whether a rule sends something to the customer."""
    return any(isinstance(one, SENDING) for one in body.actions)


def gone(body: Body, there: There) -> str:
    """Return the place of what a rule names that is gone; empty: all of it is there."""
    try:
        checked(body, there)
    except InvalidError as error:
        return error.field or "actions"
    return ""


def rests(body: Body, there: There) -> bool:
    """Tell whether a rule cannot act: no account it is for, or nothing it does, has an addon that runs."""
    places = [where for one in body.conditions if (where := _places(one, there)) is not None]
    if body.campaign is not None:
        places.append(frozenset(there.below))
    if places and not frozenset.intersection(*places):
        return True
    return bool(body.actions) and not any(_brought(one, there) for one in body.actions)


def _places(condition: Condition, there: There) -> frozenset[int] | None:
    """Return the accounts on which a condition may hold while addons run as they do; None: all."""
    if isinstance(condition, AnyOf):
        each = [_places(one, there) for one in condition.of]
        known = [one for one in each if one is not None]
        return frozenset().union(*known) if len(known) == len(each) else None
    if isinstance(condition, OfAddon):
        return None if condition.name in there.conditions else frozenset()
    if isinstance(condition, OnPost):
        return frozenset(there.below) if there.private is None else None
    wanted = conditions.filter_in(condition) if isinstance(condition, Is) else None
    if wanted is None or (wanted.account_id is None and wanted.post is None and wanted.channel is None):
        return None
    named = {wanted.account_id, None if wanted.post is None else there.post_accounts.get(wanted.post)} - {
        None
    }
    of_channel = {id_ for id_, channel in there.running.items() if wanted.channel in {None, channel}}
    return frozenset(of_channel & named if named else of_channel)


def _brought(action: Action, there: There) -> bool:
    match action:
        case AddonDoes():
            return action.name in there.actions
        case ReplyPublicly():
            return there.public
        case ReplyPrivately():
            return there.private is not None
    return True


def labels_named(body: Body) -> Iterator[int]:
    """Yield the labels that a rule names."""
    for one in conditions.leaves(body.conditions):
        if isinstance(one, Concerns) and one.label:
            yield one.label
        if isinstance(one, Is):
            for name in ("labels", "all_labels", "no_labels"):
                yield from one.filter.get(name, ())
    yield from (one.label for one in body.actions if isinstance(one, AddLabel | RemoveLabel))
    if body.campaign is not None and body.campaign.label:
        yield body.campaign.label


def needs(bodies: Sequence[Body]) -> frozenset[str]:
    """Return what the conditions of *bodies* see that takes a look of its own at the database."""
    found: set[str] = set()
    for body in bodies:
        for one in conditions.leaves(body.conditions):
            found.add(str(one.__struct_config__.tag))
            if isinstance(one, Is):
                found |= set(one.filter)
    return frozenset(found)
