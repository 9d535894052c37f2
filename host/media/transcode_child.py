"""The child process of :mod:`host.media.transcode`: convert one audio file, and report success."""

from __future__ import annotations

import os
import sys
import wave
from typing import Any

from host.core import child_limits

CPU_SECONDS = 50
MEMORY = 768 * 1024**2
MOST_BYTES = 25 * 1024**2
MOST_SECONDS = 60 * 60
RATE = 44_100
BIT_RATE = 96_000
PLAIN_RATES = (44_100, 22_050, 16_000)
"""Sample rates of a WAV: 25 MB contain five minutes at the first, thirteen at the last."""


def main() -> None:
    """Convert, and write ``done`` to the given descriptor if it succeeds."""
    source, demuxer, target, container, codec, report = sys.argv[2:8]
    child_limits.limit(cpu_seconds=CPU_SECONDS, memory=MEMORY, addresses=4 * MEMORY, file=MOST_BYTES)
    child_limits.leave_network()
    if codec == "plain":
        convert_plainly(source, demuxer, target)
    else:
        convert(source, demuxer, target, container, codec)
    os.write(int(report), b"done")


def convert_plainly(source: str, demuxer: str, target: str) -> None:
    """Convert MP3 or FLAC into a mono WAV, at the highest rate at which it is small enough.

    :raises Exception: any error of the library for hostile bytes; ValueError if the audio is too long or
        empty.
    """
    import miniaudio

    about = {"flac": miniaudio.flac_get_file_info, "mp3": miniaudio.mp3_get_file_info}[demuxer]
    seconds = about(source).duration
    rate = next((one for one in PLAIN_RATES if seconds * one * 2 < MOST_BYTES * 0.98), None)
    if rate is None or not seconds:
        raise ValueError("it is too long, or there is no sound in it")
    pieces = miniaudio.stream_file(source, nchannels=1, sample_rate=rate, frames_to_read=rate)
    with wave.open(target, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(rate)
        samples = 0
        for piece in pieces:
            samples += len(piece)
            if samples * 2 > MOST_BYTES * 0.99:
                raise ValueError("it is longer than it says")
            made.writeframes(piece.tobytes())
    if not samples:
        raise ValueError("there is no sound in it")


def convert(source: str, demuxer: str, target: str, container: str, codec: str) -> None:
    """Convert the first audio stream in *source*.

    :raises Exception: any error of the library for hostile bytes; ValueError if the audio is too long or
        missing.
    """
    import av
    from av.audio.resampler import AudioResampler

    options = {"movflags": "+faststart"} if container == "ipod" else {}
    open_: Any = av.open
    with (
        open(source, "rb") as file,
        open_(file, format=demuxer) as given,
        open_(target, "w", format=container, options=options) as made,
    ):
        if not given.streams.audio:
            raise ValueError("there is no sound in it")
        stream = made.add_stream(codec, rate=RATE)
        stream.layout = "mono" if given.streams.audio[0].codec_context.channels == 1 else "stereo"
        if codec == "aac":
            stream.bit_rate = BIT_RATE
        resampler = AudioResampler(stream.codec_context.format, stream.codec_context.layout, RATE)
        samples = 0
        for frame in given.decode(given.streams.audio[0]):
            frame.pts = None
            for piece in resampler.resample(frame):
                samples += piece.samples
                if samples > MOST_SECONDS * RATE:
                    raise ValueError("it is too long")
                made.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            samples += piece.samples
            made.mux(stream.encode(piece))
        if not samples:
            raise ValueError("there is no sound in it")
        made.mux(stream.encode(None))
