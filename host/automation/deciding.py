"""Decide about automatic messages and the routing of conversations. Everything here is pure.

The consumer decides with the facts it reads, the runner again with the facts under the locks, and the preview
with chosen facts. So all three agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import msgspec

from host.sdk.messages import MessageKind

TALK = timedelta(hours=2)
"""Time after a person's message in which they are in a live exchange: no automatic message is sent."""
TOO_LATE = timedelta(hours=1)
"""Age from which a message gets no automatic answer, because it would seem odd after an outage."""
BUDGET = 5
"""Most consecutive automatic messages in a conversation without a message of the customer."""
DEEPEST = 5
"""Longest causal chain of events."""
A_FEW = 3
"""Number of waiting customers at which a person on duty gets no more from their team's queue."""


class RunKind(StrEnum):
    """Kind of a run."""

    WORDS = "words"
    """A greeting or an away message."""
    ROUTING = "routing"
    RULES = "rules"
    """All rules of a workspace, evaluated for one event; its *automation* is the workspace."""
    WAIT = "wait"
    """A rule that acts if a message stays unanswered."""
    RULE = "rule"
    """The result of one evaluated rule; it is done as soon as it is written."""
    ANSWER = "answer"
    """A person answered the private reply of a campaign; its *automation* is the rule."""
    PUBLIC_ANSWER = "public_answer"
    """The public answer of a rule, which waits for the outcome of its private reply; its *automation* is the
    rule."""
    GIVE_OUT = "give_out"
    """A rule assigns the conversation to a member of a team who is on duty."""
    TAP = "tap"
    """A tap on an ice breaker or a menu item; its *automation* is the row of its answer."""
    SEQUENCE = "sequence"
    """The start of a sequence; its *automation* is the sequence."""
    SEQUENCE_MESSAGE = "sequence_message"
    """A message that may be an answer in a sequence."""
    SEQUENCE_CHECK = "sequence_check"
    """Something that people did, which may end or pause a sequence."""
    SEQUENCE_PEOPLE = "sequence_people"
    """The last messages of a sequence before people take over; its *automation* is its run."""
    HAND_OVER = "hand_over"
    """The answer to a tap assigns the conversation to a member of a team who is on duty."""


class Sent(StrEnum):
    """Kind of a customer's message, as far as automation distinguishes them."""

    MESSAGE = "message"
    STORY_REPLY = "story_reply"
    TAP = "tap"
    """A tap on an ice breaker, or on another button."""
    MENTION = "mention"
    """A mention of the account in a story, without text."""
    NOTHING = "nothing"
    """Nothing that needs an answer, such as the click that opened the conversation."""


_SENT: dict[str, Sent] = {
    MessageKind.STORY_REPLY: Sent.STORY_REPLY,
    MessageKind.POSTBACK: Sent.TAP,
    MessageKind.STORY_MENTION: Sent.MENTION,
    MessageKind.REACTION: Sent.NOTHING,
    MessageKind.REFERRAL: Sent.NOTHING,
    MessageKind.OPT_IN: Sent.NOTHING,
    MessageKind.FEEDBACK: Sent.NOTHING,
    MessageKind.CALL: Sent.NOTHING,
    MessageKind.EDIT: Sent.NOTHING,
    MessageKind.UNSEND: Sent.NOTHING,
}
GREETED = frozenset({Sent.MESSAGE, Sent.STORY_REPLY, Sent.TAP})
"""Kinds of messages that are greeted by default; never a bare mention."""


def sent_as(kind: str) -> Sent:
    """Return the kind that automation uses for a message of *kind*."""
    return _SENT.get(kind, Sent.MESSAGE)


