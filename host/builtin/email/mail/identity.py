"""What a mail is recognised by, whichever way it comes."""

from __future__ import annotations

import hashlib
from email.message import Message

from . import headers

MAX_HEAD = 256 * 1024


def head(raw: bytes) -> Message:
    """Return the headers of a mail, none of one that cannot be read."""
    try:
        return headers.parse_mail(raw.partition(b"\r\n\r\n")[0][:MAX_HEAD] + b"\r\n\r\n")
    except (ValueError, RecursionError, LookupError):
        return Message()


def key(message: Message, raw: bytes) -> str:
    """Return the dedupe key of a mail, the same by whichever way it comes."""
    return f"mail:{_digest(message, raw)}"


def _digest(message: Message, raw: bytes) -> str:
    """Return a hash of a mail that is the same when the same mail is delivered again, and no other's.

    The servers it came by write their own lines on top, with their own times. A Message-ID alone is not
    enough: programs reuse theirs, and anybody may send one they have seen.
    """
    written = [headers.raw(message, name) for name in ("Message-ID", "From", "To", "Date", "Subject")]
    head = "\n".join(written).encode("utf-8", "replace")
    return hashlib.sha256(head + b"\n\n" + raw.partition(b"\r\n\r\n")[2]).hexdigest()
