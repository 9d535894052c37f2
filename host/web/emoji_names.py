"""Emoji with their names, for a picker: from the package ``emoji``, with the names of Unicode's CLDR."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

_FULL = 2
"""The status of a fully qualified emoji, as every keyboard sends it."""
NEWEST = 15.1
"""The newest Unicode emoji version on offer, which devices of recent years support."""
_SKIN = range(0x1F3FB, 0x1F400)

GROUPS: Mapping[str, tuple[LazyString, str]] = {
    "faces": (
        _l("Faces and hearts"),
        "1F600-1F637 1F641-1F644 263A 2639 1F910-1F917 1F920-1F925 1F927-1F92F 1F970-1F97A 1F9D0"
        " 1FAE0-1FAE8 2764 1FA75-1FA77 1F9E1 1F49A-1F49C 1F90D-1F90E 1F5A4 1F493-1F499 1F49D-1F49F"
        " 2763 1F48B-1F48C 1F4AF 1F4A2-1F4A5 1F4AB-1F4AD 1F480 1F47B-1F47F 1F479-1F47A 1F4A9"
        " 1F638-1F640 1F648-1F64A",
    ),
    "people": (
        _l("Hands and people"),
        "1F44D-1F44F 1F64C 1F64F 1F44B 1F91D 1F4AA 1F446-1F44C 261D 270A-270D 1F590 1F595-1F596"
        " 1F918-1F91F 1F90C 1F90F 1FAF0-1FAF8 1F645-1F647 1F64B 1F64D-1F64E 1F926 1F937 1F440-1F445"
        " 1F463-1F478 1F481-1F487 1F930-1F936 1F9B4-1F9BB 1F9CD-1F9DF 1F9E0 1F483 1F57A 1F574-1F575"
        " 1F5E3 1F385 1FAC0-1FAC5 1FAE6",
    ),
    "nature": (
        _l("Animals and plants"),
        "1F400-1F43F 1F980-1F9AE 1F577-1F578 1F54A 1F331-1F335 1F337-1F344 1FAB0-1FABF 1FACE-1FACF"
        " 1F490 1F4AE 2618 1F308 1F30A 1F315-1F320 1F324-1F32C 1F311-1F314 2600-2604 2614 26A1 2744"
        " 26C4-26C8 2B50 1F525 1F4A6-1F4A8",
    ),
    "food": (
        _l("Food and drink"),
        "1F345-1F37F 1F32D-1F330 1F336 1F950-1F96F 1F9C0-1F9CB 1FAD0-1FADB 2615 1F382 1F942-1F944",
    ),
    "travel": (
        _l("Travel and places"),
        "1F680-1F6FC 1F3D4-1F3DF 1F3E0-1F3F0 1F5FA-1F5FF 1F300-1F30C 1F30D-1F310 2708 26F0-26F5 26FA"
        " 26FD 26EA 26E9 2693 1F54B-1F54D 1F5FB 231A-231B 23F0-23F3 1F550-1F567 1F570",
    ),
    "play": (
        _l("Festivals, sport and play"),
        "1F380-1F384 1F386-1F393 1F396-1F397 1F39F-1F3D3 1F3F8-1F3FA 1F93A-1F945 1F947-1F94F"
        " 26BD-26BE 26F3 26F7-26F9 1F3AE 1F004 1F0CF 2660-2666 265F 1FA70-1FA74 1FA80-1FA88 1F9E9"
        " 1F9F8",
    ),
    "things": (
        _l("Things"),
        "1F4B0-1F4FF 1F451-1F462 1F484 1F488-1F48A 1F48D-1F48F 1F4A1 1F4A3 1F500-1F53D 1F56F-1F573"
        " 1F576 1F579 1F587-1F58D 1F5A5-1F5FA 1F9AF 1F9BC-1F9BF 1F9E2-1F9FF 1F97B-1F97F 1FA78-1FA7C"
        " 1FA90-1FAAF 1F394-1F39E 260E 2328 2702 2709 270F 2712 2692 2694-2697 2699 26B0-26B1 26CF"
        " 26D1 26D3 1F4AC",
    ),
    "flags": (_l("Flags"), "1F1E6-1F1FF 1F3F3-1F3F4 1F38C 1F6A9"),
    "signs": (_l("Signs"), "0-10FFFF"),
}
"""Groups of the picker, which the package lacks: a name, and ranges of first characters in display order."""


@cache
def _places() -> list[tuple[int, int, str, int]]:
    """Return each range with its group and its position in it."""
    found = []
    for key, (_name, ranges) in GROUPS.items():
        for place, one in enumerate(ranges.split()):
            first, _hyphen, last = one.partition("-")
            found.append((int(first, 16), int(last or first, 16), key, place))
    return found


def _data(name: str) -> Any:
    # Read the package's files directly: the package itself keeps them all in memory, 8 MB in every process.
    path = distribution("emoji").locate_file(f"emoji/unicode_codes/{name}.json")
    with open(str(path), encoding="utf-8") as file:
        return json.load(file)


@cache
def table(language: str) -> bytes:
    """Return the emoji of the picker as JSON, with their names in *language* and their search words.

    A language without names gets the English ones.
    """
    known = _data("emoji")
    try:
        local = _data(f"emoji_{language}") if language.isalpha() and language != "en" else {}
    except FileNotFoundError:
        local = {}
    groups: dict[str, list[tuple[Any, list[str]]]] = {key: [] for key in GROUPS}
    for char, about in known.items():
        if about["status"] != _FULL or about["E"] > NEWEST or any(ord(one) in _SKIN for one in char):
            continue
        english = _words(about["en"])
        name = _words(local.get(char, "")) or english
        others = [_words(one) for one in about.get("alias", ())]
        found_by = dict.fromkeys(" ".join([name, english, *others]).casefold().split())
        code = ord(char[0])
        key, place = next((key, place) for first, last, key, place in _places() if first <= code <= last)
        groups[key].append(((place, [ord(one) for one in char]), [char, name, " ".join(found_by)]))
    shown = {
        key: [one for _place, one in sorted(some, key=lambda each: each[0])] for key, some in groups.items()
    }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _words(name: str) -> str:
    """Return a name in plain words: the package has ``:red_heart:``."""
    return name.strip(":").replace("_", " ")
