"""Decide what is said by itself, and to whom a conversation goes. Everything here is pure.

The consumer asks with what it reads, the runner once more with what it reads under the locks, and the preview
with what somebody chose. So all three say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from host.sdk.messages import MessageKind

TALK = timedelta(hours=2)
"""So long after a person wrote they are in a talk with the customer: nothing is said in between."""
TOO_LATE = timedelta(hours=1)
"""An answer by itself to what was written so long ago would only be odd: workers may have stood still."""
BUDGET = 5
"""Most messages sent by themselves in a conversation without a word of the customer."""
DEEPEST = 5
"""Longest chain of events of which each is because of the one before."""
A_FEW = 3
"""Somebody on duty gets what waits with their team while fewer than so many customers wait for them."""


class RunKind(StrEnum):
    """What a run does."""

    WORDS = "words"
    """A greeting or an away message."""
    ROUTING = "routing"
    RULES = "rules"
    """All rules of a workspace, asked about one event; its *automation* is the workspace."""
    WAIT = "wait"
    """A rule that acts if nobody answers meanwhile."""
    RULE = "rule"
    """What became of one rule that was asked; it is done when it is written."""
    ANSWER = "answer"
    """Somebody answered the private reply of a campaign; its *automation* is the rule."""
    PUBLIC_ANSWER = "public_answer"
    """The public answer of a rule, which waits for the outcome of its private reply; its *automation* is the
    rule."""
    GIVE_OUT = "give_out"
    """A rule gives the conversation to whoever of a team is on duty."""


class Sent(StrEnum):
    """What a customer sent, as far as it matters here."""

    MESSAGE = "message"
    STORY_REPLY = "story_reply"
    TAP = "tap"
    """A tap on an ice breaker, or on another button."""
    MENTION = "mention"
    """They named the account in a story, and said nothing."""
    NOTHING = "nothing"
    """Nothing anybody would answer, such as the click that opened the conversation."""


_SENT: dict[str, Sent] = {
    MessageKind.STORY_REPLY: Sent.STORY_REPLY,
    MessageKind.POSTBACK: Sent.TAP,
    MessageKind.STORY_MENTION: Sent.MENTION,
    MessageKind.REACTION: Sent.NOTHING,
    MessageKind.REFERRAL: Sent.NOTHING,
    MessageKind.OPT_IN: Sent.NOTHING,
    MessageKind.FEEDBACK: Sent.NOTHING,
    MessageKind.EDIT: Sent.NOTHING,
    MessageKind.UNSEND: Sent.NOTHING,
}
GREETED = frozenset({Sent.MESSAGE, Sent.STORY_REPLY, Sent.TAP})
"""What a greeting answers unless somebody chose otherwise: never a bare mention."""


def sent_as(kind: str) -> Sent:
    """Return what a message of *kind* is here."""
    return _SENT.get(kind, Sent.MESSAGE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an account says and does by itself; as it is made, nothing.

    :param silence_days: after how many days without a word a customer is greeted again.
    :param greets_on: what a customer has to send to be greeted.
    :param team_id: who gets its conversations; None: nobody.
    :param to_person: whether one of the team gets it; else it waits with the team.
    :param to_last: whether a customer who returns goes to who wrote with them last.
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

    @property
    def speaks(self) -> bool:
        return self.greets or self.tells_away


@dataclass(frozen=True, slots=True)
class Talk:
    """What is known of a conversation when something may be said in it by itself.

    :param wrote_at: when the customer wrote what this is about.
    :param wrote_before: when they wrote last before it, anything at all; None: never.
    :param said_before: the same, mentions left out.
    :param person_at: when a person of the team wrote last, here or in the provider's app; None: nobody did.
    :param greeted_at: when they were last greeted here; None: never.
    :param away_for: the :attr:`absence` they were last told of; None: of none.
    :param opens_at: when somebody is there again; None: that is not known, or somebody is.
    :param unanswered: how many messages went out by themselves since the customer's last word.
    :param hindrance: why nothing may go out by itself at all, a key of the reasons; empty: it may.
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

    @property
    def absence(self) -> str:
        """Return what tells one absence from another: when it ends."""
        return "" if self.opens_at is None else self.opens_at.isoformat()

    @property
    def silent(self) -> str:
        """Return why nothing may be said in it by itself; empty: it may."""
        return may_speak(
            self.now,
            hindrance=self.hindrance,
            answers=self.wrote_at,
            person_at=self.person_at,
            unanswered=self.unanswered,
        )


