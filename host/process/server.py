"""Run the web server: uvicorn, or granian. One process with one event loop, one way to start and to end."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from host.core import db
from host.core.config import Config, ConfigError
from host.process import garbage_collection
from host.process.asgi import AsgiApplication
from host.process.connections import Connections, connection_type
from host.process.serving import HostApplication
from host.process.shutdown import Shutdown

log = logging.getLogger(__name__)

OTHER_FILES = 2048
"""Descriptors for everything but live streams: connections, the database, files on their way."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
UNANSWERED_MS = 30_000
"""How long the system keeps a connection whose other end takes nothing any more."""


def serve(config: Config) -> None:
    """Serve until told to stop. Does not return before that."""
    ending = Shutdown()
    stopping = _hear_signals(ending)
    _allow_open_files(config.live_streams + OTHER_FILES)
    listening = listen(config.bind)
    application = HostApplication(config)
    application.start()
    garbage_collection.freeze_objects()
    ending.of(application)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(config, application, listening, stopping))
    finally:
        ending.finish()


async def _run(
    config: Config, application: HostApplication, listening: socket.socket, stopping: _Stopping
) -> None:
    db.never_wait_here()
    watching = asyncio.create_task(application.loop.watch(warn=config.development))
    asgi = AsgiApplication(application)
    server = _Granian(asgi, listening) if config.server == "granian" else _Uvicorn(asgi, config, listening)
    stopping.stops(server.stop)
    try:
        await server.run()
    finally:
        watching.cancel()
        db.never_wait_here(False)


class _Stopping:
    """Tells a shutdown of each signal to end, and a server of one, even if that came before the server."""

    def __init__(self, ending: Shutdown) -> None:
        self._ending = ending
        self._stop: Callable[[], object] | None = None

    def told(self, number: int, _frame: FrameType | None) -> None:
        """Take notice of a signal."""
        self._ending.told(number)
        if self._stop is not None:
            self._stop()

    def stops(self, stop: Callable[[], None]) -> None:
        """Have *stop* called on the running loop once there is a signal to end."""
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop)
        if self._ending.begun:
            self._stop()


def _hear_signals(ending: Shutdown) -> _Stopping:
    stopping = _Stopping(ending)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, stopping.told)
    # Not reload: nothing has to be, and a process told to would end.
    text = "SIGHUP does nothing: Lobby reloads addons by itself; restart it to change settings"
    signal.signal(signal.SIGHUP, lambda *_: log.info(text))
    return stopping


class _Uvicorn(uvicorn.Server):
    """Uvicorn on a socket of ours, without signal handlers of its own."""

    def __init__(self, application: AsgiApplication, config: Config, listening: socket.socket) -> None:
        limits = Connections(
            most=config.live_streams + OTHER_FILES // 2, per_address=None if config.proxies else 1024
        )
        super().__init__(
            uvicorn.Config(
                application,
                http=connection_type(limits),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        address = self._listening.getsockname()
        await super().startup(sockets)
        announce_listening(address[:2])

    async def run(self) -> None:  # type: ignore[override]
        """Serve until stopped and every request is answered."""
        await self.serve(sockets=[self._listening])

    def stop(self) -> None:
        """Take nothing in any more, and end once what is under way is answered."""
        self.should_exit = True


class _Granian:
    """Granian in this process and on this loop."""

    def __init__(self, application: AsgiApplication, listening: socket.socket) -> None:
        try:
            from granian.constants import Interfaces
            from granian.server.embed import Server
        except ImportError as error:
            raise ConfigError(
                "LOBBY_SERVER=granian needs the package granian: pip install 'lobby[granian]'"
            ) from error
        self._address = listening.getsockname()[:2]
        listening.close()
        self._server = Server(
            application,
            address=self._address[0],
            port=self._address[1],
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
            backlog=BACKLOG,
        )

    async def run(self) -> None:
        """Serve until stopped and every request is answered."""
        serving = asyncio.create_task(self._server.serve())
        await asyncio.to_thread(_wait_until_open, self._address)
        announce_listening(self._address)
        await serving

    def stop(self) -> None:
        """Take nothing in any more, and end once what is under way is answered."""
        self._server.stop()  # type: ignore[no-untyped-call]


def _wait_until_open(address: tuple[str, int]) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not bound
    while True:
        try:
            socket.create_connection((host, address[1]), timeout=1).close()
            return
        except OSError:
            continue


def listen(address: tuple[str, int]) -> socket.socket:
    """Return a socket that listens at *address*; end the process if it is taken."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it: one that takes nothing, or is gone without a word, ends by itself.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
    try:
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        sys.exit(f"Lobby cannot serve at {address[0]}:{address[1]}: {error.strerror}")
    listening.setblocking(False)
    return listening


def _allow_open_files(wanted: int) -> None:
    """Let this process open *wanted* files, or as many as the system permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning(
            "only %s files may be open at once, which is less than LOBBY_LIVE_STREAMS asks for; "
            "raise the limit (LimitNOFILE= in systemd, ulimit -n in a shell)",
            most,
        )


def announce_listening(address: tuple[Any, ...]) -> None:
    """Say that requests are answered now; scripts wait for this line."""
    print(f"lobby listening on http://{address[0]}:{address[1]}", flush=True)  # noqa: T201
