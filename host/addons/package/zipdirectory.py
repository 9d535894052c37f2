"""Parse the central directory of a zip strictly: each byte of the file is accounted for once."""

from __future__ import annotations

import stat
import struct

import msgspec

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")

_DEFLATED = 8
_DESCRIPTOR = 0x0008
_FLAGS_KNOWN = 0x0002 | 0x0004 | _DESCRIPTOR | 0x0800
_EXTRA_ZIP64 = 0x0001
_EXTRA_UNICODE_NAME = 0x7075


class ZipError(Exception):
    """The bytes are not a plain zip. The message is one sentence."""


class Entry(msgspec.Struct, frozen=True):
    """One entry, whose two headers agree.

    :param start: offset of its data in the file, which has *packed* bytes, *size* when unpacked.
    """

    name: str
    is_folder: bool
    deflated: bool
    crc: int
    packed: int
    size: int
    start: int


def entries(data: bytes, *, max_entries: int) -> list[Entry]:
    """Return the entries of the zip *data*, in the order of its directory.

    :raises ZipError: for anything but a plain zip: bytes before, between or after its parts, another archive
        hidden in it, encryption, zip64, links, devices, other methods than stored and deflated.
    """
    if data[:4] != b"PK\x03\x04":
        raise ZipError("The file is not a zip, or something stands before it.")
    if len(data) < _END.size:
        raise ZipError("The zip ends early.")
    end = len(data) - _END.size
    signature, disk, first_disk, here, total, length, offset, comment = _END.unpack_from(data, end)
    if signature != b"PK\x05\x06" or comment:
        raise ZipError("Something stands after the end of the zip.")
    if disk or first_disk or here != total:
        raise ZipError("The zip is one part of several.")
    if (
        0xFFFF in (here, total)
        or 0xFFFFFFFF in (length, offset)
        or data[end - 20 : end - 16] == b"PK\x06\x07"
    ):
        raise ZipError("The zip uses the zip64 form, which no addon needs.")
    if total > max_entries:
        raise ZipError(f"The zip holds {total} entries; {max_entries} is the most.")
    if not total:
        raise ZipError("The zip is empty.")
    if offset + length != end:
        raise ZipError("The directory of the zip does not lie where it should.")
    entries: list[tuple[int, int, Entry]] = []
    position = offset
    for _ in range(total):
        header, entry, position = _entry(data, position, end)
        entries.append((header, _tail(data, entry[0], entry[1], offset), entry[0]))
    if position != end:
        raise ZipError("The directory of the zip holds more than its entries.")
    _check_tiling(entries, offset)
    return [entry for _, _, entry in entries]


def _entry(data: bytes, position: int, end: int) -> tuple[int, tuple[Entry, bool], int]:
    if position + _CENTRAL.size > end:
        raise ZipError("The directory of the zip ends early.")
    (
        signature,
        _made_by,
        needed,
        flags,
        method,
        _time,
        _date,
        crc,
        packed,
        size,
        name_length,
        extra_length,
        comment_length,
        disk,
        _internal,
        attributes,
        header,
    ) = _CENTRAL.unpack_from(data, position)
    if signature != b"PK\x01\x02":
        raise ZipError("The directory of the zip is damaged.")
    after = position + _CENTRAL.size + name_length + extra_length
    if after > end or comment_length or disk:
        raise ZipError("The directory of the zip is damaged, or an entry carries a comment.")
    raw = data[position + _CENTRAL.size :][:name_length]
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError:
        raise ZipError("A name in the zip has characters other than plain ASCII.") from None
    shown = ascii(name)[1:-1]
    if needed & 0xFF > 20:
        raise ZipError(f"{shown} needs a newer kind of zip.")
    if flags & ~_FLAGS_KNOWN:
        raise ZipError(f"{shown} is encrypted, or packed in a way no addon needs.")
    if method not in (0, _DEFLATED):
        raise ZipError(f"{shown} is packed by a method other than stored or deflated.")
    _check_extra(data[after - extra_length : after], shown)
    is_folder = name.endswith("/")
    _check_mode(attributes, is_folder, shown)
    if is_folder and (size or packed or crc):
        raise ZipError(f"{shown} is a folder with content.")
    if method == 0 and size != packed:
        raise ZipError(f"{shown} is stored, yet has two sizes.")
    start = _local(data, header, raw, flags, method, crc, packed, size, shown)
    entry = Entry(name.removesuffix("/"), is_folder, method == _DEFLATED, crc, packed, size, start)
    return header, (entry, bool(flags & _DESCRIPTOR)), after


def _check_extra(extra: bytes, shown: str) -> None:
    position = 0
    while position < len(extra):
        if position + 4 > len(extra):
            raise ZipError(f"{shown} has a damaged extra field.")
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind in (_EXTRA_ZIP64, _EXTRA_UNICODE_NAME):
            raise ZipError(f"{shown} has a second name or the zip64 form.")
        position += 4 + length
    if position != len(extra):
        raise ZipError(f"{shown} has a damaged extra field.")


def _check_mode(attributes: int, is_folder: bool, shown: str) -> None:
    mode = attributes >> 16
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ZipError(f"{shown} is a link or a device, not a file.")
    if mode & 0o7000:
        raise ZipError(f"{shown} asks for rights beyond a file's.")
    if kind and (kind == stat.S_IFDIR) != is_folder:
        raise ZipError(f"{shown} is both a file and a folder.")


def _local(
    data: bytes,
    header: int,
    raw: bytes,
    flags: int,
    method: int,
    crc: int,
    packed: int,
    size: int,
    shown: str,
) -> int:
    """Compare the entry's local header with the directory's; return the offset of its data."""
    if header + _LOCAL.size > len(data):
        raise ZipError(f"{shown} lies outside the zip.")
    signature, _needed, own_flags, own_method, _time, _date, *own, name_length, extra_length = (
        _LOCAL.unpack_from(data, header)
    )
    start: int = header + _LOCAL.size + name_length + extra_length
    name = data[header + _LOCAL.size :][:name_length]
    if signature != b"PK\x03\x04" or (name, own_flags, own_method) != (raw, flags, method):
        raise ZipError(f"{shown} is described in two different ways.")
    if own != [crc, packed, size] and not (flags & _DESCRIPTOR and own == [0, 0, 0]):
        raise ZipError(f"{shown} is described with two different sizes.")
    _check_extra(data[start - extra_length : start], shown)
    return start


def _tail(data: bytes, entry: Entry, has_descriptor: bool, limit: int) -> int:
    """Return the offset of the entry's end: after its data and its data descriptor, if any."""
    stop = entry.start + entry.packed
    if stop > limit:
        raise ZipError(f"{entry.name} reaches beyond the files of the zip.")
    if not has_descriptor:
        return stop
    body = struct.pack("<III", entry.crc, entry.packed, entry.size)
    for descriptor in (b"PK\x07\x08" + body, body):
        if data[stop : stop + len(descriptor)] == descriptor:
            return stop + len(descriptor)
    raise ZipError(f"{entry.name} is described with two different sizes.")


def _check_tiling(entries: list[tuple[int, int, Entry]], limit: int) -> None:
    position = 0
    for start, stop, entry in sorted(entries, key=lambda item: item[:2]):
        if start < position:
            raise ZipError(f"{entry.name} overlaps another entry.")
        if start > position:
            raise ZipError("The zip holds bytes that belong to no entry.")
        position = stop
    if position != limit:
        raise ZipError("The zip holds bytes that belong to no entry.")
