"""Fetch pictures of people and posts from their provider, a few at a time, and cache them for ten minutes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from host.core import clock
from host.media import passthrough, picture_size, sniff
from host.media.pictures import PictureError
from host.sdk.channel import AccountRef, ChannelAdapter, Located
from host.sdk.errors import FetchError
from host.sdk.messages import MessageKind

KEPT = timedelta(minutes=10)
"""How long a picture is cached, in memory and by browsers: a list shows fifty of them at a time."""
SILENT = timedelta(minutes=1)
"""How long to wait before requesting again a picture that the provider did not send."""
AT_ONCE = 8
WAIT_SECONDS = 1.0
TOTAL_SECONDS = 10.0
MOST_BYTES = 512 * 1024
"""Maximum bytes of one picture."""
MOST = 200
"""Maximum number of cached pictures."""


class CachedPicture(msgspec.Struct, frozen=True):
    """A cached picture; empty if the file is not a picture, or could not be fetched recently."""

    content: bytes
    content_type: str
    until: datetime


_lock = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)
_Key = tuple[int, str]
"""Account and URL: with an account's credentials, one URL may show what another account may not see."""
_remembered: OrderedDict[_Key, CachedPicture] = OrderedDict()


def recall(account: AccountRef, url: str) -> CachedPicture | None:
    """Return the picture that *account*'s provider named by *url* if it is cached, otherwise None."""
    key = account.id, url
    with _lock:
        found = _remembered.get(key)
        if found is None or found.until <= clock.now():
            return None
        _remembered.move_to_end(key)
        return found


def fetch(
    adapter: ChannelAdapter,
    account: AccountRef,
    url: str,
    *,
    most: int = MOST_BYTES,
    made: Callable[[bytes, str], tuple[bytes, str]] | None = None,
) -> CachedPicture:
    """Fetch a picture from the provider and cache it; return an empty one if the file is not a picture.

    :param url: what the provider named it by, see :meth:`host.sdk.channel.ChannelAdapter.locate_picture`.
    :param most: maximum bytes of it at the provider.
    :param made: converts it, and returns content and content type to cache; None keeps it unchanged.
    :raises LobbyError: if the provider has none, or does not send it.
    """
    key = account.id, url
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise passthrough.SilentError()
    try:
        file = passthrough.locate(adapter.locate_picture, account, url)
        content = _read(file, adapter.inbound_media().hosts, most)
    except passthrough.SilentError:
        # Cache the failure: a list of fifty people must not wait for a provider fifty times.
        _remember(key, CachedPicture(b"", "", clock.now() + SILENT))
        raise
    finally:
        _places.release()
    content_type = sniff.content_type(content[: sniff.HEAD])
    if sniff.kind_of(content_type) is not MessageKind.IMAGE or picture_size.too_large(content):
        content, content_type = b"", ""
    elif made is not None:
        try:
            content, content_type = made(content, content_type)
        except PictureError:
            content, content_type = b"", ""
    return _remember(key, CachedPicture(content, content_type, clock.now() + KEPT))


def _read(file: Located, hosts: frozenset[str], most: int) -> bytes:
    content = b""
    try:
        with passthrough.open_at_provider(file, hosts, max_bytes=most, total_timeout=TOTAL_SECONDS) as answer:
            while chunk := answer.read():
                content += chunk
    except FetchError:
        raise passthrough.SilentError() from None
    return content


def _remember(key: _Key, picture: CachedPicture) -> CachedPicture:
    with _lock:
        _remembered[key] = picture
        while len(_remembered) > MOST:
            _remembered.popitem(last=False)
    return picture


def forget_pictures() -> None:
    """Clear the cache, because one of the people was erased."""
    with _lock:
        _remembered.clear()
