"""Sequences as TOML: what is written is read again, and hostile text is refused with the place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.automation.actions import (
    ActionTargets,
    AddLabel,
    AddNote,
    AddonDoes,
    AssignNobody,
    AssignTo,
    GiveToTeam,
    RunMacro,
    SendReply,
    SetAttribute,
)
from host.automation.conditions import AnyOf, Concerns, Contact, FilterCondition, Open, Words
from host.sequences import toml_form
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
    SequenceError,
    Show,
    Starts,
    Targets,
    Wait,
)
from host.sequences.toml_form import from_toml, to_toml

LABELS = {1: "VIP", 2: 'in "quotes"\\', 3: "twice", 4: "twice", 5: "none"}
TEAMS = {1: "Shop", 2: "mine", 3: "Zoë\n"}
PEOPLE = {7: "Mia", 8: "Ben", 9: "Ben", 10: "me"}
THERE = Targets(
    ActionTargets(labels=LABELS, people=PEOPLE, teams=TEAMS, replies={4: "/hours", 5: "/hours"}),
    accounts={1: "shop.example", 2: "12"},
    attributes={1: "Order number", 2: "Größe"},
    macros={3: "Wrap up"},
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        '"""',
        'a\n"""\n',
        "\r\n",
        "\\",
        "\x00\x7f\x85\u2028",
        "\n",
        "'''",
        "# no comment",
        "[[steps]]\n",
        "\ta\n\t",
        ".".join("a" * 20),
        f"{'[' * 20}\n{{.",
        "#.\"'",
    ]
)
ids = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 2**40])
many = st.lists(texts, max_size=3).map(tuple)
filters = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.lists(ids, max_size=3),
        "no_labels": st.lists(ids, max_size=3),
        "account_id": ids,
        "team": ids | st.sampled_from(["mine", "none"]),
        "assignee": ids | st.sampled_from(["me", "nobody"]),
        "spam": st.booleans(),
        "status": st.sampled_from(["open", "closed"]),
        'odd "key".a': texts,
    },
)
simple = st.one_of(
    st.builds(Words, words=many, has=st.sampled_from(["any", "all", "none"])),
    st.builds(FilterCondition, filter=filters),
    st.builds(Open, open=st.booleans()),
    st.builds(Contact, attribute=ids, value=texts),
    st.builds(Concerns, label=ids, team=ids, person=ids),
)
conditions = st.lists(
    simple | st.builds(AnyOf, of=st.lists(simple, min_size=1, max_size=2).map(tuple)), max_size=3
).map(tuple)
actions = st.one_of(
    st.builds(AddLabel, label=ids),
    st.builds(AssignTo, person=ids),
    st.builds(GiveToTeam, team=ids),
    st.builds(AddNote, text=texts),
    st.builds(SetAttribute, attribute=ids, value=texts),
    st.builds(AddonDoes, name=texts),
    st.builds(SendReply, canned=ids),
    st.builds(RunMacro, macro=ids),
    st.just(AssignNobody()),
)
steps = st.one_of(
    st.builds(Say, id=texts, text=texts, quick_replies=many, then=texts, closed=texts),
    st.builds(
        Ask,
        id=texts,
        text=texts,
        kind=st.sampled_from(["text", "choice"]),
        choices=many,
        attribute=ids,
        hours=st.integers(0, 99),
    ),
    st.builds(Wait, id=texts, minutes=st.integers(0, 99), early=st.booleans()),
    st.builds(
        Branch,
        id=texts,
        cases=st.lists(
            st.builds(Case, to=texts, variable=texts, value=texts, conditions=conditions), max_size=3
        ).map(tuple),
    ),
    st.builds(Act, id=texts, action=actions),
    st.builds(
        Show,
        id=texts,
        cards=st.lists(
            st.builds(Card, title=texts, text=texts, button=texts, url=texts), min_size=1, max_size=2
        ).map(tuple),
    ),
    st.builds(Hand, id=texts, team=ids, text=texts),
    st.builds(GoTo, id=texts, then=texts),
    st.builds(End, id=texts, close=st.booleans()),
)
made = st.builds(
    Body,
    steps=st.lists(steps, min_size=1, max_size=5).map(tuple),
    starts=st.builds(Starts, words=many, taps=many, first=st.booleans(), programs=st.booleans()),
    accounts=st.lists(ids, max_size=3).map(tuple),
    person=st.sampled_from(["end", "pause"]),
    people=many,
    team=ids,
)


@settings(max_examples=400, deadline=None)
@given(texts, made)
def test_what_is_written_is_read_again(name: str, body: Body) -> None:
    assert from_toml(to_toml(name, body, THERE), THERE) == (name, body)


