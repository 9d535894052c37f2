"""The definition of a rule: when, if and then. It is validated when it is saved; errors name their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from host.automation import condition_checks, conditions, texts
from host.automation.actions import (
    LONGEST_NOTE,
    AddLabel,
    AddNote,
    AddonDoes,
    AssignNobody,
    AssignTo,
    Close,
    GiveToTeam,
    MarkSpam,
    RemoveLabel,
    SendReply,
    SnoozeUntil,
)
from host.automation.condition_checks import ConditionError, ConditionTargets
from host.automation.conditions import (
    AnyOf,
    Concerns,
    Condition,
    FilterCondition,
    OfAddon,
    OnPost,
)
from host.core.cleaning import clean, clean_written
from host.core.errors import InvalidError
from host.events.kinds.conversations import (
    CONVERSATION_ASSIGNED,
    CONVERSATION_CLOSED,
    CONVERSATION_CREATED,
    CONVERSATION_FORWARDED,
    CONVERSATION_HANDLER_CHANGED,
    CONVERSATION_LABELLED,
    CONVERSATION_MARKED_SPAM,
    CONVERSATION_REOPENED,
    CONVERSATION_REPLY_DUE,
    CONVERSATION_SNOOZED,
    CONVERSATION_TEAM_ASSIGNED,
    CONVERSATION_UNLABELLED,
    CONVERSATION_UNMARKED_SPAM,
    CONVERSATION_WINDOW_CLOSING,
    CONVERSATION_WOKEN,
    NOTE_ADDED,
)
from host.events.kinds.messages import (
    MESSAGE_EDITED,
    MESSAGE_FAILED,
    MESSAGE_REACTED,
    MESSAGE_READ,
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    MESSAGE_UNCONFIRMED,
    MESSAGE_UNSENT,
)
from host.sdk import strictjson
from host.sdk.capabilities import PrivateReplyLimits

MOST_CONDITIONS = 20
MOST_ACTIONS = 10
LONGEST_WAIT = timedelta(days=14)
"""Longest time without an answer after which a rule can run."""
MOST_ANSWERS = 10
"""Most alternating texts of public answers."""
LONGEST_ANSWER = 300
MOST_PEOPLE = 100_000
"""Highest number of people after which a campaign may end."""
UNANSWERED = "conversation.unanswered"
"""Trigger that is not in the event log: a customer has waited for an answer for some time."""

EVENTS: Mapping[str, LazyString] = {
    MESSAGE_RECEIVED: _l("a message arrives"),
    CONVERSATION_CREATED: _l("a conversation starts"),
    UNANSWERED: _l("nobody answers for some time"),
    CONVERSATION_REPLY_DUE: _l("a response target is about to be missed"),
    CONVERSATION_WINDOW_CLOSING: _l("the reply window is about to close"),
    CONVERSATION_LABELLED: _l("a label is added"),
    CONVERSATION_UNLABELLED: _l("a label is removed"),
    CONVERSATION_ASSIGNED: _l("a conversation is assigned or unassigned"),
    CONVERSATION_TEAM_ASSIGNED: _l("a conversation is assigned to a team or removed from one"),
    CONVERSATION_HANDLER_CHANGED: _l("a conversation is handed off between automation and people"),
    CONVERSATION_CLOSED: _l("a conversation is closed"),
    CONVERSATION_REOPENED: _l("a closed conversation is reopened"),
    CONVERSATION_SNOOZED: _l("a conversation is snoozed"),
    CONVERSATION_WOKEN: _l("a snoozed conversation returns"),
    CONVERSATION_MARKED_SPAM: _l("a conversation is marked as spam"),
    CONVERSATION_UNMARKED_SPAM: _l("a conversation is marked as not spam"),
    CONVERSATION_FORWARDED: _l("messages are forwarded"),
    NOTE_ADDED: _l("someone writes a note"),
    MESSAGE_SENT: _l("a message from the team is sent"),
    MESSAGE_READ: _l("the customer reads a message from the team"),
    MESSAGE_REACTED: _l("the customer reacts to a message"),
    MESSAGE_FAILED: _l("a message from the team can't be sent"),
    MESSAGE_UNCONFIRMED: _l("the outcome of sending a message is unknown"),
    MESSAGE_EDITED: _l("a message is edited"),
    MESSAGE_UNSENT: _l("a message is unsent"),
}
"""Triggers of rules: all events of the log that happen in a conversation."""


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """An action that only rules have, not macros."""


class Say(_Action, tag="say", frozen=True):
    """Send a text with variables that does not count as an answer: the customer keeps waiting."""

    text: str


class ReplyPublicly(_Action, tag="publicly", frozen=True):
    """Answer the message of the event publicly, with these texts in turn."""

    texts: tuple[str, ...]


class ReplyPrivately(_Action, tag="privately", frozen=True):
    """Answer the public message of the event privately, only to its author; possible once per message."""

    text: str
    quick_replies: tuple[str, ...] = ()


class GiveOut(_Action, tag="giveOut", frozen=True):
    """Assign to a team, and to the member on duty who has waited longest for a conversation."""

    team: int


class NotifyPeople(_Action, tag="tell", frozen=True):
    """Notify a member, or all members of a team."""

    person: int = 0
    team: int = 0


class Call(_Action, tag="webhook", frozen=True):
    """Notify another program, by one of the workspace's webhook endpoints."""

    endpoint: int


