"""The ``fields`` parameter: ``id,name,messages.limit(5){id,from{username}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import GraphError
from sandbox.world import Json

_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)")
_CALL = re.compile(r"\.([a-z_]+)\(([^()]*)\)")


@dataclass(slots=True)
class RequestedField:
    """One requested field, with its modifiers and inner fields."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    inner: list[RequestedField] = field(default_factory=list)


def parse(text: str) -> list[RequestedField]:
    """Parse a ``fields`` parameter; raise the Graph API's syntax error if it is malformed."""
    wanted, end = _parse(text, 0)
    if end != len(text):
        raise _syntax(text)
    return wanted


def _parse(text: str, at: int) -> tuple[list[RequestedField], int]:
    found: list[RequestedField] = []
    while at < len(text):
        match = _NAME.match(text, at)
        if match is None:
            raise _syntax(text)
        item, at = RequestedField(match.group(1)), match.end()
        while (call := _CALL.match(text, at)) is not None:
            item.options[call.group(1)] = call.group(2).strip()
            at = call.end()
        if text[at : at + 1] == "{":
            item.inner, at = _parse(text, at + 1)
            if text[at : at + 1] != "}":
                raise _syntax(text)
            at += 1
        found.append(item)
        if text[at : at + 1] != ",":
            break
        at += 1
    return found, at


def _syntax(text: str) -> GraphError:
    shown = text[:80]
    return GraphError(2500, None, f'Syntax error "Expected end of string" in fields: {shown}')


def select(node: Mapping[str, Any], wanted: list[RequestedField], kind: str, *, id_too: bool = True) -> Json:
    """Pick fields from a node; null ones are left out, unknown ones raise error 100."""
    picked: Json = {}
    for item in wanted:
        if item.name not in node:
            raise GraphError(
                100,
                None,
                f"Tried accessing nonexisting field ({item.name}) on node type ({kind})",
            )
        value = node[item.name]
        if callable(value):
            value = value(item)
        elif isinstance(value, dict) and item.inner:
            value = select(value, item.inner, item.name, id_too="id" in value)
        if value is not None:
            picked[item.name] = value
    if id_too and "id" in node:
        picked["id"] = node["id"]
    return picked
