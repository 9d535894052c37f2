"""Decide the steps of a run: where it goes on, what it says and what it waits for.

Everything here is pure: :class:`Decider` leaves each effect to a subclass.
:class:`host.sequences.runner.Walk` writes to the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import msgspec

from host.automation import handover_phrases, texts
from host.automation.actions import SendReply, SetAttribute
from host.automation.conditions import Facts, decide, folded
from host.automation.deciding import BUDGET
from host.inbox.reply import Voice
from host.inbox.sendable import told_apart
from host.sdk.capabilities import QuickReplyLimits, TemplateLimits
from host.sequences import answers
from host.sequences.body import (
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Card,
    Case,
    End,
    Hand,
    Say,
    Show,
    Step,
    Wait,
    as_text,
    first_questions,
    known_variables,
    listed,
)
from host.sequences.models import SequenceRun, WaitsFor

MOST_MOVES = 100
"""Most steps in one write; a published sequence has fewer between two waits."""
REPEATED = -1
"""Tries of a question that was asked once more because what started the run came again."""
CLOSED = frozenset({"window_closed", "people_only"})
"""Refusals for which a step may have a way of its own."""


def _bare(text: str) -> str:
    """Return a text as it is compared as a whole."""
    return folded(text).strip(" .!?")


class PlayedRun(msgspec.Struct):
    """A run outside the database, with the columns of :class:`SequenceRun` that decide."""

    moved_at: datetime
    started_by: str = ""
    id: int = 0
    step: str = ""
    number: int = 0
    tries: int = 0
    waits_for: str = WaitsFor.NOTHING
    message_id: int | None = None
    due_at: datetime | None = None


class Heard(msgspec.Struct, frozen=True):
    """A message of the customer.

    :param payload: of the button that was tapped; empty: none.
    """

    id: int
    text: str
    payload: str = ""


class Decider:
    """A run that goes on."""

    __slots__ = ()
    run: SequenceRun | PlayedRun
    body: Body
    now: datetime

    # ---- what moves it ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Enter the first step."""
        if not self._is_stopped():
            self._go("start", self.body.steps[0].id)

    def take(self, heard: Heard) -> bool:
        """Go on with a message of the customer; return whether the run took it."""
        run = self.run
        if run.message_id is not None and heard.id <= run.message_id:
            return True  # it was read already
        if self._is_stopped():
            return False
        if heard.payload == handover_phrases.PERSON_PAYLOAD or self._asks_for_person(heard.text):
            run.message_id = heard.id
            self.leave_to_people("asked")
            return True
        step = self.body.step(run.step)
        if run.waits_for == WaitsFor.ANSWER and isinstance(step, Ask):
            run.message_id = heard.id
            self._answer(step, heard, answers.chosen(heard.payload, run.id, run.number))
            return True
        if run.waits_for == WaitsFor.MESSAGE or (
            # Without a time, as the team has no working hours, only a message goes on.
            run.waits_for == WaitsFor.TIME and isinstance(step, Wait) and (step.early or run.due_at is None)
        ):
            assert step is not None
            run.message_id = heard.id
            self._go("then", self.body.following(step))
            return True
        if run.waits_for == WaitsFor.CALL:
            run.message_id = heard.id  # the sequence goes on in a moment, so nothing else answers
            return True
        return False

    def go_on(self) -> None:
        """Go on because the time has come."""
        run = self.run
        run.due_at = None
        if self._is_stopped():
            return
        step = self.body.step(run.step)
        if step is None:
            self.leave_to_people("step_gone")
        elif run.waits_for in {WaitsFor.ANSWER, WaitsFor.MESSAGE}:
            silent = step.silent if isinstance(step, Ask | Wait) else ""
            if silent:
                self._go("silent", silent)
            else:
                self.end("done", "no_answer")
        else:
            self._go("then", self.body.following(step))

    # ---- programs --------------------------------------------------------------------------------------

    def answered(self, values: Mapping[str, str]) -> None:
        """Go on with what a program answered."""
        step = self.body.step(self.run.step)
        if self._is_stopped():
            return
        if step is None:
            self.leave_to_people("step_gone")
            return
        for name, value in values.items():
            # Erased with what the customer said: it is about that.
            self._keep(name, value, self.run.message_id)
        self._go("then", self.body.following(step))

    def call_again(self, at: datetime) -> None:
        """Let the program be asked again then."""
        if not self._is_stopped():
            self.run.due_at = at

    def unanswered(self, why: str) -> None:
        """Go on after a program gave no answer that fits."""
        if self._is_stopped():
            return
        self._note_refused(why)
        step = self.body.step(self.run.step)
        if isinstance(step, Call) and step.failed:
            self._go("failed", step.failed)
        else:
            self.leave_to_people("call_failed")

    # ---- the steps -------------------------------------------------------------------------------------

    def _go(self, way: str, to: str) -> None:
        """Leave the current step by *way*, and enter the next ones until the run waits or ends."""
        self._flush()
        for _ in range(MOST_MOVES):
            self._leave(way)
            step = self.body.step(to)
            if step is None:
                self.end("done")
                return
            self._enter(step)
            with self._together():
                found = self._do(step)
            if found is None:
                return
            way, to = found
        self.leave_to_people("too_long", outcome="failed")

    def _enter(self, step: Step) -> None:
        run = self.run
        run.step, run.tries, run.moved_at, run.due_at = step.id, 0, self.now, None
        run.number += 1
        run.waits_for = WaitsFor.NOTHING
        self._note_visit()

    def _do(self, step: Step) -> tuple[str, str] | None:
        """Do a step; return the way out and the next step, or None if the run waits or ended."""
        match step:
            case Say() | Ask() | Show():
                return self._speak(step)
            case Wait() | Call():
                self._wait(step)
                return None
            case Branch():
                return self._choose(step)
            case Act(action=SetAttribute() as action):
                value = action.value if "{{" not in action.value else self._filled(action.value)
                if value is not None:
                    self._store(action.attribute, value)
            case Act() if not self._is_done(step):
                return None
            case Hand():
                if step.text:
                    self._queue(step.text, {}, Voice.NOTICE)
                self.leave_to_people("", step.team)
                return None
            case End():
                self._end(step)
                return None
        return "then", self.body.following(step)

    def _is_done(self, step: Act) -> bool:
        """Run an action; return whether the run goes on."""
        is_reply = isinstance(step.action, SendReply)
        why = "budget" if is_reply and self._unanswered() >= BUDGET else self._act(step)
        if why and is_reply:
            self.leave_to_people(why, outcome="stopped")
            return False
        if why:
            self._note_refused(why)
        return True

    def _end(self, step: End) -> None:
        self.end("done")
        if step.close:
            self._close()

    def _speak(self, step: Say | Ask | Show) -> tuple[str, str] | None:
        if isinstance(step, Show):
            why = self._show(step.cards)
        else:
            why = self._queue(step.text, self._offers(step), Voice.AUTOMATION)
        if why in CLOSED and step.closed:
            return "closed", step.closed
        if why:
            self.leave_to_people(why, outcome="stopped")
            return None
        if isinstance(step, Ask):
            self._wait(step)
            return None
        return "then", self.body.following(step)

    def _wait(self, step: Ask | Wait | Call) -> None:
        """Wait as *step* says, from when the run entered it."""
        run = self.run
        if isinstance(step, Call):
            run.waits_for, run.due_at, run.tries = WaitsFor.CALL, self.now, 0
        elif isinstance(step, Ask):
            run.waits_for = WaitsFor.ANSWER
            run.due_at = run.moved_at + timedelta(hours=step.hours) if step.hours else None
        elif step.until == "written":
            run.waits_for = WaitsFor.MESSAGE
            run.due_at = run.moved_at + step.length if step.length else None
        else:
            run.waits_for = WaitsFor.TIME
            run.due_at = self._until(step)
        self._note_wait()

    def _until(self, step: Wait) -> datetime | None:
        since = self.run.moved_at
        latest = since + step.length if step.length else None
        if step.until == "time":
            return latest
        opens = self._open_from(since)
        if opens is None or (latest is not None and latest < opens):
            return latest  # no working hours at all: only a message goes on
        return opens

    def _choose(self, step: Branch) -> tuple[str, str]:
        said = self._answers()
        facts = None
        for case in step.cases:
            if not _is_answered(case, said):
                continue
            if case.conditions:
                facts = facts or self._facts()
                if facts is None or not decide(case.conditions, facts)[0]:
                    continue
            return "case", case.to
        return "then", self.body.following(step)

    # ---- questions -------------------------------------------------------------------------------------

    def _asks_for_person(self, text: str) -> bool:
        said = _bare(text)
        return handover_phrases.is_asked(text) or said in {folded(one) for one in self.body.people}

    def _starts_again(self, step: Ask, text: str) -> bool:
        """Return whether a customer only repeats what started the run, at its first question."""
        if self.run.started_by not in {"words", "tap"} or step.id not in first_questions(self.body):
            return False
        starts = self.body.starts
        return _bare(text) in {_bare(one) for one in (*starts.words, *starts.taps)}

    def _answer(self, step: Ask, heard: Heard, choice: int | None) -> None:
        value = answers.fitting(step, heard.text, choice, self._language())
        if (
            (value is None or step.kind != "choice")
            and choice is None
            and self._starts_again(step, heard.text)
        ):
            self._ask_once_more(step)
            return
        if value is None:
            self._ask_again(step)
            return
        if step.variable:
            self._keep(step.variable, value, heard.id)
        if step.attribute:
            self._store(step.attribute, value)
        self._go("then", self.body.following(step))

    def _ask_once_more(self, step: Ask) -> None:
        """Ask again after a repeated start, once; that takes none of the tries to answer."""
        if self.run.tries == 0:
            self.run.tries = REPEATED
            self._repeat(step, step.text, part="repeated")
        else:
            self._ask_again(step)

    def _repeat(self, step: Ask, text: str, *, part: str) -> None:
        why = self._queue(text, self._offers(step), Voice.AUTOMATION, part=part)
        if why:
            self.leave_to_people(why, outcome="stopped")

    def _ask_again(self, step: Ask) -> None:
        if self.run.tries <= 0:
            self.run.tries = 1
            self._repeat(step, step.again or step.text, part="again")
        elif step.other:
            self._go("other", step.other)
        else:
            if step.told:  # left out where it can't be sent, as before any handing over
                self._queue(step.told, {}, Voice.NOTICE, part="told")
            self.leave_to_people("no_fit")

    # ---- sending ---------------------------------------------------------------------------------------

    def _offers(self, step: Say | Ask) -> dict[str, Any]:
        """Return the quick replies of a step: its answers to choose, and a person."""
        limits = self._quick_reply_limits()
        if limits is None:
            return {}
        if isinstance(step, Ask) and step.kind in limits.asks:
            asked = [{"ask": step.kind}]
            most = limits.ask_text_length
            if most is None or all(len(text) <= most for text in (step.text, step.again)):
                person = {"title": self._person(), "payload": handover_phrases.PERSON_PAYLOAD}
                return {"quick_replies": asked if limits.ask_alone else [*asked, person]}
        titles: Sequence[str] = step.choices if isinstance(step, Ask) else step.quick_replies
        run = self.run
        offers = [
            {
                "title": title[: limits.title_length],
                "payload": answers.payload(run.id, run.number, at) if isinstance(step, Ask) else title,
            }
            for at, title in enumerate(titles[: limits.most - 1])
        ]
        person = {"title": self._person(), "payload": handover_phrases.PERSON_PAYLOAD}
        return {"quick_replies": told_apart([*offers, person])}

    def _queue(self, text: str, content: Mapping[str, Any], voice: Voice, *, part: str = "") -> str:
        """Send a message; return why it is not sent, or an empty string.

        :param part: as for :meth:`_send`.
        """
        if self._unanswered() >= BUDGET:
            return "budget"
        said = text if "{{" not in text else self._filled(text)
        if said is None:
            return "unfilled"
        step = self.body.step(self.run.step)
        if isinstance(step, Ask) and not content and part != "told":
            said += listed(step.choices)
        return self._send(said, content, voice, part=part)

    def _show(self, cards: Sequence[Card]) -> str:
        """Send cards; return why they are not sent, or an empty string."""
        limits = self._card_limits()
        if limits is None:
            return self._queue(as_text(cards), {}, Voice.AUTOMATION)
        if self._unanswered() >= BUDGET:
            return "budget"
        elements = []
        for card in cards:
            said = [self._filled(text) if "{{" in text else text for text in (card.title, card.text)]
            if None in said:
                return "unfilled"
            title, text = (one or "" for one in said)
            element: dict[str, Any] = {"title": title[: limits.title_length]}
            if text:
                element["subtitle"] = text[: limits.subtitle_length]
            if card.picture:
                element["image_url"] = card.picture
            if card.button:
                opens = {"url": card.url} if card.url else {"payload": card.button}
                element["buttons"] = [{"title": card.button[: limits.button_title_length], **opens}]
            elements.append(element)
        return self._send_cards(elements)

    def _filled(self, text: str) -> str | None:
        values = dict(self._values())
        values |= {f"answer.{name}": value for name, value in self._answers().items()}
        return texts.filled(text, values, known_variables(self.body.variables))

    # ---- the effects, and what they depend on ----------------------------------------------------------

    def end(self, outcome: str, reason: str | None = None) -> None:
        """End the run; the conversation is nobody's again."""
        raise NotImplementedError

    def leave_to_people(self, reason: str, team: int = 0, outcome: str = "people") -> None:
        """End the run and hand the conversation to people, for whose answer the customer waits.

        :param team: the team that gets it; 0: the one of the sequence.
        """
        raise NotImplementedError

    def _is_stopped(self) -> bool:
        """Return whether the run must not go on; then end it, or pause it where a person writes."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Make what was changed visible to the effects that follow."""

    def _together(self) -> AbstractContextManager[Any]:
        """Return the context in which a step is done."""
        raise NotImplementedError

    def _leave(self, way: str) -> None:
        """Note the way by which the current step, if any, is left."""
        raise NotImplementedError

    def _note_visit(self) -> None:
        """Note the step that was entered."""
        raise NotImplementedError

    def _note_wait(self) -> None:
        """Note that the run waits."""
        raise NotImplementedError

    def _note_refused(self, why: str) -> None:
        """Note why an action or a call was not done."""
        raise NotImplementedError

    def _act(self, step: Act) -> str:
        """Run an action; return why it was not done, or an empty string."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close the conversation."""
        raise NotImplementedError

    def _keep(self, name: str, value: str, message_id: int | None) -> None:
        """Keep an answer under a name.

        :param message_id: the customer's message; None: a program answered.
        """
        raise NotImplementedError

    def _store(self, attribute_id: int, value: str) -> None:
        """Store a value in an attribute of the contact; empty: clear it."""
        raise NotImplementedError

    def _send(self, text: str, content: Mapping[str, Any], voice: Voice, *, part: str = "") -> str:
        """Send a filled text; return why it is not sent, or an empty string.

        :param part: what it is besides the first message of the step: ``repeated``, ``again`` or ``told``.
        """
        raise NotImplementedError

    def _send_cards(self, elements: Sequence[Mapping[str, Any]]) -> str:
        """Send cards in their stored form; return why they are not sent, or an empty string."""
        raise NotImplementedError

    def _card_limits(self) -> TemplateLimits | None:
        """Return the limits of cards; None: the channel has none."""
        raise NotImplementedError

    def _answers(self) -> Mapping[str, str]:
        """Return the answers that were kept, by name."""
        raise NotImplementedError

    def _facts(self) -> Facts | None:
        """Return what conditions check; None if the message is gone."""
        raise NotImplementedError

    def _open_from(self, since: datetime) -> datetime | None:
        """Return the first time from *since* within working hours, or None if there is none."""
        raise NotImplementedError

    def _quick_reply_limits(self) -> QuickReplyLimits | None:
        """Return the limits of the channel; None: it has no quick replies."""
        raise NotImplementedError

    def _person(self) -> str:
        """Return the title of *Talk to a person*."""
        raise NotImplementedError

    def _language(self) -> str | None:
        """Return the language of the workspace."""
        raise NotImplementedError

    def _unanswered(self) -> int:
        """Return how many automatic messages the customer got since they wrote."""
        raise NotImplementedError

    def _values(self) -> Mapping[str, str]:
        """Return the values of variables, besides answers."""
        raise NotImplementedError


def _is_answered(case: Case, said: Mapping[str, str]) -> bool:
    """Return whether the answer that a case asks for was given."""
    if not case.variable:
        return True
    there = said.get(case.variable, "")
    return folded(there).strip() == folded(case.value).strip() if case.value else bool(there)
