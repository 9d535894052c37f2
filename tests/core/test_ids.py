"""Ids, as text from outside holds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.core.ids import MAX_ID, read_id


@given(st.integers(0, MAX_ID))
def test_an_id_is_read(number: int) -> None:
    assert read_id(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "-1", "+1", "1.0", "1_0", "x", "0x1", "٣", "²", str(MAX_ID + 1), "9" * 5000]
)
def test_anything_else_is_none(text: str) -> None:
    assert read_id(text) is None
