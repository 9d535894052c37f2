"""Send stored files to browsers, in ranges on request, with headers that prevent scripts from running."""

from __future__ import annotations

import os
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import dump_options_header
from werkzeug.wsgi import wrap_file

INLINE = frozenset(
    {
        *("image/png", "image/jpeg", "image/gif", "image/webp"),
        *("audio/aac", "audio/mp4", "audio/wav", "audio/mpeg", "audio/ogg", "audio/webm"),
        *("video/mp4", "video/quicktime", "video/ogg", "video/webm"),
    }
)
"""Content types a browser may show instead of saving; they cannot contain scripts."""

TYPED = INLINE | {"application/pdf"}
"""Content types sent as such; all others are sent as ``application/octet-stream``."""

SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


def send(file: BinaryIO, *, content_type: str, name: str, key: str, download: bool = False) -> Response:
    """Return a response with *file*, or with the requested range of it.

    :param content_type: as detected from the bytes; browsers save anything but :data:`INLINE`.
    :param key: changes with the content.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    response = Response(wrap_file(request.environ, file), direct_passthrough=True)
    response.content_length = size
    response.set_etag(key[:32])
    harmless(response, content_type=content_type, name=name, download=download)
    response.call_on_close(file.close)
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        response.close()
        raise
    return response


def harmless(response: Response, *, content_type: str, name: str, download: bool) -> None:
    """Set response headers for an untrusted file, so that a browser displays it without running anything."""
    bare = content_type.partition(";")[0].strip().lower()
    response.headers["Content-Type"] = bare if bare in TYPED else "application/octet-stream"
    response.headers["Content-Disposition"] = disposition(name, inline=bare in INLINE and not download)
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"


def disposition(name: str, *, inline: bool) -> str:
    """Return a Content-Disposition with a file's name in plain ASCII, and in full (RFC 6266)."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    safe = "".join(character for character in bare if character.isprintable()).strip(" .") or "file"
    plain = "".join(c if c.isascii() and c not in '"%' else "_" for c in safe)
    header = dump_options_header("inline" if inline else "attachment", {"filename": plain})
    return header if plain == safe else f"{header}; filename*=UTF-8''{quote(safe, safe='')}"
