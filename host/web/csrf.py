"""CSRF tokens that differ in each response, so that a compressed page doesn't reveal them (BREACH)."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import Flask, g, session
from flask_wtf.csrf import CSRFProtect, generate_csrf

_NONCE, _DIGEST = 9, 18
"""Bytes. Together a token of 36 characters."""


class MaskedCSRFProtect(CSRFProtect):  # type: ignore[misc]
    """Flask-WTF's protection, with a new token for each response, derived from the session's secret.

    Flask-WTF writes the same secret into every page, so an attacker who can have text reflected in the page
    could find it from the sizes of compressed pages. Tokens in Flask-WTF's form stay valid, because a page
    may have been open since before an upgrade.
    """

    def init_app(self, app: Flask) -> None:
        """Protect *app*, and give its templates ``csrf_token()``."""
        super().init_app(app)
        app.jinja_env.globals["csrf_token"] = token
        # Flask-WTF also passes its own function to templates, which would hide the global.
        app.context_processor(lambda: {"csrf_token": token})

    def _get_csrf_token(self) -> str | None:
        given: str | None = super()._get_csrf_token()
        return generate_csrf() if given and _is_valid(given) else given


def token() -> str:
    """Return the token of this response: a nonce, and the nonce signed with the session's secret."""
    found: str | None = g.get("masked_csrf_token")
    if found is None:
        generate_csrf()  # creates the secret of the session
        nonce = secrets.token_bytes(_NONCE)
        found = g.masked_csrf_token = urlsafe_b64encode(nonce + _signed(nonce)).decode()
    return found


def keyed(purpose: bytes) -> bytes:
    """Return bytes that are constant for *purpose* in this session, and unknown outside it."""
    generate_csrf()
    return hmac.digest(session["csrf_token"].encode(), b"keyed " + purpose, "sha256")


def _signed(nonce: bytes) -> bytes:
    return hmac.digest(session["csrf_token"].encode(), nonce, "sha256")[:_DIGEST]


def _is_valid(given: str) -> bool:
    if "csrf_token" not in session:
        return False
    try:
        data = urlsafe_b64decode(given)
    except ValueError:
        return False
    return hmac.compare_digest(data[_NONCE:], _signed(data[:_NONCE]))
