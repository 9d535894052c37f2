"""What is proved about a sequence before it is published, and that the proof is sound for every schedule."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from host.automation.actions import AddonDoes, RunMacro, SendReply, SetAttribute
from host.automation.conditions import Window
from host.automation.deciding import BUDGET
from host.sdk.capabilities import QuickReplyLimits, TemplateLimits
from host.sdk.text import TextLimit, TextUnit
from host.sequences.body import (
    Act,
    Ask,
    Body,
    Branch,
    Card,
    Case,
    End,
    GoTo,
    Hand,
    Say,
    Show,
    Starts,
    Step,
    Wait,
    ways_out,
)
from host.sequences.proofs import NEVER, Limits, prove

DAY = Limits(window=timedelta(hours=24), closed=timedelta(hours=64))


def problems(*steps: Step, limits: Limits = DAY, starts: Starts | None = None) -> list[tuple[str, str]]:
    proof = prove(Body(steps=steps, starts=starts or Starts(first=True)), limits)
    return [(one.code, one.step) for one in proof.problems]


def test_a_question_and_its_answer() -> None:
    assert problems(Ask(id="ask", text="Which order?"), Say(id="say", text="Thanks"), End(id="end")) == []


def test_a_message_after_the_window_is_found_with_its_path() -> None:
    steps = (
        Ask(id="ask", text="Which order?"),
        Branch(id="which", cases=(Case(to="sent", variable="x"),), then="people"),
        Say(id="sent", text="It left us"),
        Wait(id="wait", hours=48),
        Say(id="safe", text="Did it arrive?"),
        End(id="end"),
        Hand(id="people"),
    )
    (problem,) = prove(Body(steps=steps), DAY).problems
    assert (problem.code, problem.step, problem.after) == ("window", "safe", timedelta(hours=48))
    assert problem.path == ("which", "sent", "wait", "safe")
    assert "48" in str(problem.sentence)
    assert "24" in str(problem.sentence)


@pytest.mark.parametrize(
    "step",
    [
        Act(id="reply", action=SendReply(1)),
        Act(id="macro", action=RunMacro(1)),
        Show(id="cards", cards=(Card(title="Mug", text="12 EUR"),)),
    ],
)
def test_what_may_send_something_is_inside_the_window(step: Step) -> None:
    late = Wait(id="wait", hours=30, early=False)
    assert problems(late, step, Hand(id="people")) == [("window", step.id)]
    rest = [Say(id=f"say{number}", text="Hello") for number in range(BUDGET)]
    assert problems(step, *rest, Hand(id="people")) == [("row", rest[-1].id)]


def test_cards_with_a_way_for_a_closed_window_may_be_late() -> None:
    late = Wait(id="wait", hours=30, early=False)
    cards = Show(id="cards", cards=(Card(title="Mug", text="12 EUR"),), closed="people")
    assert problems(late, cards, Hand(id="people")) == []


@pytest.mark.parametrize(
    ("card", "limits", "found"),
    [
        (Card(title="Mug", text="x"), Limits(cards=TemplateLimits(1, 1, 80, 80, 20)), ["cards"]),
        (Card(title="Mug", text="x"), Limits(cards=TemplateLimits(2, 1, 3, 80, 20)), []),
        (Card(title="Mugs", text="x"), Limits(cards=TemplateLimits(2, 1, 3, 80, 20)), ["cards"]),
        (Card(title="Mug", button="Look"), Limits(cards=TemplateLimits(2, 1, 80, 80, 3)), ["cards"]),
        (Card(title="Mug", text="x"), Limits(carded=12), []),
        (Card(title="Mug", text="x"), Limits(carded=11), ["cards"]),
        (Card(title="Mug", text="x" * 80), Limits(), []),
    ],
)
def test_cards_fit_the_channels(card: Card, limits: Limits, found: list[str]) -> None:
    steps = (Show(id="cards", cards=(card, card)), End(id="end"))
    assert [code for code, _step in problems(*steps, limits=limits)] == found


def test_an_action_of_an_addon_counts_as_a_message() -> None:
    hearts = [Act(id=f"heart{number}", action=AddonDoes("toy.heart")) for number in range(BUDGET)]
    assert problems(*hearts, End(id="end")) == []
    assert problems(*hearts, Say(id="more", text="Hello"), End(id="end")) == [("row", "more")]
    assert problems(Say(id="say", text="Hello"), *hearts, End(id="end")) == [("row", hearts[-1].id)]
    assert problems(Wait(id="wait", hours=25), hearts[0], End(id="end")) == [("window", "heart0")]
    assert problems(Wait(id="wait", hours=25), Act(id="set", action=SetAttribute(1)), End(id="end")) == []


@pytest.mark.parametrize(("hours", "found"), [(24, []), (25, [("window", "later")])])
def test_waits_add_up(hours: int, found: list[Any]) -> None:
    steps = (
        Say(id="say", text="Hello"),
        Wait(id="first", hours=20),
        Wait(id="second", hours=hours - 20),
        Say(id="later", text="Still there?"),
        End(id="end"),
    )
    assert problems(*steps) == found


def test_a_way_for_a_closed_window_is_enough() -> None:
    late = (
        Wait(id="wait", hours=48),
        Say(id="say", text="Hello", closed="people"),
        End(id="end"),
        Hand(id="people", text="We will write"),
    )
    assert problems(*late) == []
    again = (
        Wait(id="wait", hours=48),
        Say(id="say", text="Hello", closed="people"),
        Wait(id="more", hours=1),
        Say(id="more_words", text="And"),
        End(id="end"),
        Hand(id="people"),
    )
    assert problems(*again) == [("window", "more_words")]


def test_a_case_for_an_open_window_is_enough() -> None:
    inside = Case(to="say", conditions=(Window("programs"),))
    steps = (
        Wait(id="wait", hours=48),
        Branch(id="open", cases=(inside,), then="people"),
        Say(id="say", text="Hello"),
        End(id="end"),
        Hand(id="people"),
    )
    assert problems(*steps) == []


def test_working_hours_may_be_far_away() -> None:
    steps = (Wait(id="wait", until="working"), Say(id="say", text="Hello"), End(id="end"))
    assert problems(*steps) == [("window", "say")]
    assert problems(*steps, limits=Limits(timedelta(hours=24), closed=timedelta(hours=15))) == []
    never = prove(Body(steps=steps), Limits(timedelta(hours=24)))
    assert never.problems[0].after is None
    assert never.reach["say"].age == NEVER


def test_an_answer_that_never_comes() -> None:
    ask = Ask(id="ask", text="Which?", hours=30, silent="remind")
    steps = (ask, End(id="end"), Say(id="remind", text="Still there?"), End(id="end2"))
    assert problems(*steps) == [("window", "remind")]


def test_a_start_by_a_program_may_come_late_in_the_window() -> None:
    steps = (Say(id="say", text="Hello"), Wait(id="wait", hours=1), Say(id="more", text="?"), End(id="end"))
    assert problems(*steps) == []
    assert problems(*steps, starts=Starts(programs=True)) == [("window", "more")]


def test_loops_need_a_word_of_the_customer() -> None:
    ask = (Ask(id="ask", text="Which?"), Say(id="say", text="Hm"), GoTo(id="again", then="ask"))
    assert problems(*ask) == []
    assert problems(Say(id="say", text="Hm"), GoTo(id="again", then="say")) == [("loop", "say")]
    wait = (Wait(id="wait", hours=1), GoTo(id="again", then="wait"))
    assert problems(*wait) == [("loop", "wait")]


def test_wrong_answers_that_lead_back_are_a_loop() -> None:
    ask = Ask(id="ask", text="Which?", kind="number", other="ask")
    (problem,) = prove(Body(steps=(ask, End(id="end"))), DAY).problems
    assert (problem.code, problem.step, problem.path) == ("loop", "ask", ("ask", "ask"))
    assert "Answers that don’t fit" in str(problem.sentence)
    far = (Say(id="say", text="Hm"), replace(ask, other="more"), End(id="end"), GoTo(id="more", then="say"))
    assert problems(*far) == [("loop", "say")]
    assert problems(replace(ask, other="hand"), End(id="end"), Hand(id="hand")) == []
    # A message that is no answer in words, such as a picture, doesn't fit either.
    assert problems(replace(ask, kind="text"), End(id="end")) == [("loop", "ask")]
    written = (replace(ask, other="wait"), End(id="end"), Wait(id="wait", until="written", then="ask"))
    assert problems(*written) == []


def test_every_path_ends() -> None:
    assert problems(Say(id="say", text="Hello")) == [("end", "say")]
    assert problems(Say(id="say", text="Hello"), Hand(id="people"), End(id="end")) == [("unreachable", "end")]


def test_messages_in_a_row() -> None:
    some = [Say(id=f"s{number}", text="Hello") for number in range(BUDGET)]
    assert problems(*some, End(id="end")) == []
    assert problems(*some, Say(id="more", text="Hello"), End(id="end")) == [("row", "more")]


def test_answers_to_choose_fit_the_channel() -> None:
    limits = Limits(quick_replies=QuickReplyLimits(most=3, title_length=20, payload_length=1000))
    ask = Ask(id="ask", text="Which?", kind="choice", choices=("a", "b", "c"))
    assert problems(ask, End(id="end"), limits=limits) == [("buttons", "ask")]
    say = Say(id="say", text="Hm", quick_replies=("a" * 21,))
    assert problems(say, End(id="end"), limits=limits) == [("buttons", "say")]


def test_texts_fit_the_channel() -> None:
    limits = Limits(text=20, listed=20)
    ask = Ask(id="ask", text="Which one?", kind="choice", choices=("Shoes", "Bag"))
    assert problems(Say(id="say", text="é" * 10), Hand(id="people", text="a" * 20), limits=limits) == []
    assert problems(Say(id="say", text="é" * 11), Hand(id="people"), limits=limits) == [("text", "say")]
    assert problems(Hand(id="people", text="a" * 21), limits=limits) == [("text", "people")]
    assert problems(replace(ask, choices=(), kind="text", again="a" * 21), End(id="end"), limits=limits) == [
        ("text", "ask")
    ]
    told = replace(ask, told="a" * 20)  # it is sent without the choices
    assert problems(told, End(id="end"), limits=Limits(text=20, listed=26)) == []
    assert problems(replace(told, told="a" * 21), End(id="end"), limits=Limits(text=20)) == [("text", "ask")]
    (problem,) = prove(Body(steps=(ask, End(id="end"))), limits).problems
    assert (problem.code, problem.step) == ("text", "ask")
    # "Which one?", "\n1. Shoes" and "\n2. Bag"
    assert "26 bytes" in str(problem.sentence)
    assert problems(ask, End(id="end"), limits=Limits(text=20)) == []
    assert problems(ask, End(id="end"), limits=Limits(text=20, listed=26)) == []


def test_texts_are_counted_in_the_unit_of_the_channel() -> None:
    limits = Limits(text=TextLimit(20, TextUnit.CHARACTERS), listed=TextLimit(25, TextUnit.CHARACTERS))
    assert problems(Say(id="say", text="é" * 20), Hand(id="people"), limits=limits) == []
    (problem,) = prove(Body(steps=(Say(id="say", text="é" * 21), Hand(id="people"))), limits).problems
    assert "A text has 21 characters" in str(problem.sentence)
    ask = Ask(id="ask", text="Which one?", kind="choice", choices=("Shoes", "Bág"))
    (problem,) = prove(Body(steps=(ask, End(id="end"))), limits).problems
    assert "26 characters with its choices" in str(problem.sentence)
    show = Show(id="show", cards=(Card(title="Mug 🏺", text="x"),))
    (problem,) = prove(
        Body(steps=(show, End(id="end"))), Limits(carded=TextLimit(3, TextUnit.UTF16))
    ).problems
    assert "characters as a text" in str(problem.sentence)


def test_many_branches_are_proved_at_once() -> None:
    steps: list[Step] = []
    for number in range(28):
        cases = (Case(to=f"b{number}", variable="x"),)
        steps.append(Branch(id=f"a{number}", cases=cases, then=f"a{number + 1}"))
        steps.append(Wait(id=f"b{number}", minutes=2**number % 50 + 1, then=f"a{number + 1}"))
    steps.append(End(id="a28"))
    assert problems(*steps, limits=Limits(timedelta(days=9))) == []


# ---- soundness -----------------------------------------------------------------------------------------

NAMES = [f"s{number}" for number in range(7)]
names = st.sampled_from(NAMES)
maybe = st.one_of(st.just(""), names)
hours = st.integers(1, 30)


def steps() -> st.SearchStrategy[tuple[Step, ...]]:
    kinds = [
        st.builds(Say, id=st.just(""), text=st.just("Hi"), then=maybe, closed=maybe),
        st.builds(
            Ask, id=st.just(""), text=st.just("?"), then=maybe, closed=maybe, hours=hours, silent=maybe
        ),
        st.builds(Wait, id=st.just(""), hours=hours, then=maybe),
        st.builds(Wait, id=st.just(""), until=st.just("written"), hours=hours, then=maybe, silent=maybe),
        st.builds(
            Branch,
            id=st.just(""),
            cases=st.tuples(st.builds(Case, to=names, variable=st.just("x"))),
            then=maybe,
        ),
        st.builds(Hand, id=st.just("")),
        st.builds(End, id=st.just("")),
    ]

    def named(found: list[Any]) -> tuple[Step, ...]:
        return tuple(replace(one, id=NAMES[at]) for at, one in enumerate(found))

    return st.lists(st.one_of(*kinds), min_size=len(NAMES), max_size=len(NAMES)).map(named)


@settings(max_examples=400, deadline=None)
@given(steps(), st.booleans(), st.integers(0, 2**32))
def test_no_schedule_leaves_what_was_proved(found: tuple[Step, ...], programs: bool, seed: int) -> None:
    """Runs with any answers and branches stay within the proof: window, row, end, no endless loop."""
    body = Body(steps=found, starts=Starts(programs=programs))
    window = timedelta(hours=24)
    proof = prove(body, Limits(window, closed=timedelta(hours=60)))
    if any(one.code != "unreachable" for one in proof.problems):
        return
    choose = random.Random(seed)
    for _ in range(20):
        age, row, silent_steps = (window if programs else timedelta()), 0, 0
        step = body.step(NAMES[0])
        assert step is not None
        for _move in range(60):
            reach = proof.reach[step.id]
            assert age <= reach.age
            assert row <= reach.row
            ways = dict.fromkeys(ways_out(body, step))
            if not ways:
                break
            answered = False
            if isinstance(step, Say | Ask) and age > window:
                assert step.closed, "sent outside the window"
                way = ("closed", step.closed)
            else:
                open_ways = [one for one in ways if one[0] != "closed"]
                way = choose.choice(open_ways)
                row += isinstance(step, Say | Ask)
                assert row <= BUDGET
                if way[0] == "silent":
                    age += timedelta(hours=step.hours)  # type: ignore[union-attr]
                elif isinstance(step, Ask) or (isinstance(step, Wait) and step.until == "written"):
                    answered = True
                elif isinstance(step, Wait):
                    age += step.length
            if answered:
                age, row, silent_steps = timedelta(), 0, 0
            silent_steps += not answered
            assert silent_steps <= len(NAMES), "a loop without a word"
            following = body.step(way[1])
            assert following is not None, "the path has no end"
            step = following
