"""The definition of a sequence: its starts and steps. Everything here is pure.

Steps stand in a list. Each is followed by the next one, unless it names another, or ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal

import msgspec
import regex
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation import condition_checks, texts
from host.automation.actions import (
    LONGEST_NOTE,
    AddLabel,
    AddNote,
    AddonDoes,
    AssignNobody,
    AssignTo,
    GiveToTeam,
    RemoveLabel,
    RunMacro,
    SendReply,
    SetAttribute,
)
from host.automation.condition_checks import ConditionError, ConditionTargets
from host.automation.conditions import Condition
from host.core.cleaning import clean, clean_written
from host.core.errors import InvalidError
from host.inbox.sendable import is_link
from host.inbox.variables import VariableError
from host.programs import posting
from host.sdk import strictjson

MOST_STEPS = 60
MOST_CASES = 8
MOST_CHOICES = 13
MOST_CARDS = 10
LONGEST_CARD = 80
"""Most characters of a title or a text of a card."""
MOST_STARTS = 50
"""Most words, taps or references that start a sequence."""
MOST_CONDITIONS = 10
LONGEST_ID = 32
LONGEST_CHOICE = 60
LONGEST_WAIT = timedelta(days=90)
"""Longest wait for a time or an answer."""
PROGRAM = "https://example.com/order-status"
"""Stands for the owner's program in a template until they replace it."""
LONGEST_URL = 2000
MOST_KEEPS = 10
"""Most fields that are kept of a program's answer."""
LONGEST_ANSWER = 500
"""Most characters that are kept of an answer."""
_ID = regex.compile(r"[a-z][a-z0-9_]{0,31}")

Kind = Literal["text", "choice", "number", "email", "phone", "date"]
"""The kind of an answer."""


class _StepBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", kw_only=True):
    """A step of a sequence.

    :param id: its name within the sequence; the runs and the numbers of a step keep to it.
    :param then: the next step; empty: the next one in the list.
    """

    id: str
    then: str = ""


class Say(_StepBase, tag="say", frozen=True, kw_only=True, omit_defaults=True):
    """Send a text with variables.

    :param closed: the step to go on with if the reply window is closed; empty: the run ends there.
    """

    text: str
    quick_replies: tuple[str, ...] = ()
    closed: str = ""


class Ask(_StepBase, tag="ask", frozen=True, kw_only=True, omit_defaults=True):
    """Ask a question, and go on with the answer.

    :param kind: what the answer has to be; for ``choice`` one of *choices*.
    :param digits: for ``number``: how many digits it has to have; 0: any number of them.
    :param variable: the name under which the run keeps the answer, as ``{{answer.name}}``.
    :param attribute: the attribute of contacts it is stored in, too; 0: none.
    :param again: what is said, once, if the answer does not fit; empty: the question again.
    :param other: the step to go on with if the second answer does not fit either; empty: people take over.
    :param told: what the customer is told when people take over after that; empty: nothing.
    :param hours: how long to wait for an answer; 0: until they write.
    :param silent: the step to go on with if no answer came in that time; empty: the run ends.
    :param closed: as in :class:`Say`.
    """

    text: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    digits: int = 0
    variable: str = ""
    attribute: int = 0
    again: str = ""
    other: str = ""
    told: str = ""
    hours: int = 0
    silent: str = ""
    closed: str = ""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A card with a picture and a button.

    :param picture: its https address; empty: none.
    :param button: the label of the button; empty: none.
    :param url: what the button opens; empty: it is answered with its label.
    """

    title: str
    text: str = ""
    picture: str = ""
    button: str = ""
    url: str = ""


class Show(_StepBase, tag="cards", frozen=True, kw_only=True, omit_defaults=True):
    """Send cards side by side; channels without cards get a text that says the same.

    :param closed: as in :class:`Say`.
    """

    cards: tuple[Card, ...]
    closed: str = ""


class Wait(_StepBase, tag="wait", frozen=True, kw_only=True, omit_defaults=True):
    """Wait for a time, until the customer writes, or until working hours begin.

    :param until: ``time``: for *minutes* and *hours*; ``written``: until they write, at most that long if a
        time is given; ``working``: until the team's working hours begin, at most that long.
    :param early: for ``time`` and ``working``: whether to go on at once if they write.
    :param silent: for ``written``: the step to go on with if they did not; empty: the run ends.
    """

    until: Literal["time", "written", "working"] = "time"
    minutes: int = 0
    hours: int = 0
    early: bool = True
    silent: str = ""

    @property
    def length(self) -> timedelta:
        """The time to wait; 0: no limit."""
        return timedelta(hours=self.hours, minutes=self.minutes)


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A way out of a branch: all of it has to hold.

    :param variable: an answer of the run that has to be *value*, in any case; empty: none.
    :param value: empty: any answer.
    :param conditions: conditions on the conversation and the contact.
    :param to: the step to go on with.
    """

    to: str
    variable: str = ""
    value: str = ""
    conditions: tuple[Condition, ...] = ()


