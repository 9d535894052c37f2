"""Store accepted zips: their bytes in the database, their files unpacked on each machine."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.package import archive, signing
from host.addons.package.archive import Archive
from host.addons.package.failures import AddonError
from host.addons.package.manifest import Manifest, from_dict, to_dict
from host.addons.package.translated import CATALOGUE, AddonTexts, read_texts
from host.core import db
from host.core.filelock import file_lock
from host.models.addons import AddonArchivePart, AddonRelease, AddonState
from host.sdk.i18n import noop

PART = 1024 * 1024
_LOCK = "lock"


class Release(msgspec.Struct, frozen=True):
    """One accepted zip, as a plain value."""

    id: int
    manifest: Manifest
    sha256: str
    size: int
    files: Mapping[str, str]
    uploaded_at: datetime
    public_key: str = ""
    signature_problem: str = ""

    @property
    def slug(self) -> str:
        return self.manifest.slug

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def folder_name(self) -> str:
        return f"{self.slug}-{self.version}-{self.sha256[:12]}"


def as_release(row: AddonRelease) -> Release:
    """Return *row* as a plain value."""
    return Release(
        id=row.id,
        manifest=from_dict(row.manifest),
        sha256=row.sha256,
        size=row.size,
        files=row.files,
        uploaded_at=row.uploaded_at,
        public_key=row.public_key,
        signature_problem=row.signature_problem,
    )


def save(session: Session, found: Archive, *, user_id: int | None, now: datetime) -> AddonRelease:
    """Store an accepted zip; the same bytes are stored once."""
    known = session.scalar(
        sa.select(AddonRelease).where(
            AddonRelease.slug == found.manifest.slug, AddonRelease.sha256 == found.sha256
        )
    )
    if known is not None:
        return known
    row = AddonRelease(
        slug=found.manifest.slug,
        version=found.manifest.version,
        sha256=found.sha256,
        size=found.size,
        manifest=to_dict(found.manifest),
        files=dict(found.files),
        public_key=found.key,
        signature_problem=found.signature_problem[:500],
        uploaded_by=user_id,
        uploaded_at=now,
    )
    session.add(row)
    session.flush()
    with found.path.open("rb") as file:
        position = 0
        while body := file.read(PART):
            session.execute(
                sa.insert(AddonArchivePart).values(release_id=row.id, position=position, body=body)
            )
            position += 1
    return row


def root(data: Path) -> Path:
    """Return the folder addons are unpacked into."""
    return data / "addons"


@contextmanager
def scratch(data: Path) -> Iterator[Path]:
    """Yield a new folder on the same disk as the addons; it is always deleted afterwards.

    It is locked meanwhile: other processes delete unlocked folders when they start.
    """
    staging = root(data) / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(dir=staging))
        lock = folder / _LOCK
        with file_lock(lock) as free:
            if not free or not lock.exists():
                continue  # another process deleted it before it was locked
            work = folder / "work"
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


def clean(data: Path) -> None:
    """Delete leftovers of killed processes in staging; folders in use by others stay."""
    for leftover in staged(data):
        with file_lock(leftover / _LOCK) as free:
            if free:
                shutil.rmtree(leftover, ignore_errors=True)


def staged(data: Path) -> list[Path]:
    """Return the contents of staging: of an operation that runs, or that was killed."""
    staging = root(data) / "staging"
    return list(staging.iterdir()) if staging.is_dir() else []


def icon_of(data: Path, release: Release) -> str:
    """Return the icon of *release* as a ``data:`` address; empty if it has none, or is not unpacked.

    A page shows it by ``<img>``, where no script of an SVG runs and nothing else is loaded.
    """
    name = release.manifest.icon
    if not name:
        return ""
    try:
        picture = (root(data) / release.folder_name / name).read_bytes()
    except OSError:
        return ""
    if hashlib.sha256(picture).hexdigest() != release.files.get(name):
        return ""
    kind = "image/png" if name.endswith(".png") else "image/svg+xml"
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def texts_of(data: Path, release: Release) -> Mapping[str, AddonTexts]:
    """Return name and description of *release* by language; empty if it is not unpacked."""
    folder, found = root(data) / release.folder_name, {}
    for name, digest in release.files.items():
        if CATALOGUE.fullmatch(name) is None:
            continue
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == digest:
            found[name] = content
    return read_texts(release.manifest, found)


def materialise(data: Path, release: Release, *, heal: bool = False) -> Path:
    """Return the folder with exactly the files of *release*, unpacking them if they are missing.

    A folder with changed or added files is refused. Several processes may do this at once.

    :param heal: move such a folder aside, where an admin may inspect it, and unpack the release again;
        only when an admin asks for it.
    :raises AddonError: with the state ``modified`` if the files, or the bytes in the database, differ from
        the accepted ones.
    """
    base = root(data)
    for attempt in range(1, 6):
        folder = base / (release.folder_name if attempt == 1 else f"{release.folder_name}-{attempt}")
        if not folder.is_dir():
            _unpack(data, release, folder)
        difference = compare(folder, release.files)
        if not difference:
            return folder
        if any(not what.endswith(" is missing") for what in difference):
            if heal:
                _set_aside(data, folder)
                _unpack(data, release, folder)
                return folder
            raise AddonError(
                noop("Its files on disk differ from the installed ones."),
                state=AddonState.MODIFIED,
                detail=", ".join(difference[:5]),
            )
    raise AddonError(noop("Its files keep disappearing from the data folder."), state=AddonState.MODIFIED)


def check_signature(folder: Path, release: Release) -> None:
    """Check the signature in *folder* against the files of *release*.

    :raises AddonError: with the state ``modified`` if it is not one of exactly these files by the same key.
    """
    names = (signing.FILES, signing.SIGNATURE)
    contents = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    sizes = {name: (folder / name).stat().st_size for name in release.files}
    key, problem = archive.signed_by(release.manifest, release.files, sizes, contents)
    if problem or key != release.public_key:
        raise AddonError(
            noop("Its files differ from those the publisher signed."),
            state=AddonState.MODIFIED,
            detail=problem,
        )


def _set_aside(data: Path, folder: Path) -> None:
    aside = root(data) / "set-aside"
    aside.mkdir(exist_ok=True)
    os.rename(folder, aside / f"{folder.name}-{uuid.uuid4().hex[:8]}")


def compare(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return the differences between *folder* and *files* (path -> SHA-256), one phrase each."""
    difference: list[str] = []
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            difference.append(f"{name} is a link")
        elif path.is_file():
            seen.add(name)
            if name not in files:
                difference.append(f"{name} was added")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != files[name]:
                difference.append(f"{name} was changed")
    difference.extend(f"{name} is missing" for name in sorted(set(files) - seen))
    return difference


