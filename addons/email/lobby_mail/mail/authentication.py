"""Sender authentication by our own mail server: ``Authentication-Results`` (RFC 8601)."""

from __future__ import annotations

import re
from email.message import Message

from ..addresses import domain_of
from . import headers

_RESULT = re.compile(r"\s*(spf|dkim|dmarc)\s*(?:/\s*\d+\s*)?=\s*([a-z]{1,20})(.*)", re.DOTALL)
_ABOUT = re.compile(r"(?:header\.d|header\.i|smtp\.mailfrom)\s*=\s*\"?([^\s\";]{1,320})")
_NAME = re.compile(r"\s*\"?([^\s\";]{1,255})")


def same_domain(one: str, other: str) -> bool:
    """Return whether two domains are equal, or one is a subdomain of the other."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def names(servers: str) -> set[str]:
    """Return the server names in a comma-separated list."""
    return {one.strip().lower() for one in servers.split(",")} - {""}


def server_of(written: str) -> str:
    """Return the name of the server that wrote a header, or an empty string."""
    named = _NAME.match(_without_comments(written).partition(";")[0])
    return named.group(1) if named is not None else ""


def results(message: Message, servers: str) -> dict[str, str] | None:
    """Return our server's ``spf``, ``dkim`` and ``dmarc`` results, and a ``verdict`` on the ``From`` address.

    The verdict is ``pass``, ``fail``, or ``none`` if nothing was proved. Returns None without a header of our
    server. Only its topmost one counts, because a sender can forge those below.

    :param servers: comma-separated names of our servers.
    """
    authors = headers.addresses(message, "From")
    ours = names(servers)
    if not ours or not authors:
        return None
    for written in headers.all_raw(message, "Authentication-Results"):
        if server_of(written).lower() in ours:
            _, *parts = _without_comments(written).split(";")
            return _read(parts, domain_of(authors[0][1]) if len(authors) == 1 else "")
    return None


def _read(parts: list[str], domain: str) -> dict[str, str]:
    found: dict[str, str] = {}
    aligned = False
    for part in parts[:50]:
        result = _RESULT.match(part.lower())
        if result is None:
            continue
        method, value, rest = result.groups()
        about = [each.rpartition("@")[2] for each in _ABOUT.findall(rest)]
        # A domain authenticates its subdomains, but not its parent, which may be shared by others.
        fits = bool(domain) and any(f".{domain}".endswith(f".{each}") for each in about)
        if method != "dmarc" and value == "pass" and fits:
            aligned = True
        # One valid signature of several is enough.
        if found.get(method) != "pass":
            found[method] = value
    verdict = "pass" if aligned else "none"
    if domain and found.get("dmarc") in {"pass", "fail"}:
        verdict = found["dmarc"]
    return {**found, "verdict": verdict}


def _without_comments(text: str) -> str:
    """Return *text* without comments in brackets, in one pass.

    Brackets in quoted text don't count, and quoted text can't start a result: it may come from the sender.
    """
    kept, depth, quoted, escaped = [], 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"' and not depth:
            quoted = not quoted
        elif letter == "(" and not quoted:
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(" " if quoted and letter in ";=" else letter)
    return "".join(kept)


def tags(record: str) -> dict[str, str]:
    """Return the tags of a DKIM record, their values without white space."""
    parts = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, mark, value in parts if mark}
