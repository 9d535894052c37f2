"""CSRF tokens that differ in each response, so that a compressed page doesn't reveal them (BREACH).

They name the person their page was made for; see :mod:`host.web.page_user`.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import Flask, g, jsonify, session
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect, generate_csrf

from host.web import page_user
from host.web.request_helpers import open_to_all, passive

_NONCE, _DIGEST = 9, 18
"""Bytes. Together 36 characters of a token; the person's id follows, after a dot."""


class MaskedCSRFProtect(CSRFProtect):  # type: ignore[misc]
    """Flask-WTF's protection, with a new token for each response, derived from the session's secret.

    Flask-WTF writes the same secret into every page, so an attacker who can have text reflected in the page
    could find it from the sizes of compressed pages. Tokens in Flask-WTF's form stay valid, because a page
    may have been open since before an upgrade.
    """

    def init_app(self, app: Flask) -> None:
        """Protect *app*, and give its templates ``csrf_token()``."""
        super().init_app(app)
        app.jinja_env.globals.update(csrf_token=token, page_session=_page_session)
        # Flask-WTF also passes its own function to templates, which would hide the global.
        app.context_processor(lambda: {"csrf_token": token})
        app.add_url_rule("/page-user", "page_user", _now)

    def _get_csrf_token(self) -> str | None:
        given: str | None = super()._get_csrf_token()
        if not given:
            return given
        # From before an upgrade, it names nobody.
        masked, named = given.rsplit(".", 1) if "." in given else (given, "")
        if named.isascii() and named.isdigit():
            page_user.refuse_other(named)
        return generate_csrf() if _is_valid(masked, named) else given


@open_to_all
@passive
def _now() -> ResponseReturnValue:
    """Return who is signed in, and a token for the page that asks."""
    return jsonify(user=page_user.page_user(), token=token())


def token() -> str:
    """Return the token of this response: a nonce, it signed with the session's secret, the person's id."""
    found: str | None = g.get("masked_csrf_token")
    if found is None:
        generate_csrf()  # creates the secret of the session
        nonce = secrets.token_bytes(_NONCE)
        named = page_user.page_user() or page_user.NOBODY
        found = g.masked_csrf_token = f"{urlsafe_b64encode(nonce + _signed(nonce, named)).decode()}.{named}"
    return found


def _page_session() -> str:
    """Return a mark for pages that differs for each session."""
    return keyed(b"page").hex()[:8]


def keyed(purpose: bytes) -> bytes:
    """Return bytes that are constant for *purpose* in this session, and unknown outside it."""
    generate_csrf()
    return hmac.digest(session["csrf_token"].encode(), b"keyed " + purpose, "sha256")


def _signed(nonce: bytes, named: str) -> bytes:
    return hmac.digest(session["csrf_token"].encode(), nonce + named.encode(), "sha256")[:_DIGEST]


def _is_valid(masked: str, named: str) -> bool:
    if "csrf_token" not in session:
        return False
    try:
        data = urlsafe_b64decode(masked)
    except ValueError:
        return False
    return hmac.compare_digest(data[_NONCE:], _signed(data[:_NONCE], named))
