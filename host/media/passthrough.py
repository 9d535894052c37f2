"""Pass a provider's file through to the viewer without storing it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from flask import Response
from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError, NotFoundError, UnavailableError
from host.media import files, picture_size, sniff
from host.media.fetching import GONE
from host.media.inbound import UndeclaredHostError, UnsendableHeaderError, client_for, open_file
from host.sdk.channel import AccountRef, Located
from host.sdk.errors import FetchError, FileEndedError, ForbiddenAddressError
from host.sdk.http import OpenResponse

log = logging.getLogger(__name__)

MAX_BYTES = 200 * 1024 * 1024
TOTAL_SECONDS = 300.0
"""Maximum time a response holds a server thread: long enough for a video on a slow connection."""
AT_ONCE = 16
"""Maximum number of concurrent responses in one process, so that threads are left for pages."""

_PASSED = ("content-length", "content-range", "accept-ranges")
_places = threading.BoundedSemaphore(AT_ONCE)


class FileGoneError(LobbyError):
    """The provider no longer has the file, or refuses access to it."""

    code = "file_gone"
    status = 410
    title = _l("No longer available")
    default_sentence = _l("The sender removed it, or it has expired.")
    default_next_step = _l("It cannot be restored.")
    program_step = ""


class NotFetchedError(NotFoundError):
    """The file is on a host that is not allowed."""

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


def locate(find: Callable[[AccountRef, str], str | Located], account: AccountRef, url: str) -> Located:
    """Return the current address of a file, or of a picture of a person or post.

    :param find: the adapter's ``locate`` or ``locate_picture``.
    :raises FileGoneError: if the provider no longer has it.
    :raises SilentError: if the address cannot be determined now.
    """
    try:
        found = find(account, url)
    except FileEndedError:
        raise FileGoneError() from None
    except FetchError:
        raise SilentError() from None
    except Exception:
        log.exception("the addon of channel %s failed while a file was located", account.channel)
        raise SilentError() from None
    located = found if isinstance(found, Located) else Located(found)
    if not located.url:
        raise FileGoneError()
    return located


def open_at_provider(
    file: Located,
    hosts: frozenset[str],
    *,
    part: str | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout: float = TOTAL_SECONDS,
) -> OpenResponse:
    """Return the provider's open response, which the caller must close.

    :param part: a ``Range`` header to pass on.
    :raises FileGoneError: if the URL has expired; the caller should store that.
    :raises NotFetchedError: if the URL is not on a declared host.
    :raises SilentError: if the provider did not return the file.
    """
    if part and not (len(part) < 100 and part.isascii() and part.isprintable()):
        part = None
    try:
        answer = open_file(file, hosts, part=part or None, max_bytes=max_bytes, total_timeout=total_timeout)
    except UndeclaredHostError as error:
        log.warning("a file or picture is not fetched: %s", error)
        raise NotFetchedError() from None
    except ForbiddenAddressError:
        raise NotFetchedError() from None
    except UnsendableHeaderError as error:
        log.warning("a file or picture is not fetched: %s", error)
        raise SilentError() from None
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
    file: Located,
    hosts: frozenset[str],
    *,
    kind: str,
    name: str,
    part: str | None,
    download: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Response:
    """Return a response that streams *file*.

    :param part: the ``Range`` header of the request.
    :raises UnavailableError: if too many files are already being streamed.
    :raises LobbyError: as :func:`open_at_provider`.
    """
    if not _places.acquire(blocking=False):
        raise UnavailableError(_l("Too many files are being viewed right now."))
    try:
        answer = open_at_provider(file, hosts, part=part, max_bytes=max_bytes)
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
        # A compressed body has another length here.
        if "content-encoding" not in answer.headers:
            for header in _PASSED:
                if header in answer.headers:
                    response.headers[header] = answer.headers[header]
    except BaseException:
        body.close()
        raise
    return response


class _Body:
    """The bytes of a response. It always releases its connection and its slot."""

    def __init__(self, answer: OpenResponse) -> None:
        self._answer = answer
        self._head = b""
        self._open = True

    def content_type(self, kind: str) -> str:
        """Return the content type: from the first bytes, or the server's if the range does not include them.

        The server's type is safe, because :func:`host.media.files.harmless` prevents scripts in any content.
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
        """Check from its first bytes that a picture is not too large for browsers.

        :raises host.media.picture_size.TooLargeToShowError: if it is too large.
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
            # The browser knows the length, and so notices the missing part.
            return
        finally:
            self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._answer.close()
            _places.release()
