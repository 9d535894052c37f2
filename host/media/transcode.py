"""Convert audio to a type that the channel accepts.

With miniaudio, which is always installed, MP3 and FLAC become WAV; with PyAV, nearly everything becomes M4A.

The decoder of untrusted bytes runs in a separate process with limits and without network access, which only
reads one file and writes another.
"""

from __future__ import annotations

import importlib.util
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from flask_babel import lazy_gettext as _l

from host.core import child
from host.core.backports.values import replace
from host.core.storage import Readable
from host.media.limits import MAX_BYTES, FileRefusedError, too_large, type_name, type_names
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind

TIMEOUT_SECONDS = 60.0
CHUNK = 256 * 1024
SOURCES = {
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/flac": "flac",
    "audio/mp4": "mov",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "matroska",
    "audio/x-matroska": "matroska",
}
"""Readable types, each with its demuxer. A demuxer chosen by the bytes might open other files."""
TARGETS = {"audio/mp4": ("ipod", "aac"), "audio/aac": ("adts", "aac"), "audio/wav": ("wav", "pcm_s16le")}
"""Writable types, best first, with container and codec."""
PLAIN_SOURCES = frozenset({"audio/flac", "audio/mpeg"})
PLAIN_TARGET = "audio/wav"
"""Target type with miniaudio only."""
_converting = threading.BoundedSemaphore(2)
"""Limits the number of files converted at a time in one process."""
ENDINGS = {"audio/mp4": "m4a", "audio/aac": "aac", "audio/wav": "wav"}


@cache
def is_available() -> bool:
    """Return whether this installation can convert all kinds of audio (the extra ``av``)."""
    return importlib.util.find_spec("av") is not None


def taken(media: Mapping[MessageKind, MediaLimits]) -> Mapping[MessageKind, MediaLimits]:
    """Return *media*, a channel's limits, extended by the types that can be converted to allowed ones."""
    sound = media.get(MessageKind.AUDIO)
    if sound is None or target_of(sound.content_types) is None:
        return media
    return {**media, MessageKind.AUDIO: replace(sound, content_types=sound.content_types | sources())}


def sources() -> frozenset[str]:
    """Return the types this installation can convert."""
    return frozenset(SOURCES) if is_available() else PLAIN_SOURCES


def target_of(types: frozenset[str]) -> str | None:
    """Return the best of *types* to convert to, or None if none can be written."""
    possible = TARGETS if is_available() else (PLAIN_TARGET,)
    return next((one for one in possible if one in types), None)


@contextmanager
def converted(stream: Readable, content_type: str, types: frozenset[str]) -> Iterator[tuple[BinaryIO, str]]:
    """Yield the audio in *stream* as a file of one of *types*, and that type.

    :param content_type: as sniffed.
    :raises FileRefusedError: codes ``type_not_allowed`` if it cannot be converted here, ``broken_sound`` if
        the audio cannot be read or is too long.
    """
    target = target_of(types)
    if target is None or content_type not in sources():
        raise _refusal(content_type, types)
    with tempfile.TemporaryDirectory(prefix="lobby-sound-") as folder:
        source, made = Path(folder) / "in", Path(folder) / "out"
        _write(source, stream)
        with _converting:
            ended = child.run(
                "host.media.transcode_child",
                str(source),
                SOURCES[content_type],
                str(made),
                *(TARGETS[target] if is_available() else ("wav", "plain")),
                timeout=TIMEOUT_SECONDS,
            )
        if ended.data != b"done":
            raise FileRefusedError(
                "broken_sound",
                _l("The audio is damaged or too long to convert."),
                next_step=_l("Send it as %(types)s instead.", types=type_names(types)),
            )
        with made.open("rb") as file:
            yield file, target


def _write(path: Path, stream: Readable) -> None:
    size = 0
    with path.open("wb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise too_large(MAX_BYTES)
            file.write(chunk)


def renamed(name: str, content_type: str) -> str:
    """Return *name* with the extension of *content_type*."""
    stem = name.rpartition(".")[0] or name
    return f"{stem}.{ENDINGS[content_type]}" if stem else ""


def _refusal(content_type: str, types: frozenset[str]) -> FileRefusedError:
    return FileRefusedError(
        "type_not_allowed",
        _l("This channel does not support %(type)s files.", type=type_name(content_type)),
        next_step=_l("Supported types: %(types)s.", types=type_names(types))
        if is_available()
        else _l(
            "Supported types: %(types)s. An admin can install a converter for others (the extra av).",
            types=type_names(types | (PLAIN_SOURCES if target_of(types) else frozenset())),
        ),
    )
