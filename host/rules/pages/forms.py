"""The form of a rule: rows with a select and a text, converted to and from a body.

The value of a select is a short word with an id: ``label:3``. Parts that a select does not offer, such as a
filter with several fields set by a program, get their own rows in stored form, so that nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from host.automation import action_forms, condition_forms
from host.automation.actions import (
    ID_FIELDS,
    SNOOZES,
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
from host.automation.condition_checks import ConditionError
from host.automation.condition_forms import Choices, Row, row_of
from host.automation.conditions import (
    AnyOf,
    Condition,
)
from host.core.backports.values import replace
from host.core.ids import read_id
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.rules.body import (
    MOST_ACTIONS,
    MOST_CONDITIONS,
    Action,
    Body,
    Call,
    Campaign,
    GiveOut,
    NotifyPeople,
    ReplyPrivately,
    ReplyPublicly,
    RuleError,
    RuleTargets,
    Say,
    StartSequence,
)
from host.rules.models import RuleState
from host.rules.pages import words
from host.sdk import strictjson
from host.web.languages import gettext as _

MOST_ROWS = MOST_CONDITIONS * MOST_CONDITIONS
"""Most rows of conditions: each of 20 may be a group of 20."""
LONGEST = 20_000
"""Most characters read from a text field."""


class Filling(msgspec.Struct, frozen=True):
    """The contents of the form.

    :param wait: for a customer who waits: how many of *unit*, a key of :data:`wording.UNITS`.
    :param campaign: campaign settings, which have their own fields and are unchanged here.
    """

    name: str = ""
    when: str = MESSAGE_RECEIVED
    wait: str = "4"
    unit: str = "hours"
    working: bool = False
    conditions: Sequence[Row] = (Row(),)
    actions: Sequence[Row] = (Row(),)
    stops: bool = False
    once: str = ""
    state: str = RuleState.SHADOW
    campaign: Campaign | None = None

    @property
    def title(self) -> str:
        return self.name

    def body(self) -> tuple[Body, Places]:
        """Return the body, and the rows of its parts. Rows without a chosen value are ignored.

        :raises RuleError: if a row is not a condition or action.
        """
        places = Places()
        conditions: list[Condition] = []
        for at, row in enumerate(self.conditions):
            if not row.chosen:
                continue
            one = _read(condition_forms.read, row, f"row:if:{at}")
            if row.joins and conditions:
                before = conditions.pop()
                conditions.append(AnyOf((*(before.of if isinstance(before, AnyOf) else (before,)), one)))
                places.conditions[-1].append(at)
            else:
                conditions.append(one)
                places.conditions.append([at])
        actions: list[Action] = []
        for at, row in enumerate(self.actions):
            if row.chosen:
                actions.append(_read(_action, row, f"row:then:{at}"))
                places.actions.append(at)
        hours, minutes = divmod(self._minutes(), 60)
        return Body(
            when=self.when,
            hours=hours,
            minutes=minutes,
            working=self.working,
            conditions=tuple(conditions),
            actions=tuple(actions),
            stops=self.stops,
            once=self.once,  # type: ignore[arg-type]
            campaign=self.campaign,
        ), places

    def moved(self, move: str) -> tuple[Filling, str]:
        """Return it after a button such as ``if:add:0``, up, down or remove, and the row to focus."""
        part, _colon, rest = move.partition(":")
        if part not in {"if", "then"}:
            return self, ""
        name = "conditions" if part == "if" else "actions"
        before, most = getattr(self, name), MOST_ROWS if part == "if" else MOST_ACTIONS
        rows = action_forms.rearranged(before, rest, most, Row())
        focus = f"{part}-{len(rows) - 1}" if len(rows) > len(before) else ""
        return replace(self, **{name: rows}), focus

    def _minutes(self) -> int:
        """Return the wait in minutes; 0 if it is not a number."""
        wait = self.wait.strip()
        number = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0
        return number * (words.UNITS[self.unit] // words.UNITS["minutes"])


@dataclass(slots=True)
class Places:
    """The rows of the parts of a body: for each condition, those of its group."""

    conditions: list[list[int]] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)

    def row_of(self, place: str | None) -> str:
        """Return the row or field of the page that an error names: ``row:if:2``, or a field's name."""
        what, *numbers = (place or "").split(".")
        at = [int(one) for one in numbers if one.isdigit()]
        if what == "actions" and at and at[0] < len(self.actions):
            return f"row:then:{self.actions[at[0]]}"
        if what == "conditions" and at and at[0] < len(self.conditions):
            group = self.conditions[at[0]]
            return f"row:if:{group[at[1] if at[1:] and at[1] < len(group) else 0]}"
        return place or ""


