"""Cutting the power of a disk that forgets: what was written and not synced is taken back."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "unsynced.c"
HEAD = struct.Struct("=qqq")


def build(folder: Path) -> Path | None:
    """Compile the shim into *folder*; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    target = folder / "unsynced.so"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run([compiler, *options, "-o", str(target), str(SOURCE), "-ldl"], check=True)
    return target


def settings(shim: Path, data: Path, unsynced: Path) -> dict[str, str]:
    """Return the environment in which what is written under *data* is noted in *unsynced*."""
    unsynced.mkdir(parents=True, exist_ok=True)
    return {
        "LD_PRELOAD": str(shim),
        "TORTURE_DISK": str(data.resolve()) + "/",
        "TORTURE_UNSYNCED": str(unsynced.resolve()),
    }


def forget(data: Path, unsynced: Path) -> int:
    """Take back what was not synced, newest first; return how many bytes that were.

    Nobody may have the files open.
    """
    taken = 0
    files = {path.stat().st_ino: path for path in data.rglob("*") if path.is_file()}
    for book in unsynced.iterdir():
        path = files.get(int(book.name))
        if path is not None:
            taken += _play_back(path, book.read_bytes())
        book.unlink()
    return taken


def _play_back(path: Path, notes: bytes) -> int:
    found: list[tuple[int, bytes, int]] = []
    at = 0
    while at + HEAD.size <= len(notes):
        offset, length, size = HEAD.unpack_from(notes, at)
        at += HEAD.size
        found.append((offset, notes[at : at + length], size))
        at += length
    before = path.stat().st_size
    descriptor = os.open(path, os.O_WRONLY)
    try:
        for offset, old, size in reversed(found):
            if old:
                os.pwrite(descriptor, old, offset)
            os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return sum(len(old) for _, old, _ in found) + max(0, before - path.stat().st_size)
