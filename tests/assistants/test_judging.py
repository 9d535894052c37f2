"""What becomes of what a model says, whatever it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.assistants import verdicts
from host.assistants.values import Cited, ModelAnswer, Source
from host.automation import handover_phrases
from host.inbox.apply import opt_out_words
from tests.helpers import takes_at_most

SHIPPING = Source(
    1,
    "Shipping",
    "To Norway 14 €, see pottery.example/shipping or call +47 22 12 34 56. Sizes 36, 37, 38, 39.",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    entry_id=7,
)
STRANGE = (
    "https://evil.example",
    "HTTP://EVIL.EXAMPLE/pay",
    "http:evil.example",
    "www.evil.example",
    "evil.example",
    "evil.example/pottery.example",
    "pottery.example.evil.example",
    "pottery.example@evil.example",
    "evil。example",
    "evil．example",
    "ｅｖｉｌ.example",
    "ev\u200bil.exam\u200bple",
    "e\u00advil.example",
    "еvil.example",
    "evil.рф",
    "xn--evil-9za.example",
    "pottery.example.com",
    "pottery-example.co",
    "javascript:alert(1)",
    "tel:+4915112345678",
    "mailto:pay@evil.example",
    "wa.me/4915112345678",
    "t.me/evil",
    "pay@evil.example",
    "payments@pottery.example",
    "@evil.shop",
    "＠evil.shop",
    "@sample.pottery",
    "+49 151 12345678",
    "0151/1234-5678",
    "0151 · 12 34 56 78",
    "٠١٥١١٢٣٤٥٦٧٨",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "(0151) 123-45-678",
    "1234567",
    "[here](https://evil.example)",
    "<https://evil.example>",
    "evil.example:8080/x",
    "192.168.0.1.evil.example",
)
AROUND = ("Pay at {}.", "{}", "Yes! {} is the way, 14 €.", "Write to {}, please", "Norway ({}) 14 €")


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("around", AROUND)
def test_an_address_that_stands_in_no_source_goes_to_nobody(strange: str, around: str) -> None:
    verdict = verdicts.judge(ModelAnswer(around.format(strange), (1,)), [SHIPPING])
    assert (verdict.text, verdict.reason) == ("", "address")


@pytest.mark.parametrize(
    "answer",
    [
        "To Norway it is 14 €, see https://pottery.example/shipping.",
        "See pottery.example for more",
        "Call +47 22 123 456",
        "Sizes 36 to 39, also 36 37 38 39.",
        "It is open from 10:00 to 18:00, e.g. on 12.11.2026 or 2026-11-12.",
        "Your order 10482 left us on Wednesday, 3.5 kg for 14,50 €.",
    ],
)
def test_what_stands_in_a_source_may_be_said(answer: str) -> None:
    assert verdicts.judge(ModelAnswer(answer, (1,)), [SHIPPING]).text == answer


def test_what_the_owner_wrote_may_be_said_as_well() -> None:
    said = ModelAnswer("Write to shop@pottery.example", (1,))
    assert verdicts.judge(said, [SHIPPING]).reason == "address"
    assert verdicts.judge(said, [SHIPPING], words_of_owner=["Mail: shop@pottery.example"]).text


@pytest.mark.parametrize("numbers", [(), (2,), (0,), (-1,), (99, 100)])
def test_a_source_that_was_not_given_is_none(numbers: tuple[int, ...]) -> None:
    assert verdicts.judge(ModelAnswer("14 €", numbers), [SHIPPING]).reason == "no_source"


def test_the_numbers_of_sources_are_not_sent() -> None:
    verdict = verdicts.judge(ModelAnswer("It costs 14 € [1]. See (source 1, 2)", (1,)), [SHIPPING])
    assert verdict.text == "It costs 14 €. See"
    assert [one.used for one in verdict.cited] == [True]


HOURS = Source(2, "Business hours", "Monday: closed", kind="hours")
TEXT = "It takes 4 days and costs 14 €. On Monday we are closed."


def cited(answer: str, *numbers: int) -> tuple[str, dict[int, tuple[int, ...]]]:
    """Return what is sent of an answer that names these sources, and where it cites which."""
    verdict = verdicts.judge(ModelAnswer(answer, numbers), [SHIPPING, HOURS])
    return verdict.text, {one.number: one.citations for one in verdict.cited if one.used}


@pytest.mark.parametrize(
    ("answer", "places"),
    [
        ("It takes 4 days and costs 14 € [1]. On Monday we are closed. [2]", {1: (30,), 2: (56,)}),
        ("It takes 4 days [1] and costs 14 €.[1] On Monday we are closed [2].", {1: (15, 31), 2: (55,)}),
        (
            "It takes 4 days and costs 14 €. [1, 2] On Monday we are closed. [2][1]",
            {1: (31, 56), 2: (31, 56)},
        ),
        ("It takes 4 days and costs 14 €.【１】 On Monday we are closed. [source 2]", {1: (31,), 2: (56,)}),
        ("[1] It takes 4 days and costs 14 €. On Monday we are closed.", {1: (0,), 2: ()}),
        ("It takes 4 days and costs 14 €. On Monday we are closed. [7] [0] [99]", {1: (), 2: ()}),
        ("It takes 4 days and costs 14 €. [[1]2] On Monday we are closed.", {1: (31,), 2: (31,)}),
    ],
)
def test_what_rests_on_which_source_is_kept_beside_the_text(
    answer: str, places: dict[int, tuple[int, ...]]
) -> None:
    assert cited(answer, 1, 2) == (TEXT, places)


def test_a_citation_alone_names_no_source_and_one_beside_another_does() -> None:
    assert verdicts.judge(ModelAnswer("It costs 14 € [1]."), [SHIPPING]).reason == "no_source"
    assert cited("It costs 14 € [1]. Closed on Monday [2].", 1) == (
        "It costs 14 €. Closed on Monday.",
        {1: (13,), 2: (31,)},
    )


PIECES = st.one_of(
    st.sampled_from(["[", "]", "【", "】", "［", "］", "(", ")", "^", ",", ";", "-", " and ", "/"]),
    st.sampled_from(["1", "2", "7", "٣", "１", "source ", "Sources:", "[1]", "[1, 2]", "14 €"]),
    st.sampled_from([" ", "\n", "\r\n", "\u200d", "\u200b", "\x00", "\ud800", "👍"]),
    st.text(max_size=5),
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_whatever_a_model_writes_no_citation_is_sent(answer: str) -> None:
    verdict = verdicts.judge(ModelAnswer(answer, (1,)), [SHIPPING, HOURS])
    assert not re.search(r"[\[【［]\s*(?:sources?\s*)?\d{1,3}\s*[\]】］]", verdict.text, re.IGNORECASE)
    assert verdicts.without_citations(verdict.text) == (verdict.text, []), "there is nothing left to take out"
    for one in verdict.cited:
        assert all(0 <= place <= len(verdict.text) for place in one.citations)
        assert one.used or not one.citations
    parts = verdicts.in_parts(verdict.text, verdict.cited)
    assert "".join(one.text for one in parts) == verdict.text
    shown = [source.number for one in parts for source in one.sources]
    assert sorted(shown) == sorted(one.number for one in verdict.cited for _ in one.citations)


def test_citations_within_citations_without_end_are_no_answer_and_take_no_time() -> None:
    with takes_at_most(150):
        deep = "[" * 1_000 + "1]" * 1_000
        assert verdicts.judge(ModelAnswer(f"It costs 14 €. {deep}", (1,)), [SHIPPING]).reason == "no_source"
        assert (
            verdicts.judge(ModelAnswer("It costs 14 €." + " [1]" * 3_900, (1,)), [SHIPPING]).text
            == "It costs 14 €."
        )
        for long in ("[1," * 20_000, "[" + " " * 60_000, "[ " * 7_000, "[1" + ",1" * 7_900):
            said = verdicts.judge(ModelAnswer(f"It costs 14 €. {long}", (1,)), [SHIPPING]).text
            assert said in {"", "It costs 14 €. ["}


def test_places_that_are_none_are_passed_over() -> None:
    cited = [Cited(1, "Shipping", citations=(-1, 99, 3)), Cited(2, "Hours", used=False, citations=(2,))]
    assert verdicts.in_parts("It is", cited) == [
        verdicts.AnswerPart("It ", [cited[0]]),
        verdicts.AnswerPart("is"),
    ]
    assert verdicts.in_parts("", []) == [verdicts.AnswerPart("")]


def test_a_phrase_needs_no_source_and_may_be_said_twice() -> None:
    verdict = verdicts.judge(
        ModelAnswer("You’re welcome!"), [], phrases=["You’re welcome"], said_before=["You’re welcome!"]
    )
    assert verdict.reason == ""


def test_the_same_again_is_a_loop() -> None:
    verdict = verdicts.judge(ModelAnswer("It costs 14 €.", (1,)), [SHIPPING], said_before=["it costs  14 €"])
    assert verdict.reason == "loop"


def test_handing_over_is_doubt_where_a_source_was_named() -> None:
    assert verdicts.judge(ModelAnswer(hands_over=True, sources=(1,)), [SHIPPING]).reason == "doubt"
    assert verdicts.judge(ModelAnswer(hands_over=True), [SHIPPING]).reason == "no_source"


def test_an_answer_without_end_goes_to_nobody() -> None:
    assert verdicts.judge(ModelAnswer("a" * 4001, (1,)), [SHIPPING]).reason == "too_long"


@given(st.text(max_size=300))
def test_what_is_sent_names_no_address_but_those_of_sources(text: str) -> None:
    verdict = verdicts.judge(ModelAnswer(text, (1,)), [SHIPPING])
    if verdict.text:
        assert verdicts.unknown_addresses(verdict.text, [SHIPPING.text]) == []
        assert not any(char in verdict.text for char in "\u200b\u202e\ufeff")


@pytest.mark.parametrize("word", handover_phrases.WORDS)
def test_every_word_for_a_person_reaches_one(word: str) -> None:
    assert handover_phrases.is_asked(word)
    assert handover_phrases.is_asked(f" {word.upper()}! ")
    assert not handover_phrases.is_asked(f"{word} of the year")
    assert opt_out_words.word_in(word) is None


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        ("lobby:topic:7", 7),
        ("lobby:topic:", None),
        ("lobby:topic:-1", None),
        ("lobby:topic:٧", None),
        (7, None),
    ],
)
def test_only_our_own_buttons_are_topics(payload: object, topic: int | None) -> None:
    assert handover_phrases.topic_of(payload) == topic
