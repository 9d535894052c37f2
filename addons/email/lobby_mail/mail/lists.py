"""Mailing lists: the address to write to one, and the writer it names if it put its own address in From.

Lists do so because a mail they change is no longer signed by its writer's domain (DMARC). The formats:

- Mailman 2 and 3: ``Mia via List <list@host>``; the writer is in Reply-To, or in Cc if that is the list.
- Google Groups: ``'Mia' via List <list@host>``; in X-Original-From, and in Reply-To unless that is the group.
- groups.io: ``Mia via groups.io <mia=example.org@groups.io>``; in From, and at times in Reply-To.
- Sympa: ``"Mia" (via list Mailing List) <list@host>``; in X-Original-From or Reply-To.
- The IETF: ``Mia <mia=40example.org@dmarc.ietf.org>``; in From.

Anybody can run a list, so all this is only its claim, even if the list itself is proved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple
from urllib.parse import unquote

from ..addresses import domain_of, normal
from . import headers
from .authentication import same_domain

_POST = re.compile(r"<mailto:([^<>?\s]{1,320})", re.IGNORECASE)
_LIST_ID = re.compile(r"<([^<>\s]{1,320})>")
_VIA = re.compile(r"(?P<writer>.{1,200}?)\s(?:\(via (?P<comment>[^()]{1,200})\)|via (?P<list>.{1,200}))\Z")
_QUOTES = " '\"\u2018\u2019\u201c\u201d"


class Claim(NamedTuple):
    """A list's statement about a mail whose From it rewrote.

    :ivar posted: the address to write to the list; *title*: its name, or empty.
    :ivar name: the writer's name; *address*: theirs. Empty if it names none.
    """

    posted: str
    title: str
    name: str
    address: str


def address_of(message: Message) -> str:
    """Return the address to write to the mailing list that a mail came through, or nothing.

    It is in List-Post (RFC 2369), else a recipient that the List-Id is derived from (RFC 2919).
    """
    posted = headers.raw(message, "List-Post")
    if posted:
        found = _POST.search(posted)
        return "" if found is None else normal(unquote(found[1])) or ""
    named = _LIST_ID.search(headers.raw(message, "List-Id"))
    recipients = (one for name in ("To", "Cc") for _, one in headers.addresses(message, name))
    return next((one for one in recipients if named and one.replace("@", ".") == named[1].lower()), "")


def through(message: Message) -> str:
    """Return the address of the list that somebody wrote a mail to; nothing if a program sent it."""
    return "" if headers.is_of_program(message) else address_of(message)


def claim(message: Message) -> Claim | None:
    """Return what a list says about a mail whose From it rewrote; None for any other mail."""
    posted, authors = address_of(message), headers.addresses(message, "From")
    if not posted or len(authors) != 1:
        return None
    shown, author = authors[0]
    if not same_domain(domain_of(author), domain_of(posted)):
        return None
    parts = _VIA.match(shown)
    encoded = _decoded(author)
    if author != posted and parts is None and not encoded:
        return None
    name = parts["writer"].strip(_QUOTES) if parts else shown if encoded else ""
    title = (parts["comment"] or parts["list"]).strip() if parts else ""
    if author != posted and not encoded and not headers.raw(message, "X-Original-From"):
        # Somebody's own address at the list's domain, and a name with the word.
        return None
    found = _writer(message, name, {posted, author}) or ("", encoded)
    return Claim(posted, title, found[0] or name, found[1])


def is_proved(checked: Mapping[str, str] | None) -> bool:
    """Return whether our server found a list's domain proved, by its signature or its policy."""
    return (
        checked is not None
        and checked["verdict"] == "pass"
        and "pass" in {checked.get("dkim"), checked.get("dmarc")}
    )


def _decoded(author: str) -> str:
    """Return the address that the local part of another one encodes, or nothing."""
    local = author.rpartition("@")[0]
    writer, mark, domain = local.rpartition("=40")
    if not mark:
        writer, mark, domain = local.rpartition("=")
    return normal(f"{writer}@{domain}") or "" if mark and "." in domain else ""


def _writer(message: Message, name: str, without: set[str]) -> tuple[str, str] | None:
    """Return name and address of the writer that the headers name, or None if they name none or several."""
    for header in ("X-Original-From", "Reply-To", "Cc"):
        people = {one: label for label, one in headers.addresses(message, header) if one not in without}
        if len(people) > 1 or header == "Cc":
            people = {one: label for one, label in people.items() if label and label.strip(_QUOTES) == name}
        if len(people) == 1:
            ((address, label),) = people.items()
            return label, address
    return None
