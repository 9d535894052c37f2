"""Read the parameters and the body of a request, checked against the declaration of its route."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from flask import Request
from flask_babel import lazy_gettext as _l

from host.api.http import validation
from host.api.http.declare import Route
from host.api.http.errors import BodyError, MediaTypeError, QueryError
from host.api.http.validation import Path
from host.core.errors import InvalidError, LobbyError
from host.sdk import strictjson
from host.web.languages import gettext as _

T = TypeVar("T", bound=msgspec.Struct)

MOST_DEPTH = 32
"""Deepest nesting of objects and arrays in a body."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CHARACTER = _l("it contains an invalid character, NUL or half of a surrogate pair")


def query(request: Request, kind: type[T]) -> T:
    """Return the parameters of the address as *kind*.

    :raises QueryError: if one is unknown, given twice, or not of its type.
    """
    given: dict[str, str] = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise QueryError(
                _("The parameter %(name)s appears more than once.", name=validation.shortened(name)),
                field=validation.shortened(name),
            )
        given[name] = values[0]
    _storable(given, QueryError)
    try:
        found = converted(given, kind, QueryError, strict=False)
    except QueryError as error:
        choices = _choices(kind, error.field)
        if not choices:
            raise
        next_step = _("Send one of: %(choices)s.", choices=", ".join(choices))
        raise QueryError(error.sentence, next_step=next_step, field=error.field) from error
    for one in msgspec.structs.fields(kind):
        # Text conversion turns "null" into None for every optional value, which would drop the filter.
        value = getattr(found, one.name)
        if one.encode_name in given and value is None:
            raise QueryError(
                _("The field %(name)s is invalid: %(why)s.", name=one.encode_name, why=_("it is null")),
                field=one.encode_name,
            )
        if isinstance(value, datetime) and not _is_utc_time(value):
            raise QueryError(
                _(
                    "The field %(name)s is invalid: %(why)s.",
                    name=one.encode_name,
                    why=_("it is out of range"),
                ),
                field=one.encode_name,
            )
    return found


def _is_utc_time(at: datetime) -> bool:
    """Return whether a time is one in UTC, too: the years end at 1 and 9999."""
    try:
        at.astimezone(UTC)
    except OverflowError:
        return False
    return True


def _choices(kind: type[msgspec.Struct], field: str | None) -> list[str]:
    """Return the values that a parameter can have; empty if it isn't one of a few words."""
    for one in msgspec.structs.fields(kind):
        if one.encode_name == field:
            schema = msgspec.json.schema(one.type)
            return [value for value in schema.get("enum", ()) if isinstance(value, str)]
    return []


def body(request: Request) -> Any:
    """Return the JSON of the body as plain values, not yet checked against a declaration.

    :raises MediaTypeError: if its content type is not JSON.
    :raises BodyError: if it is not standard JSON, or nested too deeply.
    """
    if request.mimetype != "application/json":
        raise MediaTypeError(field="Content-Type")
    data = request.get_data(cache=True)
    if not data:
        raise BodyError(_("The body is empty."))
    try:
        value = strictjson.loads(data)
    except ValueError as error:
        raise BodyError(_("The body isn't valid JSON: %(why)s.", why=_why(error))) from error
    if _depth(value) > MOST_DEPTH:
        raise BodyError(_("The body is nested too deeply."), limit=MOST_DEPTH)
    _storable(value, BodyError)
    return value


def converted(
    value: Any, kind: type[T], problem: type[LobbyError] = BodyError, *, strict: bool = True, within: str = ""
) -> T:
    """Return a body, or a part of one, as *kind*.

    :param within: the name of that part.
    :raises problem: for a field that is unknown, missing, or not of its type, naming it.
    """
    try:
        return strictjson.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        path = (within,) if within else ()
        sentence, field = validation.explain(str(error), value, kind, strict=strict, within=path)
        raise problem(sentence, field=field) from error


def as_declared(value: Any, route: Route) -> Any:
    """Return a body in the form that *route* accepts; see :func:`converted`.

    :raises BodyError: see :func:`converted`.
    """
    other = route.other_form
    if other is None or not isinstance(value, dict) or other.told_by not in value:
        return converted(value, route.body)
    return converted(_in_camel_case(value), other.body)


def _in_camel_case(value: Any) -> Any:
    """Return *value* with the names of its fields in camelCase.

    :raises BodyError: if a field is given under both names.
    """
    if isinstance(value, list):
        return [_in_camel_case(one) for one in value]
    if not isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for name, one in value.items():
        camel = camel_case(name)
        if camel in named:
            raise BodyError(
                _("The field %(name)s appears more than once.", name=validation.shortened(camel)),
                field=validation.shortened(camel),
            )
        named[camel] = _in_camel_case(one)
    return named


def camel_case(name: str) -> str:
    """Return a name of the host as it is written in JSON."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _why(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)


def _depth(value: Any) -> int:
    """Return the nesting depth of *value*, without recursion."""
    level, deep = [value], 0
    while level:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        deep += any(isinstance(one, dict | list) for one in level)
        level = inner
    return deep


def _storable(value: Any, problem: type[InvalidError]) -> None:
    """Refuse NUL characters and lone surrogates: no database stores them, and people don't type them."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    while waiting:
        one, path = waiting.pop()
        if isinstance(one, str):
            if _UNSTORABLE.search(one):
                raise _unstorable(problem, path, _CHARACTER)
        elif isinstance(one, float):
            if not math.isfinite(one):
                raise _unstorable(problem, path, _("its number is too large"))
        elif isinstance(one, dict):
            for name in one:
                if _UNSTORABLE.search(name):
                    raise _unstorable(problem, (*path, _UNSTORABLE.sub("\ufffd", name)), _CHARACTER)
            waiting.extend((inner, (*path, name)) for name, inner in one.items())
        elif isinstance(one, list):
            waiting.extend((inner, (*path, at)) for at, inner in enumerate(one))


def _unstorable(problem: type[InvalidError], path: Path, why: object) -> InvalidError:
    field = validation.written(path)
    if not field:
        return problem(_("The body is invalid: %(why)s.", why=why))
    return problem(_("The field %(name)s is invalid: %(why)s.", name=field, why=why), field=field)
