"""The response of a live stream: sent by the gateway, or by a thread of the server where that cannot be."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Response

from host.core import clock, db
from host.live import connection_takeover, events, gateway
from host.live.events import Told
from host.live.hub import Hub
from host.live.stream import Stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger("lobby.live")

RECONNECT_MS = 2000
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def first_frames(workspace_id: int, after: int | None) -> tuple[bytes, Told]:
    """Return what a stream begins with: the events missed since *after*, and what it then had."""
    frames = [f"retry: {RECONNECT_MS}\n\n".encode()]
    if after is None:
        return frames[0], Told()
    with db.read() as session:
        found = events.missed(session, workspace_id, after)
    if found.resync:
        frames.append(f"id: {found.last}\nevent: resync\ndata: {{}}\n\n".encode())
    frames.extend(event.frame() for event in found.events)
    # The hub may be behind what was read here, so it may still bring what the browser had long before.
    up_to = after if db.current().is_sqlite else 0
    return b"".join(frames), Told(frozenset(event.id for event in found.events), up_to)


class StreamResponse(Response):
    """A stream of server-sent events, with whatever headers the application puts on any response.

    Called as the WSGI application that every response is, it takes the connection from the server if that
    lets it. Else the server's thread sends frame after frame, and is held for as long as the browser stays.
    """

    def __init__(self, hub: Hub, opened: Stream, first: bytes, told: Told) -> None:
        super().__init__(_Body(hub, opened, first, told), mimetype="text/event-stream")
        self.headers.update(HEADERS)
        self._parts = hub, opened, first, told

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        hub, opened, first, told = self._parts
        theirs = connection_takeover.connection_of(environ)
        if theirs is None or not hub.gateway.is_running:
            return super().__call__(environ, start_response)
        headers = self.get_wsgi_headers(environ)
        if "lobby.request_id" in environ:
            # What the application in front puts on every answer; a test compares the two.
            headers["X-Request-Id"] = environ["lobby.request_id"]
        try:
            ours = connection_takeover.take_connection(theirs)
        except OSError as error:
            hub.unsubscribe(opened)
            log.warning("a stream could not be opened: %s", error.strerror)
            start_response("503 Service Unavailable", [("Retry-After", "30"), ("Content-Length", "0")])
            return ()
        hub.hand_over(opened, ours, connection_takeover.head(environ, self.status, headers) + first, told)
        # What the server makes of this goes nowhere; it ends the request and closes what it was left with.
        start_response(self.status, headers.to_wsgi_list())
        return ()


class _Body:
    """The frames of a stream; closing it frees its place even if the server never asked for a frame."""

    def __init__(self, hub: Hub, opened: Stream, first: bytes, told: Told) -> None:
        self._hub = hub
        self._opened = opened
        self._frames = _frames(opened, first, told)

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        self._hub.unsubscribe(self._opened)


def _frames(opened: Stream, first: bytes, told: Told) -> Iterator[bytes]:
    """Yield what was missed, then what happens, and comments that show whether the browser is still there."""
    yield first
    beat_at = clock.monotonic() + gateway.HEARTBEAT_SECONDS
    goes_on = True
    while goes_on:
        if clock.monotonic() >= beat_at:
            yield gateway.HEARTBEAT
            beat_at = clock.monotonic() + gateway.HEARTBEAT_SECONDS
        items, goes_on = opened.take(max(0.0, beat_at - clock.monotonic()))
        frames = [frame for id_, frame in items if id_ not in told]
        if frames:
            yield b"".join(frames)
