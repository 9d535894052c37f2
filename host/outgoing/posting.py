"""Post a body to an endpoint, by the guarded client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from host import __version__
from host.core import clock
from host.core.transport import attempt
from host.outgoing import policy
from host.sdk.http import Client, FetchError, Response

USER_AGENT = f"Lobby/{__version__} (webhooks)"
_BODY_SECONDS = 1.0
"""How long the beginning of an answer's body is waited for: its status is all that counts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said.

    :param status: None: it did not answer, *words* says why.
    :param words: the beginning of the answer.
    """

    status: int | None
    words: str
    ms: int

    @property
    def ok(self) -> bool:
        """Whether it took the body. A redirect is no yes: it could lead anywhere."""
        return self.status is not None and 200 <= self.status < 300


class _Poster(Client):
    """The guarded client, to any host: posts bytes as they are and is content with an answer's head."""

    def _listed(self, _host: str) -> bool:
        return True

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        attempt.read_timeout = policy.SECONDS
        deadline = clock.monotonic() + policy.SECONDS
        return self._once("POST", url, body=body, headers=dict(headers), deadline=deadline, take=_head)


def _head(answer: requests.Response, _host: str) -> Response:
    """Return the status and the beginning of the body; a body that lasts or breaks off is no error."""
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
    """Tell whether the desk may post to *url*; where its name leads is seen when it does."""
    return _poster.allows(url)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post *body*; never raises for anything the other side may do."""
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
