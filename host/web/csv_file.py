"""Tables as CSV files: for spreadsheets, which must not run what a customer called himself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response

_FORMULA = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the beginning of a formula, or of something to run."""
_BREAKS = ("\t", "\r", "\n")
"""What may push the rest of a cell into one of its own."""

Cell = str | int | None


def csv_response(name: str, rows: Iterable[Sequence[Cell]]) -> Response:
    """Return *rows* as a file, sent while they are read: UTF-8, with the mark that spreadsheets know it by.

    A text that could be a formula gets an apostrophe in front. Numbers are ours and stay numbers.

    :param name: of the file, without its ending.
    :param rows: are read after the view has returned, so they use no session of the request.
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
