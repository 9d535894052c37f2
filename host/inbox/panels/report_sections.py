"""Sections of addons on the Reports page: call the addon, and check what it returns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from host.core.clock import Days
from host.inbox.panels import calling
from host.inbox.panels.calling import WrongReturnError
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

_LARGEST = 10**15


def query_of(workspace_id: int, days: Days, chosen: Collection[int] | None, seen: Accounts) -> ReportQuery:
    """Return what an addon is asked for the chosen days and accounts.

    :param chosen: ids of accounts of the workspace; None: all of them.
    :param seen: the accounts that the reader may see; None: all.
    """
    bounds = days.bounds()
    accounts = None if chosen is None else frozenset(chosen)
    return ReportQuery(
        workspace_id=workspace_id,
        accounts=accounts if seen is None else seen if accounts is None else seen & accounts,
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
    call = lambda: _checked(section.name, section.read(query))  # noqa: E731
    return calling.loaded(name, section.seconds, addon, call, query.workspace_id)


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
