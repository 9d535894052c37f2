"""Read the words of files and of pages of the web.

What reads untrusted bytes runs in a process of its own, with limits and without a network, as what reads
sound does (:mod:`host.media.transcode`). Pages come over the guarded client.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _l

from host import installing
from host.automation.assistants.knowing.entries import LONGEST, LONGEST_TITLE, EntryError, Wanted
from host.automation.assistants.words import said
from host.core import child
from host.core.cleaning import clean
from host.models.assistants import EntryKind
from host.sdk.http import Client, FetchError, ForbiddenAddressError, TooMuchError

MOST_BYTES = 20 * 1024 * 1024
"""Bytes of a file."""
MOST_OF_PAGE = 5 * 1024 * 1024
LONGEST_ADDRESS = 2_000
TIMEOUT_SECONDS = 30.0
PAGE_SECONDS = 15.0
FOLLOWED = 3
"""Redirects of a page."""
KINDS = {
    "application/pdf": "pdf",
    "application/xhtml+xml": "html",
    "text/html": "html",
    "text/markdown": "plain",
    "text/plain": "plain",
}
"""By the type a server names, how it is read."""
ENDINGS = {"pdf": "pdf", "md": "plain", "markdown": "plain", "txt": "plain"}
"""By the ending of a file's name."""
_reading = threading.BoundedSemaphore(2)
"""Limits how many are read at a time in one process."""
_GONE = frozenset({404, 410})


class ReadingError(Exception):
    """It could not be read.

    :ivar reason: a key of :data:`host.automation.assistants.words.REASONS`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Words:
    """What was read.

    :param title: what it calls itself; empty: nothing.
    """

    title: str
    text: str


@cache
def is_available() -> bool:
    """Tell whether this installation can read PDFs and pages (the extra ``assistants``)."""
    return all(
        importlib.util.find_spec(name) is not None for name in ("lxml_html_clean", "pypdf", "trafilatura")
    )


def not_installed(field: str) -> EntryError:
    """Return the refusal of a desk that cannot read PDFs and pages."""
    return EntryError(
        _l("This desk was installed without what reads PDFs and web pages, so nothing was saved."),
        next_step=_l("An admin can add it: %(command)s", command=installing("assistants")),
        field=field,
    )


def wanted_page(url: str, title: str, questions: Sequence[str]) -> Wanted:
    """Return the entry for a page of the web, which is read later.

    :param title: empty: its address.
    :raises EntryError: if its address cannot be one, or this desk reads no pages.
    """
    if not is_available():
        raise not_installed("url")
    if not allows(url):
        raise EntryError(
            _l("That is no address of a page that can be read, so nothing was saved."),
            next_step=_l("It begins with https:// and is open to everybody."),
            field="url",
        )
    return Wanted(title.strip() or short(url)[:LONGEST_TITLE], "", questions, EntryKind.PAGE, url)


def wanted_file(name: str, data: bytes, title: str) -> Wanted:
    """Return the entry for a file, with its words and without example questions.

    :param name: what the file is called, with or without folders.
    :param data: its bytes; more than :data:`MOST_BYTES` are refused.
    :param title: empty: the file's own, or its name.
    :raises EntryError: if it cannot be read.
    """
    name = clean(name).replace("\\", "/").rpartition("/")[2]
    other = _l("Choose another file, or paste its words.")
    kind = kind_of(name, data)
    if kind is None:
        raise EntryError(
            _l("A PDF, a Markdown file or plain text can be read, and this is none. Nothing was saved."),
            next_step=other,
            field="file",
        )
    if kind == "pdf" and not is_available():
        raise not_installed("file")
    try:
        words = read(kind, data)
    except ReadingError as error:
        why = said(error.reason)
        raise EntryError(_l("Nothing was saved: %(why)s.", why=why), next_step=other, field="file") from None
    title = title.strip() or words.title or name.rpartition(".")[0] or name
    return Wanted(title[:LONGEST_TITLE], words.text, (), EntryKind.FILE, name)


def kind_of(name: str, data: bytes) -> str | None:
    """Return how a file is read, by its name and its first bytes; None: it is none of these."""
    kind = ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None
    return kind if (kind == "pdf") == data.startswith(b"%PDF-") else None


def read(kind: str, data: bytes, *, charset: str = "") -> Words:
    """Return the words in *data*.

    :param kind: ``pdf``, ``html`` or ``plain``.
    :raises ReadingError: with ``page_empty``, ``page_large`` or ``file_unreadable``.
    """
    if len(data) > MOST_BYTES:
        raise ReadingError("page_large")
    with tempfile.TemporaryDirectory(prefix="lobby-read-") as folder:
        path = Path(folder) / "in"
        path.write_bytes(data)
        with _reading:
            ended = child.run(
                "host.automation.assistants.knowing.reading_child",
                str(path),
                kind,
                charset,
                str(LONGEST),
                timeout=TIMEOUT_SECONDS,
            )
    try:
        found = json.loads(ended.data)
    except ValueError:
        # It was ended: for its time or its memory, most likely.
        raise ReadingError("page_large" if not ended.in_time else "file_unreadable") from None
    if "problem" in found:
        raise ReadingError(found["problem"])
    return Words(found["title"][:LONGEST_ADDRESS], found["text"])


# ---- pages ---------------------------------------------------------------------------------------------


class _AnyHost(Client):
    """The guarded client, to any host of the public internet."""

    def _listed(self, _host: str) -> bool:
        return True


_client = _AnyHost(frozenset(), read_timeout=PAGE_SECONDS, total_timeout=PAGE_SECONDS)


def allows(url: str) -> bool:
    """Tell whether a page may be read at *url*; where its name leads is seen when it is."""
    return len(url) <= LONGEST_ADDRESS and _client.allows(url)


def fetch(url: str) -> Words:
    """Return the words of the page at *url*.

    :raises ReadingError: with ``page_gone``, ``page_forbidden``, ``page_failed``, or what :func:`read` says.
    """
    try:
        answer = _client.request(
            "GET",
            url,
            headers={"Accept": "text/html, text/plain;q=0.8, application/pdf;q=0.7"},
            max_bytes=MOST_OF_PAGE,
            follow=FOLLOWED,
        )
    except ForbiddenAddressError:
        raise ReadingError("page_forbidden") from None
    except TooMuchError:
        raise ReadingError("page_large") from None
    except FetchError:
        raise ReadingError("page_failed") from None
    if answer.status in _GONE:
        raise ReadingError("page_gone")
    kind, charset = _type(answer.headers.get("content-type", ""))
    if answer.status != 200 or kind is None:
        raise ReadingError("page_failed")
    return read(kind, answer.body, charset=charset)


def _type(header: str) -> tuple[str | None, str]:
    """Return how a page is read and the charset it names, by its ``Content-Type``."""
    type_, _, rest = header.partition(";")
    named = dict(part.strip().partition("=")[::2] for part in rest.split(";"))
    charset = named.get("charset", "").strip("\"' ")
    safe = charset.isascii() and charset.replace("-", "").replace("_", "").isalnum() and len(charset) < 40
    return KINDS.get(type_.strip().lower()), charset if safe else ""


def short(url: str) -> str:
    """Return an address as people read it: host and path."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path.rstrip('/')}" or url
