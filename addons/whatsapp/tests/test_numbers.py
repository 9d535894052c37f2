"""The ways in which WhatsApp may write one number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.authoring.desk import TrialDesk

DIGITS = st.text("0123456789", min_size=0, max_size=16)
FROM_THERE = st.builds(
    str.__add__,
    st.sampled_from(["52", "521", "54", "549", "55", "5511", "55119", "5531", "55319"]),
    st.text("0123456789", min_size=6, max_size=11),
)
IDS = st.one_of(DIGITS, FROM_THERE, st.text(max_size=20), st.just("US.13491208655302741918"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("525512345678", "5215512345678"),
        ("541158749895", "5491158749895"),
        ("553188887777", "5531988887777"),
        ("551168887777", "5511968887777"),
    ],
)
def test_these_are_the_same_person(desk: TrialDesk, one: str, other: str) -> None:
    other_ways = desk.module("numbers").other_ways
    assert other_ways(one) == (other,)
    assert other_ways(other) == (one,)
    assert tuple(desk.adapter("whatsapp").other_ids(one)) == (other,)


@pytest.mark.parametrize(
    "number",
    [
        "16505551234",
        "4915112345678",
        # Landlines in Brazil have no ninth digit, and a mobile number that is younger than it always has one.
        "553133334444",
        "5511943334444",
        "5205512345678",
        "52551234567",
        "55119688877777",
        "5501988887777",
        "US.13491208655302741918",
        "٥٢٥٥١٢٣٤٥٦٧٨",
        "",
    ],
)
def test_these_are_written_in_one_way(desk: TrialDesk, number: str) -> None:
    assert desk.module("numbers").other_ways(number) == ()


@given(written=IDS)
def test_there_are_two_ways_at_most_and_each_has_the_other(desk: TrialDesk, written: str) -> None:
    other_ways = desk.module("numbers").other_ways
    found = other_ways(written)
    assert len(found) <= 1
    for other in found:
        assert other != written
        assert other_ways(other) == (written,)
        assert other.isascii()
        assert other.isdecimal()
        assert abs(len(other) - len(written)) == 1
        assert (other[:2], other[-8:]) == (written[:2], written[-8:])


@given(one=IDS, two=IDS)
def test_two_numbers_share_no_other_way(desk: TrialDesk, one: str, two: str) -> None:
    other_ways = desk.module("numbers").other_ways
    if one != two and other_ways(one):
        assert other_ways(one) != other_ways(two)
