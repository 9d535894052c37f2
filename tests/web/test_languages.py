"""Days as each language writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from babel import Locale
from flask import Flask, render_template_string

from host.web.languages import day_pattern, reader


@pytest.mark.parametrize(
    ("pattern", "german", "spanish"),
    [
        ("d MMM", "d. MMM", "d MMM"),
        ("d MMM y", "d. MMM y", "d MMM y"),
        ("d MMMM", "d. MMMM", "d 'de' MMMM"),
        ("d MMMM y", "d. MMMM y", "d 'de' MMMM 'de' y"),
        ("EEE d MMM", "EEE d. MMM", "EEE d MMM"),
        ("EEEE, d MMMM", "EEEE, d. MMMM", "EEEE, d 'de' MMMM"),
        ("MMMM y", "MMMM y", "MMMM y"),
        ("EEE", "EEE", "EEE"),
    ],
)
def test_day_and_month_are_written_as_the_language_does(pattern: str, german: str, spanish: str) -> None:
    assert day_pattern(pattern, Locale("de")) == german
    assert day_pattern(pattern, Locale("es")) == spanish
    assert day_pattern(pattern, Locale("en")) == day_pattern(pattern, None) == pattern


def test_a_page_writes_days_in_its_language(app: Flask) -> None:
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for language, day in (("de", "3. Nov."), ("en", "3 Nov")):
        with app.test_request_context(headers={"Accept-Language": language}):
            assert render_template_string("{{ at|dateformat('d MMM') }}", at=at) == day
            assert reader().date_text(at, "d MMM") == day