class StartSequence(_Action, tag="sequence", frozen=True):
    """Start a sequence in the conversation."""

    sequence: int


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
    | NotifyPeople
    | Call
    | StartSequence
    | AddonDoes
)
ANSWERS = (ReplyPublicly, ReplyPrivately)
"""The actions that answer the message of the event itself."""
SENDING = (Say, SendReply, StartSequence, AddonDoes, *ANSWERS)
"""The actions that send something to the customer."""


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings that make a rule a campaign: each person who comments with a keyword gets one private reply.

    :param team: the team that gets the direct conversation when they answer, *label*: its label, *sequence*:
        the sequence that starts there; 0: none.
    :param people: number of people after which it ends, *until*: its end date; 0 and None: no limit.
    """

    team: int = 0
    label: int = 0
    sequence: int = 0
    people: int = 0
    until: datetime | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The definition of a rule.

    :param when: a key of :data:`EVENTS`.
    :param hours: for :data:`UNANSWERED`: hours to wait, and *minutes* in addition.
    :param working: whether only the team's working hours count.
    :param stops: whether later rules are skipped if it matches.
    :param once: how often it acts: each time, or once per conversation or contact.
    :param campaign: None if it is not a campaign.
    """

    when: str
    hours: int = 0
    minutes: int = 0
    working: bool = False
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    stops: bool = False
    once: Literal["", "conversation", "contact"] = ""
    campaign: Campaign | None = None

    @property
    def wait(self) -> timedelta:
        """For :data:`UNANSWERED`: how long to wait for an answer."""
        return timedelta(hours=self.hours, minutes=self.minutes)


class RuleError(InvalidError):
    """The rule is incomplete or invalid; *field* is the place, such as ``conditions.2``."""

    code = "rule"
    title = _l("The rule wasn't saved")
    default_sentence = _l("The rule is incomplete, so nothing was saved.")
    default_next_step = _l("Fix the marked field.")
    program_step = _l("Correct this field and send it again.")


