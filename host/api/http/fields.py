"""Name the value of a request that an error is about: a field of the body, a parameter, or a header.

A field is written as a path, such as ``content.quickReplies[2].title``: names separated by dots, positions in
lists in brackets, counted from 0. A parameter of the path has its name in the API document
(``conversation_id``), a header its own (``If-Match``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from host.api.http.declare import Route
from host.core.errors import LobbyError, NotFoundError

_IN_GROUP = re.compile(r"\.(\d+)\.(\d+)(?=\.|$)")
_NUMBER = re.compile(r"\.(\d+)(?=\.|$)")


def in_path(route: Route, kind: type[LobbyError]) -> str | None:
    """Return the parameter of the path that an error of *kind* is about; None: it is about something else."""
    if not issubclass(kind, NotFoundError) or not route.places:
        return None
    if kind.code == NotFoundError.code:
        return route.places[-1]
    name = kind.place or kind.code.removesuffix("_not_found") + "_id"
    return name if name in route.places else None


def declared(route: Route, kind: type[LobbyError]) -> str | None:
    """Return the field that an error of *kind* is about, as *route* declares it."""
    return next((route.fields[one] for one in kind.__mro__ if one in route.fields), None)


def path(place: str) -> str:
    """Return a place in a rule or sequence as a path: ``conditions[1].of[0]`` for ``conditions.1.0``."""
    return _NUMBER.sub(r"[\1]", _IN_GROUP.sub(r".\1.of.\2", place))


def in_body(place: str) -> str:
    """Return a place in a rule or sequence as written in a request: ``body.actions[0]``, or ``name``."""
    return place if place == "name" else f"body.{path(place)}"


def name_field(route: Route, error: LobbyError) -> None:
    """Set the field of *error*, unless it has one or is about no single value."""
    if error.field is None:
        error.field = declared(route, type(error)) or in_path(route, type(error))


def name_position(error: LobbyError, body: object) -> None:
    """Add the position of the first wrong value to the field of *error*, if that is a list in *body*."""
    items = body.get(error.field) if isinstance(body, dict) else None
    if not isinstance(items, list):
        return
    for at, item in enumerate(items):
        part = ".id" if isinstance(item, dict) else ""
        if (item["id"] if part else item) in error.wrong_values:
            error.field = f"{error.field}[{at}]{part}"
            return


def given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a body has, by name: those it leaves out keep their values."""
    values = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in values if value is not msgspec.UNSET}


@contextmanager
def about(field: str, *kinds: type[LobbyError]) -> Iterator[None]:
    """Name *field* in errors of *kinds* that the block raises without a field."""
    try:
        yield
    except kinds as error:
        error.field = error.field or field
        raise
