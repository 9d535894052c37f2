"""The limit of a text on several channels, which may count in different units."""

from __future__ import annotations

import pytest

from host.sdk.text import TextLimit, TextUnit
from host.sequences.sequences import tightest

BYTES, UTF16, CHARACTERS = TextUnit


@pytest.mark.parametrize(
    ("limits", "most", "unit"),
    [
        ([TextLimit(4096, CHARACTERS)], 4096, CHARACTERS),
        ([TextLimit(4096, CHARACTERS), TextLimit(1000)], 1000, BYTES),
        ([TextLimit(4096, CHARACTERS), TextLimit(4096, UTF16)], 4096, UTF16),
        ([TextLimit(5000), TextLimit(4096, UTF16)], 4096, BYTES),
    ],
)
def test_a_text_within_the_tightest_limit_fits_everywhere(
    limits: list[TextLimit], most: int, unit: TextUnit
) -> None:
    found = tightest(limits)
    assert found is not None
    assert (int(found), found.unit) == (most, unit)


def test_channels_without_a_limit_have_none() -> None:
    assert tightest([]) is None
