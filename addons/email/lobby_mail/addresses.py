"""Normalise mail addresses, so that they are safe in an SMTP command and a header."""

from __future__ import annotations

import re
import unicodedata

MAX_ADDRESS = 254

_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\"(),:;<>@\[\\\]]{1,64}\Z")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
"""Allows underscores, which are invalid in registered domains but occur in hosts below them."""
_VIA = " via "
"""No address has a space, so whatever a mail says, nobody gets such an id who writes themselves."""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_DEVIATES = re.compile("[\u00df\u03c2]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def normal(address: str) -> str | None:
    """Return *address* lower-cased with an ASCII domain, or None if it is not a plain ``local@domain``.

    Quoted local parts and address literals are refused: real correspondents do not use them.
    """
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    local, domain = local.lower(), "".join(map(str.lower, domain))
    if not at or not _LOCAL.match(local) or _SURROGATE.search(local) or ".." in local or local[0] == ".":
        return None
    if not domain.isascii():
        try:
            domain = ".".join(map(_ascii, _DOTS.split(domain)))
        except UnicodeError:
            return None
    result = f"{local}@{domain}"
    return result if _DOMAIN.match(domain) and len(result.encode()) <= MAX_ADDRESS else None


def _ascii(label: str) -> str:
    """Return *label* as written in the DNS.

    The standard library's codec turns ``ß`` into ``ss``: since IDNA 2008 that is a different domain.
    """
    if _DEVIATES.search(label):
        return "xn--" + unicodedata.normalize("NFKC", label).encode("punycode").decode("ascii")
    return label.encode("idna").decode("ascii")


def domain_of(address: str) -> str:
    """Return the part after the last ``@``."""
    return address.rpartition("@")[2]


def without_tag(address: str) -> str:
    """Return *address* without a ``+tag`` in its local part."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def named_by(posted: str, writer: str) -> str:
    """Return the id of the customer whom the list *posted* names as a writer.

    Anybody can run a list and name whom they like, so it never is the id of *writer*.
    """
    return f"{writer}{_VIA}{posted}"


def reached_at(contact: str) -> str | None:
    """Return the address of a customer's id, normalised, or None if it has none."""
    writer, via, posted = contact.partition(_VIA)
    if not via:
        return normal(contact)
    return writer if normal(writer) == writer and normal(posted) == posted else None
