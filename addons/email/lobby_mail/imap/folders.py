"""Folders of a mailbox and their use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from .connection import signed_in, told
from .server import Server

Listed = tuple[Sequence[bytes], bytes | None, str]
"""A folder as listed by the server: flags, name delimiter, and name."""


class Use(StrEnum):
    """Use of a folder, by the server's special-use flag (RFC 6154), else by its name."""

    INBOX = "inbox"
    SENT = "sent"
    SPAM = "spam"
    LEFT_OUT = "left-out"
    """Drafts, trash, and virtual folders that repeat mails of other folders."""
    PLAIN = "plain"


class Offered(NamedTuple):
    """A folder that can be opened."""

    name: str
    use: Use


_MARKS = {
    b"\\sent": Use.SENT,
    b"\\junk": Use.SPAM,
    **dict.fromkeys((b"\\drafts", b"\\trash", b"\\all", b"\\flagged", b"\\important"), Use.LEFT_OUT),
}
_SENT_NAMES = (
    "sent",
    "sent items",
    "sent messages",
    "sent mail",
    "gesendet",
    "gesendete objekte",
    "gesendete elemente",
    "envoyés",
    "éléments envoyés",
    "enviados",
    "inviata",
    "posta inviata",
    "verzonden items",
)
_SPAM_NAMES = {"spam", "junk", "junk e-mail", "junk-e-mail", "junk email", "bulk mail", "spamverdacht"}
_LEFT_OUT_NAMES = {
    "drafts",
    "entwürfe",
    "trash",
    "papierkorb",
    "deleted items",
    "deleted messages",
    "gelöschte elemente",
    "gelöschte objekte",
    "all mail",
    "alle nachrichten",
    "outbox",
    "postausgang",
}


def sent_folder(folders: Iterable[Listed]) -> str | None:
    """Return the name of the sent folder, found by its flag, else by its name."""
    usable = [(flags, sep, name) for flags, sep, name in folders if can_be_opened(flags)]
    for flags, _, name in usable:
        if any(flag.lower() == b"\\sent" for flag in flags):
            return name
    for wanted in _SENT_NAMES:
        for _, separator, name in usable:
            if _last(name, separator) == wanted:
                return name
    return None


def can_be_opened(flags: Sequence[bytes]) -> bool:
    """Return whether a folder can hold mails, rather than only other folders."""
    return not {flag.lower() for flag in flags} & {b"\\noselect", b"\\nonexistent"}


def offered(folders: Sequence[Listed]) -> list[Offered]:
    """Return the folders that can be opened, in the server's order."""
    sent = sent_folder(folders)
    return [
        Offered(name, Use.SENT if name == sent else _use(flags, separator, name))
        for flags, separator, name in folders
        if can_be_opened(flags)
    ]


def _use(flags: Sequence[bytes], separator: bytes | None, name: str) -> Use:
    if name.upper() == "INBOX":
        return Use.INBOX
    for flag in flags:
        if flag.lower() in _MARKS:
            return _MARKS[flag.lower()]
    last = _last(name, separator)
    if last in _SPAM_NAMES:
        return Use.SPAM
    return Use.LEFT_OUT if last in _LEFT_OUT_NAMES else Use.PLAIN


def _last(name: str, separator: bytes | None) -> str:
    return name.rpartition((separator or b"/").decode("ascii", "replace"))[2].lower()


def folders(server: Server) -> list[Offered]:
    """Connect, sign in, and return the folders. Raises the errors of :func:`.connection.signed_in`."""
    with signed_in(server) as client, told(server):
        return offered(client.list_folders())
