"""Tables as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import pytest

from host.web.csv_file import Cell, csv_response


def read(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    data = csv_response("x", rows).get_data()
    assert data.startswith(b"\xef\xbb\xbf"), "the mark by which spreadsheets know UTF-8"
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@a", "|a", "%a", "\t=1", " =1", "\r=1", "\n", " \tx", "\u00a0=1", "\uff1d1+1",
    ],
)  # fmt: skip
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert read([[text, -1]]) == [[f"'{text}", "-1"]]


@pytest.mark.parametrize("text", ["", "a=1", "1-1", "Grüße", "'=", "a\nb", " a"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert read([[text, None, 7], ["b"]]) == [[text, "", "7"], ["b"]]


def test_rows_are_read_while_they_are_sent() -> None:
    asked: list[int] = []

    def rows() -> Iterator[Sequence[Cell]]:
        for number in range(3):
            asked.append(number)
            yield [number]

    answer = csv_response("many", rows())
    assert answer.headers["Content-Disposition"] == 'attachment; filename="many.csv"'
    parts = answer.iter_encoded()
    assert (next(parts), next(parts), asked) == (b"\xef\xbb\xbf", b"0\r\n", [0])