Says = Literal["", "greeting", "away"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was asked, and what came of it.

    :param what: ``hours``, ``greeting`` or ``away``.
    :param yes: whether it is so; of the last two, whether it goes out.
    :param reason: a key of :data:`host.automation.words.REASONS`.
    """

    what: str
    yes: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Words:
    """What is said by itself, and every step to it."""

    says: Says
    steps: Sequence[Step]

    @property
    def reason(self) -> str:
        """Return why that is said; where nothing is, why not."""
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
    """Return why nothing may be said by itself at this moment, a key of the reasons; empty: it may.

    The one place that says whose word it is: a person who answers, or answered a moment ago, has it. Only
    what answers something can come between them.

    :param hindrance: why nothing may go out by itself at all.
    :param answers: when the customer wrote what would be answered; None: it answers nothing.
    :param person_at: when a person wrote last.
    :param is_persons: whether the conversation is a person's by its column.
    :param may_be_late: whether it answers one message by name, which is not odd an hour later.
    :param unanswered: how many messages went out by themselves since the customer's last word.
    """
    if hindrance:
        return hindrance
    if answers is not None:
        if is_persons or (person_at is not None and person_at > min(answers, now - TALK)):
            return "person"
        if now - answers > TOO_LATE and not may_be_late:
            return "late"
    return "budget" if unanswered >= BUDGET else ""


def decide(settings: Settings, talk: Talk) -> Words:
    """Return what is said in *talk* by itself: the away message, the greeting or nothing; never both."""
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
            Step("hours", talk.is_open, hours),
            Step("greeting", greeting == "greets", greeting),
            Step("away", away == "tells", away),
        ),
    )


def _away(settings: Settings, talk: Talk, silent: str) -> str:
    if not settings.tells_away:
        return "off"
    if talk.is_open:
        return "open_now"
    if silent:
        return silent
    if talk.sent is Sent.NOTHING or (talk.sent is Sent.MENTION and Sent.MENTION not in settings.greets_on):
        return "kind"
    return "told" if talk.away_for == talk.absence else "tells"


def _greeting(settings: Settings, talk: Talk, silent: str) -> str:
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
    # Somebody who wrote to them meanwhile has begun the talk already.
    return "in_talk" if talk.person_at is not None and talk.person_at > since else "greets"


# ---- to whom a conversation goes ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a conversation may go to.

    :param in_team: whether they are of the team it is for.
    :param on_duty_since: since when they take conversations; None: they take none.
    :param given_at: when they were last given one; None: never.
    """

    user_id: int
    name: str = ""
    in_team: bool = True
    on_duty_since: datetime | None = None
    given_at: datetime | None = None

    @property
    def waits_since(self) -> datetime:
        """Return since when they wait for a conversation; of somebody on duty alone."""
        assert self.on_duty_since is not None
        return max(self.on_duty_since, self.given_at or self.on_duty_since)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a conversation that is to go to somebody.

    :param team_id: the team that has it already, or else gets it; None: there is none.
    :param assigned: whether somebody has it.
    :param last_id: the id of who wrote with the customer last; None: nobody did.
    :param people: who may answer on its account: those of the team, and who wrote last.
    :param hindrance: why it goes to nobody, a key of the reasons; empty: it may.
    """

    team_id: int | None = None
    assigned: bool = False
    last_id: int | None = None
    is_open: bool = True
    people: Sequence[Person] = field(default_factory=tuple)
    hindrance: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a conversation goes.

    :param person: who gets it; None: nobody does.
    :param team_id: the team that gets it; None: it stays with the one it has.
    :param waits: whether it waits with its team until somebody is on duty.
    :param reason: why, a key of the reasons.
    """

    reason: str
    person: Person | None = None
    team_id: int | None = None
    waits: bool = False


def route(settings: Settings, arrival: Arrival) -> Choice:
    """Return where a conversation goes."""
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
    """Return who is on duty: by their switch, within the hours. An open browser says nothing of that."""
    if not arrival.is_open:
        return []
    return [one for one in arrival.people if one.on_duty_since is not None]


def longest_waiting(people: Iterable[Person]) -> Person | None:
    """Return who of *people*, all on duty, was given nothing for longest; None: there is nobody."""
    return min(people, key=lambda one: (one.waits_since, one.user_id), default=None)
