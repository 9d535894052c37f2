"""Post a body to a program of a workspace, through the guarded client."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import requests
from urllib3.exceptions import HTTPError

from host.core import clock
from host.core.transport import attempt
from host.sdk.http import Client, FetchError, Response


class Reply(msgspec.Struct, frozen=True):
    """The answer of a program.

    :param status: None: no answer, with the reason in *why*.
    :param body: the beginning of its body, up to as many bytes as were wanted.
    """

    status: int | None
    body: bytes
    ms: int
    why: str = ""


class _Poster(Client):
    """The guarded client for any host: posts bytes unchanged and follows no redirect."""

    def _listed(self, _host: str) -> bool:
        return True

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        most: int,
        patience: float | None,
    ) -> Response:
        def take(answer: requests.Response, _host: str) -> Response:
            if patience is None:
                try:
                    return Response(answer.status_code, {}, _read(answer, most))
                finally:
                    answer.raw.close()
            attempt.deadline = min(attempt.deadline, clock.monotonic() + patience)
            return Response(answer.status_code, {}, _start_of(answer, most))

        attempt.read_timeout = seconds
        deadline = clock.monotonic() + seconds
        return self._once("POST", url, body=body, headers=dict(headers), deadline=deadline, take=take)


def _start_of(answer: requests.Response, most: int) -> bytes:
    """Return the beginning of a body; a slow or truncated one is not an error."""
    try:
        found: bytes = answer.raw.read(most, decode_content=True)
    except (requests.RequestException, HTTPError, OSError):
        return b""
    finally:
        answer.raw.close()
    return found


def _read(answer: requests.Response, most: int) -> bytes:
    """Return a body, of which at most *most* bytes are read."""
    found = b""
    while len(found) < most and (more := answer.raw.read(most - len(found), decode_content=True)):
        found += more
    return found


_poster = _Poster(frozenset(), read_timeout=60.0, total_timeout=60.0)


def allows(url: str) -> bool:
    """Return whether the desk may post to *url*; the addresses of its name are checked later."""
    return _poster.allows(url)


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, most: int, patience: float | None
) -> Reply:
    """Post JSON. Never raises, whatever the receiver does.

    :param seconds: until the head of the answer is there, the connection included.
    :param most: bytes of the answer's body that are read.
    :param patience: seconds for that body, of which a part is enough; None: all of it, within *seconds*.
    """
    sending = {"Content-Type": "application/json", "Accept-Encoding": "identity", **headers}
    began = clock.monotonic()
    try:
        found = _poster.post(url, body, sending, seconds=seconds, most=most, patience=patience)
    except FetchError as error:
        return Reply(None, b"", _since(began), error.reason)
    return Reply(found.status, found.body, _since(began))


def _since(began: float) -> int:
    return round(1000 * (clock.monotonic() - began))
