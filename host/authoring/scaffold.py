"""Write a new addon: a renamed copy of one of the starters next to this module."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from flask_babel import gettext as _

from host.addons.package import shipped

STARTER = Path(__file__).resolve().parent / "starter"
KINDS = {
    "channel": ("provider", "channel"),
    "panel": ("provider", "panel"),
    "automation": ("automation",),
}
"""The kinds of addon to start from: the folders of the starter whose files each has."""
_COMMON = STARTER / "common" / "README.md"
_NAME = re.compile(r"[a-z][a-z0-9]{2,40}")
_OWN = "pigeon"


class NotNamedError(ValueError):
    """The name is invalid, or the folder already exists. The message is one sentence."""


def create(slug: str, folder: Path, kind: str = "channel") -> list[Path]:
    """Write the starter as the addon *slug* into the new folder *folder*; return its files.

    :param kind: one of :data:`KINDS`.
    :raises NotNamedError: if *slug* cannot be the name of an addon, or *folder* exists already.
    """
    if not _NAME.fullmatch(slug) or keyword.iskeyword(slug):
        raise NotNamedError(_("The name is 3 to 41 lower-case letters and digits, a letter first."))
    if slug in shipped.slugs():
        raise NotNamedError(_("%(name)s is the name of an addon that comes with Lobby.", name=slug))
    if folder.exists():
        raise NotNamedError(_("%(folder)s is there already; nothing was written.", folder=str(folder)))
    written = []
    for name, source in sorted(_sources(kind)):
        target = folder / _renamed(name, slug)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text() + (_COMMON.read_text() if name == _COMMON.name else "")
        target.write_text(_renamed(text, slug))
        written.append(target)
    return written


def _sources(kind: str) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file of *kind* in the new addon, and its source."""
    for part in KINDS[kind]:
        for source in (STARTER / part).rglob("*"):
            name = source.relative_to(STARTER / part).as_posix()
            if source.is_file() and "__pycache__" not in name:
                yield name, source


def _renamed(text: str, slug: str) -> str:
    text = text.replace('text = "PI"', f'text = "{slug[:2].upper()}"').replace(
        'text="PI"', f'text="{slug[:2].upper()}"'
    )
    return text.replace(_OWN, slug).replace(_OWN.title(), slug.title())
