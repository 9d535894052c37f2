"""Zips: a valid addon with one defect each. All are refused with a sentence, and nothing is left behind."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.addons.package import archive
from host.addons.package.archive import ArchiveError
from host.addons.package.build import build_addon
from tests.addons.conftest import TOY, MakeZip

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("valid") / "toy.zip"
    build_addon(TOY, path)
    return path.read_bytes()


def names_in(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        return zipped.namelist()


def rebuilt(
    data: bytes,
    *,
    add: dict[str, bytes] | None = None,
    drop: tuple[str, ...] = (),
    tweak: Callable[[zipfile.ZipInfo], None] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """Write the entries of *data* again, some added, dropped or described differently."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", method) as new:
        for entry in old.infolist():
            if entry.filename not in drop:
                info = zipfile.ZipInfo(entry.filename)
                info.external_attr = 0o100644 << 16
                info.compress_type = method
                new.writestr(info, old.read(entry))
        for name, content in (add or {}).items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.orig_filename = name
            info.external_attr = 0o100644 << 16
            info.compress_type = method
            if tweak:
                tweak(info)
            new.NameToInfo.pop(name, None)  # it would warn about writing a name twice
            new.writestr(info, content)
    return target.getvalue()


def with_file(name: str, content: bytes = b"x = 1\n", **options: object) -> Change:
    return lambda data: rebuilt(data, add={name: content}, **options)  # type: ignore[arg-type]


def with_mode(mode: int, name: str = "static/toy2.css") -> Change:
    def tweak(info: zipfile.ZipInfo) -> None:
        info.external_attr = mode << 16

    return lambda data: rebuilt(data, add={name: b"body"}, tweak=tweak)


def at(data: bytes, signature: bytes, offset: int, value: bytes, *, last: bool = True) -> bytes:
    """Overwrite *value* at *offset* of the last (or first) header with *signature*."""
    start = data.rindex(signature) if last else data.index(signature)
    return data[: start + offset] + value + data[start + offset + len(value) :]


CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def forged_size(data: bytes) -> bytes:
    """Say in both headers of the last entry that it is larger than it is."""
    size = struct.pack("<I", 5_000)
    return at(at(data, CENTRAL, 24, size), LOCAL, 22, size)


def forged_packed(data: bytes) -> bytes:
    return at(at(data, CENTRAL, 20, struct.pack("<I", 2**31)), LOCAL, 18, struct.pack("<I", 2**31))


def wrong_crc(data: bytes) -> bytes:
    return at(at(data, CENTRAL, 16, b"\1\2\3\4"), LOCAL, 14, b"\1\2\3\4")


