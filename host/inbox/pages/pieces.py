"""Pieces of HTML that a script gets once: answers name them by a hash, and the browser puts them back.

Most of what a thread weighs is the same in each: menus, dialogs, the buttons below a message. A script says
with the header :data:`HEADER` which pieces it holds. In its answers each piece is replaced by a mark, such
as ``<&hash>``; those it does not hold come along in ``pieces``. A request without the header gets full HTML.

Nobody can write a mark into a message: hashes are keyed with the session's secret, and text is escaped.
``host/static/js/pieces.js`` is the other half.
"""

from __future__ import annotations

import hashlib

from flask import Response, g, jsonify, request
from markupsafe import Markup, escape

from host.core.ids import MAX_ID
from host.web import csrf

HEADER = "X-Pieces"
SHORTEST = 100
"""Characters below which a piece is not worth its mark."""
MOST_HELD = 200
"""Pieces a script is believed to hold; it keeps fewer."""

ID = str(MAX_ID)
"""The stand-in for the id of the message a piece is put below."""
NAME = "\ue000"
"""The stand-in for the name of who wrote that message: a character that no font has."""


def wanted() -> bool:
    """Return whether whoever asks puts pieces back."""
    return HEADER in request.headers


def piece(html: str) -> Markup:
    """Return *html*, or its mark where the script that asks for it puts pieces back."""
    if not wanted() or len(html) < SHORTEST:
        return Markup(html)  # noqa: S704 - rendered by a template
    return Markup(f"<&{_kept(html)}>")  # noqa: S704 - a hash


def piece_below(html: str, message_id: int, name: str) -> Markup:
    """Return *html* with a message's id and name in place of :data:`ID` and :data:`NAME`, or its mark."""
    if not wanted():
        filled = str(html).replace(ID, str(message_id)).replace(NAME, str(escape(name)))
        return Markup(filled)  # noqa: S704 - rendered by a template, and the name is escaped
    return Markup("<&{} {} {}>").format(Markup(_kept(html)), message_id, name)  # noqa: S704 - a hash


def answer(**values: object) -> Response:
    """Return *values* as JSON, with the pieces that are new to the script that asks."""
    if not wanted():
        return jsonify(**values)
    token, mark = csrf.token(), f"<&{_key('csrf token')}>"
    held = frozenset(request.headers[HEADER].split()[:MOST_HELD])
    new = {key: html.replace(token, mark) for key, html in _pieces().items() if key not in held}
    known = {name: _marked(value, token, mark) for name, value in values.items()}
    if mark[2:-1] not in held:
        new[mark[2:-1]] = token
    return jsonify(**known, pieces=new) if new else jsonify(**known)


def _marked(value: object, token: str, mark: str) -> object:
    return str(value).replace(token, mark) if isinstance(value, str) else value


def _pieces() -> dict[str, str]:
    if "pieces" not in g:
        g.pieces, g.pieces_key = {}, csrf.keyed(b"pieces")
    found: dict[str, str] = g.pieces
    return found


def _kept(html: str) -> str:
    held = _pieces()
    html = str(html)  # of Markup, what is put in would be escaped
    key = _key(html.replace(csrf.token(), ""))
    held[key] = html
    return key


def _key(text: str) -> str:
    _pieces()
    return hashlib.blake2b(text.encode(), key=g.pieces_key, digest_size=6).hexdigest()
