"""Answers and requests derived from a type of a feature, so that a field is declared once.

The type's fields are annotated with :func:`host.features.described.described`. A type checker cannot follow a
class that is made when the module is imported: it sees what the caller names instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta

from host.api.http.declare import Wire
from host.features.described import GIVEN

Names = Mapping[str, str]
"""Names of fields on the wire, where they differ."""


def answer_of(kind: type[msgspec.Struct], name: str, *, names: Names, **types: Any) -> type[Wire]:
    """Return the class of answers with the fields of *kind*, all of them given.

    :param types: of fields that answers show in another type, by their names in *kind*.
    """
    fields = [
        (names.get(field, field), _annotated(types.get(field, of), meta))
        for field, of, meta, _default in _fields(kind)
    ]
    return _made(name, fields, kind.__doc__ or "")


def request_of(kind: type[msgspec.Struct], name: str, doc: str, *, names: Names, **types: Any) -> type[Wire]:
    """Return the class of requests with the fields of *kind*: omitted ones get its defaults.

    :param types: as of :func:`answer_of`; the default is then made without arguments.
    """
    fields: list[tuple[str, Any, Any]] = []
    for field, of, meta, default in _fields(kind):
        request, each = (meta.extra or {}).get(GIVEN, (meta, None))
        own = types.get(field)
        given = own or (of if each is None else _several(Annotated[get_args(of)[0], each]))
        fields.append((names.get(field, field), _annotated(given, request), own() if own else default))
    return _made(name, fields, doc)


def _fields(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any, Meta, Any]]:
    """Yield name, type, annotation and default of each field."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        of, meta = get_args(hint) if get_origin(hint) is Annotated else (hint, Meta())
        default = field.default if field.default is not NODEFAULT else field.default_factory
        yield field.name, of, meta, default


def _several(of: Any) -> Any:
    return tuple[of, ...]


def _annotated(of: Any, meta: Meta) -> Any:
    kept = {name: value for name, value in _said(meta) if value is not None}
    return Annotated[of, Meta(**kept)] if kept else of


def _said(meta: Meta) -> Iterator[tuple[str, Any]]:
    for name in ("description", "max_length", "min_length", "ge", "le"):
        yield name, getattr(meta, name)


def _made(name: str, fields: list[Any], doc: str) -> type[Wire]:
    namespace = {"__doc__": doc}
    made: Any = msgspec.defstruct(name, fields, bases=(Wire,), namespace=namespace, frozen=True, kw_only=True)
    return made  # type: ignore[no-any-return]
