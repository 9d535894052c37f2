"""The form of a rule: rows with a select and a text, converted to and from a body.

The value of a select is a short word with an id: ``label:3``. Parts that a select does not offer, such as a
filter with several fields set by a program, get their own rows in stored form, so that nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from host.automation import action_forms
from host.automation.actions import (
    ID_FIELDS,
    SNOOZES,
    AddLabel,
    AddNote,
    AssignNobody,
    AssignTo,
    Close,
    GiveToTeam,
    MarkSpam,
    RemoveLabel,
    SendReply,
    SnoozeUntil,
)
from host.automation.conditions import (
    ActorCondition,
    AnyOf,
    Concerns,
    Condition,
    Contact,
    FilterCondition,
    OfAddon,
    One,
    OnPost,
    Open,
    Pattern,
    Sent,
    Window,
    Words,
    WroteBefore,
)
from host.core.backports.values import replace
from host.core.ids import read_id
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.rules import posts
from host.rules.body import (
    MOST_ACTIONS,
    MOST_CONDITIONS,
    Action,
    AddonDoes,
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
)
from host.rules.models import RuleState
from host.rules.pages import wording
from host.sdk import strictjson
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _

MOST_ROWS = MOST_CONDITIONS * MOST_CONDITIONS
"""Most rows of conditions: each of 20 may be a group of 20."""
LONGEST = 20_000
"""Most characters read from a text field."""
AS_KEPT = "kept:"
"""Prefix of the JSON of a condition that no select offers."""

Choices = Sequence[tuple[str, Sequence[tuple[str, str, str]]]]
"""Groups of a select: the name, and the choices, each with its value, its label, and the label of its text
field, empty if it has none.
"""


class Row(msgspec.Struct, frozen=True):
    """One row: the chosen value and its text.

    :param joins: for a condition: whether "or" joins it into a group with the previous one.
    """

    chosen: str = ""
    text: str = ""
    joins: bool = False


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
            one = _read(_condition, row, f"row:if:{at}")
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
        return number * (wording.UNITS[self.unit] // wording.UNITS["minutes"])


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
    except RuleError as error:
        error.field = place
        raise
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
        unit=unit if unit in wording.UNITS else "hours",
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
    number, unit = wording.wait_of(body) if body.wait else (Filling().wait, Filling().unit)
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


def split(text: str) -> tuple[str, ...]:
    """Return the words of a text separated by commas or lines."""
    return tuple(word for one in re.split(r"[,\n]", text) if (word := one.strip()))


# ---- conditions ----------------------------------------------------------------------------------------

_FILTERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "status": ("status", {"open": "open", "closed": "closed"}),
    "snoozed": ("snoozed", {"yes": True, "no": False}),
    "spam": ("spam", {"yes": True}),
    "handled": (
        "handled_by",
        {"nobody": "nobody", "person": "person", "automation": "automation"},
    ),
    "waits": ("needs_reply", {"yes": True, "no": False}),
    "late": ("late", {"yes": True, "no": False}),
    "failed": ("failed", {"yes": True, "no": False}),
}
"""Filter fields with few values: the word of the select, and its values."""


def _condition(row: Row) -> One | None:
    """Return the condition of a row, or None if it is not one."""
    if row.chosen.startswith(AS_KEPT):
        said = strictjson.loads(row.chosen.removeprefix(AS_KEPT))
        kept: One = strictjson.convert(said, One)  # type: ignore[arg-type]
        return kept
    kind, _colon, value = row.chosen.partition(":")
    if kind in _FILTERS:
        name, values = _FILTERS[kind]
        return FilterCondition({name: values[value]}) if value in values else None
    made: dict[str, Callable[[], One | None]] = {
        "words": lambda: strictjson.convert({"if": "words", "words": split(row.text), "has": value}, Words),
        "pattern": lambda: Pattern(row.text.strip("\r\n")),
        "sent": lambda: Sent((value,)),
        "account": lambda: _is("account_id", read_id(value)),
        "label": lambda: _is("labels", _list(value)),
        "nolabel": lambda: _is("no_labels", _list(value)),
        "team": lambda: _is("team", "none" if value == "none" else read_id(value)),
        "person": lambda: _is("assignee", "nobody" if value == "nobody" else read_id(value)),
        "hours": lambda: Open(value == "open"),
        "window": lambda: strictjson.convert({"if": "window", "to": value}, Window),
        "before": lambda: WroteBefore(value == "yes"),
        "contact": lambda: _contact(value, row.text),
        "about": lambda: _about(value),
        "by": lambda: strictjson.convert({"if": "by", "actor": value}, ActorCondition),
        "post": lambda: OnPost() if value == "any" else _is("post", read_id(value)),
        "caption": lambda: OnPost(split(row.text)),
        "addon": lambda: OfAddon(*value.split(":", 1)),
    }
    return made[kind]() if kind in made else None


def _is(name: str, value: Any) -> FilterCondition | None:
    return None if value is None else FilterCondition({name: value})


def _list(value: str) -> list[int] | None:
    found = read_id(value)
    return None if found is None else [found]


def _contact(value: str, text: str) -> Contact | None:
    attribute, _colon, how = value.partition(":")
    found = read_id(attribute)
    if found is None:
        return None
    if how in {"is", "not"}:
        if not text.strip():
            raise RuleError(_l("The value is missing."), next_step=_l("Enter it next to the condition."))
        return Contact(found, text.strip(), how == "not")
    return Contact(found, "", how == "none")


def _about(value: str) -> Concerns | None:
    what, _colon, id_ = value.partition(":")
    found = read_id(id_)
    if what not in {"label", "team", "person"} or not found:
        return None
    return Concerns(**{what: found})


def row_of(one: One) -> Row:
    """Return the row of a condition."""
    plain = _row_of_post(one) if isinstance(one, OnPost) else _plain_row(one)
    if plain is not None:
        return plain
    return Row(AS_KEPT + json.dumps(msgspec.to_builtins(one), sort_keys=True))


def _plain_row(one: One) -> Row | None:
    match one:
        case Words() if not any("," in word for word in one.words):
            return Row(f"words:{one.has}", ", ".join(one.words))
        case Pattern() if not re.search(r"[\r\n]", one.pattern):
            return Row("pattern", one.pattern)
        case Sent() if len(one.kinds) == 1:
            return Row(f"sent:{one.kinds[0]}")
        case FilterCondition() if len(one.filter) == 1:
            return _row_of_filter(*next(iter(one.filter.items())))
        case Open():
            return Row(f"hours:{'open' if one.open else 'closed'}")
        case Window():
            return Row(f"window:{one.to}")
        case WroteBefore():
            return Row(f"before:{'yes' if one.yes else 'no'}")
        case Contact() if one.value:
            return Row(f"contact:{one.attribute}:{'not' if one.negated else 'is'}", one.value)
        case Contact():
            return Row(f"contact:{one.attribute}:{'none' if one.negated else 'any'}")
        case Concerns():
            named = [(what, id_) for what in ("label", "team", "person") if (id_ := getattr(one, what))]
            return Row("about:{}:{}".format(*named[0])) if len(named) == 1 else None
        case ActorCondition():
            return Row(f"by:{one.actor}")
        case OfAddon():
            return Row(f"addon:{one.name}:{one.value}")
    return None


def _row_of_post(one: OnPost) -> Row | None:
    if not one.words:
        return Row("post:any")
    return None if any("," in word for word in one.words) else Row("caption", ", ".join(one.words))


def _row_of_filter(name: str, value: Any) -> Row | None:
    for word, (field_, values) in _FILTERS.items():
        found = next((key for key, meant in values.items() if meant is value or meant == value), None)
        if field_ == name and found is not None:
            return Row(f"{word}:{found}")
    words = {"account_id": "account", "team": "team", "assignee": "person", "post": "post"}
    if name in words and isinstance(value, int | str):
        return Row(f"{words[name]}:{value}")
    words = {"labels": "label", "no_labels": "nolabel"}
    if name in words and isinstance(value, list) and len(value) == 1:
        return Row(f"{words[name]}:{value[0]}")
    return None


def condition_choices(there: RuleTargets, kept: Collection[Row] = ()) -> Choices:
    """Return the choices for a condition.

    :param kept: the rows of the form, for choices the select does not offer.
    """

    def each(*some: One) -> list[tuple[str, str, str]]:
        return [(row_of(one).chosen, wording.condition(one, there), "") for one in some]

    def filters(*words: str) -> list[tuple[str, str, str]]:
        some = [
            (name, value) for word in words for name, values in [_FILTERS[word]] for value in values.values()
        ]
        return each(*(FilterCondition({name: value}) for name, value in some))

    targets = there.targets
    contact = [
        choice
        for id_, name in there.attributes.items()
        for choice in (
            (f"contact:{id_}:is", _("%(name)s is …", name=name), "value"),
            (f"contact:{id_}:not", _("%(name)s is not …", name=name), "value"),
            *each(Contact(id_), Contact(id_, negated=True)),
        )
    ]
    addons = [
        OfAddon(one.name, value)
        for one in there.conditions.values()
        for value, _words in (one.choices or [("", "")])
    ]
    as_kept = [
        (row.chosen, wording.condition(one, there), "")
        for row in dict.fromkeys(kept)
        if row.chosen.startswith(AS_KEPT) and (one := _kept(row)) is not None
    ]
    everything: Choices = [
        (
            _("Message"),
            [
                ("words:any", _("the text has any of these words"), "words"),
                ("words:all", _("the text has all of these words"), "words"),
                ("words:none", _("the text has none of these words"), "words"),
                ("pattern", _("the text matches a pattern"), "pattern"),
                *each(*(Sent((kind,)) for kind in SENT)),
            ],
        ),
        (_("Contact"), [*each(WroteBefore(), WroteBefore(False)), *contact]),
        (_("Conversation"), filters("status", "snoozed", "spam", "waits", "late", "failed")),
        (_("Label is"), each(*(FilterCondition({"labels": [id_]}) for id_ in targets.labels))),
        (_("Label is not"), each(*(FilterCondition({"no_labels": [id_]}) for id_ in targets.labels))),
        (
            _("Team"),
            each(
                FilterCondition({"team": "none"}), *(FilterCondition({"team": id_}) for id_ in targets.teams)
            ),
        ),
        (
            _("Person"),
            each(
                FilterCondition({"assignee": "nobody"}),
                *(FilterCondition({"assignee": id_}) for id_ in targets.people),
            ),
        ),
        (_("Account"), each(*(FilterCondition({"account_id": id_}) for id_ in there.accounts))),
        (
            _("Post"),
            [
                *each(OnPost()),
                ("caption", _("the comment is on a post with any of these words in its caption"), "words"),
                *each(*(FilterCondition({"post": id_}) for id_ in _offered_posts(there, kept))),
            ],
        ),
        (
            _("Time"),
            each(Open(), Open(False), Window("programs"), Window("people"), Window("closed")),
        ),
        (
            _("Automation"),
            [
                *filters("handled"),
                *each(
                    ActorCondition("customer"),
                    ActorCondition("user"),
                    ActorCondition("key"),
                    ActorCondition("system"),
                ),
            ],
        ),
        (
            _("Event details"),
            each(
                *(Concerns(label=id_) for id_ in targets.labels),
                *(Concerns(team=id_) for id_ in targets.teams),
                *(Concerns(person=id_) for id_ in targets.people),
            ),
        ),
        (_("Addons"), each(*addons)),
    ]
    by_value = {choice[0]: choice for _name, some in everything for choice in some}
    others = [(name, [one for one in some if one[0] not in USUAL]) for name, some in everything]
    return [(_("As saved"), as_kept), (_("Usual"), [by_value[value] for value in USUAL]), *others]


USUAL = (
    "words:any",
    "words:all",
    "words:none",
    f"sent:{MessageKind.IMAGE}",
    f"sent:{MessageKind.AUDIO}",
    f"sent:{MessageKind.STORY_MENTION}",
    f"sent:{MessageKind.STORY_REPLY}",
    "post:any",
    "before:no",
    "before:yes",
    "status:open",
    "waits:yes",
    "late:yes",
    "handled:nobody",
    "handled:person",
    "team:none",
    "person:nobody",
    "hours:open",
    "hours:closed",
    "window:programs",
)
"""Values of the conditions that most rules use. They come first, and are not repeated in their groups."""


def _offered_posts(there: RuleTargets, kept: Collection[Row]) -> list[int]:
    """Return the newest posts and those used in the form."""
    named = {read_id(row.chosen.partition(":")[2]) for row in kept if row.chosen.startswith("post:")}
    return [id_ for at, id_ in enumerate(there.posts) if at < posts.MOST or id_ in named]


def _kept(row: Row) -> One | None:
    try:
        return _condition(row)
    except (msgspec.ValidationError, ValueError, RuleError):
        return None


SENT = tuple(one for one in MessageKind if one not in {MessageKind.EDIT, MessageKind.UNSEND})
"""Message kinds offered to rules, without the two that only change a message."""


# ---- actions -------------------------------------------------------------------------------------------

_ID_FIELDS = {**ID_FIELDS, "giveOut": "team", "webhook": "endpoint"}
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

    :param kept: the rows of the form, for private replies with quick replies or buttons.
    """
    targets = there.targets
    below: list[Action] = [ReplyPublicly(())] if there.public else []
    below += [ReplyPrivately("")] if there.private is not None else []
    offers = [row for row in dict.fromkeys(kept) if row.chosen.startswith("privately:")]
    below += [one for row in offers if (one := _kept_action(row)) is not None]
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
        (_("Webhook endpoint"), [Call(id_) for id_ in there.endpoints]),
        (_("Addons"), [AddonDoes(name) for name in there.actions]),
    ]
    texts = {"say": "say", "note": "note", "publicly": "publicly", "privately": "say"}
    return [
        (
            name,
            [
                (chosen, wording.action(one, there), texts.get(chosen.partition(":")[0], ""))
                for one in some
                for chosen in [row_of_action(one).chosen]
            ],
        )
        for name, some in groups
    ]


def _kept_action(row: Row) -> Action | None:
    try:
        return _action(row)
    except (msgspec.ValidationError, ValueError):
        return None
