"""Read requests in front of Flask: the head as WSGI and ASGI have it, then the body within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Receive = Callable[[], Awaitable[Any]]
"""What an ASGI server gives to receive messages with."""

BODY_SECONDS = 20.0
"""How long the body of a webhook may take to arrive."""


class BadBodyError(Exception):
    """A body is not there, too large, cut off or too slow.

    :ivar status: what to answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Incoming:
    """The head of a request.

    :param headers: names in lower case.
    :param query: as it was sent.
    :param remote: the caller's address, as far as proxies are believed.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: str
    remote: str

    def parameters(self) -> dict[str, str]:
        """Return the first value of each parameter of the query."""
        if len(self.query) > 8192 or self.query.count("&") > 100:
            return {}  # no provider asks so much; the route refuses for want of what it looks for
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True, errors="replace"):
            found.setdefault(name, value)
        return found


def of_environ(environ: WSGIEnvironment, proxies: int) -> Incoming:
    """Return the head of a WSGI request; *proxies* are believed."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return Incoming(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        headers=headers,
        query=environ.get("QUERY_STRING", ""),
        remote=client_address(environ.get("REMOTE_ADDR") or "", headers, proxies),
    )


def of_scope(scope: Mapping[str, Any], proxies: int) -> Incoming:
    """Return the head of an ASGI request; *proxies* are believed."""
    headers = headers_of(scope["headers"])
    client = scope.get("client")
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        headers=headers,
        query=scope["query_string"].decode("latin-1"),
        remote=client_address(client[0] if client else "", headers, proxies),
    )


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an ASGI request; what came twice is joined, as WSGI does it.

    Names with an underscore are left out: WSGI cannot tell them from names with a hyphen, so one would pass
    for a header that a proxy in front sets.
    """
    headers: dict[str, str] = {}
    for name, value in pairs:
        if b"_" in name:
            continue
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def client_address(address: str, headers: Mapping[str, str], proxies: int) -> str:
    """Return the caller's address; with *proxies* believed, the one the outermost of them saw."""
    if not proxies:
        return address
    forwarded = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return forwarded[-proxies] if len(forwarded) >= proxies else address


def stated_length(headers: Mapping[str, str], limit: int) -> int | None:
    """Return how many bytes the body has by its headers; None where it comes in chunks.

    :raises BadBodyError: if it is over *limit*, or nothing says where it ends.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadBodyError(415)
    stated = headers.get("content-length")
    if not stated:
        if "transfer-encoding" not in headers:
            raise BadBodyError(411)
        return None
    if not stated.isascii() or not stated.isdigit() or len(stated) > 18:
        raise BadBodyError(400)
    if int(stated) > limit:
        raise BadBodyError(413)
    return int(stated)


def read_body(environ: WSGIEnvironment, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body of a WSGI request.

    :raises BadBodyError: if it is not there whole, or over *limit* bytes.
    """
    length = stated_length(headers, limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        raise BadBodyError(411)
    most = limit + 1 if length is None else length
    read = environ["wsgi.input"].read
    chunks: list[bytes] = []
    while most and (chunk := read(min(most, 64 * 1024))):
        chunks.append(chunk)
        most -= len(chunk)
    return _checked(b"".join(chunks), length, limit)


async def receive_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body of an ASGI request, which may take :data:`BODY_SECONDS` to arrive.

    :raises BadBodyError: if it is not there whole by then, or over *limit* bytes.
    """
    length = stated_length(headers, limit)
    chunks: list[bytes] = []
    left = limit + 1
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more and left > 0:
                message = await receive()
                chunks.append(message.get("body", b""))
                left -= len(chunks[-1])
                more = message.get("more_body", False)
    except TimeoutError:
        raise BadBodyError(408) from None
    return _checked(b"".join(chunks), length, limit)


def _checked(body: bytes, length: int | None, limit: int) -> bytes:
    if len(body) > limit:
        raise BadBodyError(413)
    if length is not None and len(body) != length:
        raise BadBodyError(400)
    return body
