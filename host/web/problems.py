"""Render an error for programs: as Lobby's own JSON, or as problem details of RFC 9457 where asked for.

Scripts of the pages get texts for people, programs of the API texts for programs.
"""

from __future__ import annotations

from flask import Response, jsonify, request

from host.core.errors import LobbyError
from host.web.request_helpers import config, request_id

PROBLEM = "application/problem+json"
DOCS = "/api/docs"
"""The page about the API; see :func:`type_of`."""
_API = "/api/"


def answer(error: LobbyError, status: int) -> Response:
    """Return *error* as JSON, in the form that the request's ``Accept`` header asks for."""
    if not _wants_problem():
        return jsonify(error=members(error))
    found = members(error)
    response = jsonify(
        {
            "type": type_of(error.code),
            "title": title_of(error.code),
            "status": status,
            "detail": found.pop("message"),
            "instance": request.path,
            **{name: value for name, value in found.items() if name != "request_id"},
        }
    )
    response.mimetype = PROBLEM
    return response


def members(error: LobbyError) -> dict[str, str | int]:
    """Return *error* for programs: code, message, next step, field, limit and the id of the request."""
    speaks_of_pages = not request.path.startswith(_API)
    step = error.next_step if speaks_of_pages else error.step_for_programs
    body: dict[str, str | int] = {
        "code": error.code,
        "message": error.sentence if speaks_of_pages else error.sentence_for_programs,
    }
    if step:
        body["next"] = step
    if error.field is not None:
        body["field"] = error.field
    if error.limit is not None:
        body["limit"] = error.limit
    return body | {"requestId": request_id(), "request_id": request_id()}


def type_of(code: str) -> str:
    """Return the URI that identifies the kind of a problem, and leads to the API's documentation."""
    return f"{config().public_url}{DOCS}#{code}"


def title_of(code: str) -> str:
    """Return the summary of the kind of a problem; in English, as it is the same for every reader."""
    return code.replace("_", " ").capitalize()


def _wants_problem() -> bool:
    """Return whether the client names the media type; a wildcard alone keeps Lobby's own form."""
    return any(kind == PROBLEM and quality > 0 for kind, quality in request.accept_mimetypes)
