"""The view from which providers fetch our files: without login or cookie, by a signed URL that expires
soon."""

from __future__ import annotations

import logging
import threading

from flask import Response
from flask.typing import ResponseReturnValue
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from host.core import db, storage
from host.core.errors import NotFoundError, TooManyError
from host.media import files, links
from host.media.pages.blueprint import bp
from host.models.inbox import Attachment
from host.users.throttle import network_of
from host.web.request_helpers import answers_json, client_address, config, open_to_all, passive

log = logging.getLogger(__name__)

LIMIT = RateLimitItemPerMinute(600)
"""Limit per client address; an invalid token counts as ten requests."""
GUESS = 10

_lock = threading.Lock()
_limiters: dict[str, FixedWindowRateLimiter] = {}


@bp.get("/media/public/<token>")
@answers_json
@passive
@open_to_all
def public(token: str) -> ResponseReturnValue:
    """Send the file of *token*."""
    attachment_id = links.opened_by(token)
    _count(GUESS if attachment_id is None else 1)
    if attachment_id is None:
        raise NotFoundError()
    with db.read() as session:
        row = session.get(Attachment, attachment_id)
    if row is None or row.storage_key is None:
        raise NotFoundError()
    try:
        file = storage.open_stored(row.storage_key)
    except storage.NotStoredError:
        raise NotFoundError() from None
    response: Response = files.send(
        file, content_type=row.content_type, name=row.name or "file", key=row.storage_key
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _count(cost: int) -> None:
    """Count a request of the client.

    :raises TooManyError: if the limit is reached.
    """
    try:
        allowed = _limiter().hit(LIMIT, "file", network_of(client_address()), cost=cost)
    except Exception:
        log.exception("the throttle for files cannot be written; requests go on")
        return
    if not allowed:
        raise TooManyError(retry_after=60)


def _limiter() -> FixedWindowRateLimiter:
    url = config().limits_url
    with _lock:
        if url not in _limiters:
            _limiters[url] = FixedWindowRateLimiter(storage_from_string(url))
        return _limiters[url]
