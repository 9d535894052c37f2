"""Build an addon's zip from its folder, identical on every machine."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from host.addons.package import archive, manifest, signing
from host.addons.package.archive import ArchiveError
from host.addons.package.keys import PrivateKey

_LEFT_OUT = frozenset(
    {"__pycache__", "tests", "dist", "build", "node_modules", signing.FILES, signing.SIGNATURE}
)
_DATE = (1980, 1, 1, 0, 0, 0)


def build_addon(source: Path, target: Path) -> str:
    """Write the zip of the addon in *source* to *target* and return its SHA-256.

    Entries are uncompressed, sorted, dated 1980-01-01, mode 0644; caches, tests and hidden files are left
    out.

    :raises ArchiveError: if the result is not an addon this host would accept; *target* is then removed.
    """
    contents = {path.relative_to(source).as_posix(): path.read_bytes() for path in sources(source)}
    return _write(contents, target)


def sign_addon(path: Path, key: PrivateKey) -> str:
    """Sign the addon's zip at *path* in place; return its new SHA-256, which is the same for the same key.

    An earlier signature is replaced. If ``SHA256SUMS`` in the same folder lists the zip, that line is
    updated.

    :raises ArchiveError: if it is not an addon this host would accept; it is then unchanged.
    """
    found = archive.inspect(path)
    data = path.read_bytes()
    contents = {e.name: archive.content(data, e) for e in found.entries if not e.is_folder}
    signed = {**contents, **signing.sign(found.manifest, contents, key)}
    digest = _write(signed, path)
    sums = path.with_name("SHA256SUMS")
    if sums.exists() and f"  {path.name}\n" in sums.read_text():
        _list(sums, path.name, digest)
    return digest


def _write(contents: Mapping[str, bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as zipped:
            for name, data in sorted(contents.items()):
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = 0o100644 << 16
                info.create_system = 3
                zipped.writestr(info, data)
        archive.inspect(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def build_release(source: Path, folder: Path) -> tuple[Path, str]:
    """Build ``<slug>-addon-v<version>.zip`` into *folder* and list it in ``SHA256SUMS`` there.

    :raises ArchiveError: as in :func:`build_addon`.
    """
    try:
        found = manifest.read_manifest(source)
    except manifest.ManifestError as error:
        raise ArchiveError(*error.problems) from error
    target = folder / f"{found.slug}-addon-v{found.version}.zip"
    digest = build_addon(source, target)
    _list(folder / "SHA256SUMS", target.name, digest)
    return target, digest


def _list(sums: Path, name: str, digest: str) -> None:
    lines = sums.read_text().splitlines() if sums.exists() else []
    kept = [line for line in lines if not line.endswith(f"  {name}")]
    sums.write_text("\n".join(sorted([*kept, f"{digest}  {name}"], key=lambda line: line[66:])) + "\n")


def sources(source: Path) -> list[Path]:
    """Return the files of the folder *source* that go into the zip, by name."""
    found = []
    for path in source.rglob("*"):
        parts = path.relative_to(source).parts
        hidden = any(part.startswith(".") or part in _LEFT_OUT for part in parts)
        if path.is_file() and not hidden and path.suffix not in {".pyc", ".pyo"}:
            found.append(path)
    return sorted(found, key=lambda path: path.relative_to(source).as_posix())
