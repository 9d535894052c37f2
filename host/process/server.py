"""Run the web server: uvicorn, or granian. One process with one event loop, one way to start and to end."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from host import installing
from host.core import call_budget, db, logs
from host.core.config import CannotGoOnError, Config, ConfigError, Exit
from host.process import garbage_collection
from host.process.asgi import AsgiApplication
from host.process.connections import Connections, connection_type
from host.process.entrance import Entrance
from host.process.serving import HostApplication
from host.process.shutdown import Shutdown, pass_over_sighup
from host.process.starting import Start

log = logging.getLogger(__name__)

OTHER_FILES = 2048
"""Descriptors for everything but live streams: connections, the database, files on their way."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
UNANSWERED_MS = 30_000
"""How long the system keeps a connection whose other end takes nothing any more."""


def serve(config: Config) -> None:
    """Serve until told to stop. Does not return before that.

    While the database is away it is waited for: requests are answered by an :class:`Entrance` meanwhile.

    :raises CannotGoOnError: if the desk cannot start.
    """
    start = Start(config)
    ending = Shutdown()
    stopping = _hear_signals(ending)
    _allow_open_files(config.live_streams + OTHER_FILES)
    with closing(listen(config.bind)) as listening:
        try:
            application = start.attempt()
            if application is not None:
                _began(application, ending, stopping)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                if application is None:
                    runner.run(_run_waiting(config, start, ending, listening, stopping))
                else:
                    desk = AsgiApplication(application)
                    runner.run(_run(config, desk, _returned(application), listening, stopping))
        finally:
            ending.finish()


def _began(application: HostApplication, ending: Shutdown, stopping: _Stopping) -> None:
    garbage_collection.freeze_objects()
    application.on_replacement = stopping.replace
    ending.of(application)


async def _returned(application: HostApplication) -> HostApplication:
    return application


async def _run_waiting(
    config: Config, start: Start, ending: Shutdown, listening: socket.socket, stopping: _Stopping
) -> None:
    """Serve while a thread waits for the database; end with its error if that fails for good."""
    entrance = Entrance(config)
    failed: list[BaseException] = []
    over = threading.Event()

    def go_on() -> None:
        try:
            application = start.insist(over)
        except BaseException as error:  # noqa: BLE001 - told by the thread that serves
            failed.append(error)
            stopping.stop()
            return
        if application is not None:
            _began(application, ending, stopping)
            entrance.open(application)
            application.take_in_undecided()

    waiting = threading.Thread(target=go_on, name="starting", daemon=True)
    waiting.start()
    try:
        await _run(config, entrance, entrance.opened(), listening, stopping)
    finally:
        over.set()
    if failed:
        raise failed[0]


async def _run(
    config: Config,
    answers: AsgiApplication | Entrance,
    opened: Awaitable[HostApplication],
    listening: socket.socket,
    stopping: _Stopping,
) -> None:
    db.never_wait_here()
    watching = asyncio.create_task(_watch(opened, warn=config.development))
    server = (
        _Granian(answers, listening) if config.server == "granian" else _Uvicorn(answers, config, listening)
    )
    stopping.stops(server.stop)
    try:
        await server.run()
    finally:
        watching.cancel()
        db.never_wait_here(False)


async def _watch(opened: Awaitable[HostApplication], *, warn: bool) -> None:
    application = await opened
    await application.loop.watch(warn=warn)


class _Stopping:
    """Tells a shutdown of each signal to end, and a server of one, even if that came before the server."""

    def __init__(self, ending: Shutdown) -> None:
        self._ending = ending
        self._stop: Callable[[], object] | None = None

    def told(self, number: int, frame: FrameType | None) -> None:
        """Take notice of a signal."""
        self._ending.told(number, frame)
        self.stop()

    def replace(self) -> None:
        """Have the process end and begin anew."""
        self._ending.replace()
        self.stop()

    def stop(self) -> None:
        """Have the server stop without a signal."""
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
    pass_over_sighup()
    call_budget.interrupt_main_thread()
    return stopping


class _Uvicorn(uvicorn.Server):
    """Uvicorn on a socket of ours, without signal handlers of its own."""

    def __init__(
        self, application: AsgiApplication | Entrance, config: Config, listening: socket.socket
    ) -> None:
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

    def __init__(self, application: AsgiApplication | Entrance, listening: socket.socket) -> None:
        try:
            from granian.constants import Interfaces
            from granian.server.embed import Server
        except ImportError as error:
            raise ConfigError(
                f"LOBBY_SERVER=granian needs the package granian: {installing('granian')}"
            ) from error
        self._address = listening.getsockname()[:2]
        listening.close()
        self._server = Server(
            _nameless(application),
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


def _nameless(application: AsgiApplication | Entrance) -> Callable[..., Any]:
    """Return *application* with an empty name in each answer: granian says its own otherwise."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def send_on(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"server", b"")]}
            await send(message)

        await application(scope, receive, send_on)

    return answer


def _wait_until_open(address: tuple[str, int]) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not bound
    while True:
        try:
            socket.create_connection((host, address[1]), timeout=1).close()
            return
        except OSError:
            continue


def listen(address: tuple[str, int]) -> socket.socket:
    """Return a socket that listens at *address*.

    :raises CannotGoOnError: if it cannot be had.
    """
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
        taken = error.errno == errno.EADDRINUSE
        raise CannotGoOnError(
            f"Lobby cannot serve at {address[0]}:{address[1]}: {error.strerror}",
            Exit.BUSY if taken else Exit.SETTINGS,
        ) from error
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
    logs.tell(f"lobby listening on http://{address[0]}:{address[1]}")
