"""Small files of every type, and hostile ones."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from PIL import Image, PngImagePlugin

GPS = b"GPS-52.5200N-13.4050E"
"""What no picture may carry away."""

HTML = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
WAV = (
    b"RIFF" + struct.pack("<I", 36 + 8) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
)
WAV += b"data" + struct.pack("<I", 8) + b"\0\1" * 4
MP4 = struct.pack(">I", 24) + b"ftypisom\0\0\2\0isommp42" + struct.pack(">I", 8) + b"moov"
M4A = struct.pack(">I", 24) + b"ftypM4A \0\0\2\0M4A mp42" + struct.pack(">I", 8) + b"moov"
QUICKTIME = struct.pack(">I", 20) + b"ftypqt  \0\0\2\0qt  " + struct.pack(">I", 8) + b"moov"
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic"
OGG = b"OggS\0\2" + b"\0" * 20 + b"\1\x1eOpusHead"
AAC = b"\xff\xf1\x50\x80\x02\x1f\xfc" + b"\0" * 20
MP3 = b"\xff\xfb\x90\x64" + b"\0" * 200
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + b"\0" * 40 + b"\x86\x86V_VP80"
WEBM_SOUND = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + b"\0" * 40 + b"\x86\x86A_OPUS"
AVI = b"RIFF\x00\x10\0\0AVI LIST"


def archive(*names: str, held: bytes = b"") -> bytes:
    """Return an archive with *names*, and *held* uncompressed in the last."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, held if name == names[-1] else b"<x/>")
    return out.getvalue()


DOCX = archive("[Content_Types].xml", "_rels/.rels", "word/document.xml")
XLSX = archive("docProps/app.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml")
PPTX = archive("[Content_Types].xml", "ppt/presentation.xml", "ppt/embeddings/table.xlsx", held=XLSX)


def compound(*streams: str, before: int = 0) -> bytes:
    """Return a compound file as the older Office writes, its directory after *before* sectors of content."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + b"x" * 512 * before
    names = [f"{name}\0".encode("utf-16-le") for name in ("Root Entry", *streams)]
    return head + b"".join(
        name.ljust(64, b"\0") + struct.pack("<H", len(name)).ljust(64, b"\0") for name in names
    )


DOC, XLS = compound("1Table", "WordDocument"), compound("Workbook")
PPT = compound("Current User", "PowerPoint Document", before=200)


def exif(orientation: int = 1) -> bytes:
    """Return metadata with an orientation, a maker's note and a place."""
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "Camera"
    data[0x010E] = GPS.decode()
    data.get_ifd(0x8825)[1] = "N"
    data.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return data.tobytes()


def picture(
    form: str, *, size: tuple[int, int] = (60, 40), orientation: int = 1, dirty: bool = True
) -> bytes:
    """Return a picture with a red left half; *dirty* ones carry every kind of metadata the type has."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    xmp = b"<x:xmpmeta>" + GPS + b"</x:xmpmeta>"
    if not dirty:
        image.save(out, form)
    elif form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        text.add_text("Comment", GPS.decode())
        text.add_text("Location", GPS.decode(), zip=True)
        image.save(out, form, exif=exif(orientation), pnginfo=text)
    elif form == "GIF":
        image.save(
            out, form, comment=GPS, save_all=True, append_images=[image.rotate(180)], duration=50, loop=0
        )
    else:
        image.save(out, form, exif=exif(orientation), xmp=xmp, **({"comment": GPS} if form == "JPEG" else {}))
    return out.getvalue()


def jpeg_with_everything() -> bytes:
    """Return a JPEG with blocks of Photoshop and of a second picture, and a film behind its end."""
    whole = picture("JPEG", orientation=6)
    photoshop = b"Photoshop 3.0\x008BIM" + GPS
    second = b"MPF\0" + GPS
    blocks = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in ((0xED, photoshop), (0xE2, second), (0xE5, GPS))
    )
    return whole[:2] + blocks + whole[2:] + MP4 + GPS


def bomb() -> bytes:
    """Return a PNG of a few kilobytes that would decode to ten thousand million pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 5_000_000, 9))
        + chunk(b"IEND", b"")
    )


def passes(number: int) -> bytes:
    """Return a progressive JPEG whose last pass is repeated *number* times."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "blue").save(out, "JPEG", progressive=True)
    content = out.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * number + content[-2:]