def longest(text: str, steps: int) -> Body:
    """Return a sequence with the longest texts."""
    texts = (Ask(id=f"ask{at}", text=text, again=text, attribute=2) for at in range(steps))
    return Body(accounts=(1,), steps=tuple(texts))


def test_what_can_be_saved_can_be_read_again() -> None:
    """The longest that is saved fits: with its name, and with ids where names would be too long."""
    body = longest("ü" * 4000, 30)
    toml_form.check_length(body)
    there = msgspec.structs.replace(THERE, attributes={2: "x" * 1_000}, accounts={1: "y" * 10_000})
    text = to_toml("n" * 200, body, there)
    assert len(text.encode()) <= toml_form.MOST_BYTES
    assert 'accounts = ["yyy' not in text
    assert from_toml(text, there) == ("n" * 200, body)
    with pytest.raises(SequenceError, match="longer than 500 KB"):
        toml_form.check_length(longest('"' * 4000, 60))


def test_it_is_as_people_write_it() -> None:
    body = Body(
        starts=Starts(words=("order",)),
        accounts=(1,),
        steps=(
            Ask(id="ask", text="Which order?\nIt is in our mail.", attribute=1),
            Branch(id="which", cases=(Case(to="hand", conditions=(FilterCondition({"labels": [1]}),)),)),
            Act(id="label", action=AddLabel(3)),
            Hand(id="hand", team=1),
        ),
    )
    assert to_toml("Orders", body, THERE) == (
        'name = "Orders"\naccounts = ["shop.example"]\n\n[starts]\nwords = ["order"]\n\n'
        '[[steps]]\ndo = "ask"\nid = "ask"\ntext = """\nWhich order?\nIt is in our mail."""\n'
        'attribute = "Order number"\n\n'
        '[[steps]]\ndo = "branch"\nid = "which"\n\n'
        '[[steps.cases]]\nto = "hand"\n'
        'conditions = [{ if = "conversation", filter = { labels = ["VIP"] } }]\n\n'
        '[[steps]]\ndo = "act"\nid = "label"\naction = { do = "label", label = 3 }\n\n'
        '[[steps]]\ndo = "people"\nid = "hand"\nteam = "Shop"\n'
    )


HAND = 'name = "Orders"\n[[steps]]\ndo = "people"\nid = "hand"\n'


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("name = = 3", None, "line 1"),
        (HAND + "team = 'Shup'", "steps.0.team", "Shup"),
        (HAND + "team = 1.5", "steps.0.team", "whole numbers"),
        (HAND + "team = 2026-01-01", "steps.0.team", "whole numbers"),
        (HAND + "team = 99999999999999999999", "steps.0.team", "whole numbers"),
        (HAND + "team = true", "steps.0.team", "isn’t possible"),
        (HAND + "tame = 1", "steps.0", "tame"),
        (HAND + f"team = {'9' * 6000}", None, "TOML"),
        ('[[steps]]\ndo = "end"\nid = "end"', "name", "name"),
        ("name = 3", "name", "name"),
        ('name = "a"\nsteps = 3', "steps", "isn’t possible"),
        ('name = "a"\naccounts = ["gone"]\nsteps = []', "accounts.0", "gone"),
        (
            'name = "a"\n[[steps]]\ndo = "act"\nid = "a"\naction = { do = "label", label = "twice" }',
            "steps.0.action.label",
            "id instead",
        ),
        ("x" * 1_000_000, None, "longer"),
        ("a = " + "[" * 5000 + "]" * 5000, None, "deep"),
        (HAND + "a = " + "[" * 50 + "]" * 50, None, "Line 5: the text is nested"),
        (HAND + "a = " + "[" * 14 + "]" * 14, "steps.0.a" + ".0" * 10, "deep"),
        (HAND + ".".join(["a"] * 20_000) + " = 1", None, "Line 5: a key has at most 8 parts"),
    ],
)
def test_hostile_text_is_refused_with_the_place(text: str, field: str | None, says: str) -> None:
    with pytest.raises(SequenceError) as found:
        from_toml(text, THERE)
    assert found.value.field == field
    assert says in found.value.sentence


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.text(max_size=5) | st.integers() | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["do", "id", "cases", "conditions", "of", "if", "filter", "action", "team"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_form_breaks_it(value: Any) -> None:
    """Only a body is a body, and everything else is refused."""
    written = toml_form._value(value, toml_form._line)
    text = f'name = "a"\nsteps = {written}\naccounts = {written}\n'
    try:
        from_toml(text, THERE)
    except SequenceError:
        return
    assert isinstance(value, list)
