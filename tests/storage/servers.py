"""Stand-ins for S3 in processes of their own, and a proxy in front of one that fails on demand."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress

import requests

from demo.processes import free_port

ACCESS_KEY = "LOBBYTESTACCESSKEY"
SECRET_KEY = "a/secret+that+is+nowhere+to+be+seen"


def make_bucket(address: str, name: str) -> None:
    requests.put(f"{address}/{name}", timeout=10).raise_for_status()


class Proxy:
    """Passes connections on to a server, until it is told otherwise.

    :ivar mode: ``pass``; ``cut`` connections after *after* bytes of each answer; ``hang``: answer nothing;
        ``refuse``: answer 403 with what a store tells about a wrong signature.
    :ivar requests: how many were begun.
    """

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.removeprefix("http://").partition(":")
        self._upstream = host, int(port)
        self.mode = "pass"
        self.after = 0
        self.requests = 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    proxy._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        first = client.recv(65536)
        self.requests += 1
        if self.mode == "hang":
            time.sleep(60)
            return
        if self.mode == "refuse":
            text = (
                "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>"
                f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>"
                f"<StringToSign>{SECRET_KEY}</StringToSign></Error>"
            ).encode()
            client.sendall(
                b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text)
            )
            client.sendall(text)
            return
        with socket.create_connection(self._upstream) as server:
            server.sendall(first)
            back = threading.Thread(target=self._pump, args=(client, server, None), daemon=True)
            back.start()
            self._pump(server, client, self.after if self.mode == "cut" else None)

    def _pump(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if most is not None:
                    data, most = data[:most], most - len(data)
                target.sendall(data)
                if most is not None and most <= 0:
                    break
            target.shutdown(socket.SHUT_RDWR)
            source.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Moto:
    """A stand-in for S3 in a process of its own, which can be killed and started again where it was."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise AssertionError("moto did not start")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
