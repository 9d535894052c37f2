"""An HTTP request, its response, and the decision to retry, shared by both clients."""

from __future__ import annotations

import json
import logging
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union
from urllib.parse import quote, urlencode, urlsplit

from lobby_client import _model
from lobby_client.errors import APIConnectionError, APIError, error_of

log = logging.getLogger("lobby_client")

VERSION = "1.0.0"
API = "/api/v1"
API_VERSION = "2026-11-27"
"""The dated version of the API that the client is written for, sent as ``Lobby-Version``."""
LOCAL = ("localhost", "127.0.0.1", "::1")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds. A desk that asks for more than this is believed, and the call fails."""


class Bearer(str):
    """The value of the Authorization header, hidden in its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ***'"


@dataclass(frozen=True)
class Request:
    """A request for a transport. Every attempt sends the same object."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Optional[bytes] = field(default=None, repr=False)
    timeout: float = 30.0


@dataclass(frozen=True)
class Answer:
    """A response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """Return the body's JSON, or None without a body.

        :raises ValueError: if it is none.
        """
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Response:
    """A response of the desk, as :meth:`lobby_client.Lobby.request` returns it.

    :param headers: with names in lower case, such as ``etag``.
    :param data: its JSON; None without a body.
    """

    status: int
    headers: Mapping[str, str]
    data: Any


class ConnectionFailed(Exception):  # noqa: N818 - a transport's word to the client, never a user's
    """There was no response.

    :ivar sent: whether the request may have arrived.
    :ivar final: whether trying again cannot help: a certificate that is not to be trusted.
    """

    def __init__(self, why: str, *, sent: bool, final: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.final = final


def address(base_url: str, *, allow_http: bool, name: str = "base_url") -> str:
    """Return the base URL of the API for a desk's address.

    :param name: what the caller calls it, for errors.
    :raises ValueError: for what is no address, or would send the key where others can read it.
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{name} has to be the address of a desk, like https://desk.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{name} must hold no name and no password")
    if parts.scheme == "http" and not allow_http and parts.hostname not in LOCAL:
        raise ValueError(
            f"{name} is http, so others could read the key; use https, or pass allow_http=True inside a "
            "network you trust"
        )
    found = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return found if found.endswith(API) else found + API


def path_of(template: str, ids: tuple[Union[int, str], ...]) -> str:
    """Return *template* with each ``{}`` replaced by an id, safe in a path.

    :raises ValueError: for an id that would name another path.
    """
    for one in ids:
        if str(one) in {"", ".", ".."}:
            raise ValueError(f"{one!r} is no id")
    return template.format(*(quote(str(one), safe="") for one in ids))


def query_of(given: Mapping[str, Any]) -> str:
    """Return the query string of the parameters that are set, in camelCase."""
    named = {_model.camel_case(name): value for name, value in given.items() if value is not None}
    return "?" + urlencode(named) if named else ""


def encoded(body: Any) -> bytes:
    """Return a body as JSON."""
    return json.dumps(_model.to_wire(body), ensure_ascii=False, separators=(",", ":")).encode()


def form_of(name: str, content: bytes, content_type: str) -> tuple[bytes, str]:
    """Return a form with one field, ``file``, and its content type."""
    boundary = secrets.token_hex(16)
    safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{safe}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return (
        head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


class ExpiryWarning:
    """Logs once that the key of a client expires soon, as ``Lobby-Key-Expires`` of its answers says."""

    def __init__(self) -> None:
        self._logged = False

    def check(self, answer: Answer) -> None:
        """Log the warning if *answer* says so and it was not logged yet."""
        at = answer.headers.get("lobby-key-expires")
        if at is not None and not self._logged:
            self._logged = True
            log.warning("the API key expires at %s: ask an owner of the workspace for a new one", at)


class Attempts:
    """Decides after each attempt whether and when to retry.

    :param repeatable: whether it does no harm twice: it changes nothing, or has an Idempotency-Key.
    """

    def __init__(self, most: int, *, repeatable: bool) -> None:
        self._left = most
        self._repeatable = repeatable
        self._pause = FIRST_PAUSE

    def failed(self, problem: ConnectionFailed) -> Optional[float]:
        """Return the seconds to wait before a retry, or None to give up."""
        if problem.final or (problem.sent and not self._repeatable):
            return None
        return self._next(None)

    def answered(self, answer: Answer) -> Optional[float]:
        """Return the seconds to wait before a retry, or None to accept this response."""
        asked = _seconds(answer.headers.get("retry-after"))
        if answer.status == 429:
            return self._next(asked)
        if not self._repeatable or answer.status not in {409, 502, 503, 504}:
            return None
        code = _code(answer)
        # A conflict is an answer, unless it says that the attempt before this one is still being worked on.
        again = code == "request_in_flight" if answer.status == 409 else code != "provider_refused"
        return self._next(asked) if again else None

    def _next(self, asked: Optional[float]) -> Optional[float]:
        if self._left <= 0 or (asked is not None and asked > LONGEST_RETRY_AFTER):
            return None
        self._left -= 1
        most, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        jitter = random.uniform(0, most)  # noqa: S311 - spreads load, hides nothing
        return jitter if asked is None else asked + min(jitter, 1.0)


def _seconds(given: Optional[str]) -> Optional[float]:
    return float(given) if given is not None and given.isascii() and given.isdigit() else None


def _code(answer: Answer) -> str:
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def refusal(answer: Answer, idempotency_key: Optional[str]) -> APIError:
    """Return the error for an unsuccessful response."""
    try:
        found = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        found = {}
    known = found if isinstance(found, dict) else {}
    return error_of(
        answer.status,
        known,
        retry_after=_seconds(answer.headers.get("retry-after")),
        key=idempotency_key,
        headers=answer.headers,
    )


def lost(problem: ConnectionFailed, idempotency_key: Optional[str]) -> APIConnectionError:
    """Return the error for a request without a response."""
    return APIConnectionError(str(problem), sent=problem.sent, idempotency_key=idempotency_key)
