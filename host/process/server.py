"""Run the web server: uvicorn, or granian.

One process with one event loop, which starts and stops in the same way for both.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import uvicorn
import uvloop

from host import installing
from host.core import call_budget, db, logs
from host.core.config import CannotGoOnError, Config, ConfigError, Exit, kept_socket
from host.process import systemd
from host.process.asgi import AsgiApplication
from host.process.connections import Connections, connection_type
from host.process.incoming import Receive
from host.process.pages import Send
from host.process.serving import HostApplication
from host.process.shutdown import Shutdown
from host.process.starting import Start
from host.process.waiting import WaitingHost

log = logging.getLogger(__name__)

Answers = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Opened = Callable[[tuple[Any, ...]], None]

OTHER_FILES = 2048
"""Descriptors for everything except live streams: connections, the database, files in transit."""
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
ASK_SECONDS = 0.01
"""Interval in seconds at which granian is checked for readiness."""
UNANSWERED_MS = 30_000
"""How long the system keeps a connection whose other end no longer accepts data."""


def serve(config: Config) -> None:
    """Serve until the process is told to stop, and return then.

    Waits for an unavailable database, during which a :class:`WaitingHost` answers requests.

    :raises CannotGoOnError: if the desk cannot start.
    """
    start = Start(config)
    ending = Shutdown()
    ending.hear_signals()
    call_budget.interrupt_main_thread()
    _allow_open_files(config.live_streams + OTHER_FILES)
    with closing(_kept(config.bind) or listen(config.bind)) as listening:
        if config.server != "granian":  # which opens a socket of its own
            ending.keep(listening)
        try:
            desk = start.attempt()
            if desk is not None:
                desk.on_replacement = ending.replace
                ending.of(desk)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(config, start, desk, ending, listening))
        finally:
            ending.finish()


async def _run(
    config: Config, start: Start, desk: HostApplication | None, ending: Shutdown, listening: socket.socket
) -> None:
    """Serve; without a *desk*, wait for its database first. Its error is raised."""
    db.never_wait_here()
    host = desk or WaitingHost(config)
    application = AsgiApplication(host)
    answering = asyncio.Event()

    def announce(address: tuple[Any, ...]) -> None:
        announce_listening(address)
        answering.set()

    server = _server_of(config, application, listening, announce)
    ending.stops(server.stop)
    over = threading.Event()

    async def open_and_watch() -> None:
        opened = desk
        if isinstance(host, WaitingHost):
            opened = await asyncio.to_thread(start.insist, over)
            if opened is not None:
                opened.on_replacement = ending.replace
                ending.of(opened)
                host.hand_over(application, opened)
                await asyncio.to_thread(opened.take_in_undecided)
        if opened is not None:
            await answering.wait()
            systemd.notify(systemd.READY)
            await opened.loop.watch(warn=config.development)

    watching = asyncio.create_task(open_and_watch())
    watching.add_done_callback(lambda _: server.stop())
    try:
        await server.run()
    finally:
        over.set()
        watching.cancel()
        db.never_wait_here(False)
    with suppress(asyncio.CancelledError):
        await watching


def _server_of(
    config: Config, application: AsgiApplication, listening: socket.socket, opened: Opened
) -> Uvicorn | _Granian:
    if config.server == "granian":
        return _Granian(application, listening, opened)
    limits = Connections(
        most=config.live_streams + OTHER_FILES // 2, per_address=None if config.proxies else 1024
    )
    return Uvicorn(application, listening, limits, opened)


class Uvicorn(uvicorn.Server):
    """Uvicorn on a given socket, without its signal handlers.

    :param opened: called with address and port once requests are answered.
    """

    def __init__(
        self,
        application: Answers,
        listening: socket.socket,
        limits: Connections,
        opened: Opened | None = None,
    ) -> None:
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
        self._opened = opened

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        address = self._listening.getsockname()
        await super().startup(sockets)
        if self._opened is not None:
            self._opened(address)

    async def run(self) -> None:  # type: ignore[override]
        """Serve until stopped and every request is answered."""
        await self.serve(sockets=[self._listening])

    def stop(self) -> None:
        """Stop accepting requests, and exit once open ones are answered."""
        self.should_exit = True


class _Granian:
    """Granian in this process and on this loop."""

    def __init__(self, application: Answers, listening: socket.socket, opened: Opened) -> None:
        try:
            from granian.constants import Interfaces
            from granian.server.embed import Server
        except ImportError as error:
            raise ConfigError(
                f"LOBBY_SERVER=granian needs the package granian: {installing('granian')}"
            ) from error
        self._address = listening.getsockname()[:2]
        self._opened = opened
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
        while not serving.done():
            with suppress(OSError):
                _, asking = await asyncio.open_connection(*self._address)
                asking.close()
                self._opened(self._address)
                break
            await asyncio.sleep(ASK_SECONDS)
        await serving

    def stop(self) -> None:
        """Stop accepting requests, and exit once open ones are answered."""
        self._server.stop()  # type: ignore[no-untyped-call]


def _nameless(application: Answers) -> Answers:
    """Return *application* with an empty Server header in each response: otherwise granian sends its name."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def send_on(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"server", b"")]}
            await send(message)

        await application(scope, receive, send_on)

    return answer


def _kept(address: tuple[str, int]) -> socket.socket | None:
    """Return the socket that the process replaced by this one kept; None if there is none for *address*."""
    number = kept_socket()
    if number is None:
        return None
    try:
        kept = socket.socket(fileno=number)
    except OSError:
        return None
    kept.set_inheritable(False)
    if kept.getsockname()[:2] != address:
        kept.close()
        return None
    kept.setblocking(False)
    return kept


def listen(address: tuple[str, int], setting: str = "LOBBY_BIND") -> socket.socket:
    """Return a socket that listens at *address*, which comes from *setting*.

    :raises CannotGoOnError: if the address is not available.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit these options: one that is dead or accepts nothing is closed automatically.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        raise CannotGoOnError(
            f"Lobby cannot serve at {address[0]}:{address[1]}: {error.strerror}. "
            f"{'Stop the program that uses it, or set' if taken else 'Set'} {setting} to another address "
            "and port.",
            Exit.BUSY if taken else Exit.SETTINGS,
        ) from error
    listening.setblocking(False)
    return listening


def _allow_open_files(wanted: int) -> None:
    """Raise the open-file limit of this process to *wanted*, or as far as the system permits."""
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
    """Announce that requests are answered; scripts wait for this line."""
    logs.tell(f"lobby listening on http://{address[0]}:{address[1]}")
