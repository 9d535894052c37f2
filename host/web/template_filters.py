"""Filters and functions of templates: initials, tones, the mark of a channel."""

from __future__ import annotations

import zlib
from functools import lru_cache

from flask import current_app
from markupsafe import Markup

from host.sdk.channel import ChannelMark

TONES = 6
UNKNOWN_MARK = ChannelMark(text="?", tone=6)


@lru_cache(512)
def icon(name: str, size: str = "", /, **attributes: str) -> Markup:
    """Return an icon of the sprite. Kept, since a page has a hundred of a few dozen.

    :param size: a class more; ``class`` in *attributes* is the same by name.
    """
    more = attributes.get("class", size)
    return Markup('<svg class="ic{}" aria-hidden="true"><use href="#i-{}"/></svg>').format(
        f" {more}" if more else "", name
    )


def initials(name: str) -> str:
    """Return one or two letters that stand for *name*."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return letters.upper()


def tone(key: object) -> int:
    """Return the tone, 1 to 6, that *key* always has."""
    if isinstance(key, int):
        return key % TONES + 1
    return zlib.crc32(str(key).encode()) % TONES + 1


def mark_of(key: str) -> tuple[ChannelMark, str]:
    """Return the mark and the label of the channel *key*; neutral ones if no active addon brings it."""
    adapter = current_app.extensions["lobby.generation"].directory.adapter(key)
    if adapter is None:
        text = "".join(character for character in key if character.isalnum())[:2].upper()
        return ChannelMark(text=text or UNKNOWN_MARK.text, tone=UNKNOWN_MARK.tone), key
    return adapter.mark, adapter.label