def _read(reader: Callable[[Row], Any], row: Row, place: str) -> Any:
    try:
        found = reader(row)
    except ConditionError as error:
        raise error.as_kind(RuleError, place) from None
    except (msgspec.ValidationError, ValueError):
        found = None
    if found is None:
        raise RuleError(_l("This choice is invalid."), next_step=_l("Choose another one."), field=place)
    return found


# ---- from the form, and back ---------------------------------------------------------------------------


def given(form: MultiDict[str, str]) -> Filling:
    """Return the submitted form."""
    conditions = [
        Row(chosen, text[:LONGEST], joins == "or")
        for chosen, text, joins in zip(
            form.getlist("if"), form.getlist("if_text"), form.getlist("join"), strict=False
        )
    ]
    actions = [
        Row(chosen, text[:LONGEST])
        for chosen, text in zip(form.getlist("then"), form.getlist("then_text"), strict=False)
    ]
    once = form.get("once", "")
    unit = form.get("unit", "")
    return Filling(
        name=form.get("name", "")[:LONGEST],
        when=form.get("when", ""),
        wait=form.get("wait", "")[:20],
        unit=unit if unit in words.UNITS else "hours",
        working=bool(form.get("working")),
        conditions=conditions[:MOST_ROWS] or [Row()],
        actions=actions[: MOST_ACTIONS + 1] or [Row()],
        stops=form.get("after") == "stop",
        once=once if once in {"conversation", "contact"} else "",
        state=given_state(form, RuleState.SHADOW),
    )


def given_state(form: MultiDict[str, str], default: RuleState) -> str:
    """Return the submitted state; live if the button that starts the rule was pressed."""
    state = RuleState.LIVE if "start" in form else form.get("state", "")
    return state if state in set(RuleState) else default


def of_body(name: str, body: Body, state: str) -> Filling:
    """Return the form for a rule."""
    rows: list[Row] = []
    for one in body.conditions:
        leaves = one.of if isinstance(one, AnyOf) else (one,)
        rows += [replace(row_of(leaf), joins=bool(at)) for at, leaf in enumerate(leaves)]
    number, unit = words.wait_of(body) if body.wait else (Filling().wait, Filling().unit)
    return Filling(
        name=name,
        when=body.when,
        wait=str(number),
        unit=unit,
        working=body.working,
        conditions=rows or [Row()],
        actions=[row_of_action(one) for one in body.actions] or [Row()],
        stops=body.stops,
        once=body.once,
        state=state,
        campaign=body.campaign,
    )


# ---- conditions ----------------------------------------------------------------------------------------


# ---- actions -------------------------------------------------------------------------------------------

_ID_FIELDS = {**ID_FIELDS, "giveOut": "team", "webhook": "endpoint", "sequence": "sequence"}
"""Actions that refer to something, and the field with its id."""


