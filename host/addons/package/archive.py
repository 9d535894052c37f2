"""Read an addon's zip by strict rules: an unusual file is refused, nothing is repaired.

The standard library's ``zipfile`` is not used: it rewrites hostile names and trusts forged sizes, and if a
file contains two archives, it may not read the one that a scanner reads.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from host.addons.package import manifest as manifests
from host.addons.package import signing, zipdirectory
from host.addons.package.archive_rules import (
    ancestor_problem,
    content_problem,
    icon_problem,
    layout_problems,
    name_problem,
    names_problem,
)
from host.addons.package.manifest import Manifest, ManifestError
from host.addons.package.signing import SignatureError
from host.addons.package.zipdirectory import Entry, ZipError

MAX_ZIP = 20 * 1024 * 1024
MAX_ENTRY = 20 * 1024 * 1024
MAX_TOTAL = 100 * 1024 * 1024
MAX_ENTRIES = 2_000
MAX_SOURCE = 1024 * 1024
MAX_RATIO = 100
RATIO_FROM = 1024 * 1024

_CHUNK = 64 * 1024
_READ = {
    manifests.FILE_NAME: manifests.MAX_BYTES,
    signing.FILES: signing.MAX_FILES,
    signing.SIGNATURE: signing.MAX_SIGNATURE,
}
"""Files read without running the addon, with the maximum size of each in bytes."""


class ArchiveError(Exception):
    """The zip is refused. Holds one plain sentence per problem."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Archive(msgspec.Struct, frozen=True):
    """A zip that passed every rule.

    :param files: path in the zip -> SHA-256 of its content.
    :param key: the public key it is signed with, in base64; empty without a valid signature.
    :param signature_problem: why its signature is not valid; empty if it is valid, or there is none.
    """

    path: Path
    sha256: str
    size: int
    manifest: Manifest
    entries: tuple[Entry, ...]
    files: Mapping[str, str]
    key: str = ""
    signature_problem: str = ""


def inspect(path: Path) -> Archive:
    """Read the whole zip at *path*; write nothing, run nothing.

    :raises ArchiveError: for anything that is not a well-formed addon.
    """
    try:
        return _inspect(path)
    except ArchiveError:
        raise
    except ManifestError as error:
        raise ArchiveError(*(f"{problem}." for problem in error.problems)) from error
    except ZipError as error:
        raise ArchiveError(str(error)) from error
    except Exception as error:
        raise ArchiveError("The file cannot be read as a zip.") from error


def extract(found: Archive, target: Path) -> None:
    """Write the files of *found* into the new folder *target* and flush them to disk.

    :raises ArchiveError: if the zip is not the one that was inspected; *target* is then incomplete, and the
        caller has to delete it.
    """
    data = found.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != found.sha256:
        raise ArchiveError("The zip changed while it was being installed.")
    target.mkdir(mode=0o755)
    folders = {target}
    for entry in found.entries:
        place = target.joinpath(*entry.name.split("/"))
        folder = place if entry.is_folder else place.parent
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        folders.update(parent for parent in (folder, *folder.parents) if parent.is_relative_to(target))
        if entry.is_folder:
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(place, flags, 0o644), "wb") as file:
            for chunk in _content(data, entry):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def content(data: bytes, entry: Entry) -> bytes:
    """Return the content of one entry of the zip *data*, an entry that :func:`inspect` accepted."""
    return b"".join(_content(data, entry))


