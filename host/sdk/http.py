"""The HTTP client for addons: https to declared hosts at public addresses, with timeouts and size limits."""

from __future__ import annotations

import json as _json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from host.core import clock, db, guard, marks
from host.core.transport import Adapter, attempt
from host.sdk import strictjson
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.multipart import Multipart, MultipartBody

__all__ = [
    "Client",
    "FetchError",
    "ForbiddenAddressError",
    "Multipart",
    "OpenResponse",
    "Response",
    "TooMuchError",
    "UnreadableAnswerError",
]

DEFAULT_MAX_BYTES = 2 * 1024 * 1024
MAX_REDIRECTS = 3
_CHUNK = 64 * 1024
_REDIRECTS = {301, 302, 303, 307, 308}
_REPEATABLE = {"GET", "HEAD"}
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


class UnreadableAnswerError(FetchError, ValueError):
    """The server's response is not readable JSON."""


class TooMuchError(FetchError):
    """The response is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response of any status; HTTP errors are not raised.

    :param headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body parsed as strict JSON.

        :raises UnreadableAnswerError: if it is invalid; ``sent`` is true, because the request had arrived.
        """
        try:
            return strictjson.loads(self.body)
        except ValueError as error:
            raise UnreadableAnswerError(f"the answer is not JSON: {error}", sent=True) from None


