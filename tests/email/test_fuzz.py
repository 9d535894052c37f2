"""Mails drawn at random, some of them broken: what another parser reads of one, the desk reads too.

The others are the standard library's ``email`` and fast-mail-parser, which share no code. Of each mail it is
known what was written into it, so that none of the three is believed by itself.
"""

from __future__ import annotations

import base64
import email
import email.policy
import os
import random
import re
from collections.abc import Callable
from typing import NamedTuple

import fast_mail_parser

from host.sdk.messages import MessageReceived
from tests.email.test_parsing import HEAD, read

MAILS = int(os.environ.get("MAIL_FUZZ", "1500"))
SEED = int(os.environ.get("MAIL_FUZZ_SEED", "1"))
MISREAD = 4 / 1000

SENTENCES = [
    ("Where is my order?", ["us-ascii", "utf-8", "iso-8859-1"]),
    ("Schöne Grüße aus der Hauptstraße", ["utf-8", "iso-8859-1", "windows-1252", "iso-8859-15"]),
    ("Réponse à votre demande du 3 février", ["utf-8", "iso-8859-1", "windows-1252"]),
    ("Proszę o fakturę, złożyłem zamówienie", ["utf-8", "iso-8859-2", "windows-1250"]),
    ("Здравствуйте, где мой заказ", ["utf-8", "koi8-r", "windows-1251", "iso-8859-5"]),
    ("Πότε θα έρθει η παραγγελία", ["utf-8", "iso-8859-7", "windows-1253"]),
    ("Siparişim ne zaman gelecek", ["utf-8", "iso-8859-9", "windows-1254"]),
    ("请问我的订单什么时候到", ["utf-8", "gb2312", "gbk", "gb18030"]),
    ("請問我的訂單什麼時候到", ["utf-8", "big5"]),
    ("注文はいつ届きますか", ["utf-8", "shift_jis", "euc-jp", "iso-2022-jp"]),
    ("주문은 언제 도착하나요", ["utf-8", "euc-kr"]),
    ("מתי ההזמנה שלי תגיע", ["utf-8", "windows-1255"]),
    ("متى يصل طلبي", ["utf-8", "windows-1256"]),
    ("Danke 🎉 – 5 € “now”", ["utf-8"]),
]


class Said(NamedTuple):
    """What was written into a mail, or what a parser reads of it."""

    sender: str
    name: str
    subject: str
    text: str
    files: dict[str, bytes]

    def holds(self, other: Said) -> set[str]:
        """Return the fields in which it says at least what *other* does."""
        return {
            field
            for field, same in {
                "sender": self.sender == other.sender,
                "name": self.name == other.name,
                "subject": self.subject == other.subject,
                "text": _plain(other.text) in _plain(self.text),
                "files": other.files.items() <= self.files.items(),
            }.items()
            if same
        }


def _plain(text: str) -> str:
    return " ".join(text.split())


class _Writer:
    """Writes one mail, byte by byte, and knows what is in it."""

    def __init__(self, chance: random.Random, *, damage: bool = False) -> None:
        """:param damage: whether the last line of the text has a byte of another charset."""
        self._chance, self._damage = chance, damage
        self.text, charsets = chance.choice(SENTENCES)
        self.charset = chance.choice(charsets)
        self.file = chance.choice([None, None, chance.randbytes(chance.randrange(1, 200))])

    def _encoded_word(self, text: str) -> bytes:
        raw = text.encode(self.charset)
        label = self.charset.upper() if self._chance.random() < 0.3 else self.charset
        if self._chance.random() < 0.5:
            return b"=?%s?B?%s?=" % (label.encode(), base64.b64encode(raw))
        return b"=?%s?Q?%s?=" % (label.encode(), b"".join(b"=%02X" % byte for byte in raw))

    def _name(self) -> bytes:
        """Return the sender's name as an encoded word, or as some programs write it: as it is."""
        bare = f'"{self.text}"'.encode()
        return bare if self._chance.random() < 0.1 else self._encoded_word(self.text)

    def _body(self, text: str) -> tuple[bytes, bytes]:
        """Return a transfer encoding and the body in it."""
        raw = text.encode(self.charset)
        if self._damage:
            raw += b"\r\n--\r\nsent by \xff"
        way = self._chance.choice([b"base64", b"quoted-printable", b"8bit"])
        if way == b"base64":
            return way, base64.encodebytes(raw).replace(b"\n", b"\r\n")
        if way == b"quoted-printable":
            return way, b"".join(
                bytes([byte]) if 32 < byte < 127 and byte != 61 else b"=%02X" % byte for byte in raw
            )
        return way, raw

    def _words(self) -> bytes:
        html = self._chance.random() < 0.3
        way, body = self._body(f"<p>{self.text}</p>" if html else self.text)
        kind = b"text/html" if html else b"text/plain"
        charset = self.charset.encode()
        if self._chance.random() < 0.3:
            charset = b'"' + charset + b'"'
        lines = [b"Content-Type: %s; charset=%s" % (kind, charset), b"Content-Transfer-Encoding: " + way]
        self._chance.shuffle(lines)
        return b"\r\n".join([*lines, b"", body])

    def _attached(self) -> bytes:
        assert self.file is not None
        return (
            b'Content-Type: application/octet-stream; name="a.bin"\r\n'
            b'Content-Disposition: attachment; filename="a.bin"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(self.file).replace(b"\n", b"\r\n")
        )

    def write(self) -> tuple[bytes, Said]:
        parts = [self._words()]
        if self.file is not None:
            parts.append(self._attached())
        content = parts[0]
        if len(parts) > 1 or self._chance.random() < 0.3:
            for depth in range(self._chance.choice([1, 1, 2, 3])):
                boundary = b"=_b%d_%d" % (depth, self._chance.randrange(10**6))
                between = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
                content = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n%s--%s--\r\n' % (
                    boundary,
                    between,
                    boundary,
                )
                parts = [content]
        lines = [
            b"From: " + self._name() + b" <mia@example.org>",
            b"Subject: " + self._encoded_word(self.text),
            b"To: hello@shop.example",
            b"Date: Fri, 20 Nov 2026 08:59:00 +0000",
            b"MIME-Version: 1.0",
        ]
        self._chance.shuffle(lines)
        files = {} if self.file is None else {"a.bin": self.file}
        said = Said("mia@example.org", self.text, self.text, self.text, files)
        return b"\r\n".join(lines) + b"\r\n" + content, said


