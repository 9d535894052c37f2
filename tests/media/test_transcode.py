"""Voice notes: sound a channel does not take becomes sound it takes, or is refused with the reason."""

from __future__ import annotations

import array
import importlib.util
import io
import math
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import child, db, storage
from host.media import sniff, transcode, uploads
from host.media.limits import FileRefusedError
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind
from tests import helpers
from tests.inbox import toys
from tests.media import samples
from tests.media.test_uploads import files
from tests.warm import forking

needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="PyAV is not installed")
LIMITS = {
    MessageKind.AUDIO: MediaLimits(frozenset({"audio/aac", "audio/mp4", "audio/wav"}), 25 * 1024 * 1024)
}


@pytest.fixture(scope="module")
def warm_children() -> Iterator[Any]:
    libraries = [name for name in ("av", "miniaudio") if importlib.util.find_spec(name)]
    with forking("host.media.transcode_child", *libraries) as forked:
        yield forked


@pytest.fixture(autouse=True)
def _children_are_warm(warm_children: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children forked from one that has imported; see :mod:`tests.warm`."""
    monkeypatch.setattr(child, "subprocess", warm_children)


@pytest.fixture
def cold_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children started as the product starts them."""
    monkeypatch.setattr(child, "subprocess", subprocess)


@pytest.fixture
def workspace(database: db.Database, store: Path) -> int:
    return helpers.make_workspace()


@pytest.fixture
def _no_av(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode, "is_available", lambda: False)


def tone(
    container: str, codec: str, *, seconds: float = 2, rate: int = 48_000, layout: str = "mono"
) -> bytes:
    """Return a tone as a browser or a phone would record it."""
    import av
    from av.audio.resampler import AudioResampler

    out = io.BytesIO()
    with av.open(out, "w", format=container) as made:
        stream: Any = made.add_stream(codec, rate=rate)
        stream.layout = layout
        count = int(rate * seconds)
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        wave = array.array("h", (int(8000 * math.sin(at * 440 * 2 * math.pi / rate)) for at in range(count)))
        frame.planes[0].update(wave.tobytes())
        frame.sample_rate, frame.pts = rate, 0
        for piece in AudioResampler(stream.codec_context.format, layout, rate).resample(frame):
            made.mux(stream.encode(piece))
        made.mux(stream.encode(None))
    return out.getvalue()


def seconds_of(content: bytes) -> float:
    import av

    with av.open(io.BytesIO(content)) as given:
        frames: Any = given.decode(audio=0)
        return float(sum(frame.samples / frame.sample_rate for frame in frames))


def take(workspace: int, content: bytes, name: str = "note.ogg", media: Any = LIMITS) -> uploads.Upload:
    return uploads.keep_upload(io.BytesIO(content), name, workspace_id=workspace, user_id=None, media=media)


def kept(upload: uploads.Upload) -> bytes:
    with storage.open_stored(upload.storage_key) as file:
        return file.read()


@needs_av
@pytest.mark.parametrize(
    ("container", "codec", "layout"),
    [
        ("ogg", "libopus", "mono"),
        ("webm", "libopus", "stereo"),
        ("mp3", "libmp3lame", "mono"),
        ("flac", "flac", "stereo"),
    ],
)
def test_a_recording_becomes_m4a(workspace: int, container: str, codec: str, layout: str) -> None:
    taken = take(workspace, tone(container, codec, layout=layout), f"note.{container}")
    assert (taken.kind, taken.content_type, taken.name) == (MessageKind.AUDIO, "audio/mp4", "note.m4a")
    content = kept(taken)
    assert sniff.content_type(content[: sniff.HEAD]) == "audio/mp4"
    assert seconds_of(content) == pytest.approx(2, abs=0.2)
    assert len(content) == taken.size


@needs_av
@pytest.mark.usefixtures("cold_children")
@pytest.mark.parametrize("target", ["audio/aac", "audio/wav"])
def test_whatever_the_channel_takes(workspace: int, target: str) -> None:
    media = {MessageKind.AUDIO: MediaLimits(frozenset({target}), 25 * 1024 * 1024)}
    taken = take(workspace, tone("ogg", "libopus"), media=media)
    assert taken.content_type == target
    assert sniff.content_type(kept(taken)[: sniff.HEAD]) == target


def test_what_is_taken_as_it_is_stays_as_it_is(workspace: int) -> None:
    taken = take(workspace, samples.WAV, "note.wav")
    assert (taken.content_type, kept(taken)) == ("audio/wav", samples.WAV)
    assert take(workspace, samples.OGG, media=None).content_type == "audio/ogg"


@needs_av
@pytest.mark.parametrize(
    "content",
    [
        samples.OGG,
        samples.MP3,
        samples.WEBM_SOUND,
        b"fLaC" + b"\xff" * 5000,
        b"OggS" + bytes(range(256)) * 100,
        b"ID3\4\0\0\0\0\0\0#EXTM3U\nfile:///etc/passwd\n",
    ],
)
def test_damage_is_an_answer_and_leaves_nothing(workspace: int, store: Path, content: bytes) -> None:
    with pytest.raises(FileRefusedError) as caught:
        take(workspace, content)
    assert caught.value.code == "broken_sound"
    assert "M4A" in str(caught.value)
    assert files(store) == []
    assert toys.everything(uploads.UploadRow) == []


@needs_av
@pytest.mark.usefixtures("cold_children")
def test_one_too_long_or_a_converter_that_hangs_is_ended(
    workspace: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcode, "TIMEOUT_SECONDS", 0.05)
    content = tone("ogg", "libopus")
    began = time.monotonic()
    with pytest.raises(FileRefusedError):
        take(workspace, content)
    assert time.monotonic() - began < 30
    assert files(store) == []


@needs_av
def test_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from host.media import transcode_child

    monkeypatch.setattr(transcode_child, "MOST_SECONDS", 1)
    (tmp_path / "in").write_bytes(tone("ogg", "libopus"))
    with pytest.raises(ValueError, match="too long"):
        transcode_child.convert(str(tmp_path / "in"), "ogg", str(tmp_path / "out"), "ipod", "aac")


@pytest.mark.usefixtures("_no_av", "cold_children")
@pytest.mark.parametrize("name", ["tone.mp3", "tone.flac"])
def test_a_plain_installation_sends_mp3_and_flac_as_wav(workspace: int, name: str) -> None:
    taken = take(workspace, (Path(__file__).parent / "sounds" / name).read_bytes(), name)
    assert (taken.kind, taken.content_type, taken.name) == (MessageKind.AUDIO, "audio/wav", "tone.wav")
    with wave.open(io.BytesIO(kept(taken))) as made:
        assert (made.getnchannels(), made.getsampwidth()) == (1, 2)
        assert made.getnframes() / made.getframerate() == pytest.approx(2, abs=0.2)
        loud = max(abs(one) for one in array.array("h", made.readframes(made.getnframes())))
    assert loud > 4000, "the tone is in it"


@pytest.mark.usefixtures("_no_av")
@pytest.mark.parametrize(
    "content", [samples.MP3, b"fLaC" + b"\xff" * 5000, b"ID3\4\0\0\0\0\0\0" + b"\0" * 99]
)
def test_damage_is_an_answer_of_a_plain_installation_too(workspace: int, store: Path, content: bytes) -> None:
    with pytest.raises(FileRefusedError) as caught:
        take(workspace, content)
    assert caught.value.code == "broken_sound"
    assert files(store) == []


@pytest.mark.parametrize(
    ("most", "rate"), [(400_000, 44_100), (100_000, 22_050), (70_000, 16_000), (60_000, None)]
)
def test_a_long_one_gets_the_rate_at_which_it_is_small_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, rate: int | None
) -> None:
    from host.media import transcode_child

    monkeypatch.setattr(transcode_child, "MOST_BYTES", most)
    source, target = Path(__file__).parent / "sounds" / "tone.mp3", tmp_path / "out"
    if rate is None:
        with pytest.raises(ValueError, match="too long"):
            transcode_child.convert_plainly(str(source), "mp3", str(target))
        return
    transcode_child.convert_plainly(str(source), "mp3", str(target))
    assert target.stat().st_size <= most
    with wave.open(str(target)) as made:
        assert made.getframerate() == rate


