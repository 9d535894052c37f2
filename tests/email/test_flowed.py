"""Text whose lines go on (RFC 3676), and files that stand in a text (uuencode)."""

from __future__ import annotations

import binascii
import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from addons.email.lobby_mail.mail.flowed import unflowed
from addons.email.lobby_mail.mail.uuencoded import File, take_out
from host.sdk.messages import MessageKind
from tests.email.test_parsing import read


def plain(body: str, parameters: str = "; format=flowed", encoding: str = "8bit") -> bytes:
    head = (
        "From: mia@example.org\r\nTo: hello@shop.example\r\nMessage-ID: <one@example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8{parameters}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return (head + body.replace("\n", "\r\n")).encode()


@pytest.mark.parametrize(
    ("body", "words", "joined"),
    [
        ("one \ntwo\nthree", "one two\nthree", "onetwo\nthree"),
        ("one  \ntwo", "one  two", "one two"),
        # Space-stuffing: a first space is not the text's.
        (" From here\n  two\n >three", "From here\n two\n>three", None),
        (
            "> one \n> two\n>> three \n>> four\nfive",
            "> one two\n>> three four\nfive",
            "> onetwo\n>> threefour\nfive",
        ),
        # Another depth ends a paragraph, whatever its last line says.
        ("> one \ntwo", "> one \ntwo", "> one\ntwo"),
        ("one \n-- \nMia", "one \n-- \nMia", "one\n-- \nMia"),
        ("> -- \n> Mia", "> -- \n> Mia", None),
        (">\n> \n>one", ">\n>\n> one", None),
        ("one\n\n \ntwo \n", "one\n\n\ntwo ", "one\n\n\ntwo"),
        ("", "", None),
    ],
)
def test_lines_that_go_on_are_one(body: str, words: str, joined: str | None) -> None:
    assert unflowed(body, delete_space=False) == words
    assert unflowed(body, delete_space=True) == (words if joined is None else joined)


def test_a_flowed_mail_reads_as_it_was_written() -> None:
    body = (
        "Do you have \nblue mugs?\n\nOn Mon, 2 Mar 2026, Shop <hello@shop.example> wrote:\n"
        "> We have \n> mugs.\n"
    )
    found = read(plain(body))
    assert found.text.startswith("Do you have blue mugs?\n\nOn Mon")
    assert found.text.endswith("\n> We have mugs.")
    assert isinstance(found.content["quoted_from"], int)
    assert read(plain("株式 \n会社", "; Format=Flowed; DelSp=Yes")).text == "株式会社"
    assert read(plain("one \ntwo", "; format=fixed")).text == "one \ntwo"
    assert read(plain("one \ntwo", "")).text == "one \ntwo"
    assert read(plain("one=20\ntwo", encoding="quoted-printable")).text == "one two"


def uu(name: str, content: bytes) -> str:
    lines = [content[at : at + 45] for at in range(0, len(content), 45)]
    return f"begin 644 {name}\n{''.join(binascii.b2a_uu(one).decode() for one in lines)}`\nend\n"


def test_a_file_in_the_text_is_a_file() -> None:
    content = bytes(range(256)) * 3
    found = read(plain(f"Here it is.\n\n{uu('Mugs 2026.pdf', content)}\nMia", ""))
    assert found.text == "Here it is.\n\n\nMia"
    (file,) = found.attachments
    assert (file.name, file.content_type, file.content) == ("Mugs 2026.pdf", "application/pdf", content)


def test_a_file_alone_is_a_message_of_its_kind() -> None:
    found = read(plain(uu("../../mug.png", b"\x89PNG"), ""))
    assert (found.kind, found.text) == (MessageKind.IMAGE, "")
    assert found.attachments[0].name == "mug.png"


def test_a_file_in_base64_is_a_file() -> None:
    assert take_out("a\nbegin-base64 644 b.bin\nAAEC\n/w==\n====\nc") == (
        "a\nc",
        [File("b.bin", b"\0\1\2\xff")],
    )


@pytest.mark.parametrize("content", [b"a", b"abc", b"\0" * 100, b" " * 46])
def test_spaces_lost_at_the_end_of_a_line_lose_nothing(content: bytes) -> None:
    text = "\n".join(line.rstrip() for line in uu("a", content).replace("`", " ").split("\n"))
    assert take_out(text)[1] == [File("a", content)]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 a\nend\n",
        "begin 644 a\n`\nend\n",
        "begin 644 a\n#86)C\n",
        "begin 644 a\n#86)C\nNobody reads this line, for it is a sentence of small letters.\nend\n",
        "begin 644 a\n#86)C86)C86)C86)C\nend\n",
        "begin with 644 mugs\n#86)C\n`\nend\n",
        "> begin 644 a\n> #86)C\n> `\n> end\n",
        "begin-base64 644 a\nAA*C\n====\n",
    ],
)
def test_what_is_no_whole_file_stays_in_the_text(text: str) -> None:
    assert take_out(text) == (text, [])


@given(st.binary(min_size=1, max_size=500), st.text(alphabet="abc \n", max_size=30))
@hypothesis_settings(max_examples=100)
def test_any_bytes_come_back(content: bytes, before: str) -> None:
    assert take_out(f"{before}\n{uu('a', content)}") == (f"{before}\n", [File("a", content)])


@given(st.text(alphabet="a> -\n", max_size=200), st.booleans())
def test_flowed_text_loses_no_word(text: str, delete_space: bool) -> None:
    found = unflowed(text, delete_space=delete_space)
    assert re.sub("[> \n]", "", found) == re.sub("[> \n]", "", text)
