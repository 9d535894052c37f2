"""``python -m bench.checked SECONDS``: what looking for another generation costs a request of this process.

Prints a line of JSON, in microseconds: a look from memory, a look that reads the database, and the least
request the application can answer, its look included.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import serve
from host import counters
from host.core import config, db, logs, secrets
from host.process.serving import HostApplication


def main(seconds: float) -> None:
    serve.compare()
    settings = config.load()
    logs.set_up(settings.log_level)
    secrets.use(secrets.load_keyring(settings))
    secrets.load_session_key(settings)
    db.connect(settings.database_url)
    desk = HostApplication(settings)

    def read() -> None:
        counters.forget()
        desk.generation()

    found = {
        "memory_us": microseconds(desk.generation, seconds),
        "read_us": microseconds(read, seconds),
        "request_us": microseconds(lambda: list(desk(environ(), start)), seconds),
    }
    print(json.dumps(found))


def start(status: str, headers: Any, error: Any = None) -> Any:
    assert status == "200 OK", status


def environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/bench/nothing",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }


def microseconds(call: Callable[[], object], seconds: float) -> float:
    """Return the time of the processor one call takes, measured over *seconds*."""
    calls, ends, cpu = 0, time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < ends:
        for _ in range(100):
            call()
        calls += 100
    return (time.process_time() - cpu) / calls * 1e6


if __name__ == "__main__":
    main(float(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
