"""Compress responses for clients that accept it: pages, styles, scripts and JSON above 1 kB."""

from __future__ import annotations

import gzip
from functools import lru_cache

import brotli
from flask import Flask, Response, request
from flask_compress import Compress

ALGORITHMS = ["br", "gzip"]
"""The first is used if a client prefers neither."""
MIN_BYTES = 1024
FILES = 256
"""Most files kept compressed: those whose address has the hash of their content."""
MOST = 4 * 1024 * 1024
"""Bytes of a file that is compressed."""
TYPES = (
    *("text/html", "text/css", "text/javascript", "text/plain"),
    *("application/json", "application/problem+json", "image/svg+xml"),
)
"""Never ``text/event-stream``, whose lines must arrive immediately."""


class _Compress(Compress):
    def after_request(self, response: Response | None) -> Response:
        assert response is not None
        response.vary.add("Accept-Encoding")
        # A part of a file is counted in uncompressed bytes. The library overlooks a quality of 0.
        if response.status_code == 206 or not _is_wanted():
            return response
        if response.is_streamed and response.mimetype in TYPES and (response.content_length or MOST) < MOST:
            # One of our files. If read here, it is closed with the response; as a stream it would not be.
            response.direct_passthrough = False
            response.make_sequence()
        if response.cache_control.immutable:
            _compress_file(response)
        return super().after_request(response)


def _compress_file(response: Response) -> None:
    """Compress a file that never changes as well as possible, once per process."""
    algorithm = request.accept_encodings.best_match(ALGORITHMS)
    if algorithm is None or response.mimetype not in TYPES or response.direct_passthrough:
        return  # a picture, or a file that is too large, is sent as it is on the disk
    data = response.get_data()
    if not MIN_BYTES <= len(data) < MOST:
        return
    response.set_data(_smallest(data, algorithm))
    response.content_encoding = algorithm
    etag, is_weak = response.get_etag()
    if etag and not is_weak:
        response.set_etag(f"{etag}:{algorithm}")
    if request.method in {"GET", "HEAD"}:
        response.make_conditional(request)


@lru_cache(maxsize=FILES)
def _smallest(data: bytes, algorithm: str) -> bytes:
    return brotli.compress(data) if algorithm == "br" else gzip.compress(data, mtime=0)


def _is_wanted() -> bool:
    return any(request.accept_encodings[algorithm] for algorithm in ALGORITHMS)


def install(app: Flask) -> None:
    """Compress the responses of *app*. Call it before anything else that completes responses."""
    app.config.update(
        COMPRESS_ALGORITHM=ALGORITHMS,
        COMPRESS_STREAMS=False,
        COMPRESS_BR_LEVEL=4,
        COMPRESS_LEVEL=6,
        COMPRESS_MIMETYPES=list(TYPES),
        COMPRESS_MIN_SIZE=MIN_BYTES,
    )
    _Compress(app)
