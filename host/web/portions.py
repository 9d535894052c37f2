"""A long list on pages of its own: so many rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from host.web.request_helpers import id_argument

T = TypeVar("T")

SIZE = 25


@dataclass(frozen=True, slots=True)
class Portion(Generic[T]):
    """The rows of a list that one page shows.

    :param number: of the page, from 1; *pages*: how many there are, 1 for an empty list.
    :param whole: how many rows the list has.
    """

    rows: Sequence[T]
    number: int
    pages: int
    whole: int

    @property
    def first(self) -> int:
        """The place of the first row shown, from 1."""
        return (self.number - 1) * SIZE + 1

    @property
    def last(self) -> int:
        """The place of the last row shown."""
        return self.first + len(self.rows) - 1


def portion(rows: Sequence[T]) -> Portion[T]:
    """Return the rows that the query parameter ``page`` asks for: the last ones where it is beyond the end.

    :raises InvalidError: if ``page`` is no number.
    """
    pages = max(1, -(-len(rows) // SIZE))
    number = min(id_argument("page") or 1, pages)
    return Portion(rows[(number - 1) * SIZE : number * SIZE], number, pages, len(rows))
