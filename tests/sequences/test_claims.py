"""What a sequence claims that can't hold is found before it is published."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from host.automation.actions import ActionTargets, RunMacro, SetAttribute
from host.automation.conditions import ActorCondition, AnyOf, Concerns, Contact, OnPost
from host.inbox.apply.opt_out_words import CLOSING
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.sequences.body import (
    PROGRAM,
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Card,
    Case,
    End,
    GoTo,
    Hand,
    Keep,
    Kind,
    Say,
    Show,
    Starts,
    Step,
    Targets,
)
from host.sequences.claims import OtherSequence, Surroundings
from host.sequences.proofs import Limits, Problem, prove

NOBODY = ActionTargets({}, {}, {}, {})
SIZE, DAY, VIP, COUNT = 1, 2, 3, 4
DETAILS = {
    SIZE: ContactAttribute(id=SIZE, name="Size", kind=AttributeKind.CHOICE, choices=["S", "M"]),
    DAY: ContactAttribute(id=DAY, name="Day", kind=AttributeKind.DATE, choices=None),
    VIP: ContactAttribute(id=VIP, name="VIP", kind=AttributeKind.YES_NO, choices=None),
    COUNT: ContactAttribute(id=COUNT, name="Count", kind=AttributeKind.NUMBER, choices=None),
}
THERE = Targets(
    NOBODY,
    attributes={id_: one.name for id_, one in DETAILS.items()},
    details=DETAILS,
    macros={1: "Close up"},
)


def found(*steps: Step, around: Surroundings | None = None, **body: Any) -> list[Problem]:
    given = Body(steps=steps, **{"starts": Starts(first=True), **body})
    return list(prove(given, Limits(), around or Surroundings(THERE)).problems)


def named(*steps: Step, **more: Any) -> list[tuple[str, str]]:
    return [(one.code, one.field) for one in found(*steps, **more)]


def branch(variable: str = "", value: str = "", *conditions: Any) -> Branch:
    case = Case(to="people", variable=variable, value=value, conditions=conditions)
    return Branch(id="which", cases=(case,))


REST = (End(id="end"), Hand(id="people"))


def test_an_answer_that_no_step_asks_for() -> None:
    ask = Ask(id="ask", text="Which?", variable="order")
    assert named(ask, branch("order"), *REST) == []
    (problem,) = found(ask, branch("colour"), *REST)
    assert (problem.code, problem.step, problem.field) == ("answer", "which", "steps.1.cases.0.variable")
    assert "“colour”" in str(problem.sentence)
    call = Call(id="call", url="https://shop.example.com", keeps=(Keep(field="a", variable="state"),))
    assert named(call, branch("state", "anything"), *REST) == []


def test_an_answer_that_is_asked_for_later() -> None:
    ask = Ask(id="ask", text="Which?", variable="order")
    assert named(branch("order"), ask, *REST) == [("answer", "steps.0.cases.0.variable")]
    back = (branch("order"), ask, GoTo(id="back", then="which"), Hand(id="people"))
    assert named(*back) == []


@pytest.mark.parametrize(
    ("kind", "possible", "never"),
    [
        ("text", "Anything at all", None),
        ("choice", "SHOES", "Hat"),
        ("number", "12345", "twelve"),
        ("number", "12345", "123"),
        ("email", "Rosa@Example.com", "rosa"),
        ("phone", "+4915112345678", "+49 151 12345678"),
        ("date", "2026-11-20", "20.11.2026"),
        ("date", "2026-11-20", "tomorrow"),
    ],
)
def test_a_value_that_an_answer_never_has(kind: Kind, possible: str, never: str | None) -> None:
    more: dict[str, Any] = {"choice": {"choices": ("Shoes", "Bag")}, "number": {"digits": 5}}.get(kind, {})
    ask = Ask(id="ask", text="Which?", kind=kind, variable="what", **more)
    assert named(ask, branch("what", possible), *REST) == []
    if never is not None:
        (problem,) = found(ask, branch("what", never), *REST)
        assert (problem.code, problem.step, problem.field) == ("value", "which", "steps.1.cases.0.value")
        assert f"“{never}”" in str(problem.sentence)


@pytest.mark.parametrize(
    ("attribute", "possible", "never"),
    [(SIZE, "m", "XL"), (DAY, "2026-11-20", "soon"), (VIP, "YES", "maybe"), (COUNT, "1.5", "many")],
)
def test_a_value_that_an_attribute_never_has(attribute: int, possible: str, never: str) -> None:
    assert named(branch("", "", Contact(attribute, possible)), *REST) == []
    for condition in (Contact(attribute, never), AnyOf((Contact(attribute), Contact(attribute, never)))):
        (problem,) = found(branch("", "", condition), *REST)
        assert (problem.code, problem.field) == ("value", "steps.0.cases.0.conditions.0")
        assert f"“{never}”" in str(problem.sentence)
        assert DETAILS[attribute].name in str(problem.sentence)
    assert named(branch("", "", Contact(COUNT, "1,5")), *REST) == [("value", "steps.0.cases.0.conditions.0")]
    act = Act(id="set", action=SetAttribute(attribute, never))
    assert named(act, *REST[:1]) == [("value", "steps.0.action.value")]


def test_an_answer_that_its_attribute_cannot_store() -> None:
    size = Ask(id="ask", text="Which?", kind="choice", choices=("S", "XL"), attribute=SIZE)
    assert named(size, REST[0]) == [("value", "steps.0.attribute")]
    for kind, attribute, problems in (
        ("date", DAY, 0),
        ("email", DAY, 1),
        ("date", COUNT, 1),
        ("text", DAY, 0),
        ("number", COUNT, 0),
        ("email", SIZE, 1),
    ):
        ask = Ask(id="ask", text="Which?", kind=kind, attribute=attribute)  # type: ignore[arg-type]
        assert len(named(ask, REST[0])) == problems, (kind, attribute)


@pytest.mark.parametrize("condition", [Concerns(), OnPost(), ActorCondition("user")])
def test_a_condition_that_never_holds_in_a_step(condition: Any) -> None:
    assert named(branch("", "", condition), *REST) == [("value", "steps.0.cases.0.conditions.0")]
    assert named(branch("", "", ActorCondition("customer")), *REST) == []


def test_what_was_deleted_since_is_named_at_each_step() -> None:
    steps = (
        Act(id="set", action=SetAttribute(99, "x")),
        Act(id="macro", action=RunMacro(1)),
        branch("", "", Contact(98)),
        Call(id="call", url=PROGRAM),
        Hand(id="people", team=97),
    )
    around = Surroundings(replace(THERE, broken_macros=frozenset({1})))
    assert [(one.code, one.step) for one in found(*steps, around=around, team=96)] == [
        ("reference", ""),
        ("reference", "set"),
        ("reference", "macro"),
        ("reference", "which"),
        ("reference", "call"),
        ("reference", "people"),
    ]


@pytest.mark.parametrize(
    "word", [*sorted(CLOSING), "Stopp!", "ｓｔｏｐ", "  opt-out", "desabonner", "„Stop“"]
)
def test_an_opt_out_word_starts_nothing(word: str) -> None:
    for starts in (Starts(words=("order", word)), Starts(taps=("Orders", word))):
        (problem,) = found(*REST[:1], starts=starts)
        assert (problem.code, problem.step) == ("start", "")
        assert word in str(problem.sentence)
    assert named(*REST[:1], people=(word,)) == [("start", "people.0")]


def test_words_near_an_opt_out_word_are_fine() -> None:
    assert named(*REST[:1], starts=Starts(words=("start", "stop it", "nonstop"), refs=("stop",))) == []


def test_a_start_that_is_there_twice() -> None:
    assert named(*REST[:1], starts=Starts(words=("Order", "bag", "ORDER"))) == [("start", "starts.words.2")]
    assert named(*REST[:1], starts=Starts(words=("order",), taps=("order",), refs=("a", "A"))) == []


def test_a_start_of_another_live_sequence_on_the_same_account() -> None:
    other = OtherSequence("Returns", Starts(words=("order",)), (1, 2))
    targets = Targets(NOBODY, accounts={1: "A", 2: "B", 3: "C"})
    around = Surroundings(targets, (other,))
    starts = Starts(words=("ORDER",))
    (problem,) = found(*REST[:1], starts=starts, accounts=(2, 3), around=around)
    assert (problem.code, problem.field) == ("start", "starts.words.0")
    assert "Returns" in str(problem.sentence)
    assert named(*REST[:1], starts=starts, around=around) == [("start", "starts.words.0")]
    assert named(*REST[:1], starts=starts, accounts=(3,), around=around) == []


def test_choices_that_opt_out_or_are_there_twice() -> None:
    ask = Ask(id="ask", text="Which?", kind="choice", choices=("Stop", "Go on"))
    assert named(ask, REST[0]) == [("choice", "steps.0.choices")]
    ask = Ask(id="ask", text="Which?", kind="choice", choices=("Yes", "YES"))
    assert named(ask, REST[0]) == [("choice", "steps.0.choices")]
    say = Say(id="say", text="Hi", quick_replies=("Unsubscribe",))
    assert named(say, REST[0]) == [("choice", "steps.0.quick_replies")]
    card = Card(title="Mug", button="Buy")
    assert named(Show(id="show", cards=(card, card)), REST[0]) == []
