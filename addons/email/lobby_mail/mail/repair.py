"""Repair mistakes in mail headers that other mail programs tolerate, but the standard library doesn't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

MAX_BLOCK = 4096
"""Maximum bytes of a part's headers; longer ones are not repaired."""
MAX_BOUNDARIES = 20

_END = re.compile(rb"\n\r*\n")
_RETURNS = re.compile(rb"(?<!\r)\r++\n")
_BARE_RETURN = re.compile(rb"\r(?!\n|[!-9;-~]{1,80}:)")
_HEADER = re.compile(rb"[!-9;-~]*:|[ \t]|From ")
_SPACED = re.compile(rb"([!-9;-~]+)[ \t]+:")
_WELL_FORMED = re.compile(rb"(?:(?:[!-9;-~]*:|[ \t])[^\r\n]*+(?:\r?\n|\Z))*+\Z")
_DELIMITER = re.compile(rb"\n--[^\r\n]{1,200}\r?(?=\n)")
_PARAMETER = re.compile(rb"[ \t]*[\w*-]{1,40}[ \t]*=")
_MULTIPART = re.compile(
    rb"^content-type:[ \t\r\n]{0,9}\"?multipart/[^;\s]{1,60}(?:[^\r\n]|\r?\n[ \t]){0,2000}",
    re.IGNORECASE | re.MULTILINE,
)
_BOUNDARY = re.compile(
    rb";?[ \t\r\n]{0,20}\bboundary[ \t\r\n]{0,20}=[ \t\r\n]{0,20}\"?((?<=\")[^\"]*|[^;\s\"]*)\"?",
    re.IGNORECASE,
)
_LIKELY = re.compile(
    rb"^--(?!\r?\n)([^\r\n]{1,70}?)[ \t]{0,9}\r?\n(?=content-[a-z-]{1,40}[ \t]{0,9}:)",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK = re.compile(rb"\n[ \t]+\r*\n(?=--[^\r\n])")
"""A line that was meant to be empty, above the first part."""
_FIELD = re.compile(rb"[ \t]+[A-Za-z][A-Za-z-]{1,40}:[ \t]")
_FOLD = re.compile(rb"\r?\n")
_FOLDED_SPACE = re.compile(rb"[ \t]{0,20}\r?\n[ \t]{0,20}")

_KNOWN = frozenset(
    b"from to cc subject date message-id reply-to sender in-reply-to references mime-version"
    b" content-type content-transfer-encoding content-disposition content-id".split()
)
"""Common headers: if one follows an invalid line, the header block continues."""


def repaired(data: bytes) -> bytes:
    """Return *data* with well-formed headers of the mail and its parts. The rest is unchanged."""
    found = _END.search(data)
    end = found.start() if found else len(data)
    gap = found.end() if found else len(data)
    head = data[:end].rstrip(b"\r")
    if head[:1] != b"\n" and not _WELL_FORMED.match(head):
        if (blank := _BLANK.search(head)) is not None:
            found, gap = blank, blank.end()
            head = head[: blank.start()].rstrip(b"\r")
        head = _mended(_BARE_RETURN.sub(b" ", _RETURNS.sub(b"\r\n", head)))
        data = head + (b"\r\n\r\n" if found else b"") + data[gap:]
    return _with_parts(_with_boundaries(data, len(head)), len(head))


def _with_parts(data: bytes, start: int) -> bytes:
    """Return *data* with the headers of its parts repaired, without changing similar lines in its texts."""
    boundaries = _boundaries(data)
    delimiters = {b"--" + boundary for _, boundary in boundaries}
    if len(delimiters) < len(boundaries):
        data = _told_apart(data, boundaries)
        delimiters = {b"--" + boundary for _, boundary in _boundaries(data)}
    out: list[bytes] = []
    copied = 0
    for delimiter in _DELIMITER.finditer(data, start) if delimiters else ():
        if delimiter[0].strip() not in delimiters:
            continue
        begin = delimiter.end() + 1
        block = data[begin : begin + MAX_BLOCK]
        found = _END.search(block)
        if found is None or block[:1] in {b"\r", b"\n"} or _WELL_FORMED.match(block, 0, found.start()):
            continue
        out += [data[copied:begin], _mended(block[: found.start()])]
        copied = begin + found.start()
    return b"".join([*out, data[copied:]]) if out else data


def _boundaries(data: bytes) -> list[tuple[re.Match[bytes], bytes]]:
    """Return the headers that declare parts, each with its boundary."""
    return [
        (header, found[1].strip())
        for header in islice(_multiparts(data), MAX_BOUNDARIES)
        if (found := _BOUNDARY.search(header[0]))
    ]


def _told_apart(data: bytes, boundaries: list[tuple[re.Match[bytes], bytes]]) -> bytes:
    """Return *data* with distinct boundaries for nested parts that share one.

    Otherwise the end of the inner part would also end the outer one, losing the rest of it.
    """
    names = [boundary for _, boundary in boundaries]
    for number in range(len(boundaries) - 1, 0, -1):
        header, name = boundaries[number]
        if not name or name not in names[:number] or not _is_of_a_part(data, header.start()):
            continue
        begin = header.end()
        end = re.compile(rb"\n--" + re.escape(name) + rb"--[ \t]*(?=\r?\n)").search(data, begin)
        if end is None or data.find(b"\n--" + name, end.end()) < 0:
            continue
        own = name[:60] + b"-%d" % number
        named = _BOUNDARY.search(header[0])
        if named is None or b"--" + own in data:
            continue
        behind = data.find(b"\n", end.end()) + 1
        inner = re.sub(
            rb"\n--" + re.escape(name) + rb"(?=(?:--)?[ \t]*\r?\n)",
            b"\n--" + own,
            data[begin:behind],
        )
        place = header.start()
        head = header[0][: named.start()] + b'; boundary="' + own + b'"' + header[0][named.end() :]
        data = data[:place] + head + inner + data[behind:]
    return data


def _mended(head: bytes) -> bytes:
    lines = head.split(b"\n")
    names = [line.partition(b":")[0].rstrip().lower() for line in lines]
    first = {name: number for number, name in reversed(list(enumerate(names))) if name in _KNOWN}
    last = max(first.values(), default=-1)
    out: list[bytes] = []
    for number, line in enumerate(lines):
        spaced = _SPACED.match(line)
        if spaced and names[number] in _KNOWN:
            out.append(spaced[1] + line[spaced.end() - 1 :])
        elif _HEADER.match(line) or not line.strip():
            out.append(line)
        elif _is_open(out) and (_PARAMETER.match(line) or _open_quote(out)):
            out.append(b" " + line)
        elif number < last:
            out.append(b"X-Unreadable: " + line)
        else:
            out.append(line)
    return b"\n".join(out)


def _is_open(lines: list[bytes]) -> bool:
    """Return whether the last of *lines* ends within the parameters of a header."""
    return bool(lines) and (lines[-1].rstrip().endswith(b";") or _open_quote(lines))


def _open_quote(lines: list[bytes]) -> bool:
    line = lines[-1]
    if not (line.lower().startswith(b"content-") or line[:1] in {b" ", b"\t"}):
        return False
    return line.count(b'"') % 2 == 1


def _multiparts(data: bytes) -> Iterator[re.Match[bytes]]:
    """Yield each header that declares parts. Searches for a fixed string, because a pattern is too slow."""
    lower = data.lower()
    behind = 0
    place = lower.find(b"multipart/")
    while place >= 0:
        start = lower.rfind(b"content-type:", max(behind, place - 24), place)
        header = _MULTIPART.match(data, start) if start >= 0 else None
        if header is not None and header.end() > place:
            behind = header.end()
            yield header
        place = lower.find(b"multipart/", max(behind, place + 1))


def _with_boundaries(data: bytes, head: int) -> bytes:
    """Return *data* with the boundaries in its headers corrected to those that separate its parts."""
    out: list[bytes] = []
    copied = 0
    for header in islice(_multiparts(data), MAX_BOUNDARIES):
        if header.start() > head and not _is_of_a_part(data, header.start()):
            continue
        named = _BOUNDARY.search(header[0])
        written = named[1] if named else b""
        boundary = next((one for one in _candidates(written, data, header.end()) if one), None)
        begin, end = named.span() if named else (len(header[0].rstrip(b"; \t\r\n")), len(header[0].rstrip()))
        behind = header[0][end:].strip() if named else b""
        if boundary is None or (boundary == written and behind[:1] in {b"", b";"}):
            continue
        parameter = b'; boundary="' + boundary + b'"'
        if behind[:1] not in {b"", b";"}:
            # Text after it, which the package would treat as part of it, or a header that lost its line
            # break.
            parameter += b"\r\n" if _FIELD.match(header[0], end) else b";"
            end += len(header[0][end:]) - len(header[0][end:].lstrip())
        out += [data[copied : header.start() + begin], parameter]
        copied = header.start() + end
    return b"".join([*out, data[copied:]]) if out else data


def _is_of_a_part(data: bytes, position: int) -> bool:
    """Return whether a header follows a boundary line, rather than being part of a text."""
    delimiter = data.rfind(b"\n--", 0, position)
    return delimiter >= 0 and _END.search(data, delimiter + 1, position) is None


def _candidates(written: bytes, data: bytes, start: int) -> Iterator[bytes]:
    """Yield possible boundaries that occur after *start*, for one that was written incorrectly."""
    for one in (written.rstrip(), _FOLD.sub(b"", written).strip(), _FOLDED_SPACE.sub(b"", written).strip()):
        if one and b"\n" not in one and data.find(b"\n--" + one, start) >= 0:
            yield one
    likely = _LIKELY.search(data, start)
    if likely and b'"' not in likely[1]:
        yield likely[1]
