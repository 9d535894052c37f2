"""Sections of addons on the Reports page: call the addon, check what it returns, and draw it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask_babel import format_decimal
from flask_babel import gettext as _

from host.inbox.panels import calling
from host.inbox.panels.calling import WrongReturnError
from host.reports.figures import Selection
from host.sdk.reports import (
    MAX_LABEL,
    MAX_NUMBERS,
    MAX_ROWS,
    MAX_TABLES,
    Better,
    Counts,
    Number,
    ReportQuery,
    ReportSection,
    Unit,
)
from host.users.reach import Accounts
from host.web.formats import whole

BAR = 400
"""Width of the longest bar."""
_LARGEST = 10**15


class NumberCard(msgspec.Struct, frozen=True):
    """A number of an addon as it is shown.

    :param value: None: there is nothing to compute it from.
    :param note: its value in the period before, in words.
    :param icon: of the change: ``up``, ``down`` or nothing; *tone*: ``good``, ``bad`` or nothing.
    """

    label: str
    value: str | None
    note: str
    icon: str
    tone: str


class Bar(msgspec.Struct, frozen=True):
    """A row of a table of an addon, with the width of its bar, out of :data:`BAR`."""

    label: str
    count: int
    share: str
    width: float


class BarTable(msgspec.Struct, frozen=True):
    """A table of an addon as it is shown."""

    title: str
    rows: Sequence[Bar]


class SectionView(msgspec.Struct, frozen=True):
    """The numbers and tables of a section as they are shown."""

    numbers: Sequence[NumberCard]
    tables: Sequence[BarTable]


def query_of(selection: Selection, seen: Accounts) -> ReportQuery:
    """Return what an addon is asked for the chosen days and accounts.

    :param seen: the accounts that the reader may see; None: all.
    """
    days = selection.days
    bounds = days.bounds()
    chosen = None if selection.accounts is None else frozenset(selection.accounts)
    return ReportQuery(
        workspace_id=selection.workspace_id,
        accounts=chosen if seen is None else seen if chosen is None else seen & chosen,
        before=days.before.bounds()[0],
        start=bounds[0],
        end=bounds[-1],
        zone=days.zone,
    )


def read(section: ReportSection, query: ReportQuery, addon: str) -> Sequence[Number | Counts]:
    """Return the numbers and tables of a section.

    :param addon: the addon's name, for error texts.
    :raises PanelFailedError: with a sentence for the person.
    """
    name = f"section {section.name}"
    return calling.loaded(name, section.seconds, addon, lambda: _checked(section.name, section.read(query)))


def draw(blocks: Sequence[Number | Counts]) -> SectionView:
    """Return numbers and tables as texts and bars in the reader's language."""
    return SectionView(
        [_card(one) for one in blocks if isinstance(one, Number)],
        [_table(one) for one in blocks if isinstance(one, Counts)],
    )


def _card(number: Number) -> NumberCard:
    value = None if number.value is None else _text(number.value, number.unit)
    if number.value is None or number.before is None:
        return NumberCard(number.label, value, "", "", "")
    before = _text(number.before, number.unit)
    if value == before:
        return NumberCard(number.label, value, _("no change"), "", "")
    rose = number.value > number.before
    tone = ""
    if number.better is not Better.NEITHER:
        tone = "good" if rose == (number.better is Better.HIGHER) else "bad"
    note = _("from %(value)s", value=before)
    return NumberCard(number.label, value, note, "up" if rose else "down", tone)


def _text(value: float, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return str(_("%(n)s %%", n=whole(round(100 * value))))
    if unit is Unit.AVERAGE:
        return str(format_decimal(value, "#,##0.00"))
    return whole(value)


def _table(table: Counts) -> BarTable:
    counts = [count for _label, count in table.rows]
    total, most = sum(counts) or 1, max(counts, default=0) or 1
    return BarTable(
        table.title,
        [
            Bar(label, count, _("%(n)s %%", n=round(100 * count / total)), round(BAR * count / most, 1))
            for label, count in table.rows
        ],
    )


def _checked(name: str, returned: object) -> Sequence[Number | Counts]:
    if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
        raise WrongReturnError(f"{name} returned {type(returned).__name__} instead of a list")
    most = {Number: MAX_NUMBERS, Counts: MAX_TABLES}
    for kind, limit in most.items():
        count = sum(isinstance(one, kind) for one in returned)
        if count > limit:
            raise WrongReturnError(f"{name} returned {count} of {kind.__name__}, of at most {limit}")
    for one in returned:
        problem = _problem(one)
        if problem:
            raise WrongReturnError(f"{name} returned {problem}")
    return returned


def _problem(block: object) -> str:
    """Return what is wrong with a number or table; an empty text if nothing is."""
    if isinstance(block, Number):
        if block.unit not in set(Unit) or block.better not in set(Better):
            return "an unknown unit or direction"
        if not all(one is None or _is_number(one) for one in (block.value, block.before)):
            return "a number that is none, or too large"
        return _label_problem(block.label)
    if not isinstance(block, Counts):
        return f"{type(block).__name__} where Number or Counts belongs"
    rows: object = block.rows
    if isinstance(rows, str | bytes) or not isinstance(rows, Sequence):
        return "a table without rows"
    if len(rows) > MAX_ROWS:
        return f"a table of {len(rows)} rows, of at most {MAX_ROWS}"
    for row in rows:
        if not isinstance(row, tuple) or len(row) != 2:
            return "a row that is no pair of label and count"
        label, count = row
        if not _is_number(count) or not isinstance(count, int) or count < 0:
            return "a count that is no whole number, negative or too large"
        if problem := _label_problem(label):
            return problem
    return _label_problem(block.title)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST  # which neither infinity nor NaN is


def _label_problem(label: object) -> str:
    if not isinstance(label, str):
        return f"{type(label).__name__} where a text belongs"
    return "" if len(label) <= MAX_LABEL else f"a text of {len(label)} characters, of at most {MAX_LABEL}"
