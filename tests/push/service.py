"""The sandbox's push service, at an address that the guard lets the desk reach, and browsers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from demo import push
from demo.push import PushService, base64url, unbase64url, verified
from host.core import guard
from host.push.devices import Subscription

__all__ = ["BrowserKeys", "PushService", "base64url", "serving", "unbase64url", "verified"]


class BrowserKeys(push.BrowserKeys):
    """The keys that a browser makes when it subscribes."""

    def subscription(self, endpoint: str) -> Subscription:
        return Subscription(**self.form(endpoint))


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[PushService]:
    """Yield a push service at an address of its own, which the guard lets the desk reach."""
    before = guard._exempt
    with push.serving(host) as service:
        guard.allow([*(f"{name}:{port}" for name, port in before), service.address])
        try:
            yield service
        finally:
            if service.hang is not None:
                service.hang.set()
            guard._exempt = before
