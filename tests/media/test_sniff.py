"""What a file is, from its bytes alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host.media import sniff
from host.sdk.messages import MessageKind
from tests.media import samples

OFFICE = "application/vnd.openxmlformats-officedocument"
KNOWN = {
    "image/jpeg": samples.picture("JPEG"),
    "image/png": samples.picture("PNG"),
    "image/gif": samples.picture("GIF"),
    "image/webp": samples.picture("WEBP"),
    "image/heic": samples.HEIC,
    "image/svg+xml": samples.SVG,
    "application/pdf": samples.PDF,
    "application/zip": b"PK\3\4" + b"\0" * 30,
    "application/msword": samples.DOC,
    "application/vnd.ms-excel": samples.XLS,
    f"{OFFICE}.wordprocessingml.document": samples.DOCX,
    f"{OFFICE}.spreadsheetml.sheet": samples.XLSX,
    f"{OFFICE}.presentationml.presentation": samples.PPTX,
    "audio/wav": samples.WAV,
    "audio/mp4": samples.M4A,
    "audio/aac": samples.AAC,
    "audio/mpeg": samples.MP3,
    "audio/ogg": samples.OGG,
    "audio/webm": samples.WEBM_SOUND,
    "video/mp4": samples.MP4,
    "video/quicktime": samples.QUICKTIME,
    "video/webm": samples.WEBM,
    "video/x-msvideo": samples.AVI,
    "text/html": samples.HTML,
    "text/plain": b"Dear Ana,\nthe plates are ready.\n",
    "application/octet-stream": bytes(range(256)),
}


@pytest.mark.parametrize("content_type", KNOWN)
def test_each_type_is_known_by_its_bytes(content_type: str) -> None:
    assert sniff.content_type(KNOWN[content_type][: sniff.HEAD]) == content_type


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"\xef\xbb\xbf \n<HTML>", "text/html"),
        (b"<!-- x --><script>", "text/html"),
        (b"GIF89a/*<script>*/=1;", "image/gif"),
        (b"\0\0\0\0<svg onload=alert(1)>", "image/svg+xml"),
        (samples.archive("word/list.txt", "readme.txt"), "application/zip"),
        (samples.archive("_rels/.rels", "docs/word/document.xml"), "application/zip"),
        (samples.compound("Contents", "WordDocumentary"), "application/x-ole-storage"),
        (samples.compound("Workbook", "WordDocument"), "application/vnd.ms-excel"),
        (samples.compound() + "Workbook\0".encode("utf-16-le"), "application/x-ole-storage"),
        (samples.PPT, "application/vnd.ms-powerpoint"),
        (b"", "application/octet-stream"),
        (b"\xff", "application/octet-stream"),
        (b"caf\xc3\xa9", "text/plain"),
        (b"caf\xe9 au lait", "application/octet-stream"),
        (b"ID3" + b"\0" * 8, "audio/mpeg"),
    ],
)
def test_odd_ones(content: bytes, content_type: str) -> None:
    assert sniff.content_type(content) == content_type


def test_text_cut_inside_a_character_is_text_still() -> None:
    assert sniff.content_type("é".encode() * 100 + b"\xc3") == "text/plain"


def test_sound_recorded_by_a_browser_is_sound() -> None:
    tracks = b"\0\0\0\x18moov" + b"hdlr\0\0\0\0\0\0\0\0soun"
    assert sniff.content_type(samples.MP4[:24] + tracks) == "audio/mp4"
    assert sniff.content_type(samples.MP4[:24] + tracks + b"hdlr\0\0\0\0\0\0\0\0vide") == "video/mp4"


def test_kinds() -> None:
    assert sniff.kind_of("image/webp") is MessageKind.IMAGE
    assert sniff.kind_of("video/mp4") is MessageKind.VIDEO
    assert sniff.kind_of("audio/wav") is MessageKind.AUDIO
    assert sniff.kind_of("image/svg+xml") is MessageKind.FILE
    assert sniff.kind_of("application/pdf") is MessageKind.FILE


def findable() -> set[str]:
    """Return every name a file may be found to have."""
    more = {
        b"fLaC\0": "audio/flac",
        b"#!AMR\n": "audio/amr",
        b"OggS" + b"\0" * 24 + b"\x80theora": "video/ogg",
    }
    for head, name in more.items():
        assert sniff.content_type(head) == name
    return {*KNOWN, *more.values()}


def test_the_docs_name_types_as_they_are_found() -> None:
    text = (Path(__file__).parents[2] / "docs" / "addons.md").read_text()
    section = text.split("Types of files are found in their bytes")[1].split("###")[0]
    named = set(re.findall(r"`((?:image|video|audio|application)/[\w.+-]+)`", section))
    assert len(named) > 15
    assert named <= findable()
