"""The forms of a sequence: a step, and its starts and settings, from and to their definitions. Pure.

One step is saved at a time, so that a form needs no script; each save is checked as a whole body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from host.automation import condition_forms
from host.automation.action_forms import fields_of, row_of
from host.automation.actions import SetAttribute
from host.automation.condition_checks import ConditionError
from host.automation.conditions import AnyOf, Condition
from host.core.ids import read_id
from host.sdk import strictjson
from host.sequences.body import (
    MOST_CARDS,
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Case,
    End,
    GoTo,
    Hand,
    Keep,
    Say,
    SequenceError,
    Show,
    Starts,
    Step,
    Wait,
)

Form = MultiDict[str, str]
WAYS = ("then", "closed", "other", "silent", "failed")
UNITS = {"minutes": 1, "hours": 60, "days": 1440}
MOST_ROWS = 60
"""Most rows of a branch: conditions of its cases."""
ANSWER = "answer:"
"""Prefix of the choices for answers, with their names."""


class CaseRow(msgspec.Struct, frozen=True):
    """A row of a branch: a condition.

    :param chosen: ``answer:`` with a name, or a condition as a row of a form has it; empty: no row.
    :param joins: ``and`` or ``or`` if it belongs to the case of the row before; empty: it begins a case.
    """

    chosen: str = ""
    value: str = ""
    to: str = ""
    joins: str = ""


class CardRow(msgspec.Struct, frozen=True):
    """A card, as :class:`host.sequences.body.Card`; without any text: no card."""

    title: str = ""
    text: str = ""
    picture: str = ""
    button: str = ""
    url: str = ""

    @property
    def is_blank(self) -> bool:
        return not any(getattr(self, name).strip() for name in self.__struct_fields__)


class StepForm(msgspec.Struct, frozen=True):
    """The fields of a step as texts, whatever its kind."""

    do: str
    id: str = ""
    text: str = ""
    choices: str = ""
    kind: str = "text"
    digits: str = ""
    variable: str = ""
    attribute: str = ""
    again: str = ""
    told: str = ""
    until: str = "time"
    wait: str = ""
    unit: str = "hours"
    early: bool = True
    action: str = ""
    value: str = ""
    team: str = ""
    close: bool = False
    cases: tuple[CaseRow, ...] = ()
    cards: tuple[CardRow, ...] = ()
    then: str = ""
    closed: str = ""
    other: str = ""
    silent: str = ""
    failed: str = ""
    url: str = ""
    keeps: str = ""


def of_step(step: Step) -> StepForm:
    """Return the form of a step."""
    do = str(step.__struct_config__.tag)
    ways = {name: getattr(step, name, "") for name in WAYS}
    given: dict[str, Any] = {"do": do, "id": step.id, **ways}
    match step:
        case Say():
            given |= {"text": step.text, "choices": "\n".join(step.quick_replies)}
        case Ask():
            wait, unit = _time(step.hours * 60)
            given |= {
                "text": step.text,
                "kind": step.kind,
                "choices": "\n".join(step.choices),
                "digits": str(step.digits or ""),
                "variable": step.variable,
                "attribute": str(step.attribute or ""),
                "again": step.again,
                "told": step.told,
                "wait": wait,
                "unit": unit,
            }
        case Show():
            given["cards"] = tuple(
                CardRow(**{key: getattr(one, key) for key in CardRow.__struct_fields__}) for one in step.cards
            )
        case Wait():
            wait, unit = _time(step.hours * 60 + step.minutes)
            given |= {"until": step.until, "wait": wait, "unit": unit, "early": step.early}
        case Branch():
            given["cases"] = tuple(row for case in step.cases for row in _rows(case))
        case Act():
            given["action"], given["text"] = row_of(step.action)
            if isinstance(step.action, SetAttribute):
                given["value"] = step.action.value
        case Call():
            given["url"] = step.url
            given["keeps"] = "\n".join(f"{one.field} = {one.variable}" for one in step.keeps)
        case Hand():
            given |= {"text": step.text, "team": str(step.team or "")}
        case End():
            given["close"] = step.close
    return StepForm(**given)


def _time(minutes: int) -> tuple[str, str]:
    """Return a number and its unit."""
    if not minutes:
        return "", "hours"
    unit = "days" if minutes % 1440 == 0 else "hours" if minutes % 60 == 0 else "minutes"
    return str(minutes // UNITS[unit]), unit


def _rows(case: Case) -> list[CaseRow]:
    rows = [CaseRow(f"{ANSWER}{case.variable}", case.value)] if case.variable else []
    for condition in case.conditions:
        group = condition.of if isinstance(condition, AnyOf) else (condition,)
        for at, one in enumerate(group):
            row = condition_forms.row_of(one)
            rows.append(CaseRow(row.chosen, row.text, joins="or" if at else "and"))
    return [msgspec.structs.replace(rows[0], to=case.to, joins=""), *rows[1:]]


def rows_of(form: StepForm) -> tuple[CaseRow, ...]:
    """Return the rows of a branch with two empty ones for more, at most :data:`MOST_ROWS`."""
    return (*form.cases, CaseRow(), CaseRow())[: max(MOST_ROWS, len(form.cases))]


def cards_of(form: StepForm) -> tuple[CardRow, ...]:
    """Return the cards of a step with an empty one for more, at most :data:`MOST_CARDS`."""
    return (*form.cards, CardRow())[: max(MOST_CARDS, len(form.cards))]


def row_at(form: StepForm, case: int, condition: int | None) -> int:
    """Return the row of a case, or of one of its conditions; 0 if there is none."""
    number, group, begins = -1, -1, 0
    for at, row in enumerate(form.cases):
        if not row.joins or number < 0:
            number, group, begins = number + 1, -1, at
        if not row.chosen.startswith(ANSWER) and (row.joins != "or" or at == begins):
            group += 1
        if number == case and condition in {None, group}:
            return at
    return 0


def given_step(form: Form) -> StepForm:
    """Return the submitted form of a step."""
    fields = (
        "do", "id", "text", "choices", "kind", "digits", "variable", "attribute", "again", "told", "until",
        "wait", "unit", "action", "value", "team", "url", "keeps", *WAYS,
    )  # fmt: skip
    given: dict[str, Any] = {name: form.get(name, "") for name in fields}
    lists = (form.getlist(f"case_{part}")[: MOST_ROWS + 2] for part in ("if", "value", "to", "joins"))
    cases = tuple(CaseRow(*row) for row in zip(*lists, strict=False))
    cards = zip(
        *(form.getlist(f"card_{part}")[: MOST_CARDS + 1] for part in CardRow.__struct_fields__), strict=False
    )
    return StepForm(
        **given,
        early="early" in form,
        close="close" in form,
        cases=tuple(row for row in cases if row.chosen or row.to),
        cards=tuple(one for row in cards if not (one := CardRow(*row)).is_blank),
    )


def step_of(form: StepForm) -> Step:
    """Return the step of a form.

    :raises SequenceError: if it is not a step; *field* is a field of the form.
    """
    fields: dict[str, Any] = {"do": form.do, "id": form.id}
    if form.do not in {"end", "people"}:
        fields["then"] = form.then
    match form.do:
        case "say":
            fields |= {"text": form.text, "quick_replies": _lines(form.choices), "closed": form.closed}
        case "ask":
            fields |= _question(form)
        case "cards":
            fields |= {"cards": msgspec.to_builtins(form.cards), "closed": form.closed}
        case "wait":
            minutes = _minutes(form)
            fields |= {
                "until": form.until,
                "hours": minutes // 60,
                "minutes": minutes % 60,
                "early": form.early,
                "silent": form.silent if form.until == "written" else "",
            }
        case "branch":
            fields["cases"] = msgspec.to_builtins(_cases(form.cases))
        case "act":
            if not form.action:
                raise SequenceError(_l("Choose what to do."), field="action")
            fields["action"] = fields_of(
                form.action, form.value if form.action.startswith("attribute:") else form.text
            )
        case "call":
            keeps = [_keep(line) for line in _lines(form.keeps)]
            fields |= {"url": form.url.strip(), "keeps": msgspec.to_builtins(keeps), "failed": form.failed}
        case "people":
            fields |= {"text": form.text.strip(), "team": _id(form.team, "team")}
        case "end":
            fields["close"] = form.close
    try:
        return strictjson.convert({"steps": [fields]}, Body).steps[0]
    except msgspec.ValidationError:
        raise SequenceError(_l("This step is invalid.")) from None


def _question(form: StepForm) -> dict[str, Any]:
    minutes = _minutes(form)
    if minutes % 60:
        raise SequenceError(_l("A question waits for whole hours."), field="wait")
    return {
        "text": form.text,
        "kind": form.kind,
        "choices": _lines(form.choices) if form.kind == "choice" else [],
        "digits": _number(form.digits, "digits") if form.kind == "number" else 0,
        "variable": form.variable.strip(),
        "attribute": _id(form.attribute, "attribute"),
        "again": form.again,
        "told": form.told.strip(),
        "hours": minutes // 60,
        "closed": form.closed,
        "other": form.other,
        "silent": form.silent,
    }


def _cases(rows: Sequence[CaseRow]) -> list[Case]:
    """Return the cases of rows.

    :raises SequenceError: for the first row that says nothing.
    """
    cases: list[Case] = []
    for at, row in enumerate(rows):
        place = f"cases.{at}"
        if not row.joins or not cases:
            if not row.to:
                raise SequenceError(_l("Choose the step to go on with."), field=place)
            cases.append(Case(to=row.to))
        cases[-1] = _with_row(cases[-1], row, place)
    return cases


def _with_row(case: Case, row: CaseRow, place: str) -> Case:
    if not row.chosen:
        raise SequenceError(_l("Choose when this case holds."), field=place)
    if row.chosen.startswith(ANSWER):
        if case.variable or row.joins == "or":
            sentence = _l("A case can ask for one answer, and not with “or”.")
            raise SequenceError(sentence, field=place)
        name = row.chosen.removeprefix(ANSWER)
        return msgspec.structs.replace(case, variable=name, value=row.value)
    try:
        one = condition_forms.given(condition_forms.Row(row.chosen, row.value))
    except ConditionError as error:
        raise error.as_kind(SequenceError, place) from None
    condition: Condition = one
    before = list(case.conditions)
    if row.joins == "or":
        if not before:
            raise SequenceError(_l("A case can ask for one answer, and not with “or”."), field=place)
        last = before.pop()
        condition = AnyOf((*(last.of if isinstance(last, AnyOf) else (last,)), one))
    return msgspec.structs.replace(case, conditions=(*before, condition))


def _keep(line: str) -> Keep:
    """Return what is kept by a line, such as ``order.status = status``."""
    field, equals, variable = line.partition("=")
    if not equals:
        sentence = _l("Write a field of the answer, =, and the name it is kept as.")
        raise SequenceError(sentence, field="keeps")
    return Keep(field=field.strip(), variable=variable.strip())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(text: str, field: str) -> int:
    number = text.strip()
    if not number:
        return 0
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise SequenceError(_l("Enter a whole number."), field=field)
    return int(number)


def _minutes(form: StepForm) -> int:
    if form.unit not in UNITS:
        raise SequenceError(_l("Choose a unit."), field="wait")
    return _number(form.wait, "wait") * UNITS[form.unit]


def _id(text: str, field: str) -> int:
    if not text:
        return 0
    found = read_id(text)
    if found is None:
        raise SequenceError(_l("Choose one from the list."), field=field)
    return found


# ---- the body ------------------------------------------------------------------------------------------


def free_id(body: Body) -> str:
    """Return a name for a new step."""
    taken = {one.id for one in body.steps}
    return next(f"step{number}" for number in range(1, len(taken) + 2) if f"step{number}" not in taken)


def placed(body: Body, step: Step, after: str) -> Body:
    """Return a body with a step changed, or added after the one named *after*, otherwise at the end."""
    steps = list(body.steps)
    here = next((at for at, one in enumerate(steps) if one.id == step.id), None)
    if here is not None:
        steps[here] = step
    else:
        place = next((at for at, one in enumerate(steps) if one.id == after), len(steps) - 1)
        steps.insert(place + 1, step)
    return msgspec.structs.replace(body, steps=tuple(steps))


def moved(body: Body, id_: str, by: int) -> Body:
    """Return a body with a step moved up (-1) or down (1)."""
    steps = list(body.steps)
    here = next((at for at, one in enumerate(steps) if one.id == id_), None)
    if here is None:
        return body
    one = steps.pop(here)
    steps.insert(min(max(here + by, 0), len(steps)), one)
    return msgspec.structs.replace(body, steps=tuple(steps))


def without(body: Body, id_: str) -> Body:
    """Return a body without a step. What led to it leads to the step after it.

    :raises SequenceError: if a step has to lead somewhere, and nothing follows.
    """
    gone = body.step(id_)
    if gone is None:
        return body
    following = body.following(gone)
    following = "" if following == id_ else following
    steps: list[Step] = []
    for one in body.steps:
        if one.id == id_:
            continue
        changes: dict[str, Any] = {name: following for name in WAYS if getattr(one, name, "") == id_}
        if isinstance(one, Branch) and any(case.to == id_ for case in one.cases):
            changes["cases"] = tuple(
                msgspec.structs.replace(case, to=following) if case.to == id_ else case for case in one.cases
            )
        needs = "cases" in changes or (isinstance(one, GoTo) and "then" in changes)
        if needs and not following:
            raise SequenceError(
                _l("Another step leads to this one, so it was not deleted."),
                next_step=_l("Let it lead to another step first."),
            )
        steps.append(msgspec.structs.replace(one, **changes))
    return msgspec.structs.replace(body, steps=tuple(steps))


def settings_of(form: Form, body: Body, seen: Sequence[int], everything: bool) -> Body:
    """Return a body with the starts and settings of a submitted form.

    :param seen: the accounts that the form showed; others that the body has are kept.
    :param everything: whether it showed all accounts.
    """
    chosen = [read_id(one) for one in form.getlist("accounts")]
    unseen = [] if everything else [one for one in body.accounts if one not in seen]
    person = form.get("person", "end")
    if person not in {"end", "pause"}:
        raise SequenceError(_l("Choose one from the list."), field="person")
    return msgspec.structs.replace(
        body,
        starts=Starts(
            words=tuple(_lines(form.get("words", ""))),
            taps=tuple(_lines(form.get("taps", ""))),
            refs=tuple(_lines(form.get("refs", ""))),
            first="first" in form,
            story_replies="story_replies" in form,
            programs="programs" in form,
        ),
        accounts=tuple(dict.fromkeys([*unseen, *(one or 0 for one in chosen)])),
        person=person,
        people=tuple(_lines(form.get("people", ""))),
        team=_id(form.get("team", ""), "team"),
    )
