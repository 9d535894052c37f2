"""Files and pages are read in a child: hostile ones cost a refusal, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest

from host.assistants.knowledge import extraction
from host.assistants.knowledge.extraction import ReadingError
from tests.assistants import papers

PAGE = """<!doctype html><html lang="de"><head><title>Versand | Sample Pottery</title>
<script>document.write("scripted words")</script><style>p { color: red }</style></head><body>
<nav><ul><li><a href="/">Startseite</a></li><li><a href="/shop">Laden</a></li></ul></nav>
<main><article><h1>Versand</h1>
<p>Wir versenden nach Österreich und in die Schweiz. Ein Paket braucht vier bis sechs Tage
und kostet 14 €.</p>
<h2>Größere Stücke</h2>
<p>Vasen über 40 cm gehen mit einer Spedition; das dauert zwei Wochen, und wir rufen vorher an.</p>
<table><tr><th>Land</th><th>Preis</th></tr><tr><td>Norwegen</td><td>24 €</td></tr></table>
</article></main><footer>Impressum</footer></body></html>"""


def outcome(kind: str, data: bytes) -> str:
    """Return why it could not be read; empty: it could, and holds nothing of this machine."""
    try:
        found = extraction.read(kind, data)
    except ReadingError as error:
        return error.reason
    assert len(found.text) <= 200_000
    assert "root:" not in found.text
    return ""


def refused(kind: str, data: bytes, **given: str) -> str:
    with pytest.raises(ReadingError) as error:
        extraction.read(kind, data, **given)
    return error.value.reason


def test_a_pdf_is_read_page_by_page() -> None:
    found = extraction.read(
        "pdf", papers.pdf("Prices for shops\nFrom 30 pieces on", "", "Süße Schale 35 %", title="Wholesale")
    )
    assert found.title == "Wholesale"
    assert [page.split() for page in found.text.split("\f")] == [
        ["Prices", "for", "shops", "From", "30", "pieces", "on"],
        [],
        ["Süße", "Schale", "35", "%"],
    ]


def test_a_page_is_read_without_what_stands_around_it() -> None:
    found = extraction.read("html", PAGE.encode())
    assert "Versand" in found.title
    for words in ("Österreich", "14 €", "Spedition", "Norwegen"):
        assert words in found.text
    for words in ("scripted", "color", "Startseite"):
        assert words not in found.text
    assert "# Größere Stücke" in found.text


def test_a_page_is_read_in_the_letters_its_server_names() -> None:
    found = extraction.read("html", PAGE.encode("cp1252"), charset="windows-1252")
    assert "Österreich" in found.text
    assert "Österreich" in extraction.read("html", PAGE.encode(), charset="no-such-charset").text


def test_text_is_read_as_it_is() -> None:
    assert extraction.read("plain", "\ufeff# Title\r\n\r\nWörter\f\n".encode()).text == "# Title\n\nWörter"
    assert refused("plain", b"\xff\xfe\x00") == "file_unreadable"
    assert refused("plain", b" \n") == "page_empty"
    assert refused("plain", b"x" * 200_001) == "page_large"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file_unreadable"),
        (b"%PDF-1.4\nnothing", "file_unreadable"),
        (papers.pdf("words")[:-200], None),
        (papers.pdf("", ""), "page_empty"),
        (papers.many_pages(60_000), "page_large"),
        (partial(papers.unpacks_to, 300_000_000), None),
        (papers.locked("secret", "words"), "file_unreadable"),
        (os.urandom(100_000), "file_unreadable"),
        (b"%PDF-1.7\n" + b"[" * 1_000_000, "file_unreadable"),
        (papers.pdf("x") + b"0" * (20 * 1024 * 1024), "page_large"),
    ],
    ids=["empty", "head", "cut", "blank", "60000 pages", "unpacks", "locked", "noise", "nested", "20 MB"],
)
def test_a_hostile_pdf_is_refused(data: bytes | Callable[[], bytes], reason: str | None) -> None:
    said = outcome("pdf", data() if callable(data) else data)
    assert said == reason or (reason is None and said in {"", "page_large", "file_unreadable"})


def test_a_pdf_that_only_names_an_owner_is_read() -> None:
    assert extraction.read("pdf", papers.locked("", "open words")).text == "open words"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 1000,
        b"<div>" * 200_000,
        b"<!DOCTYPE x [<!ENTITY a '&b;&b;&b;'><!ENTITY b SYSTEM 'file:///etc/passwd'>]><p>&a;</p>",
        b"<html><body></body></html>",
        b"<script>" * 100_000,
        b"<p " + b"a=1 " * 500_000 + b">",
        os.urandom(300_000),
    ],
    ids=["empty", "nul", "deep", "entities", "bare", "scripts", "attributes", "noise"],
)
def test_hostile_html_is_refused_or_read_without_harm(data: bytes) -> None:
    assert outcome("html", data) in {"", "page_empty", "page_large", "file_unreadable"}


def test_a_file_is_what_its_name_and_its_bytes_say() -> None:
    assert extraction.kind_of("Prices.PDF", b"%PDF-1.7 ...") == "pdf"
    assert extraction.kind_of("notes.md", b"# Notes") == "plain"
    assert extraction.kind_of("notes.txt", b"%PDF-1.7") is None
    assert extraction.kind_of("prices.pdf", b"PK") is None
    assert extraction.kind_of("prices", b"words") is None
    assert extraction.kind_of("setup.exe", b"MZ") is None
