"""Fetch a file from the address a request names, and store it like an upload."""

from __future__ import annotations

import io
import logging
import threading
from urllib.parse import unquote, urljoin, urlsplit

from flask_babel import lazy_gettext as _l

from host.core.errors import LobbyError, UnavailableError
from host.media.api import uploads
from host.media.limits import MAX_BYTES, FileRefusedError
from host.media.uploads import Allowed
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import Client, Response
from host.web.languages import gettext as _

log = logging.getLogger("lobby.api")

REDIRECTS = 3
TOTAL_SECONDS = 60.0
AT_ONCE = 4
"""Most concurrent fetches in one process: each may use 25 MB of memory."""
PATIENCE_SECONDS = 30.0

_places = threading.BoundedSemaphore(AT_ONCE)
_MOVED = frozenset({301, 302, 303, 307, 308})


class FetchFailedError(LobbyError):
    """A file could not be fetched from its address."""

    code = "fetch_failed"
    status = 422
    default_sentence = _l("Lobby couldn't download the file from its URL, so nothing was sent.")
    default_next_step = _l("Check the URL, or upload the file and send its ID.")


def fetch(url: str, *, workspace_id: int, media: Allowed, field: str) -> str:
    """Fetch the file at *url* and return the id of the upload it became. Not inside a transaction.

    :param media: what the channel takes.
    :param field: the field of the request with the address, for errors.
    :raises FetchFailedError: if the address is private, does not respond, or does not return a file.
    :raises FileRefusedError: if the channel does not take the file.
    :raises UnavailableError: if too many files are being fetched.
    """
    if not _places.acquire(timeout=PATIENCE_SECONDS):
        raise UnavailableError(_l("Too many files are being downloaded right now, so nothing was sent."))
    try:
        answer = _get(url)
    except FetchError as error:
        log.info("a file of workspace %s was not fetched: %s", workspace_id, error)
        raise FetchFailedError(_because(error.reason), field=field) from None
    finally:
        _places.release()
    if answer.status != 200:
        reason = _("the server returned status %(status)s", status=answer.status)
        raise FetchFailedError(_because(reason), field=field)
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    try:
        return uploads.take_upload(io.BytesIO(answer.body), name, workspace_id=workspace_id, media=media).id
    except FileRefusedError as error:
        error.field = field
        raise


def _because(reason: str) -> str:
    return str(_("The file couldn't be downloaded: %(reason)s.", reason=reason))


def _get(url: str) -> Response:
    """Return the response to a GET, following redirects; each host is vetted like the first."""
    for _hop in range(REDIRECTS + 1):
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            raise ForbiddenAddressError("that is not an address") from None
        client = Client(frozenset({host}), total_timeout=TOTAL_SECONDS)
        answer = client.request("GET", url, max_bytes=MAX_BYTES)
        location = answer.headers.get("location")
        if answer.status not in _MOVED or not location:
            return answer
        url = urljoin(url, location)
    raise FetchError("it redirects too often")
