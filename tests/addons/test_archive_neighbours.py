"""Neighbours of valid zips: what is accepted means the same to every reader, the rest gets a sentence."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.addons.package import archive
from host.addons.package.archive import Archive, ArchiveError
from host.addons.package.build import build_addon
from tests.addons.conftest import TOY
from tests.addons.test_archive import CENTRAL, END, LOCAL

pytestmark = pytest.mark.slow

FIELDS = {
    LOCAL: ((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    CENTRAL: (
        *((4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2), (16, 4), (20, 4), (24, 4)),
        *((28, 2), (30, 2), (32, 2), (34, 2), (36, 2), (38, 4), (42, 4)),
    ),
    END: ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}
ODD = [0, 1, 2, 4, 7, 8, 9, 12, 14, 20, 22, 45, 46, 63, 0x800, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF]
ODD += [0x41ED0000, 0x81A40000, 0xA1FF0000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The toy as the builder writes it, deflated, and with folders and data descriptors."""
    path = tmp_path_factory.mktemp("seeds") / "toy.zip"
    build_addon(TOY, path)
    found = [path.read_bytes()]
    with zipfile.ZipFile(path) as old:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
            new.mkdir("toy")
            for name in old.namelist():
                new.writestr(name, old.read(name))
        found.append(packed.getvalue())
        stream = _Stream()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:  # type: ignore[arg-type]
            for name in old.namelist():
                new.writestr(name, old.read(name))
        found.append(bytes(stream.data))
    return found


class _Stream(io.RawIOBase):
    """A pipe: what is written to it gets data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def places(data: bytes, signature: bytes) -> list[int]:
    found, at = [], data.find(signature)
    while at >= 0:
        found.append(at)
        at = data.find(signature, at + 1)
    return found


def set_field(draw: Any, data: bytearray) -> None:
    """Give one field of one header another value, sometimes in both headers of the entry."""
    signature = draw(st.sampled_from(list(FIELDS)))
    found = places(data, signature)
    if not found:
        return
    at = draw(st.sampled_from(found))
    offset, size = draw(st.sampled_from(FIELDS[signature]))
    if at + offset + size > len(data):
        return
    value = draw(st.one_of(st.sampled_from(ODD), st.integers(0, 2**32 - 1))) % 2 ** (8 * size)
    data[at + offset : at + offset + size] = value.to_bytes(size, "little")


def set_byte(draw: Any, data: bytearray) -> None:
    data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))


def put_in(draw: Any, data: bytearray) -> None:
    at = draw(st.integers(0, len(data)))
    data[at:at] = draw(st.sampled_from([b"\0", b"PK", LOCAL, CENTRAL, END, b"\0" * 22, b"x" * 100]))


def take_out(draw: Any, data: bytearray) -> None:
    at = draw(st.integers(0, len(data) - 1))
    del data[at : at + draw(st.integers(1, 64))]


def copy_part(draw: Any, data: bytearray) -> None:
    """Repeat a stretch of the file somewhere else, as a second entry or a second directory would be."""
    found = places(data, draw(st.sampled_from([LOCAL, CENTRAL]))) or [0]
    start = draw(st.sampled_from(found))
    part = data[start : start + draw(st.sampled_from([46, 60, 120, 400]))]
    at = draw(st.sampled_from([*found, len(data)]))
    data[at:at] = part


def rename(draw: Any, data: bytearray) -> None:
    """Give an entry another name of the same length, in one place or in all."""
    old, new = draw(
        st.sampled_from(
            [
                (b"toy/addon.py", b"toy/../on.py"),
                (b"toy/addon.py", b"/oy/addon.py"),
                (b"toy/addon.py", b"toy/Addon.py"),
                (b"toy/addon.py", b"toy\\addon.py"),
                (b"toy/addon.py", b"toy/addon.p\0"),
                (b"toy/pages.py", b"toy/addon.py"),
                (b"static/toy.css", b"static/con.css"),
                (b"addon.toml", b"addon.TOML"),
            ]
        )
    )
    data[:] = data.replace(old, new, draw(st.sampled_from([1, 2, 9])))


def count_entries(draw: Any, data: bytearray) -> None:
    """Say in both counters of the end that there are more or fewer entries."""
    at = data.rfind(END)
    if 0 <= at <= len(data) - 22:
        count = struct.unpack_from("<H", data, at + 8)[0] + draw(st.sampled_from([-2, -1, 1, 2]))
        struct.pack_into("<HH", data, at + 8, count % 65536, count % 65536)


CHANGES = (set_field, set_field, set_byte, put_in, take_out, copy_part, rename, count_entries)


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_what_is_accepted_is_one_addon_to_every_reader(seeds: list[bytes], draw: st.DataObject) -> None:
    data = bytearray(draw.draw(st.sampled_from(seeds)))
    for _ in range(draw.draw(st.integers(1, 3))):
        if data:
            draw.draw(st.sampled_from(CHANGES))(draw.draw, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.zip"
        path.write_bytes(data)
        found = read(path)
        if isinstance(found, tuple):
            assert all(problem.isprintable() and problem.endswith((".", ")")) for problem in found), found
            assert [p.name for p in Path(folder).iterdir()] == ["upload.zip"]
            return
        archive.extract(found, Path(folder) / "ours")
        ours = contents(Path(folder) / "ours")
        assert set(ours) == set(found.files)
        for name, theirs in {"zipfile": by_zipfile(path), "unzip": by_unzip(path)}.items():
            assert theirs is None or theirs == ours, name


def read(path: Path) -> Archive | tuple[str, ...]:
    """Return the addon in the zip, or what is wrong with it."""
    try:
        return archive.inspect(path)
    except ArchiveError as error:
        assert error.problems, "a refusal without a reason"  # noqa: PT017
        return error.problems


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def by_zipfile(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {i.filename: zipped.read(i) for i in zipped.infolist() if not i.is_dir()}


def by_unzip(path: Path) -> dict[str, bytes] | None:
    if shutil.which("unzip") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        # 1: it was unpacked, with a warning: about a date there is not, or another system's attributes.
        done = subprocess.run(["unzip", "-qq", str(path), "-d", folder], capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return contents(Path(folder))
