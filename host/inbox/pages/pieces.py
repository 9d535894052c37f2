"""Pieces of HTML that are sent to a script once; responses refer to them by a hash, and the script inserts
them.

Most of a thread's HTML is the same in each: menus, dialogs, the buttons below a message. A script names the
pieces it has in the header :data:`HEADER`. In the response each piece is replaced by a mark, such as
``<&hash>``; pieces it does not have are in ``pieces``. A request without the header gets full HTML.

A message cannot contain a mark: hashes are keyed with the session's secret, and text is escaped.
``host/static/js/pieces.js`` is the counterpart.
"""

from __future__ import annotations

import hashlib

from flask import Response, g, jsonify, request
from markupsafe import Markup, escape

from host.core.ids import MAX_ID
from host.web import csrf

HEADER = "X-Pieces"
SHORTEST = 100
"""Minimum characters of a piece that is replaced by a mark."""
MOST_HELD = 200
"""Maximum number of pieces read from the header; scripts keep fewer."""

ID = str(MAX_ID)
"""The placeholder for the id of the message above a piece."""
NAME = "\ue000"
"""The placeholder for the name of that message's author, a private-use character."""


def wanted() -> bool:
    """Return whether the client inserts pieces."""
    return HEADER in request.headers


def piece(html: str) -> Markup:
    """Return *html*, or its mark if the client inserts pieces."""
    if not wanted() or len(html) < SHORTEST:
        return Markup(html)  # noqa: S704 - rendered by a template
    return Markup(f"<&{_kept(html)}>")  # noqa: S704 - a hash


def piece_below(html: str, message_id: int, name: str) -> Markup:
    """Return *html* with :data:`ID` and :data:`NAME` replaced by a message's id and name, or its mark."""
    if not wanted():
        filled = str(html).replace(ID, str(message_id)).replace(NAME, str(escape(name)))
        return Markup(filled)  # noqa: S704 - rendered by a template, and the name is escaped
    return Markup("<&{} {} {}>").format(Markup(_kept(html)), message_id, name)  # noqa: S704 - a hash


def answer(**values: object) -> Response:
    """Return *values* as JSON, with the pieces that are new to the client."""
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
    html = str(html)  # Markup would escape the inserted values
    key = _key(html.replace(csrf.token(), ""))
    held[key] = html
    return key


def _key(text: str) -> str:
    _pieces()
    return hashlib.blake2b(text.encode(), key=g.pieces_key, digest_size=6).hexdigest()
