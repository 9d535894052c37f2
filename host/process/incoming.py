"""Read requests in front of Flask: the head as ASGI has it, then the body within limits."""

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

PIECE = 64 * 1024
BODY_SECONDS = 20.0
"""How long the body of a webhook may take to arrive."""
ABORT = "lobby.abort"
"""Where a request's scope holds what cuts its connection off, if the server gives that."""
WRITE = "lobby.write"
"""Where it holds what writes a chunk of a begun response at once, if the server gives that."""


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
    :param guarded: whether the server itself cuts off bodies that do not come in time.
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
            return {}  # no provider asks so much; the route refuses for want of what it looks for
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True, errors="replace"):
            found.setdefault(name, value)
        return found


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
        guarded=ABORT in scope,
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
    length = content_length(headers.get("content-length"))
    if length is None and "transfer-encoding" not in headers:
        raise BadBodyError(411)
    if length is not None and length > limit:
        raise BadBodyError(413)
    return length


def content_length(stated: str | None) -> int | None:
    """Return the length a header states; None: there is none.

    :raises BadBodyError: if what it states is no length.
    """
    if not stated:
        return None
    if not stated.isascii() or not stated.isdigit() or len(stated) > 18:
        raise BadBodyError(400)
    return int(stated)


async def receive_body(receive: Receive, incoming: Incoming, limit: int) -> bytes:
    """Return the body of an ASGI request, which may take :data:`BODY_SECONDS` to arrive.

    :raises BadBodyError: if it is not there whole by then, or over *limit* bytes.
    """
    length = stated_length(incoming.headers, limit)
    body, more = b"", True
    if incoming.guarded:
        # As a rule all of it is there already, and no time has to be measured.
        body, more = await _part(receive)
    if more:
        body += await _receive_rest(receive, limit + 1 - len(body))
    if len(body) > limit:
        raise BadBodyError(413)
    if length is not None and len(body) != length:
        raise BadBodyError(400)
    return body


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next part of a body and whether more follows; a caller who is gone sent no whole one."""
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
    """Return a WSGI request as ASGI has one: its scope, and what receives its body."""
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
        # Without a length, only some servers say where a body ends.
        left = int(stated) - read if stated else PIECE * bool(environ.get("wsgi.input_terminated"))
        body = stream.read(min(left, PIECE)) if left else b""
        read += len(body)
        return {
            "type": "http.request",
            "body": body,
            "more_body": bool(body) and (not stated or len(body) < left),
        }

    return scope, receive
