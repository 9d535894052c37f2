"""Try a sequence: play it for an invented customer, without a database. Pure.

A try is the list of its moves, and is played from the first one each time, so nothing is stored. It decides
as a run does, see :mod:`host.sequences.decisions`. A move is a word: ``say:`` with a text, ``tap:`` with the
index of a button, ``later``, ``shut``, ``inside``, ``outside``, or what a program says: ``answer:`` with a
JSON list of the values that its step keeps, or ``failed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import msgspec

from host.automation import texts
from host.automation.actions import AddLabel, AssignNobody, AssignTo, GiveToTeam, RemoveLabel, SendReply
from host.automation.conditions import Facts
from host.inbox.apply.opt_out_words import word_in
from host.inbox.reply import Voice
from host.sdk import strictjson
from host.sdk.capabilities import QuickReplyLimits, TemplateLimits
from host.sequences.body import LONGEST_ANSWER, Act, Body, Call, speaks
from host.sequences.decisions import MOST_MOVES, Decider, Heard, PlayedRun
from host.sequences.models import WaitsFor
from host.sequences.proofs import Limits

MOST = 40
"""Most moves of a try."""
LONGEST = 200
"""Most characters of a text that is typed."""
CLOSED = timedelta(hours=12)
"""How long a try stays outside working hours."""


class Scene(msgspec.Struct, frozen=True):
    """The workspace in which a try takes place.

    :param language: of its texts for customers; *zone*: its time zone.
    :param person: the title of *Talk to a person*.
    :param values: the values of variables, by name.
    :param is_open: whether it begins within working hours.
    """

    limits: Limits
    language: str | None = None
    zone: str | None = None
    person: str = ""
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    is_open: bool = True


class Entry(msgspec.Struct, frozen=True):
    """A line of a try.

    :param kind: ``said`` by the customer; ``sent`` to them; ``unsent``, with the code of a refusal; ``time``
        that passed; ``shut``, ``inside``, ``outside``, as the moves; ``act``, what an action would do;
        ``kept``, ``stored``: an answer; ``close``: the conversation; ``failed``: a call;
        ``unheard``: no step took the message;
        ``people`` and ``end``, with how it ended, as :func:`host.sequences.filters.end_of` has it.
    :param step: the step it comes from.
    :param cards: those that were sent, in their stored form.
    :param about: the name of a variable, or the id of an attribute or a team.
    """

    kind: str
    text: str = ""
    step: str = ""
    minutes: int = 0
    about: str | int = ""
    act: Act | None = None
    cards: tuple[Mapping[str, Any], ...] = ()


def _stops(text: str) -> bool:
    word = word_in(text)
    return word is not None and word.closes


class Play(Decider):
    """A try, after its moves."""

    def __init__(self, body: Body, scene: Scene, now: datetime) -> None:
        self.body, self.scene, self.now = body, scene, now
        self.run = PlayedRun(moved_at=now, started_by="words" if body.starts.words else "")
        self.entries: list[Entry] = []
        self.offers: list[tuple[str, str]] = []
        """The buttons below the last message: title and payload."""
        self.ended = False
        self.fresh = 0
        """The number of entries before the last move."""
        self._said = ""
        self._heard_at: datetime | None = now
        self._row = 0
        self._opens_at = None if scene.is_open else now + CLOSED
        self._kept: dict[str, str] = {}
        self._attributes: dict[int, str] = {}
        self._labels: frozenset[int] = frozenset()
        self._team: int | None = None
        self._person_id: int | None = None
        self._messages = 0

    @property
    def is_open(self) -> bool:
        """Whether it is within working hours."""
        return self._opens_at is None

    @property
    def window_open(self) -> bool:
        """Whether automated messages may be sent."""
        if self._heard_at is None:
            return False
        window = self.scene.limits.window
        return window is None or self.now - self._heard_at <= window

    @property
    def waits(self) -> timedelta | None:
        """How long until it goes on by itself; None: not by itself."""
        if self.run.due_at is None or self.call is not None:
            return None
        return max(self.run.due_at - self.now, timedelta())

    @property
    def call(self) -> Call | None:
        """The step that waits for a program, if it is at one."""
        step = self.body.step(self.run.step)
        return step if isinstance(step, Call) and self.run.waits_for == WaitsFor.CALL else None

    # ---- moves -----------------------------------------------------------------------------------------

    def move(self, move: str) -> None:
        """Do what the person who tries it did; ignore what is not possible now."""
        name, _, rest = move.partition(":")
        if name == "say" and rest.strip():
            self._hear(rest.strip()[:LONGEST])
        elif name == "tap" and rest.isascii() and rest.isdigit() and int(rest[:3]) < len(self.offers):
            self._hear(*self.offers[int(rest[:3])])
        elif name == "answer" and self.call is not None:
            self._answered(self.call, rest)
        elif move == "failed" and self.call is not None:
            self.unanswered(move)
        elif move == "later" and self.waits is not None:
            self._pass()
        elif move == "shut" and self.window_open and self.scene.limits.window is not None:
            self._heard_at = None
            self._note("shut")
        elif move == "outside" and self.is_open:
            self._opens_at = self.now + CLOSED
            self._note("outside")
        elif move == "inside" and not self.is_open:
            self._opens_at = None
            self._note("inside")
        self._go_on_at_once()

    def _hear(self, text: str, payload: str = "") -> None:
        self._messages += 1
        self._said, self._heard_at, self._row, self.offers = text, self.now, 0, []
        self.entries.append(Entry("said", text))
        if self.ended:
            self._note("unheard")
        elif not payload and _stops(text):
            self.end("stopped", "opted_out")
        elif not self.take(Heard(self._messages, text, payload)):
            self._note("unheard")

    def _answered(self, step: Call, given: str) -> None:
        try:
            values = strictjson.convert(strictjson.loads(given), list[str])
        except ValueError:
            return
        if len(values) == len(step.keeps):
            kept = zip(step.keeps, values, strict=True)
            self.answered({one.variable: value[:LONGEST_ANSWER] for one, value in kept})

    def _pass(self) -> None:
        """Let the time pass until it goes on by itself."""
        assert self.run.due_at is not None
        minutes = -(-int((self.run.due_at - self.now).total_seconds()) // 60)
        self.now = max(self.now, self.run.due_at)
        self.entries.append(Entry("time", minutes=minutes))
        if self._opens_at is not None and self._opens_at <= self.now:
            self._opens_at = None
            self._note("inside")
        self.go_on()

    def _go_on_at_once(self) -> None:
        """Go on where there is nothing to wait for, such as working hours that have begun."""
        for _ in range(MOST_MOVES):
            if self.waits != timedelta() or self.run.waits_for != WaitsFor.TIME:
                return
            self.go_on()

    def _note(self, kind: str, text: str = "", **more: Any) -> None:
        self.entries.append(Entry(kind, text, self.run.step, **more))

    # ---- effects ---------------------------------------------------------------------------------------

    def end(self, outcome: str, reason: str | None = None) -> None:
        self._stop()
        self._note("end", reason or outcome)

    def leave_to_people(self, reason: str, team: int = 0, outcome: str = "people") -> None:
        self._stop()
        self._team = team or self.body.team or self._team
        self._note("people", reason or outcome, about=team or self.body.team)

    def _stop(self) -> None:
        self.ended, self.run.due_at, self.run.waits_for = True, None, WaitsFor.NOTHING

    def _is_stopped(self) -> bool:
        return self.ended

    def _together(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _leave(self, way: str) -> None: ...

    def _note_visit(self) -> None: ...

    def _note_wait(self) -> None: ...

    def _note_refused(self, why: str) -> None:
        self._note("failed")

    def _act(self, step: Act) -> str:
        if isinstance(step.action, SendReply) and not self.window_open:
            self._note("unsent", "window_closed")
            return "window_closed"
        self._row += speaks(step)
        match step.action:
            case AddLabel(label):
                self._labels |= {label}
            case RemoveLabel(label):
                self._labels -= {label}
            case AssignTo(person):
                self._person_id = person
            case AssignNobody():
                self._person_id = None
            case GiveToTeam(team):
                self._team = team
        self._note("act", act=step)
        return ""

    def _close(self) -> None:
        self._note("close")

    def _keep(self, name: str, value: str, message_id: int | None) -> None:
        self._kept[name] = value
        self._note("kept", value, about=name)

    def _store(self, attribute_id: int, value: str) -> None:
        self._attributes[attribute_id] = value
        self._note("stored", value, about=attribute_id)

    def _send(self, text: str, content: Mapping[str, Any], voice: Voice, *, part: str = "") -> str:
        if not self.window_open:
            self._note("unsent", "window_closed")
            return "window_closed"
        self._row += 1
        # Nobody has contact details here that could be shared: they are typed.
        offered = content.get("quick_replies", ())
        self.offers = [(one["title"], one["payload"]) for one in offered if "title" in one]
        self._note("sent", text)
        return ""

    def _send_cards(self, elements: Sequence[Mapping[str, Any]]) -> str:
        why = self._send("", {}, Voice.AUTOMATION)
        if not why:
            self.entries[-1] = msgspec.structs.replace(self.entries[-1], cards=tuple(elements))
            buttons = [one for card in elements for one in card.get("buttons", ()) if "payload" in one]
            self.offers = [(one["title"], one["payload"]) for one in buttons]
        return why

    # ---- what they depend on ---------------------------------------------------------------------------

    def _answers(self) -> Mapping[str, str]:
        return self._kept

    def _facts(self) -> Facts:
        return Facts(
            text=self._said,
            kind="text",
            actor="customer",
            handled_by="automation",
            labels=self._labels,
            team_id=self._team,
            assignee_id=self._person_id,
            is_open=self.is_open,
            window="programs" if self.window_open else "closed",
            attributes=self._attributes,
        )

    def _open_from(self, since: datetime) -> datetime | None:
        return since if self._opens_at is None else max(since, self._opens_at)

    def _quick_reply_limits(self) -> QuickReplyLimits | None:
        return self.scene.limits.quick_replies

    def _card_limits(self) -> TemplateLimits | None:
        return self.scene.limits.cards

    def _person(self) -> str:
        return self.scene.person

    def _language(self) -> str | None:
        return self.scene.language

    def _unanswered(self) -> int:
        return self._row

    def _values(self) -> Mapping[str, str]:
        opens = texts.said_time(self._opens_at, self.now, self.scene.zone, self.scene.language)
        return {**self.scene.values, texts.OPENS_AT: opens}


def play(body: Body, scene: Scene, moves: Iterable[str], now: datetime) -> Play:
    """Return a try of *body* after *moves*, from the start of a run."""
    made = Play(body, scene, now)
    made.start()
    made._go_on_at_once()
    for move in moves:
        made.fresh = len(made.entries)
        made.move(move)
    return made
