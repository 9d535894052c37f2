"""Sections of addons on the Reports page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum


class Unit(StrEnum):
    """The unit of a :class:`Number`."""

    COUNT = "count"
    SHARE = "share"
    """A part of a whole, from 0 to 1, shown as a percentage."""
    AVERAGE = "average"
    """A mean, shown with two decimals."""


class Better(StrEnum):
    """The direction in which a :class:`Number` improves, for the colour of its change."""

    NEITHER = "neither"
    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """The figures that a person asks for, all of one workspace.

    :param accounts: the channel accounts to count: those chosen on the page that the person may see; None:
        all of the workspace.
    :param before: when the period before begins, which is as long and ends at *start*.
    :param start: when the chosen period begins; *end*: the first moment after it. All three are in UTC.
    :param zone: the person's time zone, in which the period has whole days.
    """

    workspace_id: int
    accounts: Collection[int] | None
    before: datetime
    start: datetime
    end: datetime
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Number:
    """A figure.

    :param label: one to three words.
    :param value: None: there is nothing to compute it from.
    :param before: the same in the period before; None: not known.
    """

    label: str
    value: float | None
    before: float | None = None
    unit: Unit = Unit.COUNT
    better: Better = Better.NEITHER


@dataclass(frozen=True, slots=True)
class Counts:
    """A table of labels and how often each occurred, shown with bars and each one's share of the total."""

    title: str
    rows: Sequence[tuple[str, int]]


MAX_NUMBERS = 10
MAX_TABLES = 6
MAX_ROWS = 50
"""Maximum rows of a :class:`Counts`."""
MAX_LABEL = 100
"""Maximum characters of a label or title."""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of an addon on the Reports page. It is loaded after the page, when it comes into view.

    :param name: ``<slug>.<word>``, unique in the addon.
    :param title: its heading. Mark it with :func:`host.sdk.i18n.noop`.
    :param read: returns its numbers and tables; none: the section says that there is nothing in this period.
        Called outside any transaction. If it raises, takes longer than *seconds* or returns something else,
        the section says so and offers another try.
    :param seconds: the timeout of a call, at most 10.
    """

    name: str
    title: str
    read: Callable[[ReportQuery], Sequence[Number | Counts]]
    seconds: float = 5.0
