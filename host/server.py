"""Serving the host: gunicorn with one process and many threads, or granian."""

from __future__ import annotations

import atexit
import logging
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from host import config as configuration
from host.config import Config, ConfigError
from host.serving import HostApplication

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

log = logging.getLogger(__name__)

GRACEFUL_SECONDS = 20
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


def announce(address: tuple[str, int]) -> None:
    """Say that requests are answered now; scripts wait for this line."""
    print(f"lobby listening on http://{address[0]}:{address[1]}", flush=True)  # noqa: T201


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's master without reload: a second worker beside the first would be a second writer."""

    def handle_hup(self) -> None:
        self.log.info("SIGHUP does nothing: Lobby reloads addons by itself; restart it to change settings")


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """One worker process: the owner of an SQLite file, or one of many on a database server."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._application: HostApplication | None = None
        super().__init__()

    def load_config(self) -> None:
        host, port = self._config.bind
        options: dict[str, Any] = {
            "bind": [f"{host}:{port}"],
            "workers": 1,
            "worker_class": "gthread",
            "threads": self._config.threads,
            # More connections than threads: keep-alive connections wait without one. Live streams do not
            # count: their connections are taken over (host.live.takeover).
            "worker_connections": 1000,
            "keepalive": 30,
            "timeout": 120,
            "graceful_timeout": GRACEFUL_SECONDS,
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
        graceful = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            # Browsers look for another process, or for this one again, while requests under way are finished.
            application.services.hub.close()
            if callable(graceful):
                graceful(number, frame)

        signal.signal(signal.SIGTERM, stop)
        announce(worker.sockets[0].getsockname()[:2])

    def _stopped(self, _server: object, _worker: Worker) -> None:
        if self._application is not None:
            self._application.close()


def granian_application() -> HostApplication:
    """Return the application for granian, which calls this in its worker process."""
    config = configuration.load()
    application = HostApplication(config)
    application.start()
    atexit.register(application.close)
    _at_first_signal(application.services.hub.close)
    announce(config.bind)
    return application


def _at_first_signal(callback: Callable[[], object]) -> None:
    """Run *callback* once this process is told to end, beside the handlers granian sets after this."""
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with receiving, sending:
            receiving.recv(1)
            callback()

    threading.Thread(target=wait, name="termination", daemon=True).start()


def _serve_granian(config: Config) -> None:
    try:
        from granian import Granian
        from granian.constants import Interfaces
    except ImportError as error:
        raise ConfigError(
            "LOBBY_SERVER=granian needs the package granian: pip install 'lobby[granian]'"
        ) from error
    Granian(
        "host.server:granian_application",
        address=config.bind[0],
        port=config.bind[1],
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=config.threads,
        websockets=False,
        log_enabled=False,
        workers_kill_timeout=GRACEFUL_SECONDS,
    ).serve()
