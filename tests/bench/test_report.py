"""The table of figures and its JSON say the same."""

from __future__ import annotations

import json
from typing import Any

from bench import report
from bench.plan import Figure


def entry(key: str, *ratios: float, target: float | None, at_least: bool = True) -> dict[str, Any]:
    figure = Figure(key, "this ÷ that", ratios, target, at_least, "1/s of 2/s", {"per_second": 1.0})
    return report.entry(figure, rounds=len(ratios), seconds=1.0, fsync_ms=0.15, quick=False)


def test_a_figure_is_the_median_of_its_rounds() -> None:
    one = entry("F1 uvicorn", 0.7, 0.9, 0.85, target=0.8)
    assert one["value"] == 0.85
    assert one["met"] is True
    assert entry("F2", 2.1, target=2, at_least=False)["met"] is False


def test_the_last_line_counts_what_has_a_target() -> None:
    entries = [entry("F1", 0.9, target=0.8), entry("F2", 0.1, target=0.8), entry("rest", 1.0, target=None)]
    assert report.last_line(entries) == "bench: 2 figures, 1 on target"


def test_measuring_a_figure_again_replaces_all_its_lines_and_no_other() -> None:
    before = report.document(
        [
            entry(key, 0.5, target=1)
            for key in ("F4 +0 ms", "F4 +1 ms", "F10 rate", "storm", "storm, seconds")
        ],
        ["F4 +4 ms skipped: no C compiler", "F5 skipped: no npm"],
    )
    now = report.document([entry("F4 +0 ms", 0.75, target=1), entry("F2", 0.5, target=1)], [])
    run = report.merged(before, now, ["F2", "F4", "storm"])
    assert [(one["key"], one["value"]) for one in run["figures"]] == [
        ("F2", 0.5),
        ("F4 +0 ms", 0.75),
        ("F10 rate", 0.5),
    ]
    assert run["skipped"] == ["F5 skipped: no npm"]


def test_a_line_that_is_named_otherwise_than_its_figure_is_replaced_too() -> None:
    """The figure `start` measures the memory at rest as well."""
    before = report.document([entry("memory", 5.0, target=None), entry("memory", 4.0, target=None)], [])
    run = report.merged(before, report.document([entry("memory", 3.0, target=None)], []), ["start"])
    assert [one["value"] for one in run["figures"]] == [3.0]


def test_the_page_holds_a_row_for_each_figure() -> None:
    run = report.document([entry("F1", 0.912, target=0.8), entry("F2", 0.004, target=None)], ["F5 skipped"])
    page = report.quoted("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n", run)
    assert "old" not in page
    assert "| F1 | this ÷ that | **0.91** | ≥ 0.8 | met | 0.91 | 0.15 |" in page
    assert "| F2 | this ÷ that | **0.004** |  |  |" in page
    assert "F5 skipped" in page
    assert page.endswith("<!-- end of figures -->\nafter\n")


def test_the_page_quotes_the_figures_that_are_kept() -> None:
    page = report.PAGE.read_text()
    assert report.quoted(page, json.loads(report.KEPT.read_text())) == page
