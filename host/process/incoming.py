"""Read requests before Flask: the head from ASGI, then the body within limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from host.health import probes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Receive = Callable[[], Awaitable[Any]]
"""The function with which an ASGI server delivers messages."""

PIECE = 64 * 1024
BODY_SECONDS = 20.0
"""Timeout for the body of a webhook, in seconds."""
ABORT = "lobby.abort"
"""Key in a request's scope of a function that aborts its connection, if the server provides one."""
WRITE = "lobby.write"
"""Key in a request's scope of a function that writes a chunk of a response, if the server has one."""
RULE_OF_REQUEST = "lobby.rule"
"""Key in a request's environment of the rule of its address, None if there is no such page."""

_HOST = re.compile(rb"[\w.~%:\[\]-]+", re.ASCII)


class BadBodyError(Exception):
    """A body is missing, too large, cut off or too slow.

    :ivar status: status of the response.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Incoming(msgspec.Struct, frozen=True):
    """The head of a request.

    :param headers: names in lower case.
    :param query: as it was sent.
    :param remote: the client's address, according to trusted proxies.
    :param guarded: whether the server cuts off bodies that do not arrive in time.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: str
    remote: str
    guarded: bool = False

    def parameters(self) -> dict[str, str]:
        """Return the first value of each parameter of the query."""
        if len(self.query) > 8192 or self.query.count("&") > 100:
            return {}  # no provider sends so many; the route refuses the request without them
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True, errors="replace"):
            found.setdefault(name, value)
        return found


def names_one_host(scope: Mapping[str, Any]) -> bool:
    """Return whether an ASGI request has one Host with a value.

    A proxy may have routed by one of two, and the page would believe the other (RFC 9112, 3.2). With HTTP/1.0
    only probes may have none: load balancers ask that way by default.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts:
        return scope.get("http_version") == "1.0" and scope["path"] in probes.PATHS
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def of_scope(scope: Mapping[str, Any], proxies: int) -> Incoming:
    """Return the head of an ASGI request, trusting *proxies* proxies."""
    headers = headers_of(scope["headers"])
    client = scope.get("client")
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        headers=headers,
        query=scope["query_string"].decode("latin-1"),
        remote=client_address(client[0] if client else "", headers, proxies),
        guarded=ABORT in scope,
    )


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an ASGI request; repeated headers are joined, as in WSGI.

    Names with an underscore are dropped: WSGI cannot distinguish them from names with a hyphen, so they could
    impersonate a header that a proxy sets.
    """
    headers: dict[str, str] = {}
    for name, value in pairs:
        if b"_" in name:
            continue
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def client_address(address: str, headers: Mapping[str, str], proxies: int) -> str:
    """Return the client's address, as seen by the outermost of *proxies* trusted proxies."""
    if not proxies:
        return address
    forwarded = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return forwarded[-proxies] if len(forwarded) >= proxies else address


def stated_length(headers: Mapping[str, str], limit: int) -> int | None:
    """Return the body's length according to its headers; None for a chunked body.

    :raises BadBodyError: if it is over *limit*, or its end is not defined.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadBodyError(415)
    length = content_length(headers.get("content-length"))
    if length is None and "transfer-encoding" not in headers:
        raise BadBodyError(411)
    if length is not None and length > limit:
        raise BadBodyError(413)
    return length


def content_length(stated: str | None) -> int | None:
    """Return the length stated in a header; None if there is no header.

    :raises BadBodyError: if the value is not a length.
    """
    if not stated:
        return None
    if not stated.isascii() or not stated.isdigit() or len(stated) > 18:
        raise BadBodyError(400)
    return int(stated)


async def receive_body(receive: Receive, incoming: Incoming, limit: int) -> bytes:
    """Return the body of an ASGI request, which may take :data:`BODY_SECONDS` to arrive.

    :raises BadBodyError: if it is incomplete by then, or over *limit* bytes.
    """
    length = stated_length(incoming.headers, limit)
    body, more = b"", True
    if incoming.guarded:
        # Usually all of it has arrived already, and no time has to be measured.
        body, more = await _part(receive)
    if more:
        body += await _receive_rest(receive, limit + 1 - len(body))
    if len(body) > limit:
        raise BadBodyError(413)
    if length is not None and len(body) != length:
        raise BadBodyError(400)
    return body


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of a body and whether more follows; an error if the client has disconnected."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise BadBodyError(400)
    return message.get("body", b""), message.get("more_body", False)


async def _receive_rest(receive: Receive, left: int) -> bytes:
    chunks: list[bytes] = []
    more = True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and left > 0:
                body, more = await _part(receive)
                chunks.append(body)
                left -= len(body)
    except TimeoutError:
        raise BadBodyError(408) from None
    return b"".join(chunks)


def scope_of(environ: WSGIEnvironment) -> tuple[dict[str, Any], Receive]:
    """Convert a WSGI request to ASGI: its scope, and a function that receives its body."""
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
        if (name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}) and value
    ]
    scope = {
        "method": environ["REQUEST_METHOD"],
        "path": environ.get("PATH_INFO", ""),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "headers": headers,
    }
    stream, read = environ["wsgi.input"], 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        stated = environ.get("CONTENT_LENGTH")
        # Without a length, only some servers mark the end of a body.
        left = int(stated) - read if stated else PIECE * bool(environ.get("wsgi.input_terminated"))
        body = stream.read(min(left, PIECE)) if left else b""
        read += len(body)
        return {
            "type": "http.request",
            "body": body,
            "more_body": bool(body) and (not stated or len(body) < left),
        }

    return scope, receive
