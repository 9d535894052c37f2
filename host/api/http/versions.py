"""Dated versions of the API, and the version of each answer as its ETag; see docs/api-changes.md."""

from __future__ import annotations

import hashlib

from flask import Request
from werkzeug.datastructures import ETags

from host.api.http.errors import PreconditionFailedError, UnknownVersionError

HEADER = "Lobby-Version"
CURRENT = "2026-11-26"
VERSIONS = (CURRENT,)
"""Every version that is answered, oldest first."""


def check(request: Request) -> None:
    """Check the version that a request asks for; without one it gets the current version.

    :raises UnknownVersionError: for a version that doesn't exist.
    """
    if request.headers.get(HEADER, CURRENT).strip() not in VERSIONS:
        raise UnknownVersionError(field=HEADER)


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
