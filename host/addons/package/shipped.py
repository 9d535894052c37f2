"""The addons included in this release: zips in ``dist/``, identified by their hash.

Anyone who can write there can also change the desk's own code, so these need no signature. An installed Lobby
has the folder inside its package.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

import host
from host.addons.package import archive
from host.addons.package.archive import ArchiveError
from host.addons.package.manifest import Manifest
from host.addons.package.translated import CATALOGUE, AddonTexts, read_texts

_PACKAGE = Path(host.__file__).resolve().parent
_INSIDE = _PACKAGE / "_dist"
FOLDER = _INSIDE if _INSIDE.is_dir() else _PACKAGE.parent / "dist"
SUMS = "SHA256SUMS"


class Shipped(msgspec.Struct, frozen=True):
    """An addon included in the release.

    :param texts: its name and description by language.
    """

    path: Path
    sha256: str
    manifest: Manifest
    texts: Mapping[str, AddonTexts]


_read: dict[tuple[Path, str, int], Shipped | None] = {}


def hashes(folder: Path | None = None) -> dict[str, str]:
    """Return the hashes of the zips that come with this release, each with the name of its file."""
    try:
        lines = ((folder or FOLDER) / SUMS).read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("  ", 1) for line in lines if "  " in line)
    return {found[0]: found[1] for found in pairs}


def slugs() -> dict[str, str]:
    """Return the hash of each addon that comes with this release, by slug; no zip is read."""
    return {Path(name).name.partition("-addon-v")[0]: digest for digest, name in hashes().items()}


def addons(folder: Path | None = None) -> list[Shipped]:
    """Return the intact addons that come with this release, by name."""
    where = folder or FOLDER
    found = []
    for digest, name in hashes(where).items():
        one = _shipped(where / Path(name).name, digest)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda one: one.manifest.name)


def _shipped(path: Path, digest: str) -> Shipped | None:
    try:
        key = (path, digest, path.stat().st_mtime_ns)
    except OSError:
        return None
    if key not in _read:
        try:
            found = archive.inspect(path)
        except (ArchiveError, OSError):
            _read[key] = None
        else:
            fits = found.sha256 == digest
            _read[key] = Shipped(path, digest, found.manifest, _texts(found)) if fits else None
    return _read[key]


def _texts(found: archive.Archive) -> dict[str, AddonTexts]:
    data = found.path.read_bytes()
    named = [one for one in found.entries if CATALOGUE.fullmatch(one.name)]
    return read_texts(found.manifest, {one.name: archive.content(data, one) for one in named})
