"""The API's own description."""

from __future__ import annotations

from typing import Any

from host.api.declare import route
from host.api.openapi import document
from host.web import config


@route(
    "GET",
    "/openapi.json",
    tag="About",
    summary="This description, as OpenAPI 3.1",
    scope=None,
    answer=dict[str, Any],
)
def get_description() -> dict[str, Any]:
    """Needs no key."""
    return document(config().public_url)
