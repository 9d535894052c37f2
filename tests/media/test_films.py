"""Films lose where they were taken, and stay films of the same length."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest

from host.core import db, storage
from host.media import uploads, video_metadata
from tests import helpers
from tests.media import samples

CLIP = Path(__file__).parents[2] / "sandbox" / "static" / "clip.mp4"
PLACE = b"\xa9xyz\0\x12\x15\xc7+52.5200+013.4050/"


def box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def film(*, large: bool = False) -> bytes:
    """Return a film with places wherever telephones write them."""
    facts = box(b"udta", box(PLACE[:4], PLACE[4:])) + box(
        b"meta", box(b"keys", b"location.ISO6709") + samples.GPS
    )
    track = box(b"trak", box(b"tkhd", bytes(80)) + facts + box(b"mdia", b"frames"))
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + samples.GPS)
    data = b"pictures" * 100
    mdat = struct.pack(">I4sQ", 1, b"mdat", len(data) + 16) + data if large else box(b"mdat", data)
    return (
        box(b"ftyp", b"isom\0\0\2\0isommp42")
        + xmp
        + mdat
        + box(b"moov", box(b"mvhd", bytes(100)) + track + facts + box(b"uuid", bytes(16) + b"other"))
    )


def cleaned(content: bytes, size: int = -1) -> bytes:
    stream = video_metadata.CleanedVideo(io.BytesIO(content))
    if size < 0:
        return stream.read()
    out = b""
    while chunk := stream.read(size):
        out += chunk
    return out


@pytest.mark.parametrize("large", [False, True])
def test_the_place_is_gone_and_nothing_moves(large: bool) -> None:
    before = film(large=large)
    after = cleaned(before)
    assert len(after) == len(before)
    for word in (b"+52.5200", b"ISO6709", samples.GPS):
        assert word in before
        assert word not in after
    for word in (b"pictures" * 100, b"frames", b"other", b"mvhd", b"tkhd"):
        assert after.index(word) == before.index(word)
    assert after.count(b"free") == 5
    assert cleaned(after) == after


@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_in_pieces_it_is_the_same(size: int) -> None:
    assert cleaned(film(), size) == cleaned(film())


def test_a_real_clip_loses_nothing_but_its_facts() -> None:
    before = CLIP.read_bytes()
    after = cleaned(before)
    assert len(after) == len(before)
    at = before.index(b"mdat")
    assert after[at : at + 5000] == before[at : at + 5000]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        box(b"moov")[:6],
        struct.pack(">I4s", 0, b"mdat") + b"to the end",
        struct.pack(">I4s", 5, b"moov") + b"too small",
        struct.pack(">I4s", 2**32 - 1, b"moov") + b"cut off",
        struct.pack(">I4sQ", 1, b"moov", 2**63) + b"huge",
        struct.pack(">I4s", 1, b"moov") + b"cut",
        box(b"moov", struct.pack(">I4s", 3, b"udta") + b"inner size wrong"),
    ],
)
def test_what_is_no_film_is_passed_on(content: bytes) -> None:
    assert cleaned(content) == content


def test_noise_keeps_its_length() -> None:
    random_ = random.Random(7)
    for _ in range(300):
        content = bytearray(film())
        for _ in range(random_.randrange(1, 20)):
            content[random_.randrange(len(content))] = random_.randrange(256)
        assert len(cleaned(bytes(content))) == len(content)


def test_uploads_are_cleaned(database: db.Database, store: Path) -> None:
    taken = uploads.keep_upload(
        io.BytesIO(film()), "a.mp4", workspace_id=helpers.make_workspace(), user_id=None
    )
    assert taken.content_type == "video/mp4"
    with storage.open_stored(taken.storage_key) as file:
        kept = file.read()
    assert samples.GPS not in kept
    assert b"+52.5200" not in kept
    assert len(kept) == len(film())
