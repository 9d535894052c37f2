"""Texts that were damaged on the way, and headers that are hard to read, made from the published formats.

Formats: RFC 2045 (encodings), RFC 2046 (boundaries), RFC 2781 (UTF-16), RFC 5322 (comments).
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from addons.email.lobby_mail.mail.charsets import decode
from tests.email.test_conversation import Desk, conversations, signed_in, whole
from tests.email.test_parsing import HEAD, read
from tests.helpers import takes_at_most

__all__ = ["whole"]

WORDS = "Grüße aus Köln, wir hätten gern 8 blaue Becher.\r\nMia"
LITTLE, BIG = WORDS.encode("utf-16-le"), WORDS.encode("utf-16-be")
CHINESE = "一只蓝色的杯子，一共八只。"


def text_of(body: bytes, *, charset: str = "utf-8", encoding: str = "base64", kind: str = "plain") -> str:
    head = (
        "From: Mia <mia@example.org>\r\nTo: hello@shop.example\r\nSubject: Mugs\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return read(HEAD + head.encode() + body).text


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-16be"])
@pytest.mark.parametrize(
    "data",
    [
        LITTLE,
        BIG,
        b"\xff\xfe" + LITTLE,
        b"\xfe\xff" + BIG,
        LITTLE.replace(b"\r\0\n\0", b"\r\0\r\n\0"),
        BIG.replace(b"\0\r\0\n", b"\0\r\0\r\n"),
        b"\xff\xfe" + LITTLE.replace(b"\r\0\n\0", b"\r\n"),
        BIG.replace(b"\0\r\0\n", b"\r\n"),
        b"\xff\xfe" + LITTLE.replace(b"\0", b""),
    ],
    ids=[
        "little",
        "big",
        "little, marked",
        "big, marked",
        "little, LF to CRLF",
        "big, LF to CRLF",
        "little, line end of single bytes",
        "big, line end of single bytes",
        "no zero bytes",
    ],
)
def test_damaged_utf_16_is_read_whatever_is_declared(data: bytes, charset: str) -> None:
    assert text_of(base64.encodebytes(data), charset=charset) == WORDS.replace("\r\n", "\n")


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8", "iso-8859-1", "utf-16"])
@pytest.mark.parametrize("data", [LITTLE, BIG])
def test_utf_16_that_says_something_else_is_read(data: bytes, charset: str) -> None:
    assert text_of(data, charset=charset, encoding="8bit") == WORDS.replace("\r\n", "\n")


@pytest.mark.parametrize("cut", [1, 3])
def test_utf_16_without_its_end_loses_one_character(cut: int) -> None:
    got = decode((b"\xff\xfe" + LITTLE)[:-cut], "utf-16")
    assert got.startswith(WORDS[:-3])
    assert len(got) >= len(WORDS) - cut // 2 - 1


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"\xff\xfe" + CHINESE.encode("utf-16-le"), "utf-16"),
        (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "utf-16"),
        (CHINESE.encode("utf-16-le"), "utf-16le"),
        (CHINESE.encode("utf-16-be"), "utf-16be"),
        (("Где мой заказ номер семь? " * 3).encode("utf-16-be"), "utf-16"),
        ("Blue".encode("utf-32"), "utf-32"),
        (b"Hello\0\0", "utf-8"),
    ],
)
def test_other_texts_with_zero_bytes_stay_what_they_are(data: bytes, charset: str) -> None:
    expected = {"utf-32": "Blue", "utf-8": "Hello\0\0"}.get(charset)
    expected = expected or (CHINESE if len(data) < 60 else "Где мой заказ номер семь? " * 3)
    assert decode(data, charset) == expected


@pytest.mark.parametrize(
    "written",
    [
        "Hello, do you have blue mugs?\nWe need eight.\n\nMia",
        "Grüße, hätten Sie blaue Becher? Wir brauchen acht.",
        "Hello",
        "Thanks\nMia Rossi",
        "Gr=C3=BC=C3=9Fe",
        "https://shop.example/a?b=c",
    ],
)
def test_text_labelled_base64_that_is_none_is_shown_as_written(written: str) -> None:
    assert text_of(written.replace("\n", "\r\n").encode()) == written


def test_html_labelled_base64_that_is_none_is_shown() -> None:
    assert text_of(b"<p>Do you have <b>blue</b> mugs?</p>", kind="html") == "Do you have blue mugs?"


@pytest.mark.parametrize("words", ["Do you have blue mugs?", "Yes, eight of them, for Mia"])
@pytest.mark.parametrize(
    "footer", ["", "\r\n_____________\r\nThe mugs list\r\nhttps://lists.example/mugs\r\n"]
)
def test_base64_is_still_base64(words: str, footer: str) -> None:
    for charset in ("utf-8", "utf-16le", "iso-2022-jp"):
        encoded = base64.encodebytes(words.encode(charset)).replace(b"\n", b"\r\n")
        assert text_of(encoded + footer.encode(), charset=charset) == words
    assert text_of(b"SGk=\r\n") == "Hi"


LONG = "=_Part_" + "x" * 60 + "_0001_" + "y" * 100


@pytest.mark.parametrize(
    "parameter",
    [
        f'\r\n boundary="{LONG}"',
        f' boundary="{LONG[:60]}\r\n {LONG[60:]}"',
        f' boundary="{LONG[:60]}\r\n\t{LONG[60:]}"',
        f'\r\n boundary*0="{LONG[:60]}";\r\n boundary*1="{LONG[60:]}"',
        f' boundary=\r\n "{LONG}"',
        f'\r\n\ttype="text/plain";\r\n\tboundary="{LONG}";\r\n\tcharset=utf-8',
    ],
)
def test_a_boundary_longer_than_a_line_separates_the_parts(parameter: str) -> None:
    raw = (
        "From: Mia <mia@example.org>\r\nTo: hello@shop.example\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/mixed;{parameter}\r\n\r\n--{LONG}\r\nContent-Type: text/plain\r\n\r\n"
        f"See the plan.\r\n--{LONG}\r\n"
        f"Content-Type: application/pdf; name=plan.pdf\r\n\r\nPDF\r\n--{LONG}--\r\n"
    )
    got = read(HEAD + raw.encode())
    assert got.text == "See the plan."
    assert [(file.name, file.content) for file in got.attachments] == [("plan.pdf", b"PDF")]


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("Mia (work (office (Köln))) <mia@example.org>", "Mia (work office Köln)", "mia@example.org"),
        ("mia@example.org (Mia (of (the)) Rossi)", "Mia of the Rossi", "mia@example.org"),
        ("(a (nested) one) Mia <mia@example.org>", "Mia (a nested one)", "mia@example.org"),
        ("Mia <mia(home (or not))@example.org>", "Mia (home or not)", "mia@example.org"),
        ("Mia (bo <bo@evil.example> (x)) <mia@example.org>", None, "mia@example.org"),
        ("(Mia (<bo@evil.example>)) mia@example.org", None, "mia@example.org"),
        ("Mia (x, bo@evil.example (z)) <mia@example.org>", None, "mia@example.org"),
        ("Mia " + "(" * 3000 + "x" + ")" * 3000 + " <mia@example.org>", None, "mia@example.org"),
        ("Mia " + "(" * 3000 + " <mia@example.org>", None, "mia@example.org"),
    ],
)
def test_nested_comments_leave_the_sender_who_it_is(written: str, name: str | None, address: str) -> None:
    with takes_at_most(5):
        got = read(HEAD + f"From: {written}\r\nTo: hello@shop.example\r\n\r\nHi\r\n".encode())
    assert got.contact == address
    assert name is None or got.contact_name == name


def test_backticks_and_markdown_of_a_plain_mail_are_shown_as_typed(whole: Desk, data: Path) -> None:
    typed = "Run `lobby start` and ```\nlobby stop\n``` *now*, **bold**, _it_, ~~no~~, [a](b), # one"
    whole.receive(typed, Message_ID="<one@example.org>")
    browser = signed_in(whole, data)
    where = f"/w/{whole.account.workspace_id}/inbox/{conversations()[0].id}"
    shown = browser.get(where).get_data(as_text=True)
    found = re.search(r"<[^<>]*>([^<>]*Run `lobby start`[^<>]*)<", shown)
    assert found is not None
    assert " ".join(found[1].split()) == " ".join(typed.split())
