"""Text becomes the same words whatever its script, case, marks and widths."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.search import words
from host.search.finding.excerpts import excerpt
from host.search.finding.query import Need, Typed, read_query


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("Where is my ORDER?", "order"),
        ("Müller bestellt", "muller"),
        ("Müller bestellt", "MÜLLER"),
        ("Fußgängerstraße", "FUSSGANGERSTRASSE"),
        ("e\u0301clair", "éclair"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("order AB-1234 please", "ab1234"),
        ("order AB-1234 please", "1234"),
        ("don't", "dont"),
        ("write to @maria.design", "mariadesign"),
        ("see #summer", "summer"),
        ("Где мой заказ, Ёлкин?", "елкин"),
        ("Πού είναι; ΟΔΟΣ", "οδός"),
        ("مَرْحَبًا أحمد", "مرحبا"),
        ("الطلب ١٢٣٤", "1234"),
        ("שָׁלוֹם", "שלום"),
        ("किताब कहाँ है", "किताब"),
        ("我的订单在哪里", "订单"),
        ("茶を買う", "茶"),
        ("ｶﾞﾗｽのコップ", "ガラス"),
        ("주문을 했어요", "주문"),
        ("สินค้าอยู่ไหน", "สินค้า"),
        ("ＡＢＣ１２３", "abc123"),
        ("mug😍mug", "mug"),
        ("great 👍🏽", "👍"),
        ("კერამიკა", "კერამიკა"),
        ("Որտեղ է իմ պատվերը", "պատվերը"),
        ("আমার অর্ডার", "অর্ডার"),
    ],
)
def test_a_text_is_found_by_a_word_of_it(text: str, sought: str) -> None:
    found = words.terms(text)
    needs = read_query(sought).needs
    assert needs
    for need in needs:
        begins = need.beginning and any(one.startswith(need.terms[0]) for one in found)
        assert begins or found & set(need.terms), (need, found)


@pytest.mark.parametrize(("text", "sought"), [("किताब", "कताब"), ("ガラス", "カラス"), ("कल", "कुल")])
def test_marks_that_make_another_letter_count(text: str, sought: str) -> None:
    assert any(not words.terms(text) & set(need.terms) for need in read_query(sought).needs)


@given(st.text(max_size=300))
def test_any_text_has_terms_that_every_database_keeps(text: str) -> None:
    for term in words.terms(text):
        assert 0 < len(term) <= words.LONGEST
        assert " " not in term
        assert "\x00" not in term
        assert not term.startswith(":")
        term.encode()


@given(st.text(alphabet=string.ascii_letters + " -.äéß", max_size=60))
def test_case_and_composition_do_not_matter(text: str) -> None:
    usual = words.terms(text)
    assert words.terms(text.upper()) == usual
    assert words.terms(unicodedata.normalize("NFD", text)) == usual


@given(st.text(alphabet=string.ascii_letters + string.digits + " -.'_,\n", max_size=200))
def test_a_plain_text_makes_the_terms_that_any_text_makes(text: str) -> None:
    """It is cut another way, which is quicker."""
    assert words.terms(text) == words.terms(f"{text} я") - {"я"}


@given(st.text(alphabet="aeoubrs \u00e4\u00f6\u00fc\u00df\u00e5\u00e6\u00f8-", max_size=24))
def test_a_name_has_one_short_spelling_however_it_is_written(name: str) -> None:
    """With the letter, with the letters that spell it out, or with the plain letter."""
    spelled = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "æ": "ae", "ø": "oe", "ß": "ss"})
    plain = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "å": "a", "æ": "a", "ø": "o", "ß": "ss"})
    written = [name, name.translate(spelled), name.translate(plain)]
    assert len({frozenset(map(words.short_spelling, words.terms(one))) for one in written}) == 1
    for one in written:
        for term in words.terms(one):
            for end in range(1, len(term)):
                assert words.short_spelling(term).startswith(words.short_spelling(term[:end]))


@given(st.text(max_size=120))
def test_any_name_has_terms_that_every_database_keeps(name: str) -> None:
    found = words.name_terms(name)
    assert words.terms(name) <= found
    for term in found:
        assert 0 < len(term) <= words.LONGEST
        assert " " not in term
        assert "\x00" not in term
        term.encode()


def test_a_long_name_has_a_bounded_number_of_parts() -> None:
    assert words.name_terms("Lenas Blumen") == {
        *("lenas", "blumen"),
        *("~enas", "~nas", "~lumen", "~umen", "~men"),
    }
    assert words.name_terms("lena@shop.example") >= {"lena", "~ena", "shop", "example"}
    assert "~hop" not in words.name_terms("lena@shop.example")
    assert len(words.name_terms("x" * 5_000)) == 1 + words.MOST_PARTS
    some = " ".join(f"{number}word" * 4 for number in range(1_000))
    assert len(words.name_terms(some)) < words.MOST_TERMS + words.MOST_PARTS * 2


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ORD1182", {"1182"}),
        ("ord1182x2024", {"1182", "2024"}),
        ("my ORD1182, ja ä", {"1182"}),
        ("mug12 a4 1182 12.5 it's", set()),
        ("ＯＲＤ１１８２", {"1182"}),
    ],
)
def test_only_long_numbers_in_a_word_are_terms_of_their_own(text: str, numbers: set[str]) -> None:
    written = {one.text for one in words.atoms(words.composed(text))}
    wholes = {words.joined(one) for one in words.chains(list(words.atoms(words.composed(text))))}
    assert words.terms(text) - written - wholes == numbers


@given(st.text(max_size=200))
def test_any_query_is_read(text: str) -> None:
    query = read_query(text)
    assert len(query.needs) <= 16
    for name in ("is", "from"):
        assert read_query(query.having(Typed(name, "x"))).filters


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        "?!., -- …",
        '"lone quotation',
        'two "lone" "quotation',
        "\x00\ud800",
        " ".join(f"word{number}" for number in range(500)),
        "%_\\'; DROP TABLE messages --",
        "(.*)+ [a-z]{1,9}$ ^",
        '"' + "订单" * 400 + '"',
    ],
)
def test_hostile_queries_ask_for_little(text: str) -> None:
    query = read_query(text)
    assert len(query.needs) <= 16
    assert len(query.text) <= 1_000
    query.text.encode()


def test_a_minus_says_what_must_not_be_there() -> None:
    query = read_query('mug -blue -"two words" -deliv* AB-12 - -- is:open -is:closed')
    assert query.words == "mug AB-12 - --"
    assert query.without_words == '-blue -"two words" -deliv*'
    assert query.barred == ["blue"]
    assert len(query.barred_exactly) == 2
    assert [str(one) for one in query.filters] == ["is:open", "-is:closed"]
    assert query.without(Typed("is", "open")).endswith(query.without_words)
    assert read_query(query.text).needs == query.needs
    assert "mug*" in query.beginnings
    assert query.beginnings.endswith(query.without_words)
    assert not read_query("-mug").empty
    assert read_query(" ".join(f"-w{n}" for n in range(40))).shortened


def test_words_phrases_and_filters_are_told_apart() -> None:
    query = read_query('is:open "blue mug" from:@maria.b account:"Sample Pottery" deliv* AB-12 nonsense:x')
    assert query.filters == (
        Typed("is", "open"),
        Typed("from", "@maria.b"),
        Typed("account", "Sample Pottery"),
    )
    assert Need(("deliv",), beginning=True) in query.needs
    assert Need(("ab", "ab12")) in query.needs
    assert Need(("nonsense",)) in query.needs
    assert [len(one.atoms) for one in query.exact] == [2, 2]
    assert query.without(Typed("is", "open")).startswith("from:@maria.b account:")
    assert read_query(query.having(Typed("is", "closed"), [Typed("is", "open")])).filters[-1] == Typed(
        "is", "closed"
    )


def test_emoji_beside_words_are_ignored() -> None:
    assert read_query("danke 😍").needs == read_query("danke").needs
    assert read_query("😍").needs == (Need(("😍",)),)


@pytest.mark.parametrize(
    ("text", "sought", "marked"),
    [
        ("Where is the blue mug, please?", "MUG", ["mug"]),
        ("Straße, strasse", "strasse", ["Straße", "strasse"]),
        ("Order AB-1234.", "ab1234", ["AB-1234"]),
        ("我的订单在哪里", "订单", ["订单"]),
        ("Lieferungen", "liefer*", ["Lieferungen"]),
        ("Hello, it is ORD1182", "1182", ["ORD1182"]),
        ("Hello, it is ORD-1182", "ORD1182", ["ORD-1182"]),
    ],
)
def test_an_excerpt_marks_what_was_looked_for(text: str, sought: str, marked: list[str]) -> None:
    pieces = excerpt([text], read_query(sought).phrases)
    assert [one.text for one in pieces if one.hit] == marked
    assert "".join(one.text for one in pieces) == text


def test_an_excerpt_is_cut_around_the_first_hit() -> None:
    pieces = excerpt([f"{'long ' * 200}kiln {'more ' * 200}"], read_query("kiln").phrases)
    text = "".join(one.text for one in pieces)
    assert "kiln" in text
    assert len(text) < 200
    assert text.startswith("…")
    assert text.endswith("…")