def _action(row: Row) -> Action:
    kind, _colon, value = row.chosen.partition(":")
    made = action_forms.fields_of(row.chosen, row.text, _ID_FIELDS)
    if kind == "tell":
        whom, _colon, id_ = value.partition(":")
        made[whom] = read_id(id_)
    elif kind in {"say", "privately"}:
        made["text"] = row.text
        if kind == "privately" and value:
            made["quick_replies"] = strictjson.loads(value)
    elif kind == "publicly":
        made["texts"] = [one for one in row.text.splitlines() if one.strip()]
    elif kind == "addon":
        made["name"] = value
    action: Action = strictjson.convert(made, Action)  # type: ignore[arg-type]
    return action


def row_of_action(one: Action) -> Row:
    if isinstance(one, Say):
        return Row("say", one.text)
    if isinstance(one, ReplyPublicly):
        return Row("publicly", "\n".join(one.texts))
    if isinstance(one, ReplyPrivately):
        # Only its text is edited here; what is below it, in the fields of a campaign or by a program.
        offered = f":{json.dumps(one.quick_replies, ensure_ascii=False)}" if one.quick_replies else ""
        return Row(f"privately{offered}", one.text)
    if isinstance(one, NotifyPeople):
        return Row(f"tell:team:{one.team}" if one.team else f"tell:person:{one.person}")
    return Row(*action_forms.row_of(one))


def action_choices(there: RuleTargets, kept: Collection[Row] = ()) -> Choices:
    """Return the choices for an action.

    :param kept: the rows of the form, for answers to comments that are not offered or have quick replies, and
        for sequences that are not live any more.
    """
    targets = there.targets
    able = there.abilities
    below: list[Action] = [ReplyPublicly(())] if there.public and able.public else []
    below += [ReplyPrivately("")] if there.private is not None and able.private else []
    offered = {row_of_action(one).chosen for one in below}
    saved = {row.chosen: row for row in kept if _is_below(row) and row.chosen not in offered}
    below += [one for row in saved.values() if (one := _kept_action(row)) is not None]
    groups: list[tuple[str, list[Action]]] = [
        (_("Send"), [Say(""), *(SendReply(id_) for id_ in targets.replies)]),
        (_("Comments"), below),
        (_("Add a label"), [AddLabel(id_) for id_ in targets.labels]),
        (_("Remove label"), [RemoveLabel(id_) for id_ in targets.labels]),
        (_("Assign"), [AssignNobody(), *(AssignTo(id_) for id_ in targets.people)]),
        (_("Team"), [GiveToTeam(id_) for id_ in targets.teams]),
        (_("Anyone on duty"), [GiveOut(id_) for id_ in targets.teams]),
        (
            _("Notify"),
            [
                *(NotifyPeople(team=id_) for id_ in targets.teams),
                *(NotifyPeople(person=id_) for id_ in targets.people),
            ],
        ),
        (_("Snooze"), [SnoozeUntil(when) for when in SNOOZES]),
        (_("Other"), [AddNote(""), Close(), MarkSpam()]),
        (_("Start a sequence"), [StartSequence(id_) for id_ in _sequences(there, kept)]),
        (_("Webhook endpoint"), [Call(id_) for id_ in there.endpoints]),
        (_("Addons"), [AddonDoes(name) for name in there.actions]),
    ]
    texts = {"say": "say", "note": "note", "publicly": "publicly", "privately": "say"}
    return [
        (
            name,
            [
                (chosen, words.action(one, there), texts.get(chosen.partition(":")[0], ""))
                for one in some
                for chosen in [row_of_action(one).chosen]
            ],
        )
        for name, some in groups
    ]


def _sequences(there: RuleTargets, kept: Collection[Row]) -> list[int]:
    """Return the sequences to choose from: those that rules may start, and those that were chosen."""
    chosen = {row.chosen for row in kept}
    return [id_ for id_ in there.sequences if id_ in there.startable or f"sequence:{id_}" in chosen]


def _is_below(row: Row) -> bool:
    return row.chosen == "publicly" or row.chosen.partition(":")[0] == "privately"


def _kept_action(row: Row) -> Action | None:
    try:
        return _action(row)
    except (msgspec.ValidationError, ValueError):
        return None
