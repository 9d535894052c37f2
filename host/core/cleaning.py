"""Make external text storable, without NULs and lone surrogates, truncated to its column."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from host.sdk.messages import InboundAttachment

MAX_EXTERNAL_ID = 512
LONGEST_NAME = 255
"""Maximum characters of a file's name."""
TURNED = "\u21c4"
"""Sign in a file's name that replaces characters that reverse the direction of writing."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BLANK = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""Characters that JavaScript's ``trim`` removes, so that the browser's byte counter and the server agree."""


_TURNING = re.compile("[\u202b\u202d\u202e\u2067]+")
_JOINING = frozenset("\u200c\u200d")
"""Invisible characters without which words of some languages, and some emoji, would be others."""
_WIDE = re.compile("[\\s\u115f\u1160\u180e\u2800\u3164\uffa0]+")
"""Blanks, and letters that look like one: many push a name's ending out of sight."""


def _is_storable(text: str) -> bool:
    # Ids are ASCII, and checking that costs a fifth of the search; each event has five of them checked.
    return "\0" not in text if text.isascii() else _UNSTORABLE.search(text) is None


def clean(text: str) -> str:
    """Return *text* without NUL, each lone surrogate as U+FFFD."""
    if _is_storable(text):
        return text
    return _UNSTORABLE.sub(lambda match: "" if match.group() == "\x00" else "\ufffd", text)


def clean_short(text: str | None, length: int) -> str | None:
    """Return *text* cleaned, stripped and truncated to *length* code points; None if empty."""
    if not text:
        return None
    return clean(text).strip()[:length] or None


def clean_value(value: Any) -> Any:
    """Return *value* as JSON that every database accepts: clean strings, finite numbers, plain types."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(inner) for inner in value]
    return clean(str(value))


def clean_attachment(attachment: InboundAttachment) -> InboundAttachment:
    """Return *attachment* in storable form."""
    return InboundAttachment(
        kind=attachment.kind,
        url=clean(attachment.url) if attachment.url else None,
        content=attachment.content,
        name=clean_file_name(attachment.name or ""),
        content_type=clean_short(attachment.content_type, 127) or "",
        role=attachment.role,
        content_id=clean_short(attachment.content_id, 255) or "",
    )


def clean_file_name(name: str) -> str:
    """Return the name somebody else gave a file, so that it shows what the file is.

    Characters that reverse the direction of writing become :data:`TURNED`, other invisible ones go, each run
    of blanks becomes one, and a name that is too long keeps its ending.
    """
    if not (name.isascii() and name.isprintable()):
        name = "".join(filter(_is_shown, _TURNING.sub(TURNED, clean(name))))
    short = _WIDE.sub(" ", name).strip(" .")
    if len(short) <= LONGEST_NAME:
        return short
    stem, dot, ending = short.rpartition(".")
    if dot and len(ending) <= 16:
        return f"{stem[: LONGEST_NAME - 1 - len(ending)]}.{ending}"
    return short[:LONGEST_NAME]


def _is_shown(one: str) -> bool:
    return one in _JOINING or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def clean_written(text: str) -> str:
    """Return typed text: line ends as ``\\n`` (a form sends CRLF), cleaned, no blank edges."""
    return clean(text.replace("\r\n", "\n").replace("\r", "\n")).strip(_BLANK)


def external_id(value: str) -> str:
    """Return a provider's id as it is stored: unchanged, or as a hash if it is too long for the column."""
    if len(value) <= MAX_EXTERNAL_ID and _is_storable(value):
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


MADE_UP = (
    "event:",
    "handover:",
    "line:",
    "may_belong:",
    "opted_in:",
    "opted_out:",
    "reopened:",
    "sha256:",
    "woken:",
)
"""Prefixes of ids made up by the desk, where the provider sent none or a too long one."""


def is_providers(value: str | None) -> bool:
    """Return whether a stored external id is from the provider."""
    return value is not None and not value.startswith(MADE_UP)
