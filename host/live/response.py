"""The response of a live stream, opened by a view and sent by a task of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Response

from host.core import db
from host.live import events
from host.live.events import SentEvents
from host.live.hub import Hub
from host.live.stream import Stream
from host.users.reach import Accounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

RECONNECT_MS = 2000
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def first_frames(workspace_id: int, after: int | None, accounts: Accounts = None) -> tuple[bytes, SentEvents]:
    """Return the first frames of a stream, with the events missed since *after*, and the events they contain.

    :param accounts: the accounts its reader sees; None for all.
    """
    frames = [f"retry: {RECONNECT_MS}\n\n".encode()]
    if after is None:
        return frames[0], SentEvents()
    with db.read() as session:
        found = events.missed(session, workspace_id, after, accounts)
    if found.resync:
        frames.append(f"id: {found.last}\nevent: resync\ndata: {{}}\n\n".encode())
    frames.extend(event.frame() for event in found.events)
    # The hub may be behind this read, and may still deliver events the browser already had.
    up_to = after if db.current().is_sqlite else 0
    return b"".join(frames), SentEvents(frozenset(event.id for event in found.events), up_to)


def can_stream(environ: WSGIEnvironment) -> bool:
    """Return whether this request's server supports streams; plain WSGI does not."""
    return "asgi.scope" in environ


class StreamResponse(Response):
    """A stream of server-sent events, with the usual headers of the application.

    As a WSGI application it sends only the headers. The server then sends the body with :meth:`send`, so that
    a stream needs no thread.
    """

    def __init__(self, hub: Hub, opened: Stream, first: bytes, told: SentEvents) -> None:
        super().__init__(mimetype="text/event-stream")
        self.headers.update(HEADERS)
        self._hub = hub
        self._stream = opened
        self._first = first
        self._told = told

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = self.get_wsgi_headers(environ)
        headers.remove("Content-Length")
        start_response(self.status, headers.to_wsgi_list())
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Free the stream's slot, whether or not it was sent."""
        super().close()
        self._hub.unsubscribe(self._stream)

    async def send(
        self,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        write: Callable[[bytes], bool] | None = None,
        abort: Callable[[], object] | None = None,
    ) -> None:
        """Send missed events, then new ones, until the browser disconnects or stops reading.

        :param write: writes a chunk without this task, unless the browser is behind. Waking a task per
            browser costs three times as much.
        :param abort: disconnects a browser that has stopped reading.
        """
        gone = asyncio.create_task(until_gone(receive))
        gone.add_done_callback(lambda _: self._stream.end())
        try:
            self._stream.attend(self._told, write)
            chunk, goes_on = self._first, True
            while not gone.done():
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if not goes_on:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await self._stream.wait()
                chunk, goes_on = self._stream.take()
        except asyncio.CancelledError:
            if not self._stream.is_cut:
                raise
            if abort is not None:
                abort()
                await asyncio.sleep(0)  # lets the server notice the disconnect
        finally:
            gone.cancel()


async def until_gone(receive: Callable[[], Awaitable[Any]]) -> None:
    """Wait until the browser disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
