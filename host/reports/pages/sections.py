"""Sections of addons on the Reports page, as they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask_babel import format_decimal

from host.sdk.reports import Better, Counts, Number, Unit
from host.web.formats import whole
from host.web.languages import gettext as _

BAR = 400
"""Width of the longest bar."""


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
