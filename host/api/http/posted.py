"""Describe the requests that Lobby posts to webhook endpoints, for the API document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from host.api.http import schemas
from host.events.bodies import samples
from host.events.kinds.shapes import Tombstone
from host.sdk.channel import ChannelAdapter

TAG = "Webhooks"
PREFIX = "Event"
"""Starts the names of components: a conversation in an event differs from a conversation in an answer."""

HINT = "x-py-typing"
"""Extension with the type that openapi-generator's Python gives a parameter.

It works the type out for calls, but not for webhooks: without the extension it writes `webhook_id: ,`, which
is no Python.
"""

_SIGNED = {
    "webhook-id": "Identifies the event; the same in every attempt.",
    "webhook-timestamp": "Time of this attempt, in seconds since 1970.",
    "webhook-signature": "`v1,` and a signature; several during a rotation. See Standard Webhooks.",
}


def described(adapters: Iterable[ChannelAdapter]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the requests by event name, with the events that *adapters* add, and their components."""
    paths, components = _of_host()
    paths, components = {**paths}, {**components}
    ids = {path["post"]["operationId"] for path in paths.values()}
    for kind in (kind for adapter in adapters for kind in samples.of_channel(adapter)):
        if kind.name in paths:
            continue  # an adapter for comments shares the events of its channel
        name = _camel(kind.name)
        while PREFIX + name in components or f"on{name}" in ids:
            name += "Of"
        ids.add(f"on{name}")
        components[PREFIX + name] = _of_sample(kind, PREFIX + name)
        paths[kind.name] = _request(kind, f"on{name}", schemas.reference(PREFIX + name))
    return paths, components


@cache
def _of_host() -> tuple[dict[str, Any], dict[str, Any]]:
    kinds = samples.of_host()
    types = [Tombstone, *(kind.shape for kind in kinds if kind.shape is not None)]
    (_tombstone, *made), components = schemas.of_types(types, PREFIX)
    return {
        kind.name: _request(kind, f"on{_camel(kind.name)}", schema)
        for kind, schema in zip(kinds, made, strict=True)
    }, components


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", name))


def body_type(operation: str) -> str:
    """Return the name that openapi-generator gives the type of the body of the webhook *operation*."""
    return f"{operation[:1].upper()}{operation[1:]}Request"


def _of_sample(kind: samples.Kind, title: str) -> dict[str, Any]:
    """Return the schema of a channel's event: its addon gives only a sample of it."""
    return {
        **schemas.of_sample(dict(kind.sample)),
        "title": title,
        "description": f"{kind.about} A key without a value is omitted, and keys may be added.",
        "required": ["channelId", "from", "timestamp"],
    }


def _request(kind: samples.Kind, operation: str, data: dict[str, Any]) -> dict[str, Any]:
    # Generators make one type of schemas that differ in nothing they keep, and several drop a lone `const`.
    schema = {
        "type": "object",
        "properties": {
            "event": {"type": "string", "enum": [kind.name]},
            "data": {"anyOf": [data, schemas.reference(PREFIX + Tombstone.__name__)]},
        },
        "required": ["event", "data"],
    }
    example = {"event": kind.name, "data": kind.sample}
    return {
        "post": {
            "operationId": operation,
            "summary": kind.about,
            "tags": [TAG],
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": text}
                | {"schema": {"type": "string"}, HINT: "StrictStr"}
                for name, text in _SIGNED.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema, "example": example}},
                HINT: body_type(operation),
            },
            "responses": {
                "2XX": {"description": "It was taken."},
                "410": {"description": "The endpoint is gone: it is switched off."},
                "default": {"description": "It is sent again, eight times within 28 hours."},
            },
        }
    }
