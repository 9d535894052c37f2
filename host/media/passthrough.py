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
"""For a film and a slow reader; one reader holds a thread of the server that long at most."""
AT_ONCE = 16
"""Readers at a time in one process, so that pages always find a thread."""

_PASSED = ("content-length", "content-range", "accept-ranges")
_places = threading.BoundedSemaphore(AT_ONCE)


class FileGoneError(LobbyError):
    """The provider no longer has it, or no longer shows it to us."""

    code = "file_gone"
    status = 410
    title = _l("This is no longer there")
    default_sentence = _l("Whoever sent it has removed it, or the time to look at it is over.")
    default_next_step = _l("Nothing can bring it back.")


class SilentError(LobbyError):
    """The provider did not hand it out this time."""

    code = "provider_silent"
    status = 502
    title = _l("The file did not come")
    default_sentence = _l("It lies at the provider, and that did not hand it out just now.")
    default_next_step = _l("Try again in a moment.")


def open_at_provider(
    url: str,
    hosts: frozenset[str],
    *,
    part: str | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout: float = TOTAL_SECONDS,
) -> OpenResponse:
    """Return the beginning of the provider's answer; to be closed.

    :param part: a ``Range`` header to pass on.
    :raises FileGoneError: if the provider says that the address has ended; worth remembering.
    :raises NotFoundError: if it is no address we ask anything of.
    :raises SilentError: if it did not answer with the file.
    """
    headers = {"Range": part} if part and len(part) < 100 and part.isascii() and part.isprintable() else None
    try:
        answer = client_for(hosts).open(
            url, headers=headers, max_bytes=max_bytes, follow=REDIRECTS, total_timeout=total_timeout
        )
    except ForbiddenAddressError:
        raise NotFoundError() from None
    except FetchError:
        raise SilentError() from None
    if answer.status in {200, 206}:
        return answer
    answer.close()
    raise FileGoneError() if answer.status in GONE else SilentError()


def pass_on(
    url: str, hosts: frozenset[str], *, kind: str, name: str, part: str | None, download: bool = False
) -> Response:
    """Return a response that hands the file at *url* on while it comes.

    :param part: the ``Range`` header of the request.
    :raises UnavailableError: if too many are being handed on already.
    :raises LobbyError: as :func:`open_at_provider`.
    """
    if not _places.acquire(blocking=False):
        raise UnavailableError(_l("Too many files are being looked at just now."))
    try:
        answer = open_at_provider(url, hosts, part=part)
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
        # What was compressed for the way has another length here.
        if "content-encoding" not in answer.headers:
            for header in _PASSED:
                if header in answer.headers:
                    response.headers[header] = answer.headers[header]
    except BaseException:
        body.close()
        raise
    return response


class _Body:
    """The bytes of an answer; gives its connection and its place back however it ends."""

    def __init__(self, answer: OpenResponse) -> None:
        self._answer = answer
        self._head = b""
        self._open = True

    def content_type(self, kind: str) -> str:
        """Return what the file is: by its first bytes, or by its server's word where they do not come along.

        The word is enough there because :func:`host.media.files.harmless` lets nothing act.
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
        """Refuse a picture no browser would bear, as far as its first bytes say so.

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
            # The length was announced, so the browser sees that it broke off.
            return
        finally:
            self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._answer.close()
            _places.release()
