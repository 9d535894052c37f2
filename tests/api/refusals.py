"""What every refusal of the API keeps to, whichever test provokes it."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from host.api.http import openapi, versions
from host.api.http.declare import Nothing, Route, routes
from host.api.http.error_list import error_list
from host.web import error_pages

OF_ANY_ROUTE = {(one.status, one.code) for one in error_pages.OF_ANY_ROUTE}
MEMBERS = {"code", "message", "next", "field", "limit", "requestId", "request_id"}
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "next", "field", "limit", "requestId"}
OF_PAGES = re.compile(
    r"\b(pages?(?! URL)|reload|click|go back|sign in|buttons on)\b|Settings →"
    r"|`(str|int|float|bool|dict|list|object|array|datetime)`"
    r"|\b(NoneType|msgspec|Traceback|Struct)\b",
    re.IGNORECASE,
)
FIELD = re.compile(r"[^.\[\]]+(\[\d+\])*(\.[^.\[\]]+(\[\d+\])*)*|[A-Z][A-Za-z-]+")
WITHOUT_FIELD = {
    "cannot_be_mentioned": "more than 20 people and teams together",
    "invalid_body": "no JSON, or no object",
    "invalid_replay": "exactly one of three fields",
    "not_connected": "refused by the provider, or by the channel as a whole",
}
"""Codes of requests in which no single value is at fault, with the reason. All other 400 and 422 name one."""
HEADERS = {"If-Match", "Lobby-Version", "Idempotency-Key", "Content-Type"}


def route_of(app: Flask, method: str, path: str) -> Route | None:
    """Return the route that a request is for."""
    try:
        endpoint, _ids = app.url_map.bind("localhost").match(path.partition("?")[0], method)
    except HTTPException:
        return None
    return next((one for one in routes() if f"api.{one.operation}" == endpoint), None)


def check(app: Flask, method: str, path: str, response: TestResponse, version: str) -> None:
    """Check the form of a refusal, and that the document has it."""
    if response.status_code < 400:
        return
    assert response.json is not None, response.text
    if response.mimetype == "application/problem+json":
        error: dict[str, Any] = response.json
        assert set(error) <= PROBLEM
        assert error["status"] == response.status_code
        message = error["detail"]
    else:
        error = response.json["error"]
        assert set(error) <= MEMBERS
        assert error["request_id"] == error["requestId"]
        message = error["message"]
    assert message
    assert re.fullmatch(r"[a-z][a-z_]+", error["code"])
    words = f"{message} {error.get('next', '')}"
    assert not OF_PAGES.search(words), f"{method} {path} speaks of pages or types: {words}"
    assert error.get("next") != "", f"{method} {path} has an empty next"
    found = (response.status_code, error["code"])
    explained = {one.code: one.statuses for one in error_list(versions.CURRENT)}
    assert error["code"] in explained, f"{error['code']} is not on the page about the API"
    if version == versions.CURRENT and found not in OF_ANY_ROUTE:
        assert response.status_code in explained[error["code"]], found
    route = route_of(app, method, path)
    if route is None or found in OF_ANY_ROUTE:
        return
    known = {(one.status, one.code) for one in openapi.refusals(route, version)}
    assert found in known, f"{method} {route.path} refuses with {found}, which its document lacks"
    field = error.get("field")
    if field is not None:
        assert FIELD.fullmatch(field), f"{field} is no path of a field"
    if response.status_code in {400, 422} and field is None:
        assert error["code"] in WITHOUT_FIELD, (
            f"{method} {route.path}: {error['code']} names no field: {message}"
        )
        assert error["code"] != "invalid_body" or "The body" in message or "format" in message, message
    if response.status_code == 404 or error["code"].endswith("_not_found"):
        assert field, f"{method} {route.path}: {error['code']} names no field"
    if response.status_code == 404 and version != versions.FIRST:
        assert field in route.places, f"{method} {route.path}: 404, but {field} is not in the path"
    if route.body is None and route.query is Nothing and not route.upload:
        assert field is None or field in {*route.places, *HEADERS} or response.status_code == 400
