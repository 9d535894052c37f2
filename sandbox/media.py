"""Small generated files behind signed, expiring addresses, like Meta's CDN (M2, M14)."""

from __future__ import annotations

import hashlib
import math
import secrets
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import ids
from sandbox.clock import Clock

KEPT = 500
KEPT_BYTES = 64 * 1024 * 1024
CLIP = Path(__file__).parent / "static" / "clip.mp4"
"""Three seconds of H.264 without sound, because browsers play no video simple enough to generate here."""
STORY_SECONDS = 24 * 3600.0


@dataclass(slots=True)
class Asset:
    """One file. Without data it is drawn on request; ``seed`` decides the drawing."""

    id: str
    kind: str
    content_type: str
    signature: str
    seed: str
    data: bytes | None = None
    expires_at: float | None = None

    def content(self) -> bytes:
        """Return the bytes."""
        return self.data if self.data is not None else generate(self.kind, self.seed)


TYPES = {
    "image": "image/png",
    "gif": "image/gif",
    "sticker": "image/png",
    "story": "image/png",
    "audio": "audio/wav",
    "video": "video/mp4",
    "file": "application/pdf",
}


class Media:
    """A store of assets that drops the oldest beyond a limit, and returns their addresses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._assets: OrderedDict[str, Asset] = OrderedDict()
        self.base_url = ""
        self.stories_expired = False

    def make(self, kind: str) -> Asset:
        """Create a generated asset; a story's lives a day."""
        asset_id = ids.digits("179", 17)
        expires = self._clock.now() + STORY_SECONDS if kind == "story" else None
        return self._keep(
            Asset(asset_id, kind, TYPES[kind], secrets.token_urlsafe(24), asset_id, None, expires)
        )

    def keep(self, kind: str, content_type: str, data: bytes) -> Asset:
        """Store a sent or uploaded file."""
        asset_id = ids.digits("178", 17)
        return self._keep(Asset(asset_id, kind, content_type, secrets.token_urlsafe(24), asset_id, data))

    def _keep(self, asset: Asset) -> Asset:
        self._assets[asset.id] = asset
        while len(self._assets) > KEPT or self._weight() > KEPT_BYTES:
            self._assets.popitem(last=False)
        return asset

    def _weight(self) -> int:
        return sum(len(asset.data) for asset in self._assets.values() if asset.data)

    def url(self, asset: Asset) -> str:
        """Return the address of an asset."""
        return f"{self.base_url}/media/{asset.id}?signature={asset.signature}"

    def find(self, asset_id: str, signature: str) -> Asset | None:
        """Return an asset if the signature is valid and it has not expired."""
        asset = self._assets.get(asset_id)
        if asset is None or not secrets.compare_digest(asset.signature.encode(), signature.encode()):
            return None
        if asset.expires_at is not None and (self.stories_expired or self._clock.now() >= asset.expires_at):
            return None
        return asset

    def clear(self) -> None:
        """Delete all assets."""
        self._assets.clear()
        self.stories_expired = False


def generate(kind: str, seed: str) -> bytes:
    """Return a small file of a kind; the same seed gives the same file."""
    if kind == "audio":
        return _wav()
    if kind == "video":
        return CLIP.read_bytes()
    if kind == "file":
        return _pdf()
    if kind == "gif":
        return _gif(seed)
    if kind == "sticker":
        return picture(seed, 240, 240)
    return picture(seed, 360, 640) if kind == "story" else picture(seed, 640, 480)


def rows(seed: str, width: int, height: int) -> Iterator[bytes]:
    """Draw a pot on a table, row by row as RGB; colours and shape by seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    wall, table = ([170 + digest[i + at] % 70 for i in range(3)] for at in (0, 3))
    pot = [50 + digest[i + 6] % 110 for i in range(3)]
    glaze = [min(255, part + 70) for part in reversed(pot)]
    clay, band = (
        [bytes(min(255, int(part * shade)) for part in paint) for shade in (1.25, 1.0, 0.8)]
        for paint in (pot, glaze)
    )
    for y, (half, down) in enumerate(outline(digest, width, height)):
        ground = table if down > 0.85 else wall
        line = bytes(min(255, int(part * (1.06 - y / height * 0.12))) for part in ground)
        left, light, shadow = width // 2 - half, int(half * 0.55), int(half * 0.6)
        body = band if 0.32 < down < 0.42 else clay
        yield (
            line * left
            + body[0] * light
            + body[1] * (2 * half - light - shadow)
            + body[2] * shadow
            + line * (width - left - 2 * half)
        )


def outline(digest: bytes, width: int, height: int) -> Iterator[tuple[int, float]]:
    """Yield for each row half the pot's width, and how far down the pot it is: 0 its rim, 1 its foot."""
    belly, neck = 0.24 + digest[9] % 10 / 100, 0.08 + digest[10] % 8 / 100
    size = min(width, height)
    top = height * 0.5 - size * 0.3
    for y in range(height):
        down = (y - top) / (size * 0.64)
        wide = neck + (belly - neck) * math.sin(math.pi * min(1.0, down * 0.9)) ** 2
        yield (int(size * wide) if 0 <= down <= 1 else 0), down


def picture(seed: str, width: int = 96, height: int = 96) -> bytes:
    """Return :func:`rows` as PNG."""
    lines = b"".join(b"\0" + row for row in rows(seed, width, height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(lines, 9))
        + _chunk(b"IEND", b"")
    )


def _gif(seed: str) -> bytes:
    """Return a GIF of two alternating pots, 120 by 120, in two colours, without compression."""
    digest = hashlib.sha256(seed.encode()).digest()
    side, out = 120, b"GIF89a" + struct.pack("<HHBBB", 120, 120, 0x80, 0, 0)
    out += bytes(180 + part % 70 for part in digest[:3]) + bytes(40 + part % 120 for part in digest[3:6])
    out += b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    for shape in (digest, digest[::-1]):
        pixels = [
            int(abs(x - side // 2) < half) for half, _ in outline(shape, side, side) for x in range(side)
        ]
        out += b"!\xf9\x04\x04\x32\0\0\0," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02"
        out += _uncompressed(pixels)
    return out + b";"


def _uncompressed(pixels: list[int]) -> bytes:
    """Return pixels of two colours as GIF LZW, with clear codes before the dictionary can grow."""
    bits = count = 0
    packed = bytearray()
    for at, pixel in enumerate(pixels):
        for code in (4, pixel) if at % 2 == 0 else (pixel,):
            bits |= code << count
            count += 3
        while count >= 8:
            packed.append(bits & 255)
            bits, count = bits >> 8, count - 8
    bits |= 5 << count
    packed.extend(bits.to_bytes((count + 3 + 7) // 8, "little"))
    blocks = (packed[at : at + 255] for at in range(0, len(packed), 255))
    return b"".join(bytes([len(block)]) + bytes(block) for block in blocks) + b"\0"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _wav() -> bytes:
    """Return three seconds of a quiet, pulsing tone, 8 kHz, 8 bit."""
    rate = 8000
    tone = bytes(
        128 + int(24 * math.sin(i * 2 * math.pi * 440 / rate) * math.sin(i * math.pi / rate))
        for i in range(3 * rate)
    )
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    inner = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(tone)) + tone
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def _pdf() -> bytes:
    """Return a one-page PDF with one line of text."""
    text = b"BT /F1 18 Tf 40 740 Td (A sample file from the sandbox) Tj ET"
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
        + table
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))
    )
