"""Every error code of the API, with what it means and which operations return it.

The page about the API shows the list; the ``type`` of problem details leads to an entry of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from host.api.http import openapi
from host.api.http.declare import Refused, Route, routes
from host.core.errors import LobbyError
from host.features import registry
from host.web import error_pages

_FEW = 20
"""Operations that an entry names. Of more it gives the number: each operation lists its own errors."""


@dataclass(slots=True)
class ErrorEntry:
    """An error code.

    :ivar statuses: those it comes with, in the given version of the API.
    :ivar sentences: what happened, in English.
    :ivar steps: what a program can do.
    :ivar everywhere: whether any request can get it.
    :ivar operations: the routes that declare it.
    """

    code: str
    statuses: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    everywhere: bool = False
    operations: list[Route] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Return the first of its statuses, under which the page lists it."""
        return self.statuses[0]

    @property
    def named(self) -> list[Route]:
        """Return the operations to name; none: too many."""
        return self.operations if len(self.operations) <= _FEW else []

    def add(self, status: int, sentence: str, step: str = "") -> None:
        """Add what one of its errors says, unless another has said it."""
        for values, value in ((self.sentences, sentence), (self.steps, step)):
            if value and value not in values:
                values.append(value)
        if status not in self.statuses:
            self.statuses.append(status)
            self.statuses.sort()


def error_list(version: str) -> tuple[ErrorEntry, ...]:
    """Return every code of *version*, by name."""
    return _listed(tuple(feature.package for feature in registry.active()), version)


@cache
def _listed(_features: tuple[str, ...], version: str) -> tuple[ErrorEntry, ...]:
    found: dict[str, ErrorEntry] = {}

    def entry(code: str) -> ErrorEntry:
        return found.setdefault(code, ErrorEntry(code))

    for error in error_pages.OF_ANY_ROUTE:
        entry(error.code).everywhere = True
        entry(error.code).add(error.status, openapi.sentence_of(error), openapi.step_of(error))
    declared = routes()
    for route in declared:
        steps = _steps(route)
        for one in openapi.refusals(route, version):
            entry(one.code).add(one.status, one.sentence, steps.get(one.code, ""))
        for code in dict.fromkeys(one.code for one in openapi.known_errors(route)):
            entry(code).operations.append(route)
    for listed in found.values():
        listed.everywhere = listed.everywhere or len(listed.operations) >= len(declared) - _FEW
    return tuple(found[code] for code in sorted(found))


def _steps(route: Route) -> dict[str, str]:
    errors: list[type[LobbyError]] = [
        one for one in openapi.known_errors(route) if not isinstance(one, Refused)
    ]
    return {error.code: openapi.step_of(error) for error in errors}