class Branch(_StepBase, tag="branch", frozen=True, kw_only=True, omit_defaults=True):
    """Go on with the first of *cases* that holds, otherwise with *then*."""

    cases: tuple[Case, ...]


class Act(_StepBase, tag="act", frozen=True, kw_only=True):
    """Run an action on the conversation.

    A canned reply that cannot be sent leads to people, as a message does. Any other action that fails is left
    out.
    """

    action: (
        AddLabel
        | RemoveLabel
        | AssignTo
        | AssignNobody
        | GiveToTeam
        | AddNote
        | SetAttribute
        | SendReply
        | RunMacro
        | AddonDoes
    )


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A field of a program's answer that the run keeps.

    :param field: its name in the JSON object; names of nested objects are joined with dots.
    :param variable: the name under which the run keeps it, as ``{{answer.name}}``.
    """

    field: str
    variable: str


class Call(_StepBase, tag="call", frozen=True, kw_only=True, omit_defaults=True):
    """Ask a program of the workspace, and go on with its answer.

    :param url: it is posted to; see :mod:`host.sequences.program_calls`.
    :param keeps: what the run keeps of the answer; each field has to be there.
    :param failed: the step to go on with if there is no answer that fits; empty: people take over.
    """

    url: str
    keeps: tuple[Keep, ...] = ()
    failed: str = ""


class Hand(_StepBase, tag="people", frozen=True, kw_only=True, omit_defaults=True):
    """Hand the conversation to people, which ends the run.

    :param team: the team that gets it; 0: as it is.
    :param text: what is said to the customer before; empty: nothing. It is left out outside the window.
    """

    team: int = 0
    text: str = ""


class GoTo(_StepBase, tag="goto", frozen=True, kw_only=True, omit_defaults=True):
    """Go on with the step *then*."""


class End(_StepBase, tag="end", frozen=True, kw_only=True, omit_defaults=True):
    """End the run.

    :param close: whether to close the conversation.
    """

    close: bool = False


Step = Say | Ask | Show | Wait | Branch | Act | Call | Hand | GoTo | End


class Starts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The messages of customers that start a run. Any of them is enough.

    :param words: whole words or phrases in its text.
    :param taps: titles of ice breakers, menu items and buttons that were tapped.
    :param refs: references of links and advertisements.
    :param first: whether it is the first message of a new customer.
    :param story_replies: whether it answers a story.
    :param programs: whether programs and rules may start it, too, while the reply window is open.
    """

    words: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    first: bool = False
    story_replies: bool = False
    programs: bool = False

    @property
    def listens(self) -> bool:
        """Whether a customer's message can start it."""
        return bool(self.words or self.taps or self.refs or self.first or self.story_replies)


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The definition of a sequence.

    :param accounts: the accounts it runs on; empty: all.
    :param person: what happens if a person of the team writes in the conversation during a run.
    :param people: words by which a customer asks for a person at every step, besides the button.
    :param team: the team that then gets the conversation; 0: as it is.
    """

    steps: tuple[Step, ...]
    starts: Starts = Starts()
    accounts: tuple[int, ...] = ()
    person: Literal["end", "pause"] = "end"
    people: tuple[str, ...] = ()
    team: int = 0

    def step(self, id_: str) -> Step | None:
        """Return a step by its name, or None."""
        return next((one for one in self.steps if one.id == id_), None)

    def following(self, step: Step) -> str:
        """Return the name of the step after *step*; empty after the last one, and after those that end."""
        if isinstance(step, End | Hand):
            return ""
        if step.then or isinstance(step, GoTo):
            return step.then
        at = next(at for at, one in enumerate(self.steps) if one.id == step.id)
        return self.steps[at + 1].id if at + 1 < len(self.steps) else ""

    @property
    def variables(self) -> list[str]:
        """The names of the answers that its steps keep, in order."""
        found: list[str] = []
        for step in self.steps:
            if isinstance(step, Ask) and step.variable:
                found.append(step.variable)
            elif isinstance(step, Call):
                found += [one.variable for one in step.keeps]
        return found

    @property
    def conditions(self) -> Sequence[Condition]:
        """The conditions of all its branches, for loading their facts."""
        found: list[Condition] = []
        for step in self.steps:
            if isinstance(step, Branch):
                for case in step.cases:
                    found += case.conditions
        return found


class SequenceError(InvalidError):
    """The sequence is incomplete or invalid; *field* is the place, such as ``steps.2.text``."""

    code = "sequence"
    title = _l("The sequence wasn't saved")
    default_sentence = _l("The sequence is incomplete, so nothing was saved.")
    default_next_step = _l("Fix the marked step.")
    program_step = _l("Correct this field and send it again.")


class Targets(ConditionTargets, frozen=True):
    """All objects that sequences of a workspace may refer to, by id.

    :param actions: actions of addons, by name.
    :param macros: the shared ones; *broken_macros*: those that refer to something deleted, and run nothing.
    """

    actions: Mapping[str, Any] = msgspec.field(default_factory=dict)
    macros: Mapping[int, str] = msgspec.field(default_factory=dict)
    broken_macros: frozenset[int] = frozenset()


def read(stored: Mapping[str, Any]) -> Body | None:
    """Return a stored body, or None if it cannot be read because a newer version of Lobby wrote it."""
    try:
        return strictjson.convert(dict(stored), Body)
    except msgspec.ValidationError:
        return None


def given(body: Mapping[str, Any]) -> Body:
    """Return the body that a program or a page submitted.

    :raises SequenceError: if it is not a body.
    """
    try:
        return strictjson.convert(dict(body), Body)
    except msgspec.ValidationError as error:
        raise SequenceError(_in_words(str(error)), field=_path(str(error))) from None


_WRONG: Mapping[str, Callable[[str], LazyString]] = {
    r"Object contains unknown field `(.*?)`": lambda what: _l(
        "There is no field “%(what)s” here.", what=what
    ),
    r"Object missing required field `(.*?)`": lambda what: _l("The field “%(what)s” is missing.", what=what),
    r"Invalid (?:enum )?value '(.*?)'": lambda what: _l("“%(what)s” isn’t possible here.", what=what),
}
"""Patterns of messages of msgspec about one field or value, with what they say in words."""


def _in_words(message: str) -> LazyString:
    """Return what a message of msgspec says, without the names of its types."""
    for pattern, sentence in _WRONG.items():
        found = regex.match(pattern, message)
        if found is not None:
            return sentence(found[1][:100])
    return _l("The value of this field isn’t possible.")


def _path(message: str) -> str:
    """Return the place in a message of msgspec, such as ``steps.2.text`` of ``... at `$.steps[2].text```."""
    found = regex.search(r"at `\$\.?([^`]*)`", message)
    return "" if found is None else regex.sub(r"\[(\d+|\.\.\.)\]", r".\1", found.group(1))


def plain(body: Body) -> dict[str, Any]:
    """Return a body as stored, in plain JSON types, so that equal sequences compare equal."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return kept


