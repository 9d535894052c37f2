"""Post a body to an endpoint, through the guarded client."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import requests
from urllib3.exceptions import HTTPError

from host import __version__
from host.core import clock
from host.core.transport import attempt
from host.sdk.http import Client, FetchError, Response
from host.webhooks import policy

USER_AGENT = f"Lobby/{__version__} (webhooks)"
_BODY_SECONDS = 1.0
"""Timeout for the beginning of an answer's body: only its status matters."""


class Answer(msgspec.Struct, frozen=True):
    """The answer of an endpoint.

    :param status: None: no answer, with the reason in *words*.
    :param words: the beginning of the answer.
    """

    status: int | None
    words: str
    ms: int

    @property
    def ok(self) -> bool:
        """Whether the endpoint accepted the body. A redirect does not count: it could lead anywhere."""
        return self.status is not None and 200 <= self.status < 300


class _Poster(Client):
    """The guarded client for any host: posts bytes unchanged and only needs the head of an answer."""

    def _listed(self, _host: str) -> bool:
        return True

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        attempt.read_timeout = policy.SECONDS
        deadline = clock.monotonic() + policy.SECONDS
        return self._once("POST", url, body=body, headers=dict(headers), deadline=deadline, take=_head)


def _head(answer: requests.Response, _host: str) -> Response:
    """Return the status and the beginning of the body; a slow or truncated body is not an error."""
    attempt.deadline = min(attempt.deadline, clock.monotonic() + _BODY_SECONDS)
    words = b""
    try:
        words = answer.raw.read(policy.WORDS, decode_content=True)
    except (requests.RequestException, HTTPError, OSError):
        pass
    finally:
        answer.raw.close()
    return Response(answer.status_code, {}, words)


_poster = _Poster(frozenset(), read_timeout=policy.SECONDS, total_timeout=policy.SECONDS)


def allows(url: str) -> bool:
    """Return whether the desk may post to *url*; the addresses of its name are checked later."""
    return _poster.allows(url)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post *body*. Never raises, whatever the receiver does."""
    sending = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        **headers,
    }
    began = clock.monotonic()
    try:
        found = _poster.post(url, body, sending)
    except FetchError as error:
        return Answer(None, error.reason, _since(began))
    return Answer(found.status, found.body.decode("utf-8", "replace"), _since(began))


def _since(began: float) -> int:
    return round(1000 * (clock.monotonic() - began))
