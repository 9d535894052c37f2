"""Decode the text of a mail, whatever charset it claims."""

from __future__ import annotations

import codecs

# Text encodings of Python that no mail uses; some take quadratic time.
_NEVER = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}


def decode(data: bytes, charset: str) -> str:
    """Return *data* as text: in *charset* if that works, else UTF-8, else Windows' Western European.

    Never raises; an unreadable byte becomes U+FFFD.
    """
    for candidate in (charset, "utf-8"):
        name = _known(candidate)
        if name is not None:
            try:
                return data.decode(name)
            except (UnicodeError, LookupError):
                continue
    return data.decode("cp1252", "replace")


def _known(charset: str) -> str | None:
    try:
        info = codecs.lookup(charset.strip().strip("\"'")[:40])
    except (LookupError, ValueError, UnicodeError):
        return None
    if info.name in {"ascii", "iso8859-1"}:
        # Text labelled so that holds other bytes is mostly UTF-8, or has Windows' quotation marks.
        return "ascii"
    return None if info.name.replace("-", "_") in _NEVER else info.name