def known_variables(names: Sequence[str]) -> Mapping[str, LazyString]:
    """Return the variables that texts may use, with their labels.

    :param names: the names under which answers are kept.
    """
    answers = {f"answer.{name}": _l("their answer “%(name)s”", name=name) for name in names}
    return {**texts.VARIABLES, **answers}


def speaks(step: Step) -> bool:
    """Return whether a step can send a message, other than the last one before people take over."""
    return isinstance(step, Say | Ask | Show) or (
        isinstance(step, Act) and isinstance(step.action, SendReply | RunMacro | AddonDoes)
    )


def as_text(cards: Sequence[Card]) -> str:
    """Return cards as a text, for channels without cards."""
    return "\n\n".join("\n".join(filter(None, (one.title, one.text, one.url))) for one in cards)


def listed(choices: Sequence[str]) -> str:
    """Return answers to choose as lines below a question, for channels without quick replies."""
    return "".join(f"\n{number}. {one}" for number, one in enumerate(choices, 1))


def ways_out(body: Body, step: Step) -> Iterator[tuple[str, str]]:
    """Yield where a step can lead: the kind of the way, and the next step, empty at an end.

    The kinds: ``then``, ``case``, ``other``, ``silent``, ``failed``, ``closed``. A *closed* way that is not
    given does not count: what is said outside the window is refused before.
    """
    if isinstance(step, Hand | End):
        return
    if isinstance(step, Branch):
        for case in step.cases:
            yield "case", case.to
    yield "then", body.following(step)
    if isinstance(step, Ask) and step.other:
        yield "other", step.other
    if isinstance(step, Ask | Wait) and step.silent:
        yield "silent", step.silent
    if isinstance(step, Call) and step.failed:
        yield "failed", step.failed
    if isinstance(step, Say | Ask | Show) and step.closed:
        yield "closed", step.closed


