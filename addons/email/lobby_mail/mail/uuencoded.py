"""Extract uuencoded files (POSIX) from a text, as mail programs sent them before MIME."""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

_BEGIN = re.compile(r"begin(?:-base64)? [0-7]{3,4} (?P<name>\S.{0,250}?)\s*\Z")
_LINE = re.compile(r"[ -`]{1,90}\Z")
MOST_FILES = 100


class File(NamedTuple):
    """A file extracted from a text."""

    name: str
    content: bytes


def take_out(text: str) -> tuple[str, list[File]]:
    """Return *text* without its files, and the files. Incomplete or invalid ones stay in the text."""
    if "begin" not in text:
        return text, []
    lines = text.split("\n")
    kept: list[str] = []
    files: list[File] = []
    at = 0
    while at < len(lines):
        match = _BEGIN.match(lines[at]) if lines[at].startswith("begin") and len(files) < MOST_FILES else None
        content, behind = (None, at + 1) if match is None else _content(lines, at)
        if match is None or content is None:
            # Lines already searched contain no beginning, so each line is read only once.
            kept += lines[at:behind]
        else:
            files.append(File(match["name"], content))
        at = behind
    return "\n".join(kept) if files else text, files


def _content(lines: list[str], begin: int) -> tuple[bytes | None, int]:
    """Return the bytes of the file that begins in line *begin*, and the number of the line after it."""
    decode, end = _uu, "end"
    if lines[begin].startswith("begin-base64"):
        decode, end = _base64, "===="
    found: list[bytes] = []
    for at in range(begin + 1, len(lines)):
        line = lines[at].rstrip("\r\n")
        if line.rstrip() == end:
            return b"".join(found) or None, at + 1
        content = decode(line)
        if content is None:
            return None, at
        found.append(content)
    return None, len(lines)


def _uu(line: str) -> bytes | None:
    """Return the decoded bytes of a line.

    Its first character is their number; trailing spaces may be lost.
    """
    if not line.strip():
        return b""
    if not _LINE.match(line):
        return None
    length = (ord(line[0]) - 32) & 63
    wanted = (length + 2) // 3 * 4
    body = line[1:].ljust(wanted)
    # Some programs append a checksum.
    if len(body.rstrip()) > wanted + 2:
        return None
    try:
        return binascii.a2b_uu(line[0] + body[:wanted])
    except (binascii.Error, ValueError):
        return None


def _base64(line: str) -> bytes | None:
    try:
        return binascii.a2b_base64(line.strip(), strict_mode=True)
    except (binascii.Error, ValueError):
        return None
