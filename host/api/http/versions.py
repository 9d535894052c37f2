"""Dated versions of the API, and the version of each answer as its ETag; see docs/api-changes.md."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Request
from werkzeug.datastructures import ETags

from host.api.http.errors import PreconditionFailedError, UnknownVersionError

HEADER = "Lobby-Version"
FIRST = "2026-11-26"
"""The version of a request without the header: an upgrade of the desk changes nothing for its program."""
CURRENT = "2026-11-27"
VERSIONS = (FIRST, CURRENT)
"""Every version that is answered, oldest first."""
NEVER_NULL_AT_FIRST = (("Message", "sentAt"),)
"""Fields of schemas that :data:`FIRST` always fills, with the time by which a message is sorted."""

_UNREADABLE = frozenset(
    {
        "invalid",
        "invalid_body",
        "invalid_cursor",
        "invalid_idempotency_key",
        "invalid_query",
        "invalid_replay",
        "unknown_version",
    }
)
"""Codes of requests that don't match the API document; they are 400 in every version."""
_CONFLICTS = frozenset({"assistant_not_earned"})
"""Codes that were 400, and depend on the state of the desk."""


def check(request: Request) -> None:
    """Check the version that a request asks for.

    :raises UnknownVersionError: for a version that doesn't exist.
    """
    if request.headers.get(HEADER, FIRST).strip() not in VERSIONS:
        raise UnknownVersionError(field=HEADER)


def asked(request: Request) -> str:
    """Return the version that answers a request: :data:`FIRST` unless the request names another one."""
    named = request.headers.get(HEADER, FIRST).strip()
    return named if named in VERSIONS else FIRST


def refusal_status(version: str, code: str, status: int, *, in_path: bool) -> int:
    """Return the status with which *version* refuses a request.

    :param status: the status in :data:`FIRST`.
    :param in_path: whether it is about something that the path names.
    """
    if version == FIRST:
        return status
    if status == 404 and not in_path:
        return 422
    if status != 400 or code in _UNREADABLE:
        return status
    return 409 if code in _CONFLICTS else 422


def success_status(version: str, status: int, *, goes_on: bool) -> int:
    """Return the status with which *version* answers a request that was accepted.

    :param status: the status in :data:`FIRST`.
    :param goes_on: whether the request is carried out after the answer.
    """
    return 202 if goes_on and version != FIRST else status


def fills_times(request: Request) -> bool:
    """Return whether *request* is answered with a time in each field of :data:`NEVER_NULL_AT_FIRST`."""
    return asked(request) == FIRST


def without_null(version: str, components: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of *version*: in :data:`FIRST`, some fields are never null."""
    if version != FIRST:
        return components
    made = dict(components)
    for name, field in NEVER_NULL_AT_FIRST:
        properties = dict(made[name]["properties"])
        kinds = [one for one in properties[field]["anyOf"] if one != {"type": "null"}]
        words = {key: value for key, value in properties[field].items() if key != "anyOf"}
        properties[field] = {**words, **kinds[0]}
        made[name] = {**made[name], "properties": properties}
    return made


def tag_of(body: bytes) -> str:
    """Return the ETag of an answer, without quotes: it changes with every byte of it."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def is_known(request: Request, tag: str) -> bool:
    """Return whether the caller has that answer, by ``If-None-Match``."""
    return _names(request.if_none_match, tag)


def check_match(request: Request, body: bytes) -> None:
    """Check ``If-Match`` against the resource as it is now, encoded as its GET returns it.

    :raises PreconditionFailedError: if it names another version.
    """
    if not _names(request.if_match, tag_of(body)):
        raise PreconditionFailedError(field="If-Match")


def _names(given: ETags, tag: str) -> bool:
    # A compressed answer has the name of its compression behind its tag.
    return given.star_tag or tag in {(one or "").partition(":")[0] for one in given.as_set(include_weak=True)}
