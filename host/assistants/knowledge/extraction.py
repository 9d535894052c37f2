"""Extract the text of files and web pages.

Untrusted bytes are parsed in a separate process, with limits and without a network, like audio
(:mod:`host.media.transcode`). Pages are fetched through the guarded client.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from flask_babel import lazy_gettext as _l

from host import installing
from host.assistants.knowledge.entries import LONGEST, LONGEST_TITLE, EntryError, EntryInput
from host.assistants.models import EntryKind
from host.assistants.words import said
from host.core import child
from host.core.cleaning import clean
from host.sdk.http import Client, FetchError, ForbiddenAddressError, TooMuchError

MOST_BYTES = 20 * 1024 * 1024
"""Largest file in bytes."""
MOST_OF_PAGE = 5 * 1024 * 1024
LONGEST_ADDRESS = 2_000
TIMEOUT_SECONDS = 30.0
PAGE_SECONDS = 15.0
FOLLOWED = 3
"""Most redirects of a page that are followed."""
KINDS = {
    "application/pdf": "pdf",
    "application/xhtml+xml": "html",
    "text/html": "html",
    "text/markdown": "plain",
    "text/plain": "plain",
}
"""The reader for each content type of a server."""
ENDINGS = {"pdf": "pdf", "md": "plain", "markdown": "plain", "txt": "plain"}
"""The reader for each file extension."""
_reading = threading.BoundedSemaphore(2)
"""Limits how many are read at a time in one process."""
_GONE = frozenset({404, 410})


class ReadingError(Exception):
    """A file or page could not be read.

    :ivar reason: a key of :data:`host.assistants.words.REASONS`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExtractedText(msgspec.Struct, frozen=True):
    """The text of a file or page.

    :param title: its own title; empty if it has none.
    """

    title: str
    text: str


@cache
def is_available() -> bool:
    """Return whether this installation can read PDFs and pages (the extra ``assistants``)."""
    return all(
        importlib.util.find_spec(name) is not None for name in ("lxml_html_clean", "pypdf", "trafilatura")
    )


def not_installed(field: str) -> EntryError:
    """Return the error for an installation that cannot read PDFs and pages."""
    return EntryError(
        _l("The packages for reading PDFs and web pages aren't installed, so nothing was saved."),
        next_step=_l("An admin can install them: %(command)s", command=installing("assistants")),
        field=field,
    )


def wanted_page(url: str, title: str, questions: Sequence[str]) -> EntryInput:
    """Return the entry for a web page, which is read later.

    :param title: if empty, its address is used.
    :raises EntryError: if its address is invalid, or this installation cannot read pages.
    """
    if not is_available():
        raise not_installed("url")
    if not allows(url):
        raise EntryError(
            _l("This isn't a valid page URL, so nothing was saved."),
            next_step=_l("Use a public URL that starts with https://."),
            field="url",
        )
    return EntryInput(title.strip() or short(url)[:LONGEST_TITLE], "", questions, EntryKind.PAGE, url)


def wanted_file(name: str, data: bytes, title: str) -> EntryInput:
    """Return the entry for a file, with its text and without example questions.

    :param name: the name of the file, with or without folders.
    :param data: its bytes, at most :data:`MOST_BYTES`.
    :param title: if empty, the file's own title or its name is used.
    :raises EntryError: if it cannot be read.
    """
    name = clean(name).replace("\\", "/").rpartition("/")[2]
    other = _l("Choose another file, or paste its text.")
    kind = kind_of(name, data)
    if kind is None:
        raise EntryError(
            _l("Only PDF, Markdown and plain text files are supported. Nothing was saved."),
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
    return EntryInput(title[:LONGEST_TITLE], words.text, (), EntryKind.FILE, name)


def kind_of(name: str, data: bytes) -> str | None:
    """Return the reader for a file by its name and first bytes, or None if there is none."""
    kind = ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None
    return kind if (kind == "pdf") == data.startswith(b"%PDF-") else None


def read(kind: str, data: bytes, *, charset: str = "") -> ExtractedText:
    """Return the text in *data*.

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
                "host.assistants.knowledge.extraction_child",
                str(path),
                kind,
                charset,
                str(LONGEST),
                timeout=TIMEOUT_SECONDS,
            )
    try:
        found = json.loads(ended.data)
    except ValueError:
        # It was killed, most likely for exceeding its time or memory limit.
        raise ReadingError("page_large" if not ended.in_time else "file_unreadable") from None
    if "problem" in found:
        raise ReadingError(found["problem"])
    return ExtractedText(found["title"][:LONGEST_ADDRESS], found["text"])


# ---- pages ---------------------------------------------------------------------------------------------


class _AnyHost(Client):
    """The guarded client, allowed to reach any public host."""

    def _listed(self, _host: str) -> bool:
        return True


_client = _AnyHost(frozenset(), read_timeout=PAGE_SECONDS, total_timeout=PAGE_SECONDS)


def allows(url: str) -> bool:
    """Return whether pages at *url* may be read; its IP address is checked on connecting."""
    return len(url) <= LONGEST_ADDRESS and _client.allows(url)


def fetch(url: str) -> ExtractedText:
    """Return the text of the page at *url*.

    :raises ReadingError: with ``page_gone``, ``page_forbidden``, ``page_failed``, or the reasons of
    :func:`read`.
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
    """Return the reader and the charset for a ``Content-Type``."""
    type_, _, rest = header.partition(";")
    named = dict(part.strip().partition("=")[::2] for part in rest.split(";"))
    charset = named.get("charset", "").strip("\"' ")
    safe = charset.isascii() and charset.replace("-", "").replace("_", "").isalnum() and len(charset) < 40
    return KINDS.get(type_.strip().lower()), charset if safe else ""


def short(url: str) -> str:
    """Return an address shortened for people: host and path."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path.rstrip('/')}" or url
