"""The forms of a sequence: a step, and its starts and settings, from and to their definitions. Pure.

One step is saved at a time, so that a form needs no script; each save is checked as a whole body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from host.automation.action_forms import fields_of, row_of
from host.automation.conditions import Condition, Open, Window
from host.core.ids import read_id
from host.sdk import strictjson
from host.sequences.body import (
    MOST_CASES,
    Act,
    Ask,
    Body,
    Branch,
    Case,
    End,
    GoTo,
    Hand,
    Say,
    SequenceError,
    Starts,
    Step,
    Wait,
)

Form = MultiDict[str, str]
WAYS = ("then", "closed", "other", "silent")
UNITS = {"minutes": 1, "hours": 60, "days": 1440}
_OFFERED: Mapping[str, Condition] = {
    "programs": Window("programs"),
    "closed": Window("closed"),
    "inside": Open(True),
    "outside": Open(False),
}
"""The conditions of a case that the form offers, besides answers."""
KEPT = "kept"
"""The choice for conditions that a program set, and that the form does not show."""


class CaseRow(msgspec.Struct, frozen=True):
    """A row of a branch.

    :param chosen: ``answer:`` with a name, a key of the offered conditions, or ``kept``; empty: no row.
    :param at: the place of the case it comes from, for what is kept; empty: a new one.
    """

    chosen: str = ""
    value: str = ""
    to: str = ""
    at: str = ""


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
    until: str = "time"
    wait: str = ""
    unit: str = "hours"
    early: bool = True
    action: str = ""
    team: str = ""
    close: bool = False
    cases: tuple[CaseRow, ...] = ()
    then: str = ""
    closed: str = ""
    other: str = ""
    silent: str = ""


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
                "wait": wait,
                "unit": unit,
            }
        case Wait():
            wait, unit = _time(step.hours * 60 + step.minutes)
            given |= {"until": step.until, "wait": wait, "unit": unit, "early": step.early}
        case Branch():
            given["cases"] = tuple(_row(case, at) for at, case in enumerate(step.cases))
        case Act():
            given["action"], given["text"] = row_of(step.action)
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


def _row(case: Case, at: int) -> CaseRow:
    chosen = KEPT
    if case.variable and not case.conditions:
        chosen = f"answer:{case.variable}"
    elif not case.variable and len(case.conditions) == 1:
        chosen = next((key for key, one in _OFFERED.items() if one == case.conditions[0]), KEPT)
    return CaseRow(chosen, case.value, case.to, str(at))


def rows_of(form: StepForm) -> tuple[CaseRow, ...]:
    """Return the rows of a branch with two empty ones for more, at most :data:`MOST_CASES`."""
    return (*form.cases, CaseRow(), CaseRow())[: max(MOST_CASES, len(form.cases))]


def given_step(form: Form) -> StepForm:
    """Return the submitted form of a step."""
    fields = (
        "do", "id", "text", "choices", "kind", "digits", "variable", "attribute", "again", "until", "wait",
        "unit", "action", "team", *WAYS,
    )  # fmt: skip
    given: dict[str, Any] = {name: form.get(name, "") for name in fields}
    lists = (form.getlist(f"case_{part}")[: MOST_CASES + 1] for part in ("if", "value", "to", "at"))
    cases = tuple(CaseRow(*row) for row in zip(*lists, strict=False))
    return StepForm(
        **given,
        early="early" in form,
        close="close" in form,
        cases=tuple(row for row in cases if row.chosen or row.to),
    )


def step_of(form: StepForm, before: Step | None) -> Step:
    """Return the step of a form.

    :param before: the step as it was saved, whose conditions may be kept.
    :raises SequenceError: if it is not a step; *field* is a field of the form.
    """
    fields: dict[str, Any] = {"do": form.do, "id": form.id}
    if form.do not in {"end", "people"}:
        fields["then"] = form.then
    match form.do:
        case "say":
            fields |= {"text": form.text, "quick_replies": _lines(form.choices), "closed": form.closed}
        case "ask":
            minutes = _minutes(form)
            if minutes % 60:
                raise SequenceError(_l("A question waits for whole hours."), field="wait")
            fields |= {
                "text": form.text,
                "kind": form.kind,
                "choices": _lines(form.choices) if form.kind == "choice" else [],
                "digits": _number(form.digits, "digits") if form.kind == "number" else 0,
                "variable": form.variable.strip(),
                "attribute": _id(form.attribute, "attribute"),
                "again": form.again,
                "hours": minutes // 60,
                "closed": form.closed,
                "other": form.other,
                "silent": form.silent,
            }
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
            cases = [_case(row, at, before) for at, row in enumerate(form.cases)]
            fields["cases"] = msgspec.to_builtins(cases)
        case "act":
            if not form.action:
                raise SequenceError(_l("Choose what to do."), field="action")
            fields["action"] = fields_of(form.action, form.text)
        case "people":
            fields |= {"text": form.text.strip(), "team": _id(form.team, "team")}
        case "end":
            fields["close"] = form.close
    try:
        return strictjson.convert({"steps": [fields]}, Body).steps[0]
    except msgspec.ValidationError:
        raise SequenceError(_l("This step is invalid.")) from None


def _case(row: CaseRow, at: int, before: Step | None) -> Case:
    """Return the case of a row.

    :raises SequenceError: if it says nothing, or keeps what is not there any more.
    """
    place = f"cases.{at}"
    if not row.to:
        raise SequenceError(_l("Choose the step to go on with."), field=place)
    if row.chosen.startswith("answer:"):
        return Case(to=row.to, variable=row.chosen.removeprefix("answer:"), value=row.value)
    if row.chosen in _OFFERED:
        return Case(to=row.to, conditions=(_OFFERED[row.chosen],))
    stood = read_id(row.at)
    if row.chosen == KEPT and isinstance(before, Branch) and stood is not None and stood < len(before.cases):
        return msgspec.structs.replace(before.cases[stood], to=row.to)
    raise SequenceError(_l("Choose when this case holds."), field=place)


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
