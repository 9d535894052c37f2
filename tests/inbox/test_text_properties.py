"""Texts within a limit, in any unit: whatever it is, what is sent is whole and fits, and nothing is lost."""

from __future__ import annotations

import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from host.core.cleaning import clean_written
from host.inbox.drafts import parts_of
from host.sdk.text import TextLimit, TextUnit, byte_length, fit, length, split, truncate, unit_of

PIECES = st.sampled_from(
    [
        "a",
        "é",
        "e\u0301",
        "漢",
        "🏺",
        "👨‍👩‍👧‍👦",
        "🇩🇪",
        "👍🏽",
        " ",
        "\n",
        "\u00a0",
        "\u200d",
        "\ufe0f",
        "ا",
        "नि",
        "Hello. ",
        "。",
        "x" * 300,
        "\u0301" * 50,
    ]
)
TEXTS = st.one_of(st.text(max_size=3000), st.lists(PIECES, max_size=400).map("".join))
SIZES = st.one_of(st.just(1000), st.integers(4, 1200))
LIMITS = st.one_of(SIZES, st.builds(TextLimit, SIZES, st.sampled_from(TextUnit)))
GRAPHEME = regex.compile(r"\X")


def measured(text: str, limit: int) -> int:
    """Return the length of *text* by the codec of the unit of *limit*."""
    match unit_of(limit):
        case TextUnit.BYTES:
            return len(text.encode("utf-8"))
        case TextUnit.UTF16:
            return len(text.encode("utf-16-le")) // 2
    return len(text.encode("utf-32-le")) // 4


def without_blanks(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=400)
@given(TEXTS, LIMITS)
def test_a_cut_text_is_valid_within_the_limit_and_a_prefix(text: str, limit: int) -> None:
    text = clean_written(text)
    cut = truncate(text, limit)
    assert cut.encode("utf-8").decode("utf-8") == cut
    assert measured(cut, limit) <= limit
    assert text.startswith(cut)
    if text:
        assert fit(text, limit) > 0, "something is always kept"


@settings(max_examples=400)
@given(TEXTS, LIMITS)
def test_a_cut_never_splits_what_people_see_as_one_character(text: str, limit: int) -> None:
    text = clean_written(text)
    end = fit(text, limit)
    seams = {0} | {match.end() for match in GRAPHEME.finditer(text)}
    first = GRAPHEME.match(text)
    if first is None or measured(first.group(), limit) > limit:
        return  # it alone is too long; it is cut between code points
    assert end in seams


@settings(max_examples=400)
@given(TEXTS, LIMITS)
def test_splitting_loses_nothing_but_blanks_at_the_seams(text: str, limit: int) -> None:
    text = clean_written(text)
    parts = split(text, limit)
    assert without_blanks("".join(parts)) == without_blanks(text)
    at = 0
    for part in parts:
        assert part == part.strip() != ""
        assert measured(part, limit) <= limit
        found = text.index(part, at)
        assert text[at:found].strip() == "", "only blanks lie between two parts"
        at = found + len(part)
    assert text[at:].strip() == ""


@settings(max_examples=200)
@given(TEXTS, LIMITS)
def test_what_fits_is_sent_as_it_is(text: str, limit: int) -> None:
    text = clean_written(text)
    if measured(text, limit) <= limit:
        assert parts_of(text, limit, "split") == parts_of(text, limit, "truncate") == [text]
    else:
        assert len(parts_of(text, limit, "truncate")) == 1
        assert all(measured(part, limit) <= limit for part in parts_of(text, limit, "split"))


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(), max_size=500), LIMITS)
def test_text_no_wire_can_carry_is_mended_before_it_is_counted(text: str, limit: int) -> None:
    mended = clean_written(text)
    for part in split(mended, limit):
        part.encode("utf-8")
        assert "\0" not in part


@given(TEXTS)
def test_a_text_is_longest_in_bytes_and_shortest_in_characters(text: str) -> None:
    text = clean_written(text)
    lengths = [length(text, unit) for unit in TextUnit]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths == [measured(text, TextLimit(1, unit)) for unit in TextUnit]
    assert lengths[0] == byte_length(text)


def test_a_greek_text_is_not_cut_at_half_of_a_limit_in_characters() -> None:
    greek = "\u03b1" * 1000
    assert split(greek, TextLimit(1000, TextUnit.CHARACTERS)) == [greek]
    assert len(split(greek, 1000)) == 2
    assert len(split("\U0001f3fa" * 1000, TextLimit(1000, TextUnit.UTF16))) == 2
