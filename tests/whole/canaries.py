"""Looking for a secret where none may be: as it is, and in the forms it is likely to be carried in."""

from __future__ import annotations

import base64
import re
import secrets
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

import requests


def forms(value: str) -> dict[str, bytes]:
    """Return *value* as it stands in text, URLs, hex and base64, wherever in a longer text it starts."""
    raw = value.encode()
    found = {
        "plain": raw,
        "url-encoded": quote(value, safe="").encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "backwards": raw[::-1],
        "utf-16": value.encode("utf-16-le"),
    }
    for offset in range(3):
        # The characters at either end depend on the neighbours; those between do not.
        text = base64.b64encode(b"\0" * offset + raw)
        kept = text[4 if offset else 0 : -4]
        found[f"base64 at {offset}"] = kept
        found[f"base64url at {offset}"] = kept.translate(bytes.maketrans(b"+/", b"-_"))
    return found


@dataclass
class Hunt:
    """Secrets by name, and every place one of them was seen in."""

    secrets: Mapping[str, str]
    seen: list[str] = field(default_factory=list)
    looked: int = 0

    def look(self, place: str, content: bytes | str, *, allowed: Iterable[str] = ()) -> None:
        """Search *content* for every secret but those *allowed* there."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self.looked += len(data)
        for name, value in self.secrets.items():
            if name in allowed:
                continue
            for form, needle in forms(value).items():
                if needle in data:
                    self.seen.append(f"{name} ({form}) in {place}")

    def look_at(self, place: str, answer: requests.Response, *, allowed: Iterable[str] = ()) -> None:
        """Search an answer, its headers and where it sent us."""
        for one in (*answer.history, answer):
            self.look(f"{place}: headers", repr(sorted(one.headers.items())), allowed=allowed)
            self.look(f"{place}: address", one.url, allowed=allowed)
        self.look(place, answer.content, allowed=allowed)


def made_up(length: int = 40) -> str:
    """Return letters and digits nobody has seen before."""
    return secrets.token_hex(length // 2)


LINK = re.compile(r"""(?:href|src|action|data-[\w-]*url|data-[\w-]*href)=["']([^"'#]+)""")

MOST_OF_ONE_PAGE = 20


def crawl(session: requests.Session, desk: str, starts: Iterable[str]) -> dict[str, requests.Response]:
    """Follow every link of the desk from *starts*; return the answers by path.

    Filters lead to each other in any number of ways: of one page, so many are looked at.
    """
    found: dict[str, requests.Response] = {}
    filtered: Counter[str] = Counter()
    waiting = deque(starts)
    while waiting:
        path = waiting.popleft()
        if path in found or "/live" in path:
            continue
        page, _, query = path.partition("?")
        if query:
            filtered[page] += 1
            if filtered[page] > MOST_OF_ONE_PAGE:
                continue
        answer = found[path] = session.get(desk + path, timeout=20)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        for link in LINK.findall(answer.text):
            target = urlsplit(urljoin(answer.url, link.replace("&amp;", "&")))
            if f"{target.scheme}://{target.netloc}" == desk:
                waiting.append(target.path + (f"?{target.query}" if target.query else ""))
    return found
