"""A stand-in for a push service, and for the browsers whose pushes it gets: RFC 8030, 8188, 8291 and 8292.

It shares no code with the desk: the desk's mistakes are not made here too. Needs ``cryptography``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def base64url(value: bytes) -> str:
    """Return *value* in base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    """Return the bytes of *text* in base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return at most 32 bytes derived by HKDF (RFC 5869)."""
    key = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(key, info + b"\x01", hashlib.sha256)[:length]


class BrowserKeys:
    """The keys that a browser makes when it subscribes."""

    def __init__(self, private: bytes | None = None, auth: bytes | None = None) -> None:
        self.key = (
            ec.generate_private_key(ec.SECP256R1())
            if private is None
            else ec.derive_private_key(int.from_bytes(private), ec.SECP256R1())
        )
        self.auth = auth or os.urandom(16)
        self.point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def form(self, endpoint: str) -> dict[str, str]:
        """Return the subscription at *endpoint*, as a page sends it to its desk."""
        return {"endpoint": endpoint, "p256dh": base64url(self.point), "auth": base64url(self.auth)}

    def decrypt(self, body: bytes) -> bytes:
        """Return the text of a push.

        :raises ValueError: if it is more than one record; *InvalidTag* if it is for other keys.
        """
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        if len(sealed) > size:
            raise ValueError("more than one record")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), public)
        secret = hkdf(shared, self.auth, b"WebPush: info\x00" + self.point + sender, 32)
        key = hkdf(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = hkdf(secret, salt, b"Content-Encoding: nonce\x00", 12)
        padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x00")
        if padded[-1:] != b"\x02":
            raise ValueError("not the last record")
        return padded[:-1]


def verified(authorization: str) -> tuple[dict[str, Any], str]:
    """Return the claims and the key of a VAPID header.

    :raises ValueError: if it is malformed; *InvalidSignature* if the signature is wrong.
    """
    scheme, _, rest = authorization.partition(" ")
    if scheme != "vapid":
        raise ValueError("not VAPID")
    given = dict(part.strip().split("=", 1) for part in rest.split(","))
    signed, _, signature = given["t"].rpartition(".")
    raw = unbase64url(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unbase64url(given["k"]))
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, signed.encode(), ec.ECDSA(SHA256()))
    head, claims = (json.loads(unbase64url(part)) for part in signed.split("."))
    if head != {"typ": "JWT", "alg": "ES256"}:
        raise ValueError("not a token of ES256")
    return claims, given["k"]


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that the service got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """Answers what *script* says in turn, or *status* for a path, then 201."""

    origin: str = ""
    got: list[Pushed] = field(default_factory=list)
    script: list[int] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    hang: threading.Event | None = None
    """While it is set to an event, no request is answered before it happens."""
    begun: int = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return self.origin.removeprefix("http://")

    def endpoint(self, name: str) -> str:
        """Return the address to which pushes for the browser *name* go."""
        return f"{self.origin}/push/{name}"

    def of(self, name: str) -> list[Pushed]:
        """Return the pushes for the browser *name*."""
        return [one for one in self.got if one.path == f"/push/{name}"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[PushService]:
    """Yield a push service at a port of its own."""
    service = PushService()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                service.begun += 1
            if service.hang is not None:
                service.hang.wait(30)
            with lock:
                got = {name.lower(): value for name, value in self.headers.items()}
                service.got.append(Pushed(self.path, got, body))
                status = service.script.pop(0) if service.script else service.statuses.get(self.path, 201)
            self.send_response(status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = _Server((host, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    service.origin = f"http://{host}:{server.server_address[1]}"
    try:
        yield service
    finally:
        if service.hang is not None:
            service.hang.set()
        server.shutdown()
        server.server_close()
