"""The installed gunicorn's threaded worker, in this process and without its signals."""

from __future__ import annotations

import os
import selectors
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.sock import create_sockets
from gunicorn.workers.gthread import ThreadWorker


@contextmanager
def gunicorn_worker(application: Callable[..., Any], *, threads: int = 4) -> Iterator[tuple[int, Any]]:
    """Serve *application*; yield the port and the worker."""
    settings = Config()
    for name, value in {
        "bind": ["127.0.0.1:0"],
        "threads": threads,
        "keepalive": 30,
        "graceful_timeout": 20,
        "loglevel": "debug",
    }.items():
        settings.set(name, value)
    log = Logger(settings)
    (listener,) = create_sockets(settings, log)
    worker = ThreadWorker(1, os.getppid(), [listener], None, 30, settings, log)
    # What init_process does but for signals, which only a main thread may set.
    worker.wsgi = application
    worker.tpool = worker.get_thread_pool()
    worker.poller = selectors.DefaultSelector()
    worker.method_queue.init()
    thread = threading.Thread(target=worker.run, name="gunicorn", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], worker
    finally:
        worker.handle_exit(None, None)
        thread.join(60)
        worker.tmp.close()
        assert not thread.is_alive(), "the worker did not stop"
