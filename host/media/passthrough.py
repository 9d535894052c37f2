"""Pass a provider's file through to the viewer: nothing of it is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from flask import Response
from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError, NotFoundError, UnavailableError
from host.media import files, picture_size, sniff
from host.media.fetching import GONE, REDIRECTS
from host.media.inbound import client_for
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import OpenResponse

MAX_BYTES = 200 * 1024 * 1024
TOTAL_SECONDS = 300.0
"""Long enough for a film and a slow reader; one reader holds a server thread for at most this long."""
AT_ONCE = 16
"""Most readers at a time in one process, so that threads are left for pages."""

_PASSED = ("content-length", "content-range", "accept-ranges")
_places = threading.BoundedSemaphore(AT_ONCE)


class FileGoneError(LobbyError):
    """The provider no longer has the file, or no longer lets Lobby fetch it."""

    code = "file_gone"
    status = 410
    title = _l("No longer available")
    default_sentence = _l("The sender removed it, or it has expired.")
    default_next_step = _l("It cannot be restored.")


class NotFetchedError(NotFoundError):
    """The file is on a host that this desk does not fetch from."""

    title = _l("File not loaded")
    default_sentence = _l("The file is on a host that this channel does not load files from.")
    default_next_step = _l("View it in the app it was sent from.")


class SilentError(LobbyError):
    """The provider did not send the file this time."""

    code = "provider_silent"
    status = 502
    title = _l("The file could not be loaded")
    default_sentence = _l("It is stored at the provider, which did not return it just now.")
    default_next_step = _l("Try again in a moment.")


def open_at_provider(
    url: str,
    hosts: frozenset[str],
    *,
    part: str | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout: float = TOTAL_SECONDS,
) -> OpenResponse:
    """Return the provider's open answer, which the caller has to close.

    :param part: a ``Range`` header to pass on.
    :raises FileGoneError: if the provider says that the address has ended; the caller should store that.
    :raises NotFetchedError: if the address is on no declared host.
    :raises SilentError: if it did not answer with the file.
    """
    headers = {"Range": part} if part and len(part) < 100 and part.isascii() and part.isprintable() else None
    try:
        answer = client_for(hosts).open(
            url, headers=headers, max_bytes=max_bytes, follow=REDIRECTS, total_timeout=total_timeout
        )
    except ForbiddenAddressError:
        raise NotFetchedError() from None
    except FetchError:
        raise SilentError() from None
    if answer.status in {200, 206}:
        return answer
    answer.close()
    raise FileGoneError() if answer.status in GONE else SilentError()


def may_ask(url: str, host: str) -> bool:
    """Return whether *url* may be requested: by https, or http if the operator allows it."""
    return client_for(frozenset({host})).allows(url)


def pass_on(
    url: str,
    hosts: frozenset[str],
    *,
    kind: str,
    name: str,
    part: str | None,
    download: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Response:
    """Return a response that passes on the file at *url* while it is read.

    :param part: the ``Range`` header of the request.
    :raises UnavailableError: if too many files are being passed on already.
    :raises LobbyError: as :func:`open_at_provider`.
    """
    if not _places.acquire(blocking=False):
        raise UnavailableError(_l("Too many files are being viewed right now."))
    try:
        answer = open_at_provider(url, hosts, part=part, max_bytes=max_bytes)
    except BaseException:
        _places.release()
        raise
    body = _Body(answer)
    try:
        response = Response(body, status=answer.status, direct_passthrough=True)
        content_type = body.content_type(kind)
        if not download and content_type.startswith("image/"):
            body.check_size()
        files.harmless(response, content_type=content_type, name=name, download=download)
        # A body compressed in transit has another length here.
        if "content-encoding" not in answer.headers:
            for header in _PASSED:
                if header in answer.headers:
                    response.headers[header] = answer.headers[header]
    except BaseException:
        body.close()
        raise
    return response


class _Body:
    """The bytes of an answer; releases its connection and its place however it ends."""

    def __init__(self, answer: OpenResponse) -> None:
        self._answer = answer
        self._head = b""
        self._open = True

    def content_type(self, kind: str) -> str:
        """Return the content type: by the first bytes, or as the server says if those are not in the range.

        The server's word is enough, because :func:`host.media.files.harmless` makes any content inert.
        """
        told = self._answer.headers.get("content-type", "")
        if self._answer.status == 206 and not self._answer.headers.get("content-range", "").startswith(
            "bytes 0-"
        ):
            return told
        try:
            while len(self._head) < sniff.HEAD and (chunk := self._answer.read(sniff.HEAD - len(self._head))):
                self._head += chunk
        except FetchError:
            raise SilentError() from None
        return sniff.settled(self._head, told=told, kind=kind)

    def check_size(self) -> None:
        """Refuse a picture too large for browsers, judging by its first bytes.

        :raises host.media.picture_size.TooLargeToShowError: then.
        """
        try:
            while (
                self._head
                and picture_size.size_of(self._head) is None
                and len(self._head) < picture_size.HEAD
                and (chunk := self._answer.read(16 * 1024))
            ):
                self._head += chunk
        except FetchError:
            raise SilentError() from None
        if picture_size.too_large(self._head):
            raise picture_size.TooLargeToShowError()

    def __iter__(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        try:
            while chunk := self._answer.read():
                yield chunk
        except FetchError:
            # The browser knows the length, so it notices the missing part.
            return
        finally:
            self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._answer.close()
            _places.release()
