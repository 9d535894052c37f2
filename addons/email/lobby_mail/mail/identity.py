"""Identity of a mail, independent of how it arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from email.message import Message

from . import headers

MAX_HEAD = 256 * 1024
BELOW = b"X-Lobby-Received: below\r\n"
"""The last line of ours above a mail. A mail that begins with a continued line continues this one, which
nothing reads, and so none of those above.
"""


def delivered_to(address: str, aliases: Sequence[str] = ()) -> bytes:
    """Return the line above a mail in the inbound log, with the account's address and its aliases.

    Received content is below it and :data:`BELOW`, so senders cannot influence which addresses are ours.
    """
    return f"Delivered-To: {', '.join((address, *aliases))}\r\n".encode()


def own(message: Message) -> tuple[str, ...]:
    """Return our addresses as :func:`delivered_to` wrote them, the account's own first."""
    return tuple(address for _, address in headers.addresses(message, "Delivered-To"))


def head(raw: bytes) -> Message:
    """Return the headers of a mail, or empty headers if it cannot be read."""
    try:
        return headers.parse_mail(raw[: _head_end(raw)][:MAX_HEAD] + b"\r\n\r\n")
    except (ValueError, RecursionError, LookupError):
        return Message()


def _head_end(raw: bytes) -> int:
    end = raw.find(b"\r\n\r\n")
    return len(raw) if end < 0 else end


def key(message: Message, raw: bytes, arrival: str) -> str:
    """Return the dedupe key of a mail, which does not depend on how it arrived.

    :param arrival: identifies this delivery, for mails without identifying headers.
    """
    return f"mail:{_digest(message, raw, arrival)}"


def _digest(message: Message, raw: bytes, arrival: str) -> str:
    """Return a hash that is the same for repeated deliveries of a mail and differs between mails.

    It ignores headers that servers add in transit. A Message-ID alone is not enough: programs reuse them, and
    anyone can send one they have seen.
    """
    written = [headers.raw(message, name) for name in ("Message-ID", "From", "To", "Date", "Subject")]
    if not headers.raw(message, "Message-ID").strip() and not headers.raw(message, "Date").strip():
        # Two identical mails of a program, such as an alarm, are distinct. A server that retries repeats its
        # Received lines; without those, a duplicate is better than a lost mail.
        written += list(headers.all_raw(message, "Received")) or [arrival]
    head = "\n".join(written).encode("utf-8", "replace")
    digest = hashlib.sha256(head + b"\n\n")
    digest.update(memoryview(raw)[_head_end(raw) + 4 :])  # without a copy of a large mail
    return digest.hexdigest()
