"""Describe the browser of a User-Agent header in words, and name the keys of its keyboard.

The header is only a claim by the browser.
"""

from __future__ import annotations

import msgspec
from flask import request
from flask_babel import gettext as _
from flask_babel import pgettext

# The first match wins: nearly every browser also names others, for compatibility.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_HANDHELD = frozenset({"iPhone", "iPad", "Android"})


class Device(msgspec.Struct, frozen=True):
    """A browser and its system, in words.

    :param icon: its name in the sprite.
    """

    words: str
    icon: str


def device_of(user_agent: str) -> Device:
    """Return the browser and system in *user_agent*, as far as they are known."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        words = str(_("%(browser)s on %(system)s", browser=browser, system=system))
    else:
        words = browser or system or str(_("A browser"))
    return Device(words, "phone" if system in _HANDHELD else "laptop")


def key_caps(*keys: str) -> tuple[str, ...]:
    """Return the labels of *keys*, pressed together, on the keyboard of this request's device.

    :param keys: ``Ctrl`` and ``Shift`` before others; on a Mac, ``Ctrl`` is the command key.
    """
    if _on_a_mac():
        symbols = {"Shift": "⇧", "Ctrl": "⌘"}  # in Apple's order
        return (
            *(symbol for name, symbol in symbols.items() if name in keys),
            *(k for k in keys if k not in symbols),
        )
    names = {"Ctrl": pgettext("key", "Ctrl"), "Shift": pgettext("key", "Shift")}
    return tuple(str(names.get(key, key)) for key in keys)


def shown_keys(*keys: str) -> str:
    """Return :func:`key_caps` in one word, for a hint."""
    return ("" if _on_a_mac() else " + ").join(key_caps(*keys))


def _on_a_mac() -> bool:
    return "Mac OS X" in request.headers.get("User-Agent", "")