class Settings(msgspec.Struct, frozen=True):
    """Automation settings of an account; everything is off by default.

    :param silence_days: days of silence after which a customer is greeted again.
    :param greets_on: kinds of messages that are greeted.
    :param team_id: the team that gets its conversations; None: none.
    :param to_person: whether to assign to a member of the team; otherwise it waits in the team's queue.
    :param to_last: whether to assign a returning customer to the person who wrote with them last.
    :param has_buttons: whether taps on its ice breakers and menu items are answered or counted.
    """

    account_id: int = 0
    workspace_id: int = 0
    version: int = 0
    greets: bool = False
    greeting: str = ""
    silence_days: int = 30
    greets_on: frozenset[Sent] = GREETED
    tells_away: bool = False
    away: str = ""
    routes: bool = False
    team_id: int | None = None
    to_person: bool = True
    to_last: bool = True
    has_buttons: bool = False

    @property
    def speaks(self) -> bool:
        return self.greets or self.tells_away


class ConversationFacts(msgspec.Struct, frozen=True):
    """The facts about a conversation for deciding about automatic messages.

    :param wrote_at: when the customer wrote the message to answer.
    :param wrote_before: when they last wrote anything before it; None: never.
    :param said_before: like *wrote_before*, without mentions.
    :param person_at: when a person of the team last wrote, here or in the provider's app; None: never.
    :param greeted_at: when they were last greeted here; None: never.
    :param away_for: the :attr:`absence` of their last away message; None: none.
    :param opens_at: when working hours begin again; None: unknown, or it is within them.
    :param unanswered: number of automatic messages since the customer's last message.
    :param hindrance: why no automatic message may be sent at all, as a key of the reasons; empty: it may.
    :param is_persons: whether a person handles the conversation, by its column.
    :param is_answered: whether it is a tap whose answer needs nobody of the team.
    """

    now: datetime
    wrote_at: datetime
    sent: Sent = Sent.MESSAGE
    wrote_before: datetime | None = None
    said_before: datetime | None = None
    person_at: datetime | None = None
    greeted_at: datetime | None = None
    away_for: str | None = None
    is_open: bool = True
    opens_at: datetime | None = None
    unanswered: int = 0
    hindrance: str = ""
    is_persons: bool = False
    is_answered: bool = False

    @property
    def absence(self) -> str:
        """Return the identifier of the absence: when it ends."""
        return "" if self.opens_at is None else self.opens_at.isoformat()

    @property
    def silent(self) -> str:
        """Return why no automatic message may be sent, or an empty string."""
        return may_speak(
            self.now,
            hindrance=self.hindrance,
            answers=self.wrote_at,
            person_at=self.person_at,
            unanswered=self.unanswered,
        )


Says = Literal["", "greeting", "away"]


@dataclass(frozen=True, slots=True)
class DecisionStep:
    """One step of a decision, and its result.

    :param what: ``hours``, ``greeting`` or ``away``.
    :param yes: whether the team is open; for the last two, whether the message is sent.
    :param reason: a key of :data:`host.automation.words.REASONS`.
    """

    what: str
    yes: bool
    reason: str


class Words(msgspec.Struct, frozen=True):
    """The decision about automatic messages: the text, and the steps that led to it."""

    says: Says
    steps: Sequence[DecisionStep]

    @property
    def reason(self) -> str:
        """Return the reason why the message is sent, or why none is."""
        about = [step for step in self.steps if step.what != "hours"]
        chosen = [step for step in about if step.yes]
        wanted = [step for step in about if step.reason != "off"]
        return (chosen or wanted or about)[-1].reason


