"""Write a new addon: a renamed copy of the starter next to this module."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from flask_babel import gettext as _

from host.addons.package import shipped

STARTER = Path(__file__).resolve().parent / "starter"
_NAME = re.compile(r"[a-z][a-z0-9]{2,40}")
_OWN = "pigeon"


class NotNamedError(ValueError):
    """The name is invalid, or the folder already exists. The message is one sentence."""


def create(slug: str, folder: Path) -> list[Path]:
    """Write the starter as the addon *slug* into the new folder *folder*; return its files.

    :raises NotNamedError: if *slug* cannot be the name of an addon, or *folder* exists already.
    """
    if not _NAME.fullmatch(slug) or keyword.iskeyword(slug):
        raise NotNamedError(_("The name is 3 to 41 lower-case letters and digits, a letter first."))
    if slug in shipped.slugs():
        raise NotNamedError(_("%(name)s is the name of an addon that comes with Lobby.", name=slug))
    if folder.exists():
        raise NotNamedError(_("%(folder)s is there already; nothing was written.", folder=str(folder)))
    written = []
    for source in sorted(STARTER.rglob("*")):
        name = source.relative_to(STARTER).as_posix()
        if not source.is_file() or "__pycache__" in name:
            continue
        target = folder / _renamed(name, slug)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_renamed(source.read_text(), slug))
        written.append(target)
    return written


def _renamed(text: str, slug: str) -> str:
    text = text.replace('text = "PI"', f'text = "{slug[:2].upper()}"').replace(
        'text="PI"', f'text="{slug[:2].upper()}"'
    )
    return text.replace(_OWN, slug).replace(_OWN.title(), slug.title())
