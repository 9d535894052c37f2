"""Texts with variables: read, filled, flattened, and not sent while something is open."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.inbox import variables
from host.inbox.variables import Field, PlainPart, UnfilledError, Variable, VariableError

VALUES = {"contact.name": "Rosa Sample", "contact.first_name": "Rosa", "agent.first_name": "Sam"}
PAGE = Path("docs/answer.md")


def filled(text: str, values: dict[str, str] = VALUES) -> str:
    return variables.text_of(variables.fill(variables.parse(text), values))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello", [PlainPart("Hello")]),
        ("", []),
        ("a { b } }} c", [PlainPart("a { b } }} c")]),
        ("{{contact.name}}", [Variable(("contact.name",))]),
        ("{{ contact.name  }}!", [Variable(("contact.name",)), PlainPart("!")]),
        ('{{contact.name || "there"}}', [Variable(("contact.name",), "there")]),
        ("{{contact.name||“there”}}", [Variable(("contact.name",), "there")]),
        (
            '{{contact.first_name || contact.handle || ""}}',
            [Variable(("contact.first_name", "contact.handle"), "")],
        ),
        ('{{contact.name || "}} \\"x\\""}}', [Variable(("contact.name",), '}} "x"')]),
        ("{{ask: order  number}}", [Field("order number")]),
        ('{{"{{"}}x', [PlainPart("{{"), PlainPart("x")]),
    ],
)
def test_a_text_is_read(text: str, pieces: list[variables.Piece]) -> None:
    assert variables.parse(text) == pieces


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello\n{{contact.nme}}", "“contact.nme” in line 2 is not a variable"),
        ("{{}}", "in line 1"),
        ("{{contact.name", "line 1 is missing its closing }}"),
        ("{{contact.name || there}}", "“there” in line 1 is not a variable"),
        ('{{"a" || contact.name}}', "is never used"),
        ("{{ask: }}", "A field in line 1 has no prompt"),
        ("{{ask: " + "x" * 61 + "}}", "A field in line 1 has no prompt, or one that is too long"),
        ("\n\n{{ user.name }}", "“user.name” in line 3"),
        ("{{" * 4000, "line 1"),
        ("{{ask:" + " " * 20_000, "line 1"),
    ],
)
def test_what_is_no_variable_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(VariableError) as refused:
        variables.parse(text)
    assert said in refused.value.sentence


def test_what_is_known_is_filled_and_the_rest_is_marked() -> None:
    text = (
        'Hello {{contact.first_name || "there"}}, parcel {{ask: number}} to {{contact.email}}. {{agent.name}}'
    )
    assert filled(text) == "Hello Rosa, parcel {{ask: number}} to {{contact.email}}. {{agent.name}}"
    assert filled(text, {})[:11] == "Hello there"
    assert variables.unfilled(filled(text)) == ["number", "the customer’s email address", "your name"]
    with pytest.raises(UnfilledError) as refused:
        variables.check_filled(filled(text))
    assert "Fill in “number” before you send." in refused.value.sentence


@pytest.mark.parametrize("text", ["{{ user.name }}", "{{order}}", "a {b} c", "{{}}", "{ {contact.name} }"])
def test_braces_of_the_writers_own_are_sent(text: str) -> None:
    variables.check_filled(text)


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        ("Rosa\r\n\tSample\u2028x", "Rosa Sample x"),
        ("<b>Rosa</b> <script src=x>", "Rosa"),
        ("a < b > c", "a < b > c"),
        ("\u202easoR\u202c", "asoR"),
        ("{{ask: x}}", "((ask: x))"),
        ("👩‍👩‍👧 R", "👩‍👩‍👧 R"),
        ("x" * 300, "x" * 200),
        (" \x00 ", ""),
    ],
)
def test_a_value_is_words_within_a_line(value: str, flat: str) -> None:
    assert variables.flat(value) == flat


_pieces = st.one_of(
    st.text(st.characters(exclude_characters="{}")),
    st.sampled_from(sorted(variables.VARIABLES)).map(lambda name: f"{{{{{name}}}}}"),
    st.sampled_from(sorted(variables.VARIABLES)).map(lambda name: f'{{{{{name} || "there"}}}}'),
)


@given(st.lists(_pieces), st.text())
def test_whatever_a_name_is_the_text_stays_one_that_can_be_sent(pieces: list[str], value: str) -> None:
    """Values open no variable, close none and break no line; what has no value is told or falls back."""
    text = "".join(pieces)
    there = filled(text, dict.fromkeys(variables.VARIABLES, f"x{value}"))
    assert variables.unfilled(there) == []
    assert there.count("\n") == text.count("\n")
    plain = [piece for piece in pieces if not piece.startswith("{{")]
    assert all(piece in there for piece in plain)
    missing = {piece[2:-2] for piece in pieces if piece.startswith("{{") and "||" not in piece}
    assert set(variables.unfilled(filled(text, {}))) == {str(variables.VARIABLES[name]) for name in missing}


@given(st.text('{}|: "“”\\\nask.contnme', max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(VariableError):
        filled(text, {})
    variables.unfilled(text)


def test_the_page_lists_every_variable() -> None:
    """``REWRITE_GOLDEN=1`` writes it."""
    text = PAGE.read_text()
    begin, end = "<!-- variables -->\n", "<!-- /variables -->"
    before, _, rest = text.partition(begin)
    shown, _, after = rest.partition(end)
    table = "".join(f"| `{{{{{name}}}}}` | {words} |\n" for name, words in variables.VARIABLES.items())
    if os.environ.get("REWRITE_GOLDEN"):
        PAGE.write_text(before + begin + table + end + after)
    else:
        assert shown == table
