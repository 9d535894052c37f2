"""Browsers in which a person signed in before: others at the same address cannot make them wait.

The cookie says whose they are, signed, and names the browser by a random number. It opens nothing: all it
does is that wrong passwords of this browser are counted by themselves.
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
"""People a browser remembers, the latest first."""
_SALT = "known browser"


def cookie_name() -> str:
    """Return the name of the cookie, bound to the host where https allows that."""
    return "__Host-lobby-known" if config().secure else "lobby-known"


def name_of(email: str) -> str:
    """Return what this browser is called as one of the person with that address; empty where it is none."""
    return _read().get(_digest(email), "")


def remember(email: str) -> None:
    """Have the answer to this request make the browser one of that person's."""
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
