"""CSV files for spreadsheets, which must not run formulas in text that customers wrote."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response

_FORMULA = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters with which a spreadsheet may begin a formula or a command."""
_BREAKS = ("\t", "\r", "\n")
"""Characters that may move the rest of a cell into another one."""

Cell = str | int | None


def csv_response(name: str, rows: Iterable[Sequence[Cell]]) -> Response:
    """Return *rows* as a streamed file: UTF-8 with a byte order mark, which spreadsheets need.

    A text that could be a formula gets an apostrophe in front. Numbers are unchanged.

    :param name: of the file, without its ending.
    :param rows: read after the view has returned, so they must not use the request's session.
    """
    answer = Response(_lines(rows), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _lines(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    yield "\ufeff".encode()
    for row in rows:
        writer.writerow([_guarded(cell) for cell in row])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    risky = cell.lstrip().startswith(_FORMULA) or cell.lstrip(" ").startswith(_BREAKS)
    return f"'{cell}" if risky else cell
