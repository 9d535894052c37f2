"""A part of a mail that is broken loses at most itself: never the text or the files beside it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from addons.email.lobby_mail.mail import htmltext
from host.sdk.messages import MessageReceived
from tests.email.test_parsing import HEAD, read

PDF = b"%PDF-1.4 " + bytes(range(256)) * 3
CSV = "Größe;Zahl\r\nMug;3\r\n".encode("latin-1")
QUOTED = b"Content-Transfer-Encoding: quoted-printable\r\n"
BASE64 = b"Content-Transfer-Encoding: base64\r\n"

PARTS: dict[str, tuple[bytes, bytes]] = {
    "text": (
        b"Content-Type: text/plain; charset=utf-8\r\n" + QUOTED,
        b"Where is the blue mug? Gr=C3=BC=C3=9Fe\r\nfrom M=C3=BCnchen",
    ),
    "html": (
        b"Content-Type: text/html; charset=utf-8\r\n" + BASE64,
        base64.encodebytes("<p>The <b>handle</b> is broken. Größe M</p>".encode()).replace(b"\n", b"\r\n"),
    ),
    "pdf": (
        b'Content-Type: application/pdf; name="bill.pdf"\r\n' + BASE64,
        base64.encodebytes(PDF).replace(b"\n", b"\r\n"),
    ),
    "csv": (
        b'Content-Type: text/csv; charset=latin-1\r\nContent-Disposition: attachment; filename="a.csv"\r\n'
        + QUOTED,
        b"Gr=F6=DFe;Zahl\r\nMug;3\r\n",
    ),
}
"""The header lines and the body of each part."""

Break = Callable[[bytes, bytes], tuple[bytes, bytes]]


def _in_body(change: Callable[[bytes], bytes]) -> Break:
    return lambda head, body: (head, change(body))


def _in_head(change: Callable[[bytes], bytes]) -> Break:
    return lambda head, body: (change(head), body)


def _half(body: bytes) -> int:
    return len(body) // 2


WAYS: dict[str, Break] = {
    "a raw byte first": _in_body(lambda body: b"\xe9" + body),
    "a raw byte in the middle": _in_body(lambda body: body[: _half(body)] + b"\xff" + body[_half(body) :]),
    "a raw byte last": _in_body(lambda body: body + b"\xfc"),
    "a raw footer": _in_body(lambda body: body + "\r\n\r\n-- \r\nGrüße vom Verteiler\r\n".encode("latin-1")),
    "UTF-8 that is not encoded": _in_body(lambda body: body + "\r\nGrüße 🎉\r\n".encode()),
    "cut in the middle": _in_body(lambda body: body[: _half(body)]),
    "empty": _in_body(lambda _body: b""),
    "NUL bytes": _in_body(lambda body: b"\0" + body + b"\0\0"),
    "every byte there is": _in_body(lambda body: body + bytes(range(14, 256))),
    "no encoding named": _in_head(
        lambda head: b"\r\n".join(line for line in head.split(b"\r\n") if b"Encoding" not in line)
    ),
    "an unknown encoding": _in_head(
        lambda head: head.replace(b"quoted-printable", b"x-gzip64").replace(b"base64", b"x-gzip64")
    ),
    "another encoding than named": _in_head(
        lambda head: (
            head.replace(b"base64", b"X")
            .replace(b"quoted-printable", b"base64")
            .replace(b"X", b"quoted-printable")
        )
    ),
    "uuencode named": _in_head(
        lambda head: head.replace(b"quoted-printable", b"x-uuencode").replace(b"base64", b"x-uuencode")
    ),
    "encoding named twice": _in_head(lambda head: b"Content-Transfer-Encoding: 8bit\r\n" + head),
    "an unknown charset": _in_head(
        lambda head: head.replace(b"utf-8", b"x-klingon").replace(b"latin-1", b"x-klingon")
    ),
    "a charset that is none": _in_head(
        lambda head: head.replace(b"utf-8", b"\xe9\0=?").replace(b"latin-1", b"base64")
    ),
    "a charset of bytes": _in_head(
        lambda head: head.replace(b"utf-8", b"utf-16").replace(b"latin-1", b"rot13")
    ),
    "raw bytes in the head": _in_head(lambda head: b"Content-Description: \xe9\xff\0\r\n" + head),
    "a raw byte in every name": _in_head(
        lambda head: head.replace(b'="', b'="\xe9').replace(b"charset=", b"charset=\xe9")
    ),
    "an endless line": _in_body(lambda body: body.replace(b"\r\n", b"") * 40),
    "only carriage returns": _in_body(lambda body: body.replace(b"\r\n", b"\r") + b"\xe9"),
    "a boundary of somebody else": _in_body(
        lambda body: body + b"\r\n--other\r\nContent-Type: text/plain\r\n\r\n\xe9\r\n--other--\r\n"
    ),
}


def mail(parts: dict[str, tuple[bytes, bytes]]) -> bytes:
    body = b"".join(b"--mixed\r\n%s\r\n%s\r\n" % part for part in parts.values())
    return (
        HEAD
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=mixed\r\n\r\n"
        + body
        + b"--mixed--\r\n"
    )


def found(parts: dict[str, tuple[bytes, bytes]]) -> tuple[str, dict[str, bytes]]:
    change = read(mail(parts))
    assert isinstance(change, MessageReceived)
    return change.text, {one.name: one.content or b"" for one in change.attachments}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("broken", PARTS)
def test_a_broken_part_takes_no_other_along(broken: str, way: str) -> None:
    text, files = found({**PARTS, broken: WAYS[way](*PARTS[broken])})
    assert "message.eml" not in files, "the mail was read, not kept as it is"
    if broken != "text":
        assert "Where is the blue mug? Grüße" in text
    if broken != "html":
        assert "The handle is broken. Größe M" in text
    if broken != "pdf":
        assert files["bill.pdf"] == PDF
    if broken != "csv":
        assert files["a.csv"] == CSV


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "x-none", ""])
@pytest.mark.parametrize("encoding", [QUOTED, BASE64])
def test_a_raw_byte_beside_what_is_encoded_costs_no_word(charset: str, encoding: bytes) -> None:
    named = f"; charset={charset}" if charset else ""
    said = b"Where is the blue mug?"
    body = said if encoding is QUOTED else base64.encodebytes(said)
    raw = HEAD + f"Content-Type: text/plain{named}\r\n".encode() + encoding + b"\r\n" + body + b"\r\n\xe9\r\n"
    change = read(raw)
    assert isinstance(change, MessageReceived)
    assert "Where is the blue mug?" in change.text
    assert not change.attachments


def test_a_part_that_cannot_be_read_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_text: str) -> str:
        raise ValueError("this page is too strange")

    monkeypatch.setattr("addons.email.lobby_mail.mail.parsing.to_text", fails)
    assert htmltext.to_text("<p>x</p>") == "x"
    text, files = found(PARTS)
    assert "Where is the blue mug? Grüße" in text
    assert files["bill.pdf"] == PDF
    assert b"<b>handle</b>" in files["part.html"]
