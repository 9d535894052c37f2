"""Say in words which browser a User-Agent header stands for, and how its keyboard names the keys that undo.

The header is what the browser says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_babel import gettext as _

# The first that fits: nearly every browser names others too, so that pages made for those work.
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


@dataclass(frozen=True, slots=True)
class Device:
    """A browser and what it runs on, in words.

    :param icon: of the sprite.
    """

    words: str
    icon: str


def device_of(user_agent: str) -> Device:
    """Return the browser and system that *user_agent* names, as far as they are known."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        words = str(_("%(browser)s on %(system)s", browser=browser, system=system))
    else:
        words = browser or system or str(_("A browser"))
    return Device(words, "phone" if system in _HANDHELD else "laptop")


def undo_key() -> str:
    """Return the keys that undo something, as the keyboard of this request's device shows them."""
    on_a_mac = "Mac OS X" in request.headers.get("User-Agent", "")
    return "⌘Z" if on_a_mac else str(_("Ctrl + %(key)s", key="Z"))
