"""In a browser: a voice note for a channel that plays Opus only, and a text that goes with a picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest

from host.core import db, storage
from host.core.backports.values import replace
from host.models.inbox import Attachment, Direction, Message
from host.sdk.capabilities import CaptionLimits, MediaLimits
from host.sdk.messages import MessageKind
from sandbox.whatsapp import files
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until
from tests.media import samples

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TEXT, SEND = "[data-form=reply] textarea", "[data-form=reply] [data-send]"
OGG = MediaLimits(frozenset({"audio/ogg"}), 1024 * 1024)


class Phone(toys.Rich):
    capabilities = replace(
        toys.Rich.capabilities,
        media={**toys.Rich.capabilities.media, MessageKind.AUDIO: OGG},
        captions=CaptionLimits(40, frozenset({MessageKind.IMAGE})),
    )


@pytest.fixture
def desk(database: db.Database, data: Path, tmp_path: Path) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return desks.open_desk(data, Phone())


@pytest.fixture
def page(scene: scenes.Scene, open_page: Open) -> Any:
    return open_page(f"/{scene.conversation('ana')}", permissions=["microphone"])


def ours() -> list[Message]:
    return [one for one in toys.everything(Message) if one.direction == Direction.OUTBOUND and one.author_id]


def pages_of(data: bytes) -> list[tuple[int, int, list[bytes]]]:
    """Return flags, position and packets of each page of an Ogg file, whose sums are right."""
    found = []
    while data:
        assert data[:4] == b"OggS"
        flags, position, _serial, number, checksum, count = struct.unpack_from("<BqIIIB", data, 5)
        lengths = data[27 : 27 + count]
        size = 27 + count + sum(lengths)
        assert number == len(found)
        assert files._checksum(data[:22] + b"\0\0\0\0" + data[26:size]) == checksum
        packets, at, rest = [], 27 + count, b""
        for length in lengths:
            rest, at = rest + data[at : at + length], at + length
            if length < 255:
                packets.append(rest)
                rest = b""
        assert not rest
        found.append((flags, position, packets))
        data = data[size:]
    return found


def test_a_voice_note_is_opus_in_ogg(page: Any) -> None:
    page.click("[data-tool=voice]")
    wait(page, "document.querySelector('[data-recorder] [data-time]').textContent === '0:02'")
    page.click("[data-stop]")
    page.wait_for_selector("[data-tray] [data-state=ready] .voice")
    before = len(ours())
    page.click(SEND)
    until(lambda: len(ours()) > before)
    (attachment,) = (one for one in toys.everything(Attachment) if one.message_id == ours()[-1].id)
    assert (attachment.kind, attachment.content_type, attachment.name) == (
        "audio",
        "audio/ogg",
        "Voice note.ogg",
    )
    with storage.open_stored(attachment.storage_key) as file:
        data = file.read()
    assert files.problem("audio/ogg", data) == ""
    (first, _, (head,)), (_, _, (tags,)), *rest = pages_of(data)
    assert (first, rest[-1][0], head[:10], tags[:8]) == (2, 4, b"OpusHead\1\1", b"OpusTags")
    packets = [packet for _, _, found in rest for packet in found]
    assert 100 <= len(packets) < 1000
    assert 2 <= rest[-1][1] / 48000 <= len(packets) / 50
    assert len(set(packets)) > 20  # it is not silence
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as sound:
        (stream,) = sound.streams
        heard = sum(frame.samples / frame.sample_rate for frame in sound.decode(stream))
        assert (stream.codec_context.name.removeprefix("lib"), stream.channels) == ("opus", 1)
    assert abs(heard - rest[-1][1] / 48000) < 0.1


def test_a_browser_without_the_encoder_says_so(page: Any) -> None:
    page.evaluate("delete window.AudioEncoder")
    page.click("[data-tool=voice]")
    page.wait_for_selector("[data-problem]:not([hidden]) >> text=cannot record in the form")
    assert page.locator("[data-recorder]").is_hidden()


def test_a_text_with_a_picture_is_one_message(page: Any) -> None:
    picture = {"name": "mug.png", "mimeType": "image/png", "buffer": samples.picture("PNG")}
    page.fill(TEXT, "b" * 41)
    assert "41 / 1,000" in page.inner_text("[data-form=reply] [data-bytes]")
    page.locator("[data-file-input]").set_input_files(picture)
    page.wait_for_selector("[data-tray] [data-state=ready]")
    assert "41 / 40" in page.inner_text("[data-form=reply] [data-bytes].over")
    before = len(ours())
    page.click(SEND)
    page.wait_for_selector("[data-problem]:not([hidden]) >> text=below a file it can have 40")
    assert page.input_value(TEXT) == "b" * 41  # nothing is lost
    page.wait_for_selector("[data-tray] [data-state=ready]")
    assert len(ours()) == before
    page.fill(TEXT, "Blue")
    page.click(SEND)
    until(lambda: len(ours()) > before)
    assert [(one.kind, one.text) for one in ours()[before:]] == [("image", "Blue")]
    page.wait_for_selector(f"[data-message='{ours()[-1].id}'] >> text=Blue")