def _inspect(path: Path) -> Archive:
    size = path.stat().st_size
    if size > MAX_ZIP:
        raise ArchiveError(f"The zip is larger than {MAX_ZIP // 1024 // 1024} MB.")
    data = path.read_bytes()
    entries = zipdirectory.entries(data, max_entries=MAX_ENTRIES)
    _refuse_first(entries, name_problem)
    misplaced = names_problem([entry.name for entry in entries]) or ancestor_problem(entries)
    if misplaced:
        raise ArchiveError(misplaced)
    _refuse_first(entries, _size_problem)
    total = sum(entry.size for entry in entries)
    if total > MAX_TOTAL:
        raise ArchiveError(f"Unpacked it would be larger than {MAX_TOTAL // 1024 // 1024} MB.")
    if total > MAX_ENTRY and total > MAX_RATIO * size:
        raise ArchiveError(f"Its files are packed {total // size} times smaller than they are.")
    files: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for entry in entries:
        if entry.is_folder:
            continue
        digest = hashlib.sha256()
        head = b""
        for chunk in _content(data, entry):
            digest.update(chunk)
            head = head or chunk[:8]
            if entry.name in _READ:
                kept[entry.name] = kept.get(entry.name, b"") + chunk
        wrong = content_problem(entry.name, head)
        if wrong:
            raise ArchiveError(wrong)
        files[entry.name] = digest.hexdigest()
    if manifests.FILE_NAME not in kept:
        raise ArchiveError(_no_manifest(files))
    manifest = manifests.parse(kept[manifests.FILE_NAME])
    problems = layout_problems(manifest, files)
    if manifest.icon:
        picture = next((content(data, entry) for entry in entries if entry.name == manifest.icon), None)
        problems += filter(None, [icon_problem(manifest.icon, picture)])
    if problems:
        raise ArchiveError(*problems)
    sizes = {entry.name: entry.size for entry in entries if not entry.is_folder}
    key, problem = signed_by(manifest, files, sizes, kept)
    return Archive(
        path, hashlib.sha256(data).hexdigest(), size, manifest, tuple(entries), files, key, problem
    )


def signed_by(
    manifest: Manifest, files: Mapping[str, str], sizes: Mapping[str, int], contents: Mapping[str, bytes]
) -> tuple[str, str]:
    """Return the key that signed an addon with these files, or why its signature is invalid.

    :param contents: the bytes of the two signature files, as far as they exist.
    """
    try:
        key = signing.verify(
            manifest, files, sizes, contents.get(signing.FILES), contents.get(signing.SIGNATURE)
        )
    except SignatureError as error:
        return "", str(error)
    return ("" if key is None else key.text), ""


def _refuse_first(entries: list[Entry], rule: Callable[[Entry], str | None]) -> None:
    for entry in entries:
        problem = rule(entry)
        if problem:
            raise ArchiveError(problem)


def _size_problem(entry: Entry) -> str | None:
    limit = _READ.get(entry.name, MAX_ENTRY)
    if entry.name.endswith(".py"):
        limit = MAX_SOURCE
    if entry.size > limit:
        return f"{entry.name} is larger than {limit // 1024} KB."
    if entry.size > RATIO_FROM and entry.size > MAX_RATIO * max(entry.packed, 1):
        return f"{entry.name} is packed {entry.size // max(entry.packed, 1)} times smaller than it is."
    return None


def _no_manifest(files: Mapping[str, str]) -> str:
    inside = next((name for name in files if name.endswith(f"/{manifests.FILE_NAME}")), None)
    if inside:
        return f"{inside} must be at the top of the zip, not in a folder."
    return "There is no addon.toml in it, so it is not an addon."


def _content(data: bytes, entry: Entry) -> Iterator[bytes]:
    """Yield the content of *entry* while checking its real size and checksum.

    :raises ArchiveError: as soon as it is larger than declared, or at its end if it is smaller or differs.
    """
    packed = memoryview(data)[entry.start : entry.start + entry.packed]
    total = crc = 0
    for chunk in _inflate(packed) if entry.deflated else _slices(packed):
        total += len(chunk)
        if total > entry.size:
            raise ArchiveError(f"{entry.name} is larger than the zip says.")
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if total != entry.size:
        raise ArchiveError(f"{entry.name} is not as large as the zip says.")
    if crc != entry.crc:
        raise ArchiveError(f"{entry.name} is damaged: its checksum differs.")


def _slices(packed: memoryview) -> Iterator[bytes]:
    for start in range(0, len(packed), _CHUNK):
        yield bytes(packed[start : start + _CHUNK])


def _inflate(packed: memoryview) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pending = bytes(packed)
    while not inflater.eof:
        chunk = inflater.decompress(pending, _CHUNK)
        pending = inflater.unconsumed_tail
        if chunk:
            yield chunk
        elif not pending:
            break
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError("A file in the zip does not end where the zip says.")
