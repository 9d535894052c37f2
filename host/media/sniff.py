"""Detect the content type of a file from its bytes. Its name and the sender's claim are ignored."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from host.sdk.messages import MessageKind

HEAD = 64 * 1024
"""Bytes of a file that :func:`content_type` needs."""

OCTETS = "application/octet-stream"
ZIP = "application/zip"
OLE = "application/x-ole-storage"
WHOLE = frozenset({ZIP, OLE})
"""Types of containers whose first bytes may not tell what they contain; all their bytes do."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"PK\5\6", ZIP),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-executable"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = {
    b"word/": f"{_OFFICE}.wordprocessingml.document",
    b"xl/": f"{_OFFICE}.spreadsheetml.sheet",
    b"ppt/": f"{_OFFICE}.presentationml.presentation",
}
# The headers of an archive's entries (APPNOTE 4.3.7), 26 bytes between signature and name.
_PART = re.compile(rb"PK\x03\x04.{26}(word/|xl/|ppt/|docProps/|_rels/|\[Content_Types\]\.xml)", re.DOTALL)
# Entries of the directory of a compound file ([MS-CFB] 2.6.1): a name in 64 bytes of UTF-16, then its length.
_STREAMS = {
    f"{name}\0".encode("utf-16-le"): content_type
    for name, content_type in {
        "WordDocument": "application/msword",
        "Workbook": "application/vnd.ms-excel",
        "Book": "application/vnd.ms-excel",
        "PowerPoint Document": "application/vnd.ms-powerpoint",
    }.items()
}
_STREAM = re.compile(b"|".join(re.escape(name) for name in _STREAMS))

# Brands of the ISO base media format (ISO/IEC 14496-12 and the register at mp4ra.org).
_STILLS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
_MARKUP = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|svg|math|img|a|title|table|style|meta|form|\?xml)\b"
    rb"|<\?xml|<!--",
    re.IGNORECASE,
)


def content_type(head: bytes) -> str:
    """Return the content type of a file whose first bytes are *head*.

    It is ``application/octet-stream`` if unknown, and ``text/plain`` for text, unless browsers might treat it
    as markup.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    for look in (_zip, _ole, _riff, _iso, _matroska, _ogg, _mpeg_audio, _text):
        name = look(head)
        if name:
            return name
    return OCTETS


def kind_of(content_type: str) -> MessageKind:
    """Return the kind of a message with a file of this type."""
    if content_type in {"image/jpeg", "image/png", "image/gif", "image/webp"}:
        return MessageKind.IMAGE
    main = content_type.partition("/")[0]
    return {"video": MessageKind.VIDEO, "audio": MessageKind.AUDIO}.get(main, MessageKind.FILE)


def settled(head: bytes, *, told: str, kind: str) -> str:
    """Return the content type of a fetched file, from its bytes.

    :param told: the server's type, used only to distinguish audio and video in the same container.
    :param kind: the kind in the message.
    """
    found = content_type(head)
    main, _, rest = found.partition("/")
    if main == "video" and (kind == MessageKind.AUDIO or told.strip().lower().startswith("audio/")):
        return f"audio/{rest}"
    return found


def may_be(kind: str, content_type: str) -> bool:
    """Return whether a message of *kind* can have such a file; for example, an HTML page is not a video."""
    main = content_type.partition("/")[0]
    wanted = {
        MessageKind.IMAGE: {"image", "video"},
        MessageKind.STICKER: {"image", "video"},
        MessageKind.VIDEO: {"video", "image"},
        MessageKind.AUDIO: {"audio"},
    }.get(kind)  # type: ignore[call-overload]
    return wanted is None or main in wanted or content_type == OCTETS


def _zip(head: bytes) -> str:
    """Tell Office documents from other archives, by the names of their parts."""
    if not head.startswith(b"PK\3\4"):
        return ""
    # What is embedded in a document comes after the name of the part it is in.
    parts = [found[1] for found in _PART.finditer(head)]
    own = next((_OPEN[part] for part in parts if part in _OPEN), ZIP)
    return own if any(part not in _OPEN for part in parts) else ZIP


def _ole(head: bytes) -> str:
    """Tell the older Office documents apart, by the stream that each of them has."""
    if not head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return ""
    for found in _STREAM.finditer(head):
        at, stream = found.start(), found[0]
        if at % 64 == 0 and head[at + 64 : at + 66] == len(stream).to_bytes(2, "little"):
            return _STREAMS[stream]
    return OLE


def _riff(head: bytes) -> str:
    return _RIFF.get(head[8:12], "") if head[:4] == b"RIFF" else ""


def _iso(head: bytes) -> str:
    """Distinguish MP4, QuickTime, M4A and still pictures in ISO base media files."""
    if head[4:8] != b"ftyp":
        # Old QuickTime files have no brand.
        return "video/quicktime" if head[4:8] in {b"moov", b"mdat", b"wide", b"free", b"pnot"} else ""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brand = head[8:12]
    brands = {brand, *(head[at : at + 4] for at in range(16, size, 4))}
    if brand in _STILLS:
        return "image/avif" if brand.startswith(b"avi") else "image/heic"
    if brand in {b"M4A ", b"M4B ", b"F4A "}:
        return "audio/mp4"
    if brand == b"qt  ":
        return "video/quicktime"
    if brands & _STILLS and b"isom" not in brands:
        return "image/heic"
    # Browsers record audio with video brands; the tracks distinguish them, if they come first.
    if b"hdlr" in head and b"soun" in head and b"vide" not in head:
        return "audio/mp4"
    return "video/mp4"


def _matroska(head: bytes) -> str:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return ""
    main = "audio" if b"A_" in head and b"V_" not in head else "video"
    return f"{main}/webm" if b"webm" in head[:64] else f"{main}/x-matroska"


def _ogg(head: bytes) -> str:
    if not head.startswith(b"OggS"):
        return ""
    return "video/ogg" if b"theora" in head[:512] or b"BBCD\0" in head[:512] else "audio/ogg"


def _mpeg_audio(head: bytes) -> str:
    """Recognise MPEG audio and ADTS AAC, which have only a sync word per frame and no magic number."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac" if (head[2] >> 2) & 0xF < 13 else ""
    layer, rate, frequency = (head[1] >> 1) & 3, head[2] >> 4, (head[2] >> 2) & 3
    return "audio/mpeg" if layer and rate not in {0, 15} and frequency != 3 else ""


def _text(head: bytes) -> str:
    bare = head.lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n\f\0")
    if _MARKUP.search(bare[:1024]):
        if re.search(rb"<svg\b", bare[:4096], re.IGNORECASE):
            return "image/svg+xml"
        return "text/xml" if bare[:5].lower() == b"<?xml" else "text/html"
    if not head or any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return ""
    decode: Callable[..., str] = codecs.getincrementaldecoder("utf-8")().decode
    try:
        decode(head)
    except UnicodeDecodeError:
        return ""
    return "text/plain"
