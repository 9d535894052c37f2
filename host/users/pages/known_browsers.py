"""Browsers in which a person has signed in before, so that others at the same address cannot slow them down.

The signed cookie holds the person and a random number that names the browser. It grants no access; its only
effect is that wrong passwords from this browser are counted separately.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from host.web.request_helpers import config

LASTS = timedelta(days=180)
MOST = 5
"""Maximum number of people a browser remembers, the latest first."""
_SALT = "known browser"


def cookie_name() -> str:
    """Return the name of the cookie, bound to the host if the desk uses https."""
    return "__Host-lobby-known" if config().secure else "lobby-known"


def name_of(email: str) -> str:
    """Return the name of this browser if the person with that address signed in here before, else ""."""
    return _read().get(_digest(email), "")


def remember(email: str) -> None:
    """Mark the browser as known for that person in the response to this request."""
    known = _read()
    here = _digest(email)
    name = known.pop(here, "") or secrets.token_hex(8)
    kept = [[here, name], *([who, one] for who, one in known.items())][:MOST]

    @after_this_request
    def _set(response: Response) -> Response:
        response.set_cookie(
            cookie_name(),
            _serializer().dumps(kept),
            max_age=LASTS,
            path="/",
            secure=config().secure,
            httponly=True,
            samesite="Lax",
        )
        return response


def _read() -> dict[str, str]:
    try:
        pairs = _serializer().loads(request.cookies.get(cookie_name(), ""))
    except BadSignature:
        return {}
    return {str(who): str(name) for who, name in pairs}


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt=_SALT)


def _digest(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode("utf-8", "replace")).hexdigest()[:24]
