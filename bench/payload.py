"""Signed deliveries, each with a message id of its own."""

from __future__ import annotations

import base64
import hmac
import itertools
import time
from collections.abc import Iterator

SECRET = "5f2c8f7a3c0d4b1e9a6d7c8b5e4f3a21"
IG_USER_ID = "17841400000000001"
STORMY_ID = "17841400000000002"
"""An account of another workspace, nobody watching."""
CUSTOMERS = 500

_numbers = itertools.count()


def mid_of(number: int) -> str:
    """Return the id of the message with this number, built as the provider builds them: thread, then item."""
    thread = 340282366841710300949128000000000000000 + number % CUSTOMERS * 7919
    inner = f"ig_item:1:IGMessageID:{IG_USER_ID}:{thread}:{30000000000000000 + number}"
    return base64.b64encode(inner.encode()).decode()


def deliveries(path: str, count: int, *, kind: str = "instagram") -> tuple[list[bytes], list[str]]:
    """Return whole HTTP requests, signed, and the ids of their messages, in order.

    :param kind: what they are about; ``page`` is what older libraries know, signed with SHA-1 as well.
    """
    requests, mids = [], []
    for mid, body in _messages(count, kind):
        older = f"X-Hub-Signature: {signature(body, 'sha1')}\r\n" if kind == "page" else ""
        requests.append(_request(path, body, older))
        mids.append(mid)
    return requests, mids


def batches(path: str, count: int, each: int) -> list[bytes]:
    """Return whole HTTP requests of *each* messages to the stormy account, *count* messages in all."""
    now = int(time.time() * 1000)
    found = []
    for _ in range(0, count, each):
        numbers = itertools.islice(_numbers, each)
        entries = ",".join(_entry(number, STORMY_ID, now) for number in numbers)
        found.append(_request(path, f'{{"object":"instagram","entry":[{entries}]}}'.encode()))
    return found


def _request(path: str, body: bytes, older: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"User-Agent: Webhooks/1.0\r\nX-Hub-Signature-256: {signature(body)}\r\n"
        f"{older}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def bodies(count: int) -> Iterator[bytes]:
    """Return the bodies of that many deliveries."""
    return (body for _, body in _messages(count))


def signature(body: bytes, digest: str = "sha256") -> str:
    """Return what the provider's header says of *body*."""
    return f"{digest}={hmac.new(SECRET.encode(), body, digest).hexdigest()}"


def _messages(count: int, kind: str = "instagram") -> Iterator[tuple[str, bytes]]:
    now = int(time.time() * 1000)
    for number in itertools.islice(_numbers, count):
        entry = _entry(number, IG_USER_ID, now)
        yield mid_of(number), f'{{"object":"{kind}","entry":[{entry}]}}'.encode()


def _entry(number: int, account: str, now: int) -> str:
    customer = 1026000000000000 + number % CUSTOMERS
    text = f"Hi, is the blue mug number {number} still there?"
    return (
        f'{{"id":"{account}","time":{now},"messaging":[{{'
        f'"sender":{{"id":"{customer}"}},"recipient":{{"id":"{account}"}},"timestamp":{now},'
        f'"message":{{"mid":"{mid_of(number)}","text":"{text}"}}}}]}}'
    )


def endless(request: bytes) -> Iterator[bytes]:
    """Return the same request again and again."""
    return itertools.repeat(request)
