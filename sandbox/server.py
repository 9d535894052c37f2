"""The web server: one Flask app for a sandbox, with a thread per request and no logging."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox import dialog, pages
from sandbox.box import Sandbox
from sandbox.control import acts, base, below, running, things
from sandbox.graph import web
from sandbox.whatsapp import control as whatsapp_control
from sandbox.whatsapp import media as whatsapp_media
from sandbox.whatsapp import phone as whatsapp_phone

CONTROL = (acts, below, running, things, whatsapp_control)
PAGES = (pages, whatsapp_phone)
LOOPBACK = ("127.0.0.1", "localhost")
"""Host names that requests may use besides the public one, so that a web page whose name resolves to this
machine cannot control the sandbox (DNS rebinding)."""


class QuietHandler(WSGIRequestHandler):
    """Serve HTTP/1.1 and log nothing: request lines may contain tokens."""

    protocol_version = "HTTP/1.1"

    def run_wsgi(self) -> None:
        """Answer a request; work scheduled for after the response runs even if the client did not wait."""
        try:
            super().run_wsgi()
        finally:
            web.after_answer(getattr(self, "environ", {}))

    def log(self, type: str, message: str, *args: Any) -> None:
        """Drop the line."""


def create_app(box: Sandbox) -> Flask:
    """Return the Flask app of a sandbox."""
    app = Flask("sandbox", root_path=str(Path(__file__).parent), static_folder=None)
    app.config["SANDBOX"] = box
    app.config["MAX_CONTENT_LENGTH"] = web.MAX_BODY
    app.config["TRUSTED_HOSTS"] = [*LOOPBACK]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(web.bp)
    app.register_blueprint(base.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(dialog.bp)
    app.register_blueprint(whatsapp_media.bp)
    return app


class Server:
    """A sandbox listening on a port."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **options: Any) -> None:
        self.box = Sandbox(**options)
        self._app = create_app(self.box)
        self._server: BaseWSGIServer = make_server(
            host, port, self._app, threaded=True, request_handler=QuietHandler
        )
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - compared, not bound
        self.port = int(self._server.socket.getsockname()[1])
        self.url = f"http://{shown}:{self.port}"
        self.is_reached_at(self.url)
        self._thread: threading.Thread | None = None

    def is_reached_at(self, url: str) -> None:
        """Also accept requests to *url*, and build the addresses of files from it."""
        self.box.media.base_url = url
        self._app.config["TRUSTED_HOSTS"].append(urlsplit(url).hostname)

    def serve_forever(self) -> None:
        """Serve until ``close``."""
        self._server.serve_forever(poll_interval=0.05)

    def start(self) -> Server:
        """Serve from a thread."""
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and stop all workers."""
        self.box.close()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()
