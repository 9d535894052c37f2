"""Media: ids, small generated files, types and sizes the Cloud API accepts, and message ids."""

from __future__ import annotations

import base64
import secrets
import struct

from sandbox import ids
from sandbox import media as drawn
from sandbox.whatsapp.world import DAY, MediaFile, WhatsApp

UPLOADED_FOR = 30 * DAY
RECEIVED_FOR = 7 * DAY
"""How long an id works (W2)."""
URL_SECONDS = 300
MB = 1024 * 1024

_OFFICE = "application/vnd.openxmlformats-officedocument"
TYPES: dict[str, tuple[int, tuple[str, ...]]] = {
    "audio": (16 * MB, ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")),
    "document": (
        100 * MB,
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}.wordprocessingml.document",
            f"{_OFFICE}.spreadsheetml.sheet",
            f"{_OFFICE}.presentationml.presentation",
        ),
    ),
    "image": (5 * MB, ("image/jpeg", "image/png")),
    "sticker": (500 * 1024, ("image/webp",)),
    "video": (16 * MB, ("video/mp4", "video/3gpp", "video/3gp")),
}
"""Greatest size and the types of each kind (W2)."""

OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "audio/aac": (b"\xff\xf1", b"\xff\xf9"),
    "audio/amr": (b"#!AMR",),
    "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3"),
    "audio/ogg": (b"OggS",),
    "application/pdf": (b"%PDF-",),
    "application/msword": OLE,
    "application/vnd.ms-excel": OLE,
    "application/vnd.ms-powerpoint": OLE,
    **{one: (b"PK\3\4",) for one in TYPES["document"][1] if one.startswith(_OFFICE)},
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG",),
    "image/webp": (b"RIFF",),
}
"""How files of a type begin; those of other types are not looked at."""
_PARTS = {"wordprocessingml": b"word/", "spreadsheetml": b"xl/", "presentationml": b"ppt/"}

STICKER = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
SILENCE = b"\xf8\xff\xfe"
"""20 milliseconds of Opus."""


def message_id(wa_id: str, inbound: bool) -> str:
    """Return a new message id, ``wamid.`` and base64 of the customer's number and a random part."""
    way = b"\x12" if inbound else b"\x11"
    raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + b"\x15\x02\x00" + way
    raw += b"\x18\x14" + secrets.token_hex(10).upper().encode() + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def plain_type(mime_type: str) -> str:
    """Return a type without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def kind_of(mime_type: str) -> str | None:
    """Return the kind of message a type belongs to, or None if the Cloud API takes no such file."""
    plain = plain_type(mime_type)
    return next((kind for kind, (_, types) in TYPES.items() if plain in types), None)


def problem(mime_type: str, data: bytes) -> str:
    """Return why a file is not of its type, or has a codec WhatsApp doesn't play; empty if it is fine."""
    plain = plain_type(mime_type)
    begins = BEGINNINGS.get(plain)
    part = next((_PARTS[one] for one in _PARTS if one in plain), b"")
    if (begins and not data.startswith(begins)) or part not in data:
        return f"The content of the file is not of the type {plain}"
    if plain in ("audio/mp4", "video/mp4") and data[4:8] != b"ftyp":
        return f"The content of the file is not of the type {plain}"
    if plain == "text/plain" and b"\0" in data:
        return "The content of the file is not text"
    if plain == "audio/ogg":
        at = data.find(b"OpusHead", 0, 512)
        if at < 0:
            return "Only OPUS codecs are supported in audio/ogg, base audio/ogg is not supported"
        if data[at + 9 : at + 10] != b"\1":
            return "Only mono input is supported in audio/ogg"
    return ""


def keep(
    world: WhatsApp,
    number_id: str,
    mime_type: str,
    data: bytes,
    *,
    expires_at: float,
    filename: str | None = None,
) -> MediaFile:
    """Store a file under a new id."""
    media_id = ids.digits("1", 16)
    kept = world.media[media_id] = MediaFile(media_id, number_id, mime_type, data, expires_at, filename)
    return kept


def sample(kind: str) -> tuple[str, bytes, str | None]:
    """Return type, bytes and name of a file as a customer's phone sends it."""
    if kind == "image":
        return "image/png", drawn.picture(secrets.token_hex(4), 640, 480), None
    if kind == "video":
        return "video/mp4", drawn.generate("video", ""), None
    if kind == "sticker":
        return "image/webp", STICKER, None
    if kind == "document":
        return "application/pdf", drawn.generate("file", ""), "sample.pdf"
    return "audio/ogg; codecs=opus", voice(), None


def voice() -> bytes:
    """Return three seconds of silence as Ogg Opus, the format of voice messages."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 16000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 7) + b"sandbox" + struct.pack("<I", 0)
    packets = [SILENCE] * 150
    return _page(0, 2, 0, [head]) + _page(1, 0, 0, [tags]) + _page(2, 4, 960 * 150, packets)


def _page(number: int, flags: int, position: int, packets: list[bytes]) -> bytes:
    head = b"OggS" + struct.pack("<BBqII", 0, flags, position, 1, number)
    tail = bytes([len(packets)]) + bytes(len(packet) for packet in packets) + b"".join(packets)
    return head + struct.pack("<I", _checksum(head + b"\0\0\0\0" + tail)) + tail


def _checksum(data: bytes) -> int:
    """Return Ogg's CRC-32, which is not zlib's."""
    found = 0
    for byte in data:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1) ^ (0x04C11DB7 if found & 0x80000000 else 0)
        found &= 0xFFFFFFFF
    return found
