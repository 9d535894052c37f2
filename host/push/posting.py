"""Post pushes to push services through the guarded client."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import cache
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError

from host.core import clock, marks
from host.core.transport import attempt
from host.sdk.http import Client, FetchError, Response

KNOWN = frozenset(
    {
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "web.push.apple.com",
        "*.notify.windows.com",
    }
)
"""The push services of Chrome and most others, Firefox, Safari, and Edge."""
SECONDS = 10.0
"""Longest duration of an attempt."""
_READ = 1024


class Answer(msgspec.Struct, frozen=True):
    """The answer of a push service.

    :param status: None: no answer, with the reason in *why*.
    :param pause: the time for which it asked not to be tried again.
    """

    status: int | None
    why: str = ""
    pause: timedelta = timedelta()

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the device gets no more pushes under this address."""
        return self.status in {404, 410}

    @property
    def may_work_later(self) -> bool:
        return self.status is None or self.status in {408, 425, 429} or self.status >= 500


class _Poster(Client):
    def push(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        def take(answer: requests.Response, _host: str) -> Response:
            try:
                said: bytes = answer.raw.read(_READ, decode_content=False)
                rest = answer.raw.read(1, decode_content=False)
            except (requests.RequestException, HTTPError, OSError):
                rest, said = b"?", b""
            if rest:
                answer.raw.close()
            else:
                answer.raw.release_conn()
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, lowered, said)

        attempt.read_timeout = SECONDS
        # A push that arrives twice replaces itself, so a kept connection is fine.
        with marks.waiting():
            return self._once(
                "POST",
                url,
                body=body,
                headers={"User-Agent": "Lobby", "Accept-Encoding": "identity", **headers},
                deadline=clock.monotonic() + SECONDS,
                take=take,
                repeatable=True,
            )


@cache
def _client(more: Collection[str]) -> _Poster:
    return _Poster(KNOWN | frozenset(more), read_timeout=SECONDS, total_timeout=SECONDS)


def accepts(endpoint: str, more: tuple[str, ...]) -> bool:
    """Return whether *endpoint* is at a known push service, or at one of the hosts of the operator.

    :param more: the operator's, as in ``LOBBY_PUSH_HOSTS``.
    """
    client = _client(more)
    return client.lists(endpoint) and client.allows(endpoint)


def host_of(endpoint: str) -> str:
    """Return the host of *endpoint*."""
    return urlsplit(endpoint).hostname or ""


def post(endpoint: str, body: bytes, headers: Mapping[str, str], more: tuple[str, ...]) -> Answer:
    """Post a push. Never raises, whatever the push service does."""
    if not accepts(endpoint, more):
        return Answer(400, "its host is not a push service that this desk knows")
    try:
        found = _client(more).push(endpoint, body, headers)
    except FetchError as error:
        return Answer(None, error.reason)
    return Answer(found.status, pause=_pause(found.headers.get("retry-after", "")))


def _pause(text: str) -> timedelta:
    """Return the time of a ``Retry-After`` in seconds. A date, which push services do not use, is ignored."""
    is_seconds = text.isascii() and text.isdigit() and len(text) < 7
    return timedelta(seconds=int(text)) if is_seconds else timedelta()