def first_questions(body: Body) -> frozenset[str]:
    """Return the names of the questions that can be the first one of a run."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [body.steps[0].id]
    while todo:
        step = body.step(todo.pop())
        if step is None or step.id in seen:
            continue
        seen.add(step.id)
        if isinstance(step, Ask):
            found.add(step.id)
        else:
            todo += [to for _way, to in ways_out(body, step)]
    return frozenset(found)


# ---- checking ------------------------------------------------------------------------------------------


def checked(body: Body, there: Targets, limit: int | None = None) -> Body:
    """Return a body with its texts cleaned, as it is saved. It may lack what publishing proves.

    :param limit: of a message of the channels, in bytes or with its unit; None: unknown.
    :raises SequenceError: if a step is invalid; *field* names the place.
    """
    if not body.steps:
        raise SequenceError(_l("A sequence needs at least one step."), field="steps")
    if len(body.steps) > MOST_STEPS:
        raise SequenceError(
            _l("A sequence can have at most %(most)s steps.", most=MOST_STEPS),
            field="steps",
            limit=MOST_STEPS,
        )
    seen: set[str] = set()
    for at, step in enumerate(body.steps):
        if _ID.fullmatch(step.id) is None:
            sentence = _l("A step's name has 1 to 32 lowercase letters, digits and underscores.")
            raise SequenceError(sentence, field=f"steps.{at}.id")
        if step.id in seen:
            raise SequenceError(_l("Two steps have the same name."), field=f"steps.{at}.id")
        seen.add(step.id)
    known = known_variables(body.variables)
    steps = [_step(step, f"steps.{at}", seen, there, known, limit) for at, step in enumerate(body.steps)]
    _check_accounts(body, there)
    _check_team(body, there)
    return msgspec.structs.replace(
        body,
        steps=tuple(steps),
        starts=_starts(body.starts),
        people=tuple(dict.fromkeys(_words(body.people, "people"))),
    )


def refusals(body: Body, there: Targets) -> Iterator[SequenceError]:
    """Yield why a body that was saved would be refused now: the first reason of each step and setting.

    The length of texts is left to the proof, which knows the channels.
    """
    names = {step.id for step in body.steps}
    known = known_variables(body.variables)
    checks: list[Callable[[], Any]] = [
        partial(_step, step, f"steps.{at}", names, there, known, None) for at, step in enumerate(body.steps)
    ]
    checks += [
        partial(_check_accounts, body, there),
        partial(_check_team, body, there),
        partial(_starts, body.starts),
        partial(_words, body.people, "people"),
    ]
    for check in checks:
        try:
            check()
        except SequenceError as error:
            yield error


def _check_accounts(body: Body, there: Targets) -> None:
    _check_ids(body.accounts, there.accounts, _l("An account of the sequence is gone."), "accounts")


def _check_team(body: Body, there: Targets) -> None:
    if body.team and body.team not in there.targets.teams:
        raise SequenceError(_l("The team was deleted."), field="team")


def _check_ids(ids: Sequence[int], there: Mapping[int, str], sentence: LazyString, field: str) -> None:
    for at, id_ in enumerate(ids):
        if id_ not in there:
            raise SequenceError(sentence, field=f"{field}.{at}")


def _words(words: Sequence[str], field: str) -> tuple[str, ...]:
    if len(words) > MOST_STARTS:
        raise SequenceError(
            _l("At most %(most)s are possible.", most=MOST_STARTS), field=field, limit=MOST_STARTS
        )
    kept = []
    for at, word in enumerate(words):
        cleaned = " ".join(clean(word).split())
        if not cleaned or len(cleaned) > LONGEST_CHOICE:
            sentence = _l("Each has 1 to %(most)s characters.", most=LONGEST_CHOICE)
            raise SequenceError(sentence, field=f"{field}.{at}")
        kept.append(cleaned)
    return tuple(kept)


def _starts(starts: Starts) -> Starts:
    return msgspec.structs.replace(
        starts,
        words=_words(starts.words, "starts.words"),
        taps=_words(starts.taps, "starts.taps"),
        refs=_words(starts.refs, "starts.refs"),
    )


def _text(text: str, place: str, known: Mapping[str, LazyString], limit: int | None) -> str:
    try:
        return texts.checked(text, limit, known)
    except (texts.AutomationTextError, VariableError) as error:
        raise SequenceError(error.sentence, next_step=error.next_step, field=place) from None


def _step(
    step: Step,
    place: str,
    names: set[str],
    there: Targets,
    known: Mapping[str, LazyString],
    limit: int | None,
) -> Step:
    """Return a step validated."""
    for field in ("then", "closed", "other", "silent", "failed"):
        name = getattr(step, field, "")
        if name and name not in names:
            sentence = _l("There is no step “%(name)s”.", name=name)
            raise SequenceError(sentence, field=f"{place}.{field}")
    changes: dict[str, Any] = {}
    if isinstance(step, Say | Ask) or (isinstance(step, Hand) and step.text):
        changes["text"] = _text(step.text, f"{place}.text", known, limit)
    if isinstance(step, Say):
        changes["quick_replies"] = _titles(step.quick_replies, f"{place}.quick_replies")
    elif isinstance(step, Ask):
        changes |= _question(step, place, there, known, limit)
    elif isinstance(step, Show):
        changes["cards"] = _cards(step.cards, place, known)
    elif isinstance(step, Branch):
        changes["cases"] = _cases(step, place, names, there)
    elif isinstance(step, Act):
        changes["action"] = _action(step, place, there, known)
    elif isinstance(step, Call):
        changes["url"] = _address(step.url, place)
        changes["keeps"] = _keeps(step.keeps, place)
    else:
        _check_rest(step, place, there)
    return msgspec.structs.replace(step, **changes)


def _cases(step: Branch, place: str, names: set[str], there: Targets) -> tuple[Case, ...]:
    if not 1 <= len(step.cases) <= MOST_CASES:
        sentence = _l("A branch has 1 to %(most)s cases.", most=MOST_CASES)
        raise SequenceError(sentence, field=f"{place}.cases", limit=MOST_CASES)
    return tuple(_case(case, f"{place}.cases.{at}", names, there) for at, case in enumerate(step.cases))


def _action(step: Act, place: str, there: Targets, known: Mapping[str, LazyString]) -> Any:
    if isinstance(step.action, AddonDoes):
        if step.action.name not in there.actions:
            sentence = _l("The addon that provides this action is not active.")
            raise SequenceError(sentence, field=f"{place}.action")
        return step.action
    if isinstance(step.action, SetAttribute):
        if step.action.attribute not in there.attributes:
            raise SequenceError(_l("The attribute was deleted."), field=f"{place}.action")
        value = clean_written(step.action.value)
        if len(value) > LONGEST_ANSWER:
            sentence = _l("A value has at most %(most)s characters.", most=LONGEST_ANSWER)
            raise SequenceError(sentence, field=f"{place}.action.value", limit=LONGEST_ANSWER)
        value = _text(value, f"{place}.action.value", known, None) if value else ""
        return SetAttribute(step.action.attribute, value)
    is_gone = (
        step.action.macro not in there.macros
        if isinstance(step.action, RunMacro)
        else there.targets.is_missing(step.action)
    )
    if is_gone:
        raise SequenceError(_l("What this step refers to was deleted."), field=f"{place}.action")
    if not isinstance(step.action, AddNote):
        return step.action
    note = clean_written(step.action.text)
    if not note or len(note) > LONGEST_NOTE:
        sentence = _l("A note has 1 to %(most)s characters.", most=LONGEST_NOTE)
        raise SequenceError(sentence, field=f"{place}.action.text")
    return AddNote(note)


def _cards(cards: Sequence[Card], place: str, known: Mapping[str, LazyString]) -> tuple[Card, ...]:
    if not 1 <= len(cards) <= MOST_CARDS:
        sentence = _l("This step has 1 to %(most)s cards.", most=MOST_CARDS)
        raise SequenceError(sentence, field=f"{place}.cards", limit=MOST_CARDS)
    return tuple(_card(card, f"{place}.cards.{at}", known) for at, card in enumerate(cards))


def _card(card: Card, place: str, known: Mapping[str, LazyString]) -> Card:
    lines: dict[str, str] = {}
    for name, most in (("title", LONGEST_CARD), ("text", LONGEST_CARD), ("button", LONGEST_CHOICE)):
        line = " ".join(clean(getattr(card, name)).split())
        if len(line) > most:
            raise SequenceError(_l("This can have %(most)s characters.", most=most), field=f"{place}.{name}")
        is_filled = line and name != "button"
        lines[name] = _text(line, f"{place}.{name}", known, None) if is_filled else line
    if not lines["title"]:
        raise SequenceError(_l("A card needs a title."), field=f"{place}.title")
    picture, url = card.picture.strip(), card.url.strip()
    for name, address in (("picture", picture), ("url", url)):
        if address and not is_link(address):
            raise SequenceError(
                _l("Lobby can’t use this link."),
                next_step=_l("Copy the whole URL, such as https://example.com/."),
                field=f"{place}.{name}",
            )
    if url and not lines["button"]:
        raise SequenceError(_l("Write what the button says."), field=f"{place}.button")
    if not (lines["text"] or picture or lines["button"]):
        raise SequenceError(
            _l("A card needs a text, a picture or a button besides its title."), field=f"{place}.text"
        )
    return Card(**lines, picture=picture, url=url)


def _address(url: str, place: str) -> str:
    address = url.strip()
    if not address or len(address) > LONGEST_URL or not posting.allows(address):
        raise SequenceError(
            _l("Lobby can't send to this URL."),
            next_step=_l("Use an https URL on port 443 with a public hostname."),
            field=f"{place}.url",
        )
    return address


def _keeps(keeps: Sequence[Keep], place: str) -> tuple[Keep, ...]:
    if len(keeps) > MOST_KEEPS:
        raise SequenceError(
            _l("At most %(most)s are possible.", most=MOST_KEEPS), field=f"{place}.keeps", limit=MOST_KEEPS
        )
    kept = []
    for at, one in enumerate(keeps):
        path = one.field.strip()
        if not path or len(path) > LONGEST_CHOICE or not all(path.split(".")):
            sentence = _l("Name the field of the answer with 1 to %(most)s characters.", most=LONGEST_CHOICE)
            raise SequenceError(sentence, field=f"{place}.keeps.{at}.field")
        if _ID.fullmatch(one.variable) is None:
            sentence = _l("An answer's name has 1 to 32 lowercase letters, digits and underscores.")
            raise SequenceError(sentence, field=f"{place}.keeps.{at}.variable")
        kept.append(Keep(field=path, variable=one.variable))
    return tuple(kept)


def _check_rest(step: Step, place: str, there: Targets) -> None:
    if isinstance(step, Wait):
        _check_wait(step, place)
    elif isinstance(step, Hand) and step.team and step.team not in there.targets.teams:
        raise SequenceError(_l("The team was deleted."), field=f"{place}.team")
    elif isinstance(step, GoTo) and not step.then:
        raise SequenceError(_l("Choose the step to go on with."), field=f"{place}.then")


def _titles(titles: Sequence[str], place: str) -> tuple[str, ...]:
    if len(titles) > MOST_CHOICES:
        sentence = _l("At most %(most)s are possible.", most=MOST_CHOICES)
        raise SequenceError(sentence, field=place, limit=MOST_CHOICES)
    return tuple(dict.fromkeys(_words(titles, place)))


def _question(
    step: Ask, place: str, there: Targets, known: Mapping[str, LazyString], limit: int | None
) -> dict[str, Any]:
    if step.kind == "choice" and not step.choices:
        raise SequenceError(_l("A choice needs at least one answer."), field=f"{place}.choices")
    if step.kind != "choice" and step.choices:
        raise SequenceError(_l("Only a choice has answers to choose."), field=f"{place}.choices")
    if step.digits and step.kind != "number":
        raise SequenceError(_l("Only a number has digits to count."), field=f"{place}.digits")
    if not 0 <= step.digits <= 40:
        raise SequenceError(_l("A number has 1 to 40 digits."), field=f"{place}.digits")
    if step.variable and _ID.fullmatch(step.variable) is None:
        sentence = _l("An answer's name has 1 to 32 lowercase letters, digits and underscores.")
        raise SequenceError(sentence, field=f"{place}.variable")
    if step.attribute and step.attribute not in there.attributes:
        raise SequenceError(_l("The attribute was deleted."), field=f"{place}.attribute")
    _check_hours(step.hours, 0, place)
    if step.silent and not step.hours:
        raise SequenceError(_l("Say how long to wait for the answer."), field=f"{place}.hours")
    if step.told and step.other:
        sentence = _l("People don’t take over here: the sequence goes on with another step.")
        raise SequenceError(
            sentence,
            next_step=_l("Remove the text, or let people take over."),
            field=f"{place}.told",
        )
    return {
        "choices": _titles(step.choices, f"{place}.choices"),
        **{
            name: _text(text, f"{place}.{name}", known, limit)
            for name in ("again", "told")
            if (text := getattr(step, name))
        },
    }


def _check_hours(hours: int, minutes: int, place: str) -> None:
    for name, number in (("hours", hours), ("minutes", minutes)):
        if number < 0:
            raise SequenceError(
                _l("A wait can’t be negative."), next_step=_l("Enter 0 or more."), field=f"{place}.{name}"
            )
    # Counted in minutes: a timedelta can't be as long as a number can.
    if hours * 60 + minutes > LONGEST_WAIT // timedelta(minutes=1):
        sentence = _l("The longest wait is %(days)s days.", days=LONGEST_WAIT.days)
        raise SequenceError(sentence, field=f"{place}.hours")


def _check_wait(step: Wait, place: str) -> None:
    _check_hours(step.hours, step.minutes, place)
    if step.until == "time" and not step.length:
        raise SequenceError(_l("Say how long to wait."), field=f"{place}.hours")
    if step.silent and (step.until != "written" or not step.length):
        sentence = _l("Only a wait for a message has this way out, and needs a time.")
        raise SequenceError(sentence, field=f"{place}.silent")


def _case(case: Case, place: str, names: set[str], there: Targets) -> Case:
    if case.to not in names:
        raise SequenceError(_l("There is no step “%(name)s”.", name=case.to), field=f"{place}.to")
    if not case.variable and not case.conditions:
        raise SequenceError(_l("A case needs an answer or a condition."), field=place)
    if len(case.conditions) > MOST_CONDITIONS:
        sentence = _l("At most %(most)s are possible.", most=MOST_CONDITIONS)
        raise SequenceError(sentence, field=f"{place}.conditions", limit=MOST_CONDITIONS)
    return msgspec.structs.replace(
        case,
        value=" ".join(clean(case.value).split())[:LONGEST_ANSWER],
        conditions=tuple(
            _condition(one, f"{place}.conditions.{at}", there) for at, one in enumerate(case.conditions)
        ),
    )


def _condition(condition: Condition, place: str, there: Targets) -> Condition:
    try:
        return condition_checks.checked_condition(condition, there, place)
    except ConditionError as error:
        raise error.as_kind(SequenceError, error.field) from None
