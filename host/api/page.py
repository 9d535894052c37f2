"""The description of the API for people: the OpenAPI document, laid out for a template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from host.api import openapi
from host.api.declare import Refused, Route
from host.api.routes import ROUTES

Types = Sequence[tuple[str, str]]
"""What something may be: in words, and the name of the shape that leads to, if any."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field or parameter."""

    name: str
    types: Types
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of object that goes over the wire."""

    name: str
    text: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """A route.

    :param body: what it takes, and *answer* what it answers; empty: nothing.
    :param calls: ways to call it with curl, each with a few words.
    """

    id: str
    method: str
    path: str
    summary: str
    paragraphs: Sequence[str]
    parameters: Sequence[Field]
    body: Types
    answer: Types
    refusals: Sequence[Refused]
    calls: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    """Routes that belong together."""

    name: str
    text: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything there is to say."""

    paragraphs: Sequence[str]
    base: str
    groups: Sequence[Group]
    shapes: Sequence[Shape]


def described(public_url: str) -> Page:
    """Return the description for a desk people reach at *public_url*."""
    document = openapi.document(public_url)
    base = document["servers"][0]["url"]
    paths = document["paths"]
    groups = [
        Group(
            tag["name"],
            tag["description"],
            [
                _operation(route, paths[route.path][route.method.lower()], base)
                for route in ROUTES
                if route.tag == tag["name"]
            ],
        )
        for tag in document["tags"]
    ]
    return Page(
        paragraphs=_paragraphs(document["info"]["description"]),
        base=base,
        groups=[group for group in groups if group.operations],
        shapes=[_shape(name, schema) for name, schema in document["components"]["schemas"].items()],
    )


def _operation(route: Route, made: Mapping[str, Any], base: str) -> Operation:
    good = made["responses"][str(204 if route.answer is None else route.status)]
    return Operation(
        id=route.operation,
        method=route.method,
        path=route.path,
        summary=route.summary,
        paragraphs=_paragraphs(made["description"]),
        parameters=[
            _field(one["name"], one["schema"], one.get("required", False), one.get("description", ""))
            for one in made["parameters"]
        ],
        body=_content(made.get("requestBody", {})),
        answer=_content(good),
        refusals=openapi.refusals(route),
        calls=_calls(route, base),
    )


def _content(holder: Mapping[str, Any]) -> Types:
    for kind, content in holder.get("content", {}).items():
        if kind != "application/json":
            return [("multipart/form-data, one field: file" if "form" in kind else "the file", "")]
        return _types(content["schema"])
    return []


def _calls(route: Route, base: str) -> list[tuple[str, str]]:
    """Return ways to call *route* with curl."""
    address = base + "".join(
        f"/{'42' if part.startswith('{') else part}" for part in route.path.split("/")[1:]
    )
    head = "curl" if route.method == "GET" else f"curl -X {route.method}"
    key = "" if route.scope is None else ' \\\n  -H "Authorization: Bearer $LOBBY_KEY"'
    if route.upload:
        return [("", f"{head} {address}{key} \\\n  -F file=@picture.jpg")]
    if not route.examples:
        return [("", f"{head} {address}{key}")]
    json_type = ' \\\n  -H "Content-Type: application/json"'
    again = ' \\\n  -H "Idempotency-Key: $(uuidgen)"' if route.idempotent else ""
    return [
        (words, f"{head} {address}{key}{json_type}{again} \\\n  -d '{json.dumps(value, ensure_ascii=False)}'")
        for words, value in route.examples.items()
    ]


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = set(schema.get("required", ()))
    fields = [
        _field(field, one, field in required, one.get("description", ""))
        for field, one in schema.get("properties", {}).items()
    ]
    return Shape(name, schema.get("description", ""), fields)


def _field(name: str, schema: Mapping[str, Any], required: bool, text: str) -> Field:
    return Field(name, _types(schema), required, text)


def _types(schema: Mapping[str, Any]) -> Types:
    return [(_words(one), _leads_to(one)) for one in schema.get("anyOf", [schema])]


def _words(schema: Mapping[str, Any]) -> str:
    """Return a schema in few words: ``integer``, ``array of Message``, ``open or closed``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join("null" if one is None else str(one) for one in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"array of {_words(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    limits = [
        text.format(schema[name])
        for name, text in (
            ("minimum", "from {}"),
            ("maximum", "to {}"),
            ("maxLength", "up to {} characters"),
        )
        if schema.get(name) and schema[name] < 2**53
    ]
    return f"{kind}, {' '.join(limits)}" if limits else kind


def _leads_to(schema: Mapping[str, Any]) -> str:
    """Return the name of the shape a schema refers to, where it is one."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if isinstance(schema.get("items"), dict) else [])]
    names = {_leads_to(one) for one in inner} - {""}
    return names.pop() if len(names) == 1 else ""


def _paragraphs(text: str) -> list[str]:
    return [" ".join(block.split()) for block in text.strip().split("\n\n") if block.strip()]