class OpenResponse:
    """A response whose body is streamed by the thread that requested it. Close it after use.

    :ivar status: any status; HTTP errors are not raised.
    :ivar headers: names in lower case.
    """

    def __init__(self, answer: requests.Response, host: str, max_bytes: int) -> None:
        self.status: int = answer.status_code
        self.headers: Mapping[str, str] = _lowered(answer)
        self._raw = answer.raw
        self._host = host
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._limits = (attempt.target, attempt.deadline, attempt.read_timeout)
        declared = self.headers.get("content-length", "")
        if _exceeds(declared, max_bytes):
            self.close()
            raise _too_much(host, max_bytes)

    def read(self, size: int = _CHUNK, /) -> bytes:
        """Return up to *size* more bytes, after decompression; empty at the end.

        :raises FetchError: if the connection breaks, takes too long, or the body is larger than allowed.
        """
        # This thread may have made another request in the meantime.
        attempt.target, attempt.deadline, attempt.read_timeout = self._limits
        wanted = min(_CHUNK if size < 0 else size, self._left + 1)
        try:
            chunk: bytes = self._raw.read(wanted, decode_content=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            self.close()
            raise FetchError(_describe(error, self._host), sent=True) from None
        self._left -= len(chunk)
        if self._left < 0:
            self.close()
            raise _too_much(self._host, self._max_bytes)
        return chunk

    def close(self) -> None:
        """Close the connection; the rest of the body is lost."""
        self._raw.close()

    def __enter__(self) -> OpenResponse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


Answer = TypeVar("Answer", Response, OpenResponse)


class Client:
    """A client for the named hosts and no others. Safe to share between threads.

    :param hosts: names in lower case; ``*.example.com`` means every subdomain of ``example.com``.
    :param connect_timeout: seconds for DNS and the connection.
    :param read_timeout: seconds between two bytes.
    :param total_timeout: seconds for everything, including redirects.

    Only https on port 443, except for the exact ``host:port`` pairs in the operator's LOBBY_ALLOW_HOSTS,
    which every client may reach, also by http. No proxy, cookie or netrc is used.

    Connections are kept per thread, but only a GET, a HEAD, or a POST that only reads reuses an idle one: the
    server may be closing it, and then it is unknown whether another POST took effect. A GET that fails this
    way is repeated once on a new connection.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        *,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        total_timeout: float = 60,
    ) -> None:
        self._names = frozenset(name.lower() for name in hosts if not name.startswith("*."))
        self._suffixes = tuple(name[1:].lower() for name in hosts if name.startswith("*."))
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._total_timeout = total_timeout
        self._local = threading.local()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        multipart: Multipart | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        follow: int = 0,
        read_timeout: float | None = None,
        total_timeout: float | None = None,
        repeatable: bool = False,
    ) -> Response:
        """Make one request and return the complete response.

        Credentials belong in *headers* or the body. If a provider only accepts them in the URL, *url* may
        contain them: errors of this client only quote the host.

        :param max_bytes: maximum bytes of the body, after decompression.
        :param follow: maximum number of redirects to follow, up to 3, for GET and HEAD only; each is vetted
            like the first request, and *headers* are only sent to the same host. 0 returns the redirect
            itself.
        :param read_timeout: replaces the client's, for a response known to be slow.
        :param total_timeout: replaces the client's, for a large body.
        :param repeatable: whether a POST only reads, so that it may use a kept connection and be repeated, as
            a GET.
        :raises ForbiddenAddressError: for a host not on the list, or one that resolves to a private address.
        :raises FetchError: without a usable response; ``sent``: whether the request may have arrived. The
            message contains only the host of the URL.
        """
        method = method.upper()
        if follow and method not in _REPEATABLE:
            raise ValueError("only GET and HEAD follow redirects")
        if repeatable and multipart is not None:
            raise ValueError("a body that is read while it is sent cannot be repeated")
        body: str | MultipartBody | None = None
        sending = {"User-Agent": "Lobby", "Accept-Encoding": "identity", **(headers or {})}
        if json is not None:
            body = _json.dumps(json, separators=(",", ":"), allow_nan=False)
            sending["Content-Type"] = "application/json"
        elif form is not None:
            body = urlencode(form)
            sending["Content-Type"] = "application/x-www-form-urlencoded"
        elif multipart is not None:
            body = MultipartBody(multipart)
            sending["Content-Type"] = body.content_type
        if params:
            url += ("&" if urlsplit(url).query else "?") + urlencode(params)

        attempt.read_timeout = read_timeout or self._read_timeout
        deadline = clock.monotonic() + (total_timeout or self._total_timeout)

        def whole(answer: requests.Response, host: str) -> Response:
            return _read_whole(answer, host, max_bytes, head=method == "HEAD")

        with marks.waiting():
            return self._follow(method, url, body, sending, follow, deadline, whole, repeatable)

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        follow: int = 0,
        read_timeout: float | None = None,
        total_timeout: float | None = None,
    ) -> OpenResponse:
        """Request *url* and return as soon as the response begins; see :meth:`request` for the parameters.

        Use it for a body that is too large for memory or is forwarded while it arrives.
        """
        sending = {"User-Agent": "Lobby", "Accept-Encoding": "identity", **(headers or {})}
        attempt.read_timeout = read_timeout or self._read_timeout
        deadline = clock.monotonic() + (total_timeout or self._total_timeout)

        def begun(answer: requests.Response, host: str) -> OpenResponse:
            return OpenResponse(answer, host, max_bytes)

        with marks.waiting():
            return self._follow("GET", url, None, sending, follow, deadline, begun)

    def allows(self, url: str) -> bool:
        """Return whether this client may request *url*, without resolving its host."""
        try:
            self._vet(url)
        except ForbiddenAddressError:
            return False
        return True

    def lists(self, url: str) -> bool:
        """Return whether the host of *url* is one of this client's own *hosts*.

        The hosts of the operator's LOBBY_ALLOW_HOSTS are not, unless they are also among these.
        """
        try:
            return self._listed(urlsplit(url).hostname or "")
        except ValueError:
            return False

    def _follow(
        self,
        method: str,
        url: str,
        body: str | MultipartBody | None,
        sending: dict[str, str],
        follow: int,
        deadline: float,
        take: Callable[[requests.Response, str], Answer],
        repeatable: bool = False,
    ) -> Answer:
        for _ in range(min(follow, MAX_REDIRECTS) + 1):
            answer = self._once(
                method,
                url,
                body=body,
                headers=sending,
                deadline=deadline,
                take=take,
                repeatable=repeatable,
            )
            location = answer.headers.get("location")
            if not follow or answer.status not in _REDIRECTS or not location:
                return answer
            if isinstance(answer, OpenResponse):
                answer.close()
            target = urljoin(url, location)
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                sending = {"User-Agent": "Lobby", "Accept-Encoding": "identity"}
            url = target
        raise FetchError(f"{urlsplit(url).hostname} redirects too often", sent=True)

    def _once(
        self,
        method: str,
        url: str,
        *,
        body: str | bytes | MultipartBody | None,
        headers: Mapping[str, str],
        deadline: float,
        take: Callable[[requests.Response, str], Answer],
        repeatable: bool = False,
    ) -> Answer:
        db.refuse_open_transaction()
        attempt.target = self._vet(url)
        attempt.deadline = deadline
        attempt.connect_timeout = self._connect_timeout
        attempt.sent = False
        attempt.reused = False
        attempt.fresh = not (repeatable or method in _REPEATABLE)
        host = attempt.target[0]
        try:
            prepared = requests.Request(method, url, data=body, headers=dict(headers)).prepare()
        except (requests.RequestException, ValueError):
            # The original message would quote the header and its credential.
            raise FetchError(
                f"the request to {host} has an address or a header that cannot be sent"
            ) from None
        try:
            return take(self._exchange(prepared), host)
        except (requests.RequestException, HTTPError, OSError) as error:
            if not attempt.reused:
                raise FetchError(_describe(error, host), sent=attempt.sent) from None
        # The server closed the idle connection. Only what may be repeated gets here.
        attempt.fresh = True
        try:
            return take(self._exchange(prepared), host)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise FetchError(_describe(error, host), sent=attempt.sent) from None

    def _exchange(self, prepared: requests.PreparedRequest) -> requests.Response:
        timeout = (self._connect_timeout, attempt.read_timeout)
        return self._adapter().send(prepared, stream=True, timeout=timeout)

    def _adapter(self) -> Adapter:
        adapter: Adapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = Adapter()
        return adapter

    def _vet(self, url: str) -> tuple[str, int]:
        """Return the host and port of *url*, if this client may connect to it."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ForbiddenAddressError("that is not an address") from None
        if _UNSAFE_IN_URL.search(url) or parts.username is not None or parts.password is not None:
            raise ForbiddenAddressError("that is not an address")
        if parts.scheme not in {"http", "https"}:
            raise ForbiddenAddressError("only https addresses can be fetched")
        effective = port or (443 if parts.scheme == "https" else 80)
        if guard.is_exempt(host, effective, sign_in=attempt.sign_in, model=attempt.model):
            return host, effective
        if parts.scheme != "https" or effective != 443:
            raise ForbiddenAddressError(f"{host or 'the address'} may be reached by https on port 443 only")
        if not guard.is_host_name(host) or not self._listed(host):
            raise ForbiddenAddressError(f"{host or 'the address'} is not a host this addon declared")
        return host, effective

    def _listed(self, host: str) -> bool:
        return host in self._names or any(host.endswith(suffix) for suffix in self._suffixes)


def _exceeds(declared: str, max_bytes: int) -> bool:
    """Return whether a Content-Length is over *max_bytes*. Whatever number it is not, the body tells."""
    return declared.isdecimal() and (len(declared) > 18 or int(declared) > max_bytes)


def _read_whole(answer: requests.Response, host: str, max_bytes: int, *, head: bool) -> Response:
    raw = answer.raw
    complete = False
    try:
        declared = answer.headers.get("content-length", "")
        if not head and _exceeds(declared, max_bytes):
            raise _too_much(host, max_bytes)
        body = bytearray()
        while chunk := raw.read(min(_CHUNK, max_bytes + 1 - len(body)), decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise _too_much(host, max_bytes)
        complete = True
    finally:
        if complete:
            guard.note_answered()
            raw.release_conn()
        else:
            raw.close()
    return Response(answer.status_code, _lowered(answer), bytes(body))


def _lowered(answer: requests.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _too_much(host: str, most: int) -> FetchError:
    return TooMuchError(f"{host} answers with more than {most} bytes", sent=True)


def _describe(error: Exception, host: str) -> str:
    """Return a sentence for *error*, because the libraries' messages quote the URL with its query."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {host}: its certificate or its TLS is not acceptable"
    if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in str(error).lower():
        return f"{host} did not answer in time"
    if "took too long" in str(error):
        return f"{host} did not answer in time"
    if (
        isinstance(error, requests.exceptions.ContentDecodingError)
        or "decode" in type(error).__name__.lower()
    ):
        return f"{host} sent an answer that cannot be decompressed"
    return f"the connection to {host} broke off"
