"""JSON schemas of the arguments a model fills in for a tool."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

MOST_BYTES = 16 * 1024
"""Maximum bytes of a schema."""
MOST_DEPTH = 12
_MOST_WORDS = 300


@cache
def _library() -> Any:
    """Return jsonschema-rs, or None if it is not installed; then no model can be used either."""
    name = "jsonschema_rs"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _fetch_nothing(_address: str) -> Any:
    raise ValueError("a schema may not name another one")


def _validator(schema: Mapping[str, Any]) -> Any:
    library = _library()
    # Patterns take linear time; nothing is fetched.
    return library.Draft202012Validator(
        dict(schema),
        pattern_options=library.RegexOptions(),
        retriever=_fetch_nothing,
        validate_formats=False,
    )


def is_usable(schema: object) -> bool:
    """Return whether *schema* is a JSON schema of an object, small enough to be sent with each question."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return False
    try:
        if len(msgspec.json.encode(schema)) > MOST_BYTES or _depth(schema) > MOST_DEPTH:
            return False
        if b"\\u0000" in msgspec.json.encode(schema):  # databases cannot store that character
            return False
        if not isinstance(schema.get("properties", {}), dict):
            return False
        if _library() is not None:
            _validator(schema)
    except Exception:  # noqa: BLE001 - the library has errors of its own for each thing that may be wrong
        return False
    return True


def _depth(value: object, at: int = 1) -> int:
    if at > 4 * MOST_DEPTH:
        return at
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_depth(one, at + 1) for one in inner), default=at) if inner else at


def wrong(schema: Mapping[str, Any], arguments: object) -> str:
    """Return how *arguments* violate *schema*, in English, for a model; empty if they are valid."""
    if not isinstance(arguments, dict):
        return "the arguments have to be an object"
    if _library() is None:
        return ""
    try:
        found = next(iter(_validator(schema).iter_errors(arguments)), None)
    except Exception:  # noqa: BLE001 - a schema that was kept by another release, or a number too large
        return "the arguments cannot be read"
    if found is None:
        return ""
    place = "/".join(map(str, found.instance_path))
    return (f"{place}: {found.message}" if place else str(found.message))[:_MOST_WORDS]
