"""Pagination of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from host.web.request_helpers import id_argument

T = TypeVar("T")

SIZE = 25


@dataclass(frozen=True, slots=True)
class Portion(Generic[T]):
    """The rows of a list on one page.

    :param number: number of the page, from 1; *pages*: number of pages, 1 for an empty list.
    :param whole: number of rows in the list, *size* per page.
    """

    rows: Sequence[T]
    number: int
    pages: int
    whole: int
    size: int = SIZE

    @property
    def first(self) -> int:
        """Position of the first row shown, from 1."""
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        """Position of the last row shown."""
        return self.first + len(self.rows) - 1


def portion(rows: Sequence[T], size: int = SIZE, containing: int | None = None) -> Portion[T]:
    """Return the rows of the query parameter ``page``, or the last page if it is beyond the end.

    :param containing: the index of a row, whose page is shown if ``page`` is missing.
    :raises InvalidError: if ``page`` is not a number.
    """
    pages = max(1, -(-len(rows) // size))
    default = 1 if containing is None else containing // size + 1
    number = min(id_argument("page") or default, pages)
    return Portion(rows[(number - 1) * size : number * size], number, pages, len(rows), size)
