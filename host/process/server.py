"""Run the web server: gunicorn with one process and many threads, or granian."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from host.core import config as configuration
from host.core.config import Config, ConfigError
from host.process import garbage_collection
from host.process.serving import HostApplication
from host.process.shutdown import GRACE_SECONDS, Shutdown

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

log = logging.getLogger(__name__)

OTHER_FILES = 2048
"""Descriptors for everything but live streams: connections, the database, files on their way."""


def serve(config: Config) -> None:
    """Serve until told to stop. Does not return before that."""
    _allow_open_files(config.live_streams + OTHER_FILES)
    if config.server == "granian":
        _serve_granian(config)
    else:
        _Gunicorn(config).run()


def _allow_open_files(wanted: int) -> None:
    """Let this process and its workers open *wanted* files, or as many as the system permits it."""
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


def announce_listening(address: tuple[str, int]) -> None:
    """Say that requests are answered now; scripts wait for this line."""
    print(f"lobby listening on http://{address[0]}:{address[1]}", flush=True)  # noqa: T201


def _ignore_hup(*_: object) -> None:
    """Not reload: a second worker beside the first would be a second writer."""
    log.info("SIGHUP does nothing: Lobby reloads addons by itself; restart it to change settings")


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's master, for whom SIGINT is at first what SIGTERM is, and SIGHUP nothing."""

    def handle_hup(self) -> None:
        _ignore_hup()

    def handle_int(self) -> None:
        # While it stops, a second one has it send SIGQUIT to the worker.
        raise StopIteration


class _Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads, which refuses connections while it stops.

    Its own keeps the socket open to the end: who connects then is neither answered nor sent elsewhere.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            before = -1 if listener.fileno() >= 0 else self.nr_conns
            while before != self.nr_conns:  # connections taken are answered
                before = self.nr_conns
                self.accept(listener)
            listener.close()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """One worker process: the owner of an SQLite file, or one of many on a database server."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._application: HostApplication | None = None
        self._ending: Shutdown | None = None
        super().__init__()

    def load_config(self) -> None:
        host, port = self._config.bind
        options: dict[str, Any] = {
            "bind": [f"{host}:{port}"],
            "workers": 1,
            "worker_class": _Worker,
            "threads": self._config.threads,
            # More connections than threads: keep-alive connections wait without one. Live streams do not
            # count: their connections are taken over (host.live.connection_takeover).
            "worker_connections": 1000,
            "keepalive": 30,
            "timeout": 120,
            "graceful_timeout": GRACE_SECONDS,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "proc_name": "lobby",
            "post_worker_init": self._started,
            "worker_exit": self._stopped,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> HostApplication:
        self._application = HostApplication(self._config)
        return self._application

    def run(self) -> None:
        try:
            _Arbiter(self).run()
        except RuntimeError as error:
            sys.exit(f"Lobby cannot serve: {error}")

    def _started(self, worker: Worker) -> None:
        application = self._application
        assert application is not None
        application.start()
        garbage_collection.freeze_objects()
        self._ending = Shutdown(application)
        _take_signals(self._ending)
        announce_listening(worker.sockets[0].getsockname()[:2])

    def _stopped(self, _server: object, _worker: Worker) -> None:
        if self._ending is not None:
            self._ending.finish()


def _take_signals(ending: Shutdown) -> None:
    """Have *ending* told of every signal to end, and the server in this process of the first one."""
    graceful = signal.getsignal(signal.SIGTERM)
    assert callable(graceful)
    first = True

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first
        ending.told(number)
        if first:
            # Granian's handler blocks for ever when it is called a third time, with the interpreter's lock.
            first = False
            graceful(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, stop)


_granian: Any = None
"""What runs granian's workers; in a forked one, a copy."""


def granian_application() -> HostApplication:
    """Return the application, started. Called in granian's worker process."""
    application = HostApplication(configuration.load())
    application.start()
    garbage_collection.freeze_objects()
    return application


def _granian_worker(*arguments: Any) -> None:
    """Be granian's worker process: serve until it is told to stop, then come to an end of our own.

    Granian's hooks run in its main process, and ``atexit`` calls nothing in children of ``multiprocessing``.
    What granian has for this is that a caller may name the function its workers run.
    """
    from granian.server import MPServer

    # First of all: until granian sets its handlers, those of the main process swallow what this one is told.
    ending = Shutdown()
    ending.hear_signals()
    if _granian is not None and _granian.interrupt_signal:
        return  # told since the fork
    _end_with_parent()
    _worker, _name, load, *_rest = arguments

    def started() -> HostApplication:
        application: HostApplication = load()
        ending.of(application)
        bind = application.config.bind

        def opened(*_: object) -> None:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            ending.hear_signals(False)
            _take_signals(ending)
            announce_listening(bind)

        signal.signal(signal.SIGUSR1, opened)
        threading.Thread(target=_tell_when_open, args=(bind,), name="opening", daemon=True).start()
        return application

    try:
        MPServer._spawn_wsgi_worker(_worker, _name, started, *_rest)
    finally:
        ending.finish()


def _end_with_parent() -> None:
    """Have this process told to end when its parent is gone, which granian's workers would outlive."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _tell_when_open(address: tuple[str, int]) -> None:
    """Send the main thread SIGUSR1 once *address* takes connections.

    Granian sets its handlers and opens the port after it was given the application, and says of neither.
    """
    host, port = address
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while True:
        try:
            socket.create_connection((reached, port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.01)
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGUSR1)


def _serve_granian(config: Config) -> None:
    global _granian  # noqa: PLW0603 - a process has one
    try:
        from granian import Granian
        from granian.constants import Interfaces
    except ImportError as error:
        raise ConfigError(
            "LOBBY_SERVER=granian needs the package granian: pip install 'lobby[granian]'"
        ) from error
    _refuse_taken(config.bind)
    _granian = Granian(
        "host.process.server:granian_application",
        address=config.bind[0],
        port=config.bind[1],
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=config.threads,
        websockets=False,
        log_enabled=False,
        workers_kill_timeout=GRACE_SECONDS,
    )
    _granian.on_startup(lambda: signal.signal(signal.SIGHUP, _ignore_hup))
    _granian.serve(spawn_target=_granian_worker)


def _refuse_taken(address: tuple[str, int]) -> None:
    """Refuse to share *address* with another process, as granian would without a word."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            sys.exit(f"Lobby cannot serve at {address[0]}:{address[1]}: {error.strerror}")
