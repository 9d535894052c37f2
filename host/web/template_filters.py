"""Filters and functions of templates: initials, tones, the mark of a channel."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

from flask import current_app
from markupsafe import Markup

from host.sdk.channel import ChannelMark

TONES = 6


@lru_cache(512)
def icon(name: str, size: str = "", /, **attributes: str) -> Markup:
    """Return an icon of the sprite. Cached, because a page has a hundred icons of a few dozen kinds.

    :param size: an additional class; the same as ``class`` in *attributes*.
    """
    more = attributes.get("class", size)
    return Markup('<svg class="ic{}" aria-hidden="true"><use href="#i-{}"/></svg>').format(
        f" {more}" if more else "", name
    )


def initials(name: str) -> str:
    """Return one or two initials of *name*."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return letters.upper()


def tone(key: object) -> int:
    """Return the fixed tone, 1 to 6, of *key*."""
    if isinstance(key, int):
        return key % TONES + 1
    return zlib.crc32(str(key).encode()) % TONES + 1


def mark_of(key: str) -> tuple[ChannelMark, str]:
    """Return the mark and the label of the channel *key*, even while its addon does not run."""
    directory = _directory()
    return directory.mark(key), directory.label(key)


def running_channels() -> tuple[str, ...]:
    """Return the keys of the channels whose addon runs: pictures of others cannot be fetched."""
    keys: tuple[str, ...] = _directory().keys
    return keys


def _directory() -> Any:
    return current_app.extensions["lobby.generation"].directory
