"""Functions for all value types of the host: dataclasses of the SDK and its own structs."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


def replace(value: T, **changes: Any) -> T:
    """Return *value* with some of its fields changed, as ``copy.replace`` of Python 3.13 does."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return cast(T, dataclasses.replace(cast(Any, value), **changes))