@pytest.mark.usefixtures("_no_av")
def test_without_the_converter_it_is_refused_with_the_reason(workspace: int) -> None:
    with pytest.raises(FileRefusedError) as caught:
        take(workspace, samples.OGG)
    assert caught.value.code == "type_not_allowed"
    assert "OGG" in str(caught.value)
    assert "the extra av" in str(caught.value)
    assert "MP3" in str(caught.value)
    found = transcode.taken(LIMITS)[MessageKind.AUDIO].content_types
    assert found == LIMITS[MessageKind.AUDIO].content_types | {"audio/flac", "audio/mpeg"}
    only = {MessageKind.AUDIO: MediaLimits(frozenset({"audio/mp4"}), 1024)}
    assert transcode.taken(only) == only, "a plain installation writes WAV alone"


@needs_av
def test_composers_let_people_choose_what_can_be_converted() -> None:
    found = transcode.taken(LIMITS)[MessageKind.AUDIO].content_types
    assert {"audio/ogg", "audio/webm", "audio/mpeg"} <= found
    assert transcode.taken({}) == {}
    odd = {MessageKind.AUDIO: MediaLimits(frozenset({"audio/midi"}), 1)}
    assert transcode.taken(odd) == odd


@pytest.mark.parametrize(
    ("name", "renamed"), [("note.ogg", "note.m4a"), ("note", "note.m4a"), ("a.b.ogg", "a.b.m4a"), ("", "")]
)
def test_the_name_follows(name: str, renamed: str) -> None:
    assert transcode.renamed(name, "audio/mp4") == renamed