def inflates_more(data: bytes) -> bytes:
    """An entry whose deflated data is longer than both headers say."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflater.compress(b"y" * 9_000) + deflater.flush()
    made = rebuilt(data, add={"static/long.css": b"y" * 9_000}, method=zipfile.ZIP_DEFLATED)
    assert packed in made
    small = struct.pack("<I", 100)
    return at(at(made, CENTRAL, 24, small), LOCAL, 22, small)


def overlapping(data: bytes) -> bytes:
    """Two entries of the directory that share the bytes of one."""
    end = data.rindex(END)
    count, length, offset = struct.unpack_from("<HII", data, end + 10)
    central = data[offset:end]
    first = central[: 46 + struct.unpack_from("<H", central, 28)[0]]
    tail = data[end : end + 8] + struct.pack("<HHIIH", count + 1, count + 1, length + len(first), offset, 0)
    return data[:end] + first.replace(b"addon.toml", b"addon.tomx") + tail


def quoted_overlap(data: bytes) -> bytes:
    """An entry that starts inside the data of another."""
    made = rebuilt(data, add={"static/a.css": data[:200] + LOCAL, "static/b.css": b"b"})
    position = made.index(data[:200] + LOCAL, 100)
    return at(made, CENTRAL, 42, struct.pack("<I", position))


def many(data: bytes) -> bytes:
    return rebuilt(data, add={f"static/{n}.css": b"" for n in range(2_001)})


def two_archives(data: bytes) -> bytes:
    return data + data


DEFECTS: dict[str, tuple[Change, str]] = {
    "parent folder": (with_file("../evil.py"), "not allowed"),
    "parent folder inside": (with_file("toy/../../evil.py"), "not allowed"),
    "absolute": (with_file("/tmp/evil.py"), "not allowed"),
    "drive": (with_file("C:/evil.py"), "not allowed"),
    "backslash": (with_file("toy\\evil.py"), "not allowed"),
    "share": (with_file("\\\\host\\evil.py"), "not allowed"),
    "dot": (with_file("./toy/evil.py"), "not allowed"),
    "hidden file": (with_file("toy/.evil.py"), "not allowed"),
    "colon": (with_file("toy/a.py:b.py"), "not allowed"),
    "control character": (with_file("toy/a\x1b[2J.py"), "not allowed"),
    "empty name": (with_file(""), "not allowed"),
    "empty component": (with_file("toy//a.py"), "not allowed"),
    "right to left": (with_file("toy/a\u202eyp.py"), "plain ASCII"),
    "accent": (with_file("toy/é.py"), "plain ASCII"),
    "reserved": (with_file("static/con.css"), "not allowed"),
    "reserved with suffix": (with_file("static/NUL.txt"), "not allowed"),
    "trailing dot": (with_file("static/a.css."), "not allowed"),
    "long name": (with_file(f"static/{'a' * 90}.css"), "too long"),
    "deep path": (with_file("static/" + "d/" * 12 + "a.css"), "too deep"),
    "very deep path": (with_file("static/" + "d/" * 1500 + "a.css"), "too deep"),
    "nul in name": (
        lambda d: with_file("static/ab.css")(d).replace(b"static/ab.css", b"static/a\0.css"),
        "not allowed",
    ),
    "twice": (with_file("toy/addon.py"), "in the zip twice"),
    "case": (with_file("toy/Addon.py"), "differ in case only"),
    "file and folder": (with_file("toy/addon.py/x.py"), "both a file and a folder"),
    "link": (with_mode(0o120777), "a link or a device"),
    "device": (with_mode(0o020644), "a link or a device"),
    "pipe": (with_mode(0o010644), "a link or a device"),
    "setuid": (with_mode(0o104755), "rights beyond"),
    "folder that is a file": (with_mode(0o040755), "both a file and a folder"),
    "folder with content": (with_file("static/x/", b"content"), "folder"),
    "byte code": (with_file("toy/evil.pyc"), "of a kind"),
    "byte code folder": (with_file("toy/__pycache__/evil.py"), "byte code"),
    "path file": (with_file("toy/evil.pth"), "of a kind"),
    "library": (with_file("toy/evil.so"), "of a kind"),
    "program called text": (with_file("static/evil.txt", b"\x7fELF..."), "a program"),
    "zip called text": (with_file("static/evil.txt", b"PK\x03\x04..."), "another zip"),
    "script": (with_file("static/evil.txt", b"#!/bin/sh\n"), "a script"),
    "nested zip": (with_file("static/evil.zip"), "of a kind"),
    "site hook": (with_file("toy/sitecustomize.py"), "run by itself"),
    "no suffix": (with_file("toy/evil"), "of a kind"),
    "second package": (with_file("json/__init__.py"), "lies outside"),
    "module at the top": (with_file("json.py"), "does not belong at the top"),
    "template of the host": (with_file("templates/base.html"), "must lie in templates/toy/"),
    "code among templates": (with_file("templates/toy/x.py"), "is code outside"),
    "encrypted": (lambda d: at(at(d, CENTRAL, 8, b"\x01\x00"), LOCAL, 6, b"\x01\x00"), "encrypted"),
    "strongly encrypted": (lambda d: at(at(d, CENTRAL, 8, b"\x40\x00"), LOCAL, 6, b"\x40\x00"), "encrypted"),
    "masked headers": (lambda d: at(at(d, CENTRAL, 8, b"\x00\x20"), LOCAL, 6, b"\x00\x20"), "encrypted"),
    "bzip2": (lambda d: rebuilt(d, method=zipfile.ZIP_BZIP2), "by a method other|newer kind"),
    "implode": (lambda d: at(at(d, CENTRAL, 10, b"\x06\x00"), LOCAL, 8, b"\x06\x00"), "by a method other"),
    "lzma": (lambda d: rebuilt(d, method=zipfile.ZIP_LZMA), "by a method other|newer kind"),
    "needs a newer zip": (lambda d: at(d, CENTRAL, 6, b"\x2d\x00"), "newer kind"),
    "other name in front": (lambda d: d.replace(b"toy/addon.py", b"toy/addoN.py", 1), "two different ways"),
    "other method in front": (lambda d: at(d, LOCAL, 8, b"\x08\x00", last=False), "two different ways"),
    "other size in front": (
        lambda d: at(d, LOCAL, 22, b"\x01\x00\x00\x00", last=False),
        "two different sizes",
    ),
    "other checksum in front": (
        lambda d: at(d, LOCAL, 14, b"\x01\x00\x00\x00", last=False),
        "two different sizes",
    ),
    "forged size": (forged_size, "two sizes"),
    "forged packed size": (forged_packed, "two sizes|beyond"),
    "wrong checksum": (wrong_crc, "checksum differs"),
    "inflates to more": (inflates_more, "larger than the zip says"),
    "overlap": (overlapping, "overlaps|two different ways"),
    "quoted overlap": (quoted_overlap, "overlaps|two different|belong to no entry"),
    "something in front": (lambda d: b"#!/bin/sh\n" + d, "stands before"),
    "something behind": (lambda d: d + b"\n", "stands after"),
    "comment": (lambda d: at(d, END, 20, b"\x03\x00") + b"abc", "stands after"),
    "two archives": (two_archives, "where it should|stands"),
    "several disks": (lambda d: at(d, END, 4, b"\x01\x00"), "one part of several"),
    "other count": (lambda d: at(d, END, 8, b"\x03\x00\x03\x00"), "more than its entries"),
    "directory elsewhere": (lambda d: at(d, END, 16, b"\x00\x00\x00\x00"), "where it should"),
    "zip64": (lambda d: at(d, END, 8, b"\xff\xff\xff\xff"), "zip64"),
    "too many entries": (many, "is the most"),
    "bomb": (
        lambda d: rebuilt(d, add={"static/b.css": b"\0" * 8_000_000}, method=zipfile.ZIP_DEFLATED),
        "times smaller",
    ),
    "cut short": (lambda d: d[: len(d) // 2], "stands after"),
    "cut in the directory": (lambda d: d[:-30], "stands after"),
    "no manifest": (lambda d: rebuilt(d, drop=("addon.toml",)), "There is no addon.toml"),
    "manifest in a folder": (
        lambda d: rebuilt(d, drop=("addon.toml",), add={"toy/addon.toml": b"x"}),
        "must be at the top",
    ),
    "no package": (lambda d: rebuilt(d, drop=("toy/__init__.py",)), "toy/__init__.py is missing"),
    "no addon module": (lambda d: rebuilt(d, drop=("toy/addon.py",)), "toy/addon.py is missing"),
    "huge manifest": (
        lambda d: rebuilt(d, drop=("addon.toml",), add={"addon.toml": b"#" * 70_000}),
        "addon.toml is larger",
    ),
    "empty file": (lambda d: b"", "not a zip"),
    "text": (lambda d: b"hello", "not a zip"),
    "empty zip": (lambda d: b"PK\x05\x06" + b"\0" * 18, "not a zip"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_valid_addon_with_one_defect_is_refused(name: str, valid: bytes, tmp_path: Path) -> None:
    change, sentence = DEFECTS[name]
    made = change(valid)
    assert made != valid, "the defect was not made"
    path = tmp_path / "upload.zip"
    path.write_bytes(made)
    with pytest.raises(ArchiveError, match=sentence):
        archive.inspect(path)
    assert [p.name for p in tmp_path.iterdir()] == ["upload.zip"]


def test_the_addon_without_a_defect_is_accepted(valid: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(valid)
    found = archive.inspect(path)
    assert found.manifest.slug == "toy"
    assert set(found.files) == {name for name in names_in(valid) if not name.endswith("/")}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips_of_other_tools_are_accepted(method: int, valid: bytes, tmp_path: Path) -> None:
    """Folders of their own, deflated, with data descriptors, as streaming tools write them."""

    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    stream = Unseekable()
    with zipfile.ZipFile(io.BytesIO(valid)) as old, zipfile.ZipFile(stream, "w", method) as new:  # type: ignore[arg-type]
        new.mkdir("toy")
        for name in old.namelist():
            new.writestr(name, old.read(name))
    path = tmp_path / "upload.zip"
    path.write_bytes(stream.data)
    found = archive.inspect(path)
    archive.extract(found, tmp_path / "out")
    assert (tmp_path / "out/toy/addon.py").read_bytes() == (TOY / "toy/addon.py").read_bytes()


def test_too_large_a_zip_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    with path.open("wb") as file:
        file.truncate(archive.MAX_ZIP + 1)
    with pytest.raises(ArchiveError, match="larger than 20 MB"):
        archive.inspect(path)


def test_too_much_content_is_refused(valid: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(valid)
    monkeypatch.setattr(archive, "MAX_TOTAL", 1000)
    with pytest.raises(ArchiveError, match="Unpacked it would be larger"):
        archive.inspect(path)
    monkeypatch.setattr(archive, "MAX_ENTRY", 10)
    with pytest.raises(ArchiveError, match="is larger than"):
        archive.inspect(path)


def test_a_zip_swapped_between_check_and_unpacking_is_refused(valid: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(valid)
    found = archive.inspect(path)
    path.write_bytes(valid.replace(b"Toy", b"Boy"))
    with pytest.raises(ArchiveError, match="changed while"):
        archive.extract(found, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_zip_never_gives_anything_but_a_sentence(
    valid: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    made = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        # Mostly where the structure is: the directory at the end.
        place = data.draw(
            st.one_of(st.integers(0, len(made) - 1), st.integers(len(made) - 1200, len(made) - 1))
        )
        made[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "upload.zip"
    path.write_bytes(bytes(made))
    assert outcome(path).isprintable()


def outcome(path: Path) -> str:
    """Return what the host says about the zip."""
    try:
        return f"{len(archive.inspect(path).files)} files"
    except ArchiveError as error:
        return " ".join(error.problems) or "\0"


def test_building_twice_gives_the_same_bytes(tmp_path: Path, toy_source: Callable[..., Path]) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    source = toy_source()
    (source / "toy" / "__pycache__").mkdir()
    (source / "toy" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (source / "tests").mkdir()
    (source / "tests" / "test_x.py").write_text("x")
    (source / ".hidden").write_text("x")
    (source / "toy" / "addon.py").touch()
    assert build_addon(TOY, first) == build_addon(source, second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as zipped:
        for info in zipped.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.external_attr >> 16 == 0o100644
            assert info.compress_type == zipfile.ZIP_STORED
        assert zipped.namelist() == sorted(zipped.namelist())


def test_what_the_host_would_refuse_is_not_built(tmp_path: Path, toy_source: Callable[..., Path]) -> None:
    source = toy_source({"json.py": "x = 1"})
    with pytest.raises(ArchiveError, match="does not belong"):
        build_addon(source, tmp_path / "x.zip")
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob(".*"))


MANIFESTS = {
    "unknown key": ('slug = "toy"', 'slug = "toy"\nsecret = 1', "unknown field"),
    "slug": ('slug = "toy"', 'slug = "To"', "slug must be"),
    "version": ('version = "1.0.0"', 'version = "1.0"', "not like 1.2.3"),
    "version with zero": ('version = "1.0.0"', 'version = "01.0.0"', "not like 1.2.3"),
    "no version": ('version = "1.0.0"', "", "missing required field"),
    "number": ('version = "1.0.0"', "version = 1", "Expected `str`"),
    "not toml": ('slug = "toy"', "slug = toy", "not TOML"),
    "table": ('tables = ["toy_accounts"]', 'tables = ["users"]', "must be named toy_"),
    "route": ('"webhook", "about"', '"../admin"', "must be a path under"),
    "host": ('"toy.example"', '"http://x"', "not a host name"),
    "range": ('host = ">=1.0,<2"', 'host = "newest"', "not a version range"),
    "requirement": ('"Flask>=3.1"', '"Flask >> 3"', "not a requirement"),
    "long number": ("tone = 6", "tone = " + "1" * 5000, "a number with thousands of digits"),
    "long hexadecimal": ("tone = 6", "tone = 0x" + "f" * 5000, "mark.tone is a number from 1 to 6"),
    "long range": ('host = ">=1.0,<2"', f'host = ">={"1" * 5000}"', "longer than 300 characters"),
    "long requirement": ('"Flask>=3.1"', f'"Flask>={"1" * 5000}"', "longer than 300 characters"),
    "tone": ("tone = 6", "tone = 7", "1 to 6"),
    "channel": ('channels = ["toy"]', 'channels = ["Toy Channel"]', "lower-case letters, digits, hyphens"),
    "setting": ("[settings.greeting]", "[settings.Gree-ting]", "lower-case letters, digits and underscores"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_with_one_defect_is_refused(name: str, valid: bytes, tmp_path: Path) -> None:
    old, new, sentence = MANIFESTS[name]
    text = (TOY / "addon.toml").read_text()
    assert old in text
    made = rebuilt(valid, drop=("addon.toml",), add={"addon.toml": text.replace(old, new).encode()})
    path = tmp_path / "upload.zip"
    path.write_bytes(made)
    with pytest.raises(ArchiveError, match=sentence):
        archive.inspect(path)


def test_the_zip_under_dist_is_what_building_gives(tmp_path: Path, toy_zip: MakeZip) -> None:
    from host.addons.package.build import build_release

    target, digest = build_release(TOY, tmp_path / "dist")
    assert target.name == "toy-addon-v1.0.0.zip"
    assert (tmp_path / "dist/SHA256SUMS").read_text() == f"{digest}  {target.name}\n"
    again, _ = build_release(TOY, tmp_path / "dist")
    assert again.read_bytes() == toy_zip().read_bytes()
    assert (tmp_path / "dist/SHA256SUMS").read_text().count(target.name) == 1
