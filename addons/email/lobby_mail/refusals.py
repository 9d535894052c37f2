"""The meaning of a mail server's refusal: whether it is about the account, and what to do about that."""

from __future__ import annotations

import re

from host.sdk.i18n import noop

from . import smtp

SEND_AS = noop(
    "The mail server doesn't let this mailbox send as its address. In Exchange, give “Send as” for it to the "
    "person who signs in, which can take up to an hour, then choose Check now."
)
SIGNED_OUT = noop(
    "The mail server only accepts mail after a sign-in. Enter the username and password in Settings."
)
BLOCKED = noop(
    "Microsoft blocks mail of this organization. Your Microsoft 365 admin sees the reason and can lift the "
    "block; then choose Check now."
)
NOT_ALLOWED = noop(
    "The mail server doesn't let this account send as its address. Allow it on the mail server, then choose "
    "Check now."
)
ENDS_BY_ITSELF = frozenset({SEND_AS, BLOCKED, NOT_ALLOWED})
"""Reasons that end without new credentials."""
REASONS = ENDS_BY_ITSELF | {SIGNED_OUT}

# Exchange: learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online
_SEND_AS = re.compile(r"\b5\.7\.60\b|SendAsDenied|send as this sender", re.IGNORECASE)
_BLOCKED = re.compile(r"\b5\.7\.(?:705|708)\b")
_SIGNED_OUT = re.compile(r"\b5\.7\.(?:57|8|9)\b")
_OTHERS = re.compile(r"\b5\.[1-6]\.[0-9]")
"""The recipient, their mailbox or the mail (RFC 3463)."""
_SENDER = re.compile(
    r"sender (?:address )?(?:rejected|denied|not allowed|not owned)|not owned by|"
    r"not (?:allowed|authori[sz]ed|permitted) to (?:send|use)",
    re.IGNORECASE,
)


def reason_of(error: smtp.RefusedError) -> str | None:
    """Return why the account may not send, in words; None if it is about the recipient or the mail."""
    words = str(error)
    if error.for_now:
        return None
    if _SEND_AS.search(words):
        return SEND_AS
    if _BLOCKED.search(words):
        return BLOCKED
    if error.code in {530, 534, 535} or _SIGNED_OUT.search(words):
        return SIGNED_OUT
    if error.code not in {550, 553, 554} or _OTHERS.search(words):
        return None
    return NOT_ALLOWED if isinstance(error, smtp.SenderRefusedError) or _SENDER.search(words) else None