class RuleTargets(ConditionTargets, frozen=True):
    """All objects that the rules of a workspace may refer to, by id.

    :param handles: of accounts; *empty_teams*: teams without members.
    :param sequences: of the workspace; *live_sequences*: those that are live; *startable*: those of them
        that a rule may start.
    :param actions: actions of addons, by name.
    :param post_accounts: the accounts of posts.
    :param stopped: accounts that can't send until they are reconnected.
    :param running: the channel of each account whose addon is running; *below*: those with private replies.
    :param public: whether any channel has public answers; *private*: the tightest limits on private replies
    of all channels; None: no channel has them.
    """

    handles: Mapping[int, str] = msgspec.field(default_factory=dict)
    endpoints: Mapping[int, str] = msgspec.field(default_factory=dict)
    sequences: Mapping[int, str] = msgspec.field(default_factory=dict)
    live_sequences: Collection[int] = ()
    startable: Collection[int] = ()
    empty_teams: Collection[int] = ()
    actions: Mapping[str, Any] = msgspec.field(default_factory=dict)
    post_accounts: Mapping[int, int] = msgspec.field(default_factory=dict)
    running: Mapping[int, str] = msgspec.field(default_factory=dict)
    stopped: Collection[int] = ()
    below: Collection[int] = ()
    public: bool = False
    private: PrivateReplyLimits | None = None


def read(stored: Mapping[str, Any]) -> Body | None:
    """Return a stored body, or None if it cannot be read because a newer version of Lobby wrote it."""
    try:
        return given(stored)
    except msgspec.ValidationError:
        return None


def given(body: Mapping[str, Any]) -> Body:
    """Return a body as the host uses it.

    :raises msgspec.ValidationError: if it is not a body.
    """
    return strictjson.convert(dict(body), Body)


