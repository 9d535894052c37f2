"""The child process of :mod:`.reading`: reads one file, and reports its text as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from host.core import child_limits

CPU_SECONDS = 20
MEMORY = 768 * 1024**2
MOST_PAGES = 2_000
PAGE_END = "\f"


class TooMuchError(Exception):
    """The file has more text or pages than allowed."""


class NoWordsError(Exception):
    """The file has no text."""


def main() -> None:
    """Write ``{"title": …, "text": …}`` to the given descriptor, or ``{"problem": …}`` with a key of the
    reasons.

    No output also means failure.
    """
    path, kind, charset, most, report = sys.argv[2:7]
    child_limits.limit(cpu_seconds=CPU_SECONDS, memory=MEMORY, addresses=4 * MEMORY)
    child_limits.leave_network()
    logging.disable()
    said: dict[str, str]
    try:
        title, text = READERS[kind](Path(path), charset, int(most))
        said = {"title": title, "text": text}
    except TooMuchError:
        said = {"problem": "page_large"}
    except NoWordsError:
        said = {"problem": "page_empty"}
    except MemoryError:
        said = {"problem": "page_large"}
    except (Exception, RecursionError):  # noqa: BLE001 - whatever a library says of hostile bytes
        said = {"problem": "file_unreadable"}
    with os.fdopen(int(report), "wb") as out:
        out.write(json.dumps(said).encode())


def pdf(path: Path, _charset: str, most: int) -> tuple[str, str]:
    """Return the title and text of a PDF, with a form feed between pages.

    :param most: most characters.
    :raises TooMuchError: if it has more, or too many pages.
    :raises NoWordsError: if it has only images.
    :raises Exception: any error of the library about invalid files and unknown passwords.
    """
    from pypdf import PdfReader

    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it has a password")
    pages: list[str] = []
    size = 0
    for number, page in enumerate(reader.pages, 1):
        if number > MOST_PAGES:
            raise TooMuchError
        words = storable(page.extract_text())
        size += len(words) + 1
        if size > most:
            raise TooMuchError
        pages.append(words.strip())
    if not any(pages):
        raise NoWordsError
    try:
        title = storable((reader.metadata.title if reader.metadata else None) or "")
    except Exception:  # noqa: BLE001 - what it says of itself may be broken where its words are not
        title = ""
    return " ".join(title.split()), PAGE_END.join(pages)


def html(path: Path, charset: str, most: int) -> tuple[str, str]:
    """Return the title and text of a web page, as Markdown, without its navigation.

    :param charset: from the server; empty if unknown.
    :raises TooMuchError: if it has more than *most* characters.
    :raises NoWordsError: if it has none.
    """
    import trafilatura

    data = path.read_bytes()
    found: str | bytes = data
    if charset:
        try:
            found = data.decode(charset)
        except (LookupError, ValueError):
            found = data
    tree = trafilatura.load_html(found)
    if tree is None:
        raise NoWordsError
    about = trafilatura.extract_metadata(tree)
    title = storable((about.title if about is not None else None) or "")
    text = trafilatura.extract(
        tree, output_format="markdown", include_comments=False, include_tables=True, favor_recall=True
    )
    words = storable(text or "").strip()
    if not words:
        raise NoWordsError
    if len(words) > most:
        raise TooMuchError
    return " ".join(title.split()), words


def plain(path: Path, charset: str, most: int) -> tuple[str, str]:
    """Return the text of a file in UTF-8, or in *charset*.

    :raises ValueError: if it is not valid text; otherwise as :func:`html`.
    """
    text = storable(path.read_bytes().decode(charset or "utf-8-sig")).replace("\r\n", "\n").strip()
    if not text:
        raise NoWordsError
    if len(text) > most:
        raise TooMuchError
    return "", text


def storable(text: str) -> str:
    """Return *text* without characters that databases reject, and without form feeds."""
    made = text.encode("utf-8", "replace").decode()
    return made.replace("\x00", "").replace(PAGE_END, "\n")


READERS: dict[str, Callable[[Path, str, int], tuple[str, str]]] = {"pdf": pdf, "html": html, "plain": plain}
