"""The API's own description."""

from __future__ import annotations

from typing import Any

from host.api.http.declare import route
from host.api.http.openapi import document
from host.channels.directory import current_directory
from host.web.request_helpers import config


@route(
    "GET",
    "/openapi.json",
    tag="About",
    summary="This description, as OpenAPI 3.1",
    scope=None,
    answer=dict[str, Any],
)
def get_description() -> dict[str, Any]:
    """Needs no key. It includes the events of the channels that are active."""
    return document(config().public_url, current_directory().adapters)