def may_speak(
    now: datetime,
    *,
    hindrance: str,
    answers: datetime | None,
    person_at: datetime | None,
    is_persons: bool = False,
    may_be_late: bool = False,
    unanswered: int,
) -> str:
    """Return why no automatic message may be sent now, as a key of the reasons, or an empty string.

    The only place that decides between people and automation: a person who is answering, or answered
    recently, has priority. This only concerns messages that answer something.

    :param hindrance: why no automatic message may be sent at all.
    :param answers: when the customer wrote the message to answer; None: it answers nothing.
    :param person_at: when a person last wrote.
    :param is_persons: whether a person handles the conversation, by its column.
    :param may_be_late: whether it answers a specific message, which still makes sense an hour later.
    :param unanswered: number of automatic messages since the customer's last message.
    """
    if hindrance:
        return hindrance
    if answers is not None:
        if is_persons or (person_at is not None and person_at > min(answers, now - TALK)):
            return "person"
        if now - answers > TOO_LATE and not may_be_late:
            return "late"
    return "budget" if unanswered >= BUDGET else ""


def decide(settings: Settings, talk: ConversationFacts) -> Words:
    """Return the automatic message to send in *talk*: the away message, the greeting or nothing."""
    silent = talk.silent
    away = _away(settings, talk, silent)
    greeting = _greeting(settings, talk, silent)
    if greeting == "greets" and away == "tells":
        greeting = "away_instead"
    says: Says = "away" if away == "tells" else "greeting" if greeting == "greets" else ""
    hours = "open" if talk.is_open else "closed" if talk.opens_at is not None else "closed_for_good"
    return Words(
        says,
        (
            DecisionStep("hours", talk.is_open, hours),
            DecisionStep("greeting", greeting == "greets", greeting),
            DecisionStep("away", away == "tells", away),
        ),
    )


def _away(settings: Settings, talk: ConversationFacts, silent: str) -> str:
    if not settings.tells_away:
        return "off"
    if talk.is_open:
        return "open_now"
    if silent:
        return silent
    if talk.sent is Sent.NOTHING or (talk.sent is Sent.MENTION and Sent.MENTION not in settings.greets_on):
        return "kind"
    if talk.is_answered:
        return "tap_answered"
    return "told" if talk.away_for == talk.absence else "tells"


def _greeting(settings: Settings, talk: ConversationFacts, silent: str) -> str:
    if not settings.greets:
        return "off"
    if silent:
        return silent
    if talk.sent not in settings.greets_on:
        return "kind"
    since = talk.wrote_at - timedelta(days=settings.silence_days)
    before = talk.wrote_before if Sent.MENTION in settings.greets_on else talk.said_before
    if before is not None and before > since:
        return "known"
    if talk.greeted_at is not None and talk.greeted_at > since:
        return "greeted"
    # A person who wrote to them meanwhile has already started the exchange.
    return "in_talk" if talk.person_at is not None and talk.person_at > since else "greets"


# ---- taps on ice breakers and menu items ----------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True):
    """The answer to a tap on an ice breaker or a menu item.

    :param text: the text to send; empty: none.
    :param quick_replies: titles of the quick replies below it.
    :param link: the address that a button titled *link_title* below it opens; empty: none.
    :param hands_over: whether the conversation goes to a team.
    :param team_id: that team; None: it was deleted.
    """

    text: str = ""
    quick_replies: tuple[str, ...] = ()
    link_title: str = ""
    link: str = ""
    hands_over: bool = False
    team_id: int | None = None

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.hands_over


class TapDecision(msgspec.Struct, frozen=True):
    """The decision about a tap.

    :param says: whether the text is sent.
    :param team_id: the team that gets the conversation; None: none does.
    :param reason: why, as a key of the reasons.
    """

    reason: str
    says: bool = False
    team_id: int | None = None


_STOPS_WORDS_ONLY = frozenset(
    {"opted_out", "from_machine", "window_closed", "people_only", "budget", "addon_off"}
)
"""Reasons to send nothing that don't keep a team from getting the conversation."""


