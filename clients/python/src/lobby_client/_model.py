"""Convert JSON to dataclasses and back: snake_case here, camelCase in JSON."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Optional, TypeVar, Union

M = TypeVar("M", bound="Model")


class Found(dict[str, Any]):
    """The JSON object of a response, with the ETag that came with it."""

    etag: Optional[str] = None


class Model:
    """Base of the API's types. Unknown fields, from a newer desk, are ignored.

    :ivar etag: of the answer to a GET, for ``if_match`` of a change; None: it had none, or it is a part of
        an answer.
    """

    etag: ClassVar[Optional[str]] = None

    @classmethod
    def from_wire(cls: type[M], data: Mapping[str, Any]) -> M:
        """Return an object for a response of the API."""
        kind: Any = cls
        made = cls(**{name: _read(hint, data.get(wire)) for name, wire, hint in _fields(kind)})
        if isinstance(data, Found) and data.etag:
            object.__setattr__(made, "etag", data.etag)  # no field, so that equal answers compare equal
        return made


@functools.cache
def _fields(cls: Any) -> Sequence[tuple[str, str, Any]]:
    """Return name, JSON name and type of each field."""
    hints = typing.get_type_hints(cls)
    fields = (field.name for field in dataclasses.fields(cls) if field.init)
    return [(name, camel_case(name), hints[name]) for name in fields]


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if typing.get_origin(hint) is Union:  # of answers those with None, and the kinds of events: one class
        hint = typing.get_args(hint)[0]
    origin = typing.get_origin(hint)
    if hint is datetime:
        return moment(value)
    kind = origin or hint
    if isinstance(kind, type) and issubclass(kind, Model):
        return kind.from_wire(value)
    if isinstance(value, list) and origin is not None:
        return [_read(typing.get_args(hint)[0], one) for one in value]
    if isinstance(value, dict) and origin is not None:
        return {key: _read(typing.get_args(hint)[1], one) for key, one in value.items()}
    return value


def moment(text: str) -> datetime:
    """Return RFC 3339 text as an aware datetime; before Python 3.11 ``fromisoformat`` rejects Z."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def to_wire(value: Any) -> Any:
    """Return *value* as JSON values. Keys of mappings stay unchanged: the API accepts both cases there.

    :raises ValueError: for a time without a time zone.
    """
    if isinstance(value, Model):
        fields = ((camel_case(field.name), getattr(value, field.name)) for field in dataclasses.fields(value))  # type: ignore[arg-type]
        return {name: to_wire(one) for name, one in fields if one is not None}
    if isinstance(value, Mapping):
        return {name: to_wire(one) for name, one in value.items()}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} needs a time zone")
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [to_wire(one) for one in value]
    return value


def camel_case(name: str) -> str:
    """Return the JSON form of a name."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
