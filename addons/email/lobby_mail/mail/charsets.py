"""Decode the text of a mail as browsers do: labels and supersets of https://encoding.spec.whatwg.org."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

import webencodings
from chardetng_py import EncodingDetector

_UNDECLARED = {"", "windows-1252", "utf-16", "utf-32"}
"""Labels that programs write regardless of the text, which is mostly UTF-8 or windows-1252."""
_NEVER = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
"""Text encodings of Python that no mail uses; some take quadratic time."""
_SUPERSETS = {"gbk": "gb18030", "gb2312": "gb18030", "windows-949": "cp949", "x-mac-roman": "mac_roman"}
_CODE_PAGE = re.compile(r"(?:cp|x-cp|win|windows|ibm|dos|ms|microsoft-cp)[-_ ]?(\d{3,5})\Z")
_META = re.compile(
    rb"""<meta\b[^>]{0,500}?\bcharset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})""", re.IGNORECASE
)
_META_BYTES = 16 * 1024
_DETECTION_BYTES = 64 * 1024
_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b(I")
_ASCII = re.compile(rb"[\t\n\r -~]")
_WHOLE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_DAMAGED = re.compile(rb"[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2}|[\x80-\xff]")
_CUT = re.compile(rb"(?:[\xc2\xc3]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})\s{0,9}\Z")


def decode(data: bytes, charset: str = "", hint: str = "") -> str:
    """Return *data* as text. Never raises; an unreadable byte becomes U+FFFD.

    :param charset: the declared charset. It is only detected if the mail declares no known one.
    :param hint: a charset to try before detecting, from another part of the mail.
    """
    if data.isascii() and b"\x1b" not in data and b"\0" not in data and b"~" not in data and b"+" not in data:
        return data.decode("ascii")
    name = lookup(charset)
    if (order := _utf_16_order(data, name)) is not None:
        return _utf_16(data, order)
    name = "utf-16" if name.startswith("utf-16") else name
    if name in _UNDECLARED:
        return _decode_undeclared(data, name, lookup(hint))
    if (text := _strictly(data, name)) is not None:
        return text
    if name == "utf-8":
        return (
            data.decode("utf-8", "replace") if _is_damaged_utf8(data) else _decode_undeclared(data, name, "")
        )
    # Text that is invalid in the declared charset but valid UTF-8 is almost certainly UTF-8.
    return _strictly(data, "utf-8") or _decoder(name)(data, "replace")


def lookup(label: str) -> str:
    """Return the name of the codec for text labelled *label*, or an empty string if there is none."""
    label = bare(label).strip("\0\t\n\f\r \"'").lower()[:40]
    found = webencodings.lookup(label)
    if found is not None and found.name not in {"replacement", "x-user-defined"}:
        if found.name in _SUPERSETS:
            return _SUPERSETS[found.name]
        if found.name.startswith("utf-16"):
            return "utf-16" if label in {"utf-16", "unicode", "ucs-2", "iso-10646-ucs-2"} else found.name
        names = {"iso-2022-jp", "euc-jp", "utf-8", "windows-1252"}
        return str(found.name if found.name in names else found.codec_info.name)
    code_page = _CODE_PAGE.match(label)
    try:
        info = codecs.lookup(f"cp{code_page[1]}" if code_page else label)
    except (LookupError, ValueError, UnicodeError):
        return ""
    if info.name.replace("-", "_") in _NEVER or not info._is_text_encoding:
        return ""
    name = {"ascii": "", "iso8859-1": "windows-1252", "cp1252": "windows-1252"}.get(info.name, info.name)
    return _SUPERSETS.get(name, name)


def bare(label: str) -> str:
    """Return *label* without invalid characters, such as the typographic quotes some mails put around it."""
    return label if label.isascii() else label.encode("ascii", "ignore").decode()


def declared_in_html(data: bytes) -> str:
    """Return the charset that an HTML page declares in ``<meta>``, or an empty string."""
    found = _META.search(data[:_META_BYTES])
    return found[1].decode("ascii", "replace") if found else ""


def _decode_undeclared(data: bytes, name: str, hint: str) -> str:
    if name == "utf-32" and b"\0" in data:
        return data.decode(name, "replace")
    data = data.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE)
    if any(escape in data for escape in _ESCAPES) and data.isascii():
        return _iso_2022_jp(data, "replace")
    for codec in ("utf-8", hint):
        if codec and (text := _strictly(data, codec)) is not None:
            return text
    if _is_damaged_utf8(data):
        return data.decode("utf-8", "replace")
    if name == "windows-1252":
        return data.decode("cp1252", "replace")
    return _decoder(_detected(data))(data, "replace")


def _utf_16_order(data: bytes, name: str) -> str | None:
    """Return the codec of UTF-16 by its bytes, whatever is declared; None if it is none.

    Real UTF-16 has zero bytes in spaces and line ends. Without them the label is wrong, or a program took
    them out, unless it is Chinese or Japanese without any.
    """
    if name == "utf-32":
        return None
    declared = {"utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
    wanted = declared.get(name.replace("utf-16-", "utf-16"))
    marked = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(data[:2])
    body = data[2:] if marked else data
    if b"\0" not in body and (marked or wanted):
        plain = len(body) - len(_ASCII.sub(b"", body))
        named = marked or (wanted if name != "utf-16" else None)
        return None if plain > 0.8 * len(body) else named
    if marked or b"\0" not in body:
        return marked
    # Only to the first line end of single bytes, behind which the pairs may be shifted.
    sample = body[:_DETECTION_BYTES].partition(b"\r\n")[0]
    pairs = max(1, len(sample) // 2)
    evens, odds = sample[::2], sample[1::2]
    little = sum(not high and 9 <= low < 127 for low, high in zip(evens, odds, strict=False)) / pairs
    big = sum(not high and 9 <= low < 127 for high, low in zip(evens, odds, strict=False)) / pairs
    # Spaces are enough where the order is unknown, but a Chinese character may have a zero byte, too.
    least = 0.05 if name == "utf-16" else 0.3 if wanted else 0.5
    if max(little, big) >= least and max(little, big) > 4 * min(little, big):
        return "utf-16-le" if little > big else "utf-16-be"
    return wanted


def _utf_16(data: bytes, codec: str) -> str:
    """Decode UTF-16 in which programs took line ends for single bytes, which shifts what follows."""
    data = data.removeprefix(codecs.BOM_UTF16_LE if codec == "utf-16-le" else codecs.BOM_UTF16_BE)
    text = data.decode(codec, "replace")
    if b"\r\n" not in data or not ("\u0a0d" in text or "\u0d0a" in text or "\ufffd" in text):
        return text
    lines = data.split(b"\r\n")
    for number, line in enumerate(lines):
        # A line feed that became a return and a line feed leaves its zero behind, or before it.
        if codec == "utf-16-le" and number and line[:1] == b"\0":
            lines[number] = line[1:]
        elif codec == "utf-16-be" and len(line) % 2 and line[-1:] == b"\0":
            lines[number] = line[:-1]
    return "\n".join(line.decode(codec, "replace").removesuffix("\r") for line in lines)


def _detected(data: bytes) -> str:
    detector = EncodingDetector()
    detector.feed(data[:_DETECTION_BYTES], last=True)
    return lookup(detector.guess(tld=None, allow_utf8=False)) or "windows-1252"


def _is_damaged_utf8(data: bytes) -> bool:
    """Return whether *data* is UTF-8 with a few invalid bytes, or cut within a character."""
    sample = data[:_DETECTION_BYTES]
    rest, whole = _WHOLE.subn(b"", sample)
    if whole:
        return len(_DAMAGED.findall(rest)) <= whole
    return _CUT.search(data[-16:]) is not None and _CUT.sub(b"", data).isascii()


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return _decoder(codec)(data, "strict")
    except (UnicodeError, LookupError):
        return None


def _decoder(codec: str) -> Callable[[bytes, str], str]:
    codec = {"windows-1252": "cp1252", "utf-8": "utf-8-sig"}.get(codec, codec)
    return _JAPANESE.get(codec) or (lambda data, errors: data.decode(codec, errors))


_PAIR = re.compile(rb"[\x21-\x7e]{2}")
_EUC = re.compile(rb"\x8f[\xa1-\xfe]{2}|\x8e[\xa1-\xdf]|[\xa1-\xfe]{2}")
_MODE = re.compile(rb"(\x1b(?:\$[@B]|\$\([A-Z]|\([A-Z]|\$A|\.[A-Z]))")


def _euc_jp(data: bytes, errors: str) -> str:
    """Decode EUC-JP with the NEC and IBM rows, which cp932 has but Python's EUC-JP codec lacks."""
    text = None if b"\x8f" not in data else _strictly(data, "euc_jp")
    if text is not None:
        return text

    def as_cp932(match: re.Match[bytes]) -> bytes:
        pair = match[0]
        if pair[0] == 0x8F:
            return b"\x81\xac"  # 〓, the traditional replacement for a missing character
        return pair[1:] if pair[0] == 0x8E else _shifted(pair[0] & 0x7F, pair[1] & 0x7F)

    if errors == "strict" and not _EUC.sub(b"", data).isascii():
        raise UnicodeError("not EUC-JP")
    return _EUC.sub(as_cp932, data).decode("cp932", errors)


def _iso_2022_jp(data: bytes, errors: str) -> str:
    """Decode ISO-2022-JP with the same rows and half-width kana."""
    out: list[str] = []
    mode = b"\x1b(B"
    for piece in _MODE.split(data):
        if _MODE.fullmatch(piece):
            mode = piece
        elif mode in {b"\x1b$B", b"\x1b$@"}:
            pairs = _PAIR.sub(lambda match: _shifted(*match[0]), piece)
            out.append(pairs.decode("cp932", errors))
        elif mode == b"\x1b(I":
            out.append(bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in piece).decode("cp932", errors))
        elif mode in {b"\x1b(B", b"\x1b(J"}:
            out.append(piece.decode("ascii" if piece.isascii() else "cp932", errors))
        else:
            out.append((mode + piece + b"\x1b(B").decode("iso2022_jp_ext", "replace"))
    return "".join(out)


def _shifted(row: int, cell: int) -> bytes:
    """Return a character of JIS X 0208, given by its two bytes, in Shift_JIS."""
    lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
    trail = cell + (0x1F + (cell > 0x5F) if row % 2 else 0x7E)
    return bytes((lead, trail))


_JAPANESE = {"euc-jp": _euc_jp, "iso-2022-jp": _iso_2022_jp}
