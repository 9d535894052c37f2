"""A tiny webhook receiver: ``python -m sandbox.receiver`` checks requests and prints them.

It shows what any receiver must do: answer the verification (M2), check ``X-Hub-Signature-256`` over the raw
bytes (M2, M3), answer 200 immediately.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from sandbox.seed import APP_SECRET


class Receiver(BaseHTTPRequestHandler):
    """Verify, print, answer."""

    protocol_version = "HTTP/1.1"
    verify_token = "my-verify-token"  # noqa: S105 - a default for trying things out
    app_secret = APP_SECRET

    def do_GET(self) -> None:
        """Answer the verification with the challenge, or 403."""
        query = parse_qs(urlsplit(self.path).query)
        if query.get("hub.verify_token") == [self.verify_token]:
            self._answer(200, query["hub.challenge"][0])
        else:
            self._answer(403, "wrong verify token")

    def do_POST(self) -> None:
        """Check the signature and print signature and body; a bad one is refused."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("X-Hub-Signature-256", "")
        expected = "sha256=" + hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()
        right = hmac.compare_digest(expected.encode(), given.encode())
        print("signature", "right" if right else "WRONG", body.decode(), flush=True)
        self._answer(200 if right else 403, "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because request lines contain the verify token."""


def main(arguments: list[str] | None = None) -> None:
    """Receive until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.receiver", description=__doc__)
    parser.add_argument("--port", type=int, default=9444)
    parser.add_argument("--secret", default=APP_SECRET, help="app secret")
    parser.add_argument("--verify-token", default=Receiver.verify_token)
    chosen = parser.parse_args(arguments)
    Receiver.app_secret, Receiver.verify_token = chosen.secret, chosen.verify_token
    server = ThreadingHTTPServer(("127.0.0.1", chosen.port), Receiver)
    print(f"receiver listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