def plain(body: Body) -> dict[str, Any]:
    """Return a body as stored, in plain JSON types, so that equal rules compare equal."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return kept


def checked(body: Body, there: RuleTargets) -> Body:
    """Return *body* validated, as it will be stored.

    :raises RuleError: for the first error, with its place.
    :raises AutomationTextError, VariableError: as :func:`host.automation.texts.checked`, with the place.
    """
    if body.when not in EVENTS:
        raise RuleError(_l("Choose a trigger."), field="when")
    if body.when == UNANSWERED:
        body = _checked_wait(body)
    asked = checked_conditions(body, there)
    if not body.actions:
        raise RuleError(_l("The rule has no actions yet."), next_step=_l("Add an action."), field="actions")
    if len(body.actions) > MOST_ACTIONS:
        raise RuleError(_l("A rule can have at most 10 actions."), field="actions")
    done = tuple(_action(one, there, f"actions.{at}") for at, one in enumerate(body.actions))
    kept = msgspec.structs.replace(body, conditions=asked, actions=done)
    if body.campaign is not None:
        _check_campaign(body, body.campaign, there)
    if body.when != UNANSWERED:
        kept = msgspec.structs.replace(kept, hours=0, minutes=0, working=False)
    return kept


def _checked_wait(body: Body) -> Body:
    """Return *body* with less than 60 minutes beside its hours, so that equal waits are stored alike."""
    most = LONGEST_WAIT // timedelta(minutes=1)
    length = body.hours * 60 + body.minutes  # a number of a program may be too large for a time
    if body.hours < 0 or body.minutes < 0 or not 0 < length <= most:
        raise RuleError(_l("The time without an answer must be from 1 minute to 14 days."), field="hours")
    hours, minutes = divmod(length, 60)
    return msgspec.structs.replace(body, hours=hours, minutes=minutes)


def _check_campaign(body: Body, campaign: Campaign, there: RuleTargets) -> None:
    if body.when != MESSAGE_RECEIVED or body.once != "contact":
        raise RuleError(
            _l("A campaign must be triggered by messages and run once per contact."), field="campaign"
        )
    if not any(isinstance(one, ReplyPrivately) for one in body.actions):
        raise RuleError(_l("A campaign must reply privately."), field="campaign")
    if not 0 <= campaign.people <= MOST_PEOPLE:
        raise RuleError(_l("A campaign must end after 1 to 100,000 people."), field="campaign.people")
    if campaign.until is not None and campaign.until.tzinfo is None:
        raise RuleError(_l("Choose a time zone."), field="campaign.until")
    if campaign.sequence:
        _check_sequence(campaign.sequence, there, "campaign.sequence")
        if campaign.team:
            raise RuleError(
                _l("A campaign can't assign to a team and start a sequence."),
                next_step=_l("Choose one of them. The sequence can hand the conversation to a team."),
                field="campaign.sequence",
            )
    _check_named(there, "campaign.label", label=campaign.label)
    _check_named(there, "campaign.team", team=campaign.team)
    if campaign.team in there.empty_teams:
        raise RuleError(
            _l("%(team)s has no members.", team=there.targets.teams[campaign.team]),
            next_step=_l("Add a member, or choose another team."),
            field="campaign.team",
        )


def checked_conditions(body: Body, there: RuleTargets) -> tuple[Condition, ...]:
    """Return the conditions of *body* validated, as they will be stored.

    :raises RuleError: for the first invalid one, with its place: ``conditions.2``, or ``conditions.2.1`` in
        a group.
    """
    if len(body.conditions) > MOST_CONDITIONS:
        raise RuleError(_l("A rule can have at most 20 conditions."), field="conditions")
    return tuple(_condition(one, there, f"conditions.{at}") for at, one in enumerate(body.conditions))


def _condition(condition: Condition, there: RuleTargets, place: str) -> Condition:
    with _as_rule_error():
        kept = condition_checks.checked_condition(condition, there, place)
        condition_checks.check_values(kept, there, place)
        return kept


def _check_named(there: RuleTargets, place: str, **named: int) -> None:
    with _as_rule_error():
        condition_checks.check_named(there, place, **named)


@contextmanager
def _as_rule_error() -> Iterator[None]:
    try:
        yield
    except ConditionError as error:
        raise error.as_kind(RuleError, error.field) from None


def _action(action: Action, there: RuleTargets, place: str) -> Action:
    match action:
        case AddNote():
            text = clean_written(action.text)
            if not 0 < len(text) <= LONGEST_NOTE:
                raise RuleError(_l("A note must have 1 to 2,000 characters."), field=place)
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


def _publicly(action: ReplyPublicly, there: RuleTargets, place: str) -> ReplyPublicly:
    if not there.public:
        raise RuleError(_l("No channel in this workspace supports public replies."), field=place)
    given = [one for one in (" ".join(text.split()) for text in action.texts) if one]
    if not 0 < len(given) <= MOST_ANSWERS or any(len(one) > LONGEST_ANSWER for one in given):
        raise RuleError(_l("A public answer must have 1 to 10 texts of at most 300 characters."), field=place)
    return ReplyPublicly(tuple(_text(one, None, place) for one in given))


def _privately(action: ReplyPrivately, there: RuleTargets, place: str) -> ReplyPrivately:
    limits = there.private
    if limits is None:
        raise RuleError(_l("No channel in this workspace supports private replies."), field=place)
    offered = tuple(dict.fromkeys(one for each in action.quick_replies if (one := clean(each).strip())))
    allowed = limits.quick_replies
    if offered and allowed is None:
        raise RuleError(_l("Private replies don't support quick replies here."), field=place)
    if allowed is not None and (
        len(offered) > allowed.most or any(len(one) > allowed.title_length for one in offered)
    ):
        raise RuleError(
            _l(
                "Enter at most %(most)s quick replies of up to %(length)s characters each.",
                most=allowed.most,
                length=allowed.title_length,
            ),
            field=place,
        )
    return ReplyPrivately(_text(action.text, limits.text_limit_bytes, place), offered)


def _check_there(action: Action, there: RuleTargets, place: str) -> None:
    """Refuse an action that refers to a missing object or person."""
    match action:
        case GiveOut():
            _check_named(there, place, team=action.team)
            if action.team in there.empty_teams:
                raise RuleError(
                    _l("%(team)s has no members.", team=there.targets.teams[action.team]),
                    next_step=_l("Add a member, or choose another team."),
                    field=place,
                )
        case NotifyPeople():
            if not (action.person or action.team):
                raise RuleError(_l("Choose who to notify."), field=place)
            _check_named(there, place, team=action.team, person=action.person)
        case Call():
            if action.endpoint not in there.endpoints:
                gone = _l("This webhook endpoint was deleted.")
                raise RuleError(gone, next_step=lazy_pgettext("address", "Choose another one."), field=place)
        case StartSequence():
            _check_sequence(action.sequence, there, place)
        case AddonDoes():
            if action.name not in there.actions:
                raise RuleError(_l("The addon that provides this action is not active."), field=place)
        case Say() | ReplyPublicly() | ReplyPrivately():
            pass
        case _:
            if there.targets.is_missing(action):
                gone = lazy_pgettext("action", "Something it refers to was deleted.")
                raise RuleError(gone, next_step=_l("Choose another one."), field=place)


def _check_sequence(sequence_id: int, there: RuleTargets, place: str) -> None:
    if sequence_id not in there.sequences:
        gone = _l("This sequence was deleted.")
        raise RuleError(gone, next_step=lazy_pgettext("sequence", "Choose another one."), field=place)


def sends(body: Body) -> bool:
    """Return whether a rule sends something to the customer."""
    return any(isinstance(one, SENDING) for one in body.actions)


def gone(body: Body, there: RuleTargets) -> str:
    """Return the place in a rule that refers to a deleted object; empty if there is none."""
    try:
        checked(body, there)
    except InvalidError as error:
        return error.field or "actions"
    return ""


def accounts_of(body: Body, there: RuleTargets) -> frozenset[int] | None:
    """Return the accounts on which a rule can act with the running addons; None: all."""
    places = [where for one in body.conditions if (where := _places(one, there)) is not None]
    if body.campaign is not None:
        places.append(frozenset(there.below))
    return frozenset.intersection(*places) if places else None


def silent(body: Body, there: RuleTargets) -> str:
    """Return the names of a campaign's accounts that can't send until they are reconnected."""
    if body.campaign is None:
        return ""
    where = accounts_of(body, there) or frozenset()
    return ", ".join(
        there.handles.get(id_) or there.accounts[id_] for id_ in sorted(where & set(there.stopped))
    )


def rests(body: Body, there: RuleTargets) -> bool:
    """Return whether a rule is inactive because no addon is running for its accounts or its actions."""
    where = accounts_of(body, there)
    if where is not None and not where:
        return True
    return bool(body.actions) and not any(_brought(one, there) for one in body.actions)


def _places(condition: Condition, there: RuleTargets) -> frozenset[int] | None:
    """Return the accounts on which a condition can be met with the running addons; None: all."""
    if isinstance(condition, AnyOf):
        each = [_places(one, there) for one in condition.of]
        known = [one for one in each if one is not None]
        return frozenset().union(*known) if len(known) == len(each) else None
    if isinstance(condition, OfAddon):
        return None if condition.name in there.conditions else frozenset()
    if isinstance(condition, OnPost):
        return frozenset(there.below) if there.private is None else None
    wanted = conditions.filter_in(condition) if isinstance(condition, FilterCondition) else None
    if wanted is None or (wanted.account_id is None and wanted.post is None and wanted.channel is None):
        return None
    named = {wanted.account_id, None if wanted.post is None else there.post_accounts.get(wanted.post)} - {
        None
    }
    of_channel = {id_ for id_, channel in there.running.items() if wanted.channel in {None, channel}}
    return frozenset(of_channel & named if named else of_channel)


def _brought(action: Action, there: RuleTargets) -> bool:
    match action:
        case AddonDoes():
            return action.name in there.actions
        case ReplyPublicly():
            return there.public
        case ReplyPrivately():
            return there.private is not None
    return True


def labels_named(body: Body) -> Iterator[int]:
    """Yield the labels that a rule refers to."""
    for one in conditions.leaves(body.conditions):
        if isinstance(one, Concerns) and one.label:
            yield one.label
        if isinstance(one, FilterCondition):
            for name in ("labels", "all_labels", "no_labels"):
                yield from one.filter.get(name, ())
    yield from (one.label for one in body.actions if isinstance(one, AddLabel | RemoveLabel))
    if body.campaign is not None and body.campaign.label:
        yield body.campaign.label