def answer_tap(answer: Answer | None, talk: ConversationFacts) -> TapDecision:
    """Return what a tap does.

    :param answer: the answer now; None: the button was changed or removed since.
    """
    if answer is None:
        return TapDecision("button_gone")
    if answer.is_empty:
        return TapDecision("no_answer")
    silent = may_speak(
        talk.now,
        # A chosen answer to this tap goes out beside what a program answered to another message.
        hindrance="" if talk.hindrance == "automation" else talk.hindrance,
        answers=talk.wrote_at,
        person_at=talk.person_at,
        is_persons=talk.is_persons,
        unanswered=talk.unanswered,
    )
    if silent:
        team_id = answer.team_id if silent in _STOPS_WORDS_ONLY else None
        return TapDecision(silent, team_id=team_id)
    if answer.hands_over and answer.team_id is None:
        return TapDecision("no_team", says=bool(answer.text))
    return TapDecision("tap", says=bool(answer.text), team_id=answer.team_id)


# ---- routing -----------------------------------------------------------------------------------------


class Person(msgspec.Struct, frozen=True):
    """A candidate for the assignment of a conversation.

    :param in_team: whether they are in the team it is for.
    :param on_duty_since: since when they are on duty; None: they are not.
    :param given_at: when they were last assigned one; None: never.
    """

    user_id: int
    name: str = ""
    in_team: bool = True
    on_duty_since: datetime | None = None
    given_at: datetime | None = None

    @property
    def waits_since(self) -> datetime:
        """Return the time since which they have waited for a conversation; only for people on duty."""
        assert self.on_duty_since is not None
        return max(self.on_duty_since, self.given_at or self.on_duty_since)


class Arrival(msgspec.Struct, frozen=True):
    """The facts about a conversation to be routed.

    :param team_id: the team that has it, or else gets it; None: none.
    :param assigned: whether it is already assigned to a person.
    :param last_id: the id of the person who last wrote with the customer; None: nobody.
    :param people: candidates who may answer on its account: the team, and the person who wrote last.
    :param hindrance: why it must not be assigned, as a key of the reasons; empty: it may.
    """

    team_id: int | None = None
    assigned: bool = False
    last_id: int | None = None
    is_open: bool = True
    people: Sequence[Person] = msgspec.field(default_factory=tuple)
    hindrance: str = ""


class Choice(msgspec.Struct, frozen=True):
    """The routing of a conversation.

    :param person: the new assignee; None: nobody.
    :param team_id: the new team; None: unchanged.
    :param waits: whether it waits in its team's queue until a member is on duty.
    :param reason: why, as a key of the reasons.
    """

    reason: str
    person: Person | None = None
    team_id: int | None = None
    waits: bool = False


def route(settings: Settings, arrival: Arrival) -> Choice:
    """Return the routing of a conversation."""
    if not settings.routes:
        return Choice("off")
    if arrival.hindrance:
        return Choice(arrival.hindrance)
    if arrival.assigned:
        return Choice("assigned")
    team_id = arrival.team_id
    ready = on_duty(arrival)
    if settings.to_last and arrival.last_id is not None:
        last = next((one for one in ready if one.user_id == arrival.last_id), None)
        if last is not None:
            return Choice("last_person", last, team_id if last.in_team else None)
    if team_id is None:
        return Choice("no_team")
    if not settings.to_person:
        return Choice("team", team_id=team_id)
    if not any(one.in_team for one in arrival.people):
        return Choice("nobody_in_team", team_id=team_id, waits=True)
    chosen = longest_waiting(one for one in ready if one.in_team)
    if chosen is None:
        reason = "nobody_on_duty" if arrival.is_open else "team_closed"
        return Choice(reason, team_id=team_id, waits=True)
    return Choice("waited_longest", chosen, team_id)


def on_duty(arrival: Arrival) -> list[Person]:
    """Return the people on duty: by their switch, within working hours, regardless of an open browser."""
    if not arrival.is_open:
        return []
    return [one for one in arrival.people if one.on_duty_since is not None]


def longest_waiting(people: Iterable[Person]) -> Person | None:
    """Return the person among *people*, all on duty, who has waited longest for a conversation, or None."""
    return min(people, key=lambda one: (one.waits_since, one.user_id), default=None)