def _broken(chance: random.Random, raw: bytes) -> bytes:
    """Return a mail with one mistake, of the kinds that senders and the servers between make."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = raw.split(b"\r\n")
    mistakes: list[Callable[[], bytes]] = [
        lambda: raw,
        lambda: raw[: len(raw) - chance.randrange(1, 40)],
        lambda: raw.replace(b"\r\n", b"\n"),
        lambda: raw.replace(b"Content-Type: ", b"content-type:", 1),
        lambda: head.replace(b": ", b":\t") + b"\r\n\r\n" + body,
        lambda: head.replace(b"; ", b";\r\n\t") + b"\r\n\r\n" + body,
        lambda: b"\r\n".join([*lines[:2], b"a line that is none", *lines[2:]]),
        lambda: head.replace(b"Subject:", b"Subject :") + b"\r\n\r\n" + body,
        lambda: raw.replace(b"base64", b"BASE64 "),
        lambda: re.sub(rb"charset=([\w-]+)", rb"charset=\1;;", raw),
        lambda: raw.replace(b"MIME-Version: 1.0\r\n", b"", 1),
        lambda: raw.replace(b"--\r\n", b"\r\n"),
        lambda: raw + b"\r\nSent by a server on the way\r\n",
        lambda: head + b"\r\nX-Long: " + b"x" * 5000 + b"\r\n\r\n" + body,
        lambda: head + b"\r\nX-Bytes: \xe9\xff\x80\r\n\r\n" + body,
        lambda: head + b"\r\n\r\n" + _with_raw_bytes(chance, body),
    ]
    return chance.choice(mistakes)()


def _with_raw_bytes(chance: random.Random, body: bytes) -> bytes:
    """Return *body* with a few bytes that no encoding has, anywhere in it."""
    for _ in range(chance.choice([1, 1, 3])):
        place = chance.randrange(len(body) + 1)
        body = body[:place] + bytes([chance.randrange(128, 256)]) + body[place:]
    return body


def _by_us(raw: bytes) -> Said:
    got: MessageReceived = read(HEAD + raw)
    files = {file.name: file.content or b"" for file in got.attachments}
    return Said(got.contact, got.contact_name or "", got.subject or "", got.text, files)


def _by_email(raw: bytes) -> Said:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    sender = message["From"].addresses[0] if message["From"] and message["From"].addresses else None
    texts, files = [], {}
    for part in message.walk():
        if part.is_multipart():
            continue
        if part.get_content_disposition() == "attachment":
            files[part.get_filename() or ""] = part.get_payload(decode=True)
        else:
            texts.append(re.sub("<[^>]*>", "", str(part.get_content())))
    return Said(
        sender.addr_spec if sender else "",
        sender.display_name if sender else "",
        str(message["Subject"]),
        "\n".join(texts),
        files,
    )


def _by_fast_mail_parser(raw: bytes) -> Said:
    mail = fast_mail_parser.parse_email(raw)
    texts = [*mail.text_plain, *(re.sub("<[^>]*>", "", html) for html in mail.text_html)]
    sender = mail.from_[0] if mail.from_ else None
    files = {one.filename: bytes(one.content) for one in mail.attachments}
    return Said(
        (sender.address or "") if sender else "",
        (sender.name or "") if sender else "",
        mail.subject,
        "\n".join(texts),
        files,
    )


def _tried(reader: Callable[[bytes], Said], raw: bytes, truth: Said) -> set[str]:
    try:
        return reader(raw).holds(truth)
    except Exception:  # noqa: BLE001 - the others raise whatever they like on broken mails
        return set()


def test_what_another_parser_reads_of_a_mail_is_read_here_too() -> None:
    chance = random.Random(SEED)
    misread: list[str] = []
    read_by_others = 0
    for number in range(MAILS):
        raw, truth = _Writer(chance, damage=number % 4 == 0).write()
        if number % 2:
            raw = _broken(chance, raw)
        elsewhere = _tried(_by_email, raw, truth) | _tried(_by_fast_mail_parser, raw, truth)
        read_by_others += len(elsewhere) == len(Said._fields)
        missing = elsewhere - _by_us(raw).holds(truth)
        if missing:
            misread.append(f"mail {number}: {', '.join(sorted(missing))}\n{raw!r}")
    assert read_by_others > MAILS * 0.7, "the others read so little that nothing is compared"
    assert len(misread) <= MAILS * MISREAD, "\n\n".join([f"{len(misread)} of {MAILS}", *misread[:5]])


def test_a_mail_without_mistakes_is_read_whole() -> None:
    chance = random.Random(SEED)
    for _ in range(MAILS // 5):
        raw, truth = _Writer(chance).write()
        assert _by_us(raw).holds(truth) == set(Said._fields), raw
