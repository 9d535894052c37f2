"""The desk's colour in both themes, adjusted so that text on and in it is readable (4.5 to 1)."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

ENOUGH = 4.5
_HEX = re.compile(r"#[0-9a-f]{6}")
_WHITE, _BLACK = "#ffffff", "#000000"
_LIGHT_SURFACES = ("#ffffff", "#f3f5f4", "#eef2f0")
_DARK_SURFACES = ("#141a19", "#1a2221", "#1f2827")
"""Backgrounds of text in the accent colour: surface, page, and hover."""
_ON_DARK = "#04110f"
_STEPS = 50


class Palette(msgspec.Struct, frozen=True):
    """The adjusted colours for a chosen one.

    :param light: the accent of the light theme, *dark* of the dark one.
    :param contrast: contrast of white on the chosen colour.
    """

    chosen: str
    light: str
    dark: str
    contrast: float
    css: str


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ``#rrggbb``, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def palette(colour: str) -> Palette:
    """Return the palette of *colour*.

    :raises ValueError: if it is not ``#rrggbb`` in lower case.
    """
    if not _HEX.fullmatch(colour):
        raise ValueError("a colour is #rrggbb")
    light = _moved(colour, _BLACK, lambda one: all(contrast(one, on) >= ENOUGH for on in _LIGHT_SURFACES))
    soft = mixed(light, _WHITE, 0.87)
    ink = _moved(light, _BLACK, lambda one: contrast(one, soft) >= ENOUGH)
    dark = _moved(
        colour,
        _WHITE,
        lambda one: all(contrast(one, on) >= ENOUGH for on in (*_DARK_SURFACES, _ON_DARK)),
    )
    dark_soft = mixed(dark, _DARK_SURFACES[0], 0.82)
    dark_ink = _moved(dark, _WHITE, lambda one: contrast(one, dark_soft) >= ENOUGH)
    themes = (
        (
            ':root, [data-bs-theme="light"]',
            {
                "accent": light,
                "accent-hover": mixed(light, _BLACK, 0.2),
                "on-accent": _WHITE,
                "accent-soft": soft,
                "accent-line": mixed(light, _WHITE, 0.6),
                "accent-ink": ink,
            },
        ),
        (
            '[data-bs-theme="dark"]',
            {
                "accent": dark,
                "accent-hover": mixed(dark, _WHITE, 0.25),
                "on-accent": _ON_DARK,
                "accent-soft": dark_soft,
                "accent-line": mixed(dark, _DARK_SURFACES[0], 0.6),
                "accent-ink": dark_ink,
            },
        ),
    )
    css = "\n".join(
        f"{where} {{ {' '.join(f'--{name}: {value};' for name, value in tokens.items())} }}"
        for where, tokens in themes
    )
    return Palette(colour, light, dark, contrast(colour, _WHITE), css + "\n")


def mixed(one: str, other: str, part: float) -> str:
    """Return *one* with *part* of it, from 0 to 1, replaced by *other*."""
    return "#" + "".join(
        f"{round(a + (b - a) * part):02x}" for a, b in zip(_channels(one), _channels(other), strict=True)
    )


def _moved(colour: str, towards: str, fits: Callable[[str], bool]) -> str:
    """Return the colour nearest to *colour*, in the direction of *towards*, that *fits*."""
    for step in range(_STEPS + 1):
        moved = mixed(colour, towards, step / _STEPS)
        if fits(moved):
            return moved
    return towards


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