def _unpack(data: Path, release: Release, folder: Path) -> None:
    with scratch(data) as work:
        zipped = work / "release.zip"
        digest = hashlib.sha256()
        with zipped.open("wb") as file:
            for body in _parts(release.id):
                digest.update(body)
                file.write(body)
        if digest.hexdigest() != release.sha256:
            raise AddonError(
                noop("Its zip in the database is damaged; upload it again."), state=AddonState.MODIFIED
            )
        # A unique name: renaming onto a folder that another process just made must fail, not nest.
        unpacked = work / uuid.uuid4().hex
        archive.extract(archive.inspect(zipped), unpacked)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(unpacked, folder)
        except OSError:
            if not folder.is_dir():
                raise
            return  # another process was first; its folder is compared like ours
        _sync(folder.parent)


def _parts(release_id: int) -> Iterator[bytes]:
    query = (
        sa.select(AddonArchivePart.body)
        .where(AddonArchivePart.release_id == release_id)
        .order_by(AddonArchivePart.position)
    )
    with db.read() as session:
        yield from session.scalars(query)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget_unused(data: Path, keep: set[str]) -> None:
    """Delete unpacked folders whose name is not in *keep*; the database still has the bytes."""
    base = root(data)
    for folder in base.iterdir() if base.is_dir() else ():
        known = any(folder.name == name or folder.name.startswith(f"{name}-") for name in keep)
        if folder.is_dir() and folder.name not in {"staging", "set-aside"} and not known:
            shutil.rmtree(folder, ignore_errors=True)
