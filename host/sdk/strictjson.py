"""Parse JSON from outside strictly by the standard, and convert it to types.

Host and addons must convert to msgspec types only with :func:`convert` and :func:`decode`: msgspec 0.22
crashes the process if two threads are the first to use a nested type.
"""

from __future__ import annotations

import json
import threading
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")

_ready: set[Any] = set()
_making_ready = threading.Lock()


def loads(data: bytes | str) -> Any:
    """Parse *data*; refuse anything that two parsers could read differently.

    :raises ValueError: for anything but UTF-8 JSON, and for duplicate keys in an object, NaN and Infinity,
        numbers with thousands of digits, or too deep nesting.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        if type(error) is ValueError and "set_int_max_str_digits" in str(error):
            raise ValueError("a number has thousands of digits") from None
        raise


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def convert(value: Any, kind: type[_T], *, strict: bool = True) -> _T:
    """Convert *value*, made of JSON types, to *kind*.

    :param strict: whether to refuse numbers and the like written as text.
    :raises msgspec.ValidationError: if it does not match.
    """
    _make_ready(kind)
    return msgspec.convert(value, kind, strict=strict)


def decode(data: bytes | str, kind: type[_T]) -> _T:
    """Parse JSON that Lobby wrote itself as a *kind*; :func:`loads` is stricter.

    :raises msgspec.MsgspecError: if it is not JSON, or not of that kind.
    """
    _make_ready(kind)
    return msgspec.json.decode(data, type=kind)


def _make_ready(kind: Any) -> None:
    """Let msgspec inspect a type and its nested types, in one thread at a time."""
    if kind not in _ready:
        with _making_ready:
            msgspec.json.Decoder(kind)
            _ready.add(kind)
