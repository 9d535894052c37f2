"""Layout is written in logical properties, so that right-to-left languages need no second pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHEETS = sorted(
    path
    for part in ("host", "addons", "sandbox", "tests")
    for path in (ROOT / part).rglob("*.css")
    if not {"node_modules", "vendor"} & set(path.parts)
)

# What is written physically on purpose, and why. A line here that no sheet holds is an error.
EXCEPTIONS = {
    "background-position: right .6rem center": "there is no logical form; the arrow of a select",
    "border-width: 0 1.5px 1.5px 0": "two sides of a square that is rotated to an arrow pointing down",
}

_SIDE = r"(?:left|right)"
_NAMED = re.compile(
    rf"""(?<![-\w])(?:
        (?:(?:scroll-)?(?:margin|padding)|border)-{_SIDE}[-\w]*\s*:[^;}}]*
      | border-(?:top|bottom)-{_SIDE}-radius\s*:[^;}}]*
      | {_SIDE}\s*:[^;}}]*
      | (?:text-align|float|clear|caption-side)\s*:\s*{_SIDE}[^;}}]*
      | background-position(?:-x)?\s*:[^;}}]*\b{_SIDE}\b[^;}}]*
    )""",
    re.VERBOSE,
)
_FOUR = re.compile(
    r"(?<![-\w])(?:(?:scroll-)?(?:margin|padding)|inset|border-(?:width|style|color))\s*:\s*([^;}]+)"
)
_VALUE = re.compile(r"(?:[-\w.]*\((?:[^()]|\([^()]*\))*\)|[^\s()]+)")
_RADIUS = re.compile(r"(?<![-\w])border-radius\s*:\s*([^;}]+)")


def _physical(sheet: str) -> list[str]:
    """The declarations of a sheet that name a side, or give the two sides different values."""
    sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    found = [match[0].strip() for match in _NAMED.finditer(sheet)]
    for match in _FOUR.finditer(sheet):
        values = _VALUE.findall(match[1].replace("!important", ""))
        if len(values) == 4 and values[1] != values[3]:
            found.append(match[0].strip())
    for match in _RADIUS.finditer(sheet):
        values = _VALUE.findall(match[1].split("/")[0].replace("!important", ""))
        corners = {2: (0, 1, 0, 1), 3: (0, 1, 2, 1), 4: (0, 1, 2, 3)}.get(len(values))
        if corners:
            top_start, top_end, bottom_end, bottom_start = (values[n] for n in corners)
            if top_start != top_end or bottom_start != bottom_end:
                found.append(match[0].strip())
    return found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sheet_names_no_side(sheet: Path) -> None:
    found = [line for line in _physical(sheet.read_text(encoding="utf-8")) if line not in EXCEPTIONS]
    assert found == [], "write margin-inline-start for margin-left, inset-inline-end for right, and so on"


def test_every_exception_is_needed() -> None:
    written = {line for sheet in SHEETS for line in _physical(sheet.read_text(encoding="utf-8"))}
    assert set(EXCEPTIONS) <= written


@pytest.mark.parametrize(
    "line",
    [
        "margin-left: 1px",
        "scroll-padding-right:0",
        "border-left-color: red",
        "border-top-left-radius: 2px",
        "left: 0",
        "text-align:right",
        "float: left",
        "padding: 0 1px 0 calc(2px + (1px * 2))",
        "inset: 0 auto 0 0",
        "border-radius: 4px 0 0 4px",
    ],
)
def test_what_counts_as_naming_a_side(line: str) -> None:
    assert _physical(f"a {{ {line}; color: red }}") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "margin-inline-start: 1px",
        "margin: 0 1px 2px 1px",
        "inset-inline-end: 0",
        "text-align: start",
        "float: none",
        "border-radius: 4px 4px 0 0",
    ],
)
def test_what_does_not(line: str) -> None:
    assert _physical(f"a {{ {line} }}") == []
