"""Compose a mail from a reply. Only this module writes headers; no value can inject one.

A mail has its text as plain text and as HTML (``multipart/alternative``), followed by its files
(``multipart/mixed``). Inline pictures are attached to the HTML, which refers to them (``multipart/related``).
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import encode_rfc2231, format_datetime, formataddr
from html import escape

from host.sdk.formatting import PICTURE_TYPES, Picture, pictures, to_html, to_text, without_pictures

from .addresses import domain_of

MAX_REFERENCES = 20
MOST_QUOTED = 50_000
"""Maximum characters of a quoted message, because long threads grow with each answer."""
WIDEST = 600
"""Maximum display width of a picture in a mail, in pixels."""
OURS = "X-Lobby-Message"
"""Header that identifies our own mail when it comes back, even if a server changed its Message-ID."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SAFE_ID = re.compile(r"(?=.{3,250}\Z)[!-;=?A-~]+@[!-;=?A-~]+\Z")
_REPLY = re.compile(r"(?i)\s*(re|aw|sv|antw)\s*(\[\d+\])?\s*:")
_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}\Z")
_VAGUE = frozenset({"application/octet-stream", "application/zip", "text/plain"})
"""Types detected from the bytes of office documents and tables, for which the file name is more specific."""

_STYLES = {
    "p": "margin:0 0 1em 0",
    "ul": "margin:0 0 1em 0;padding:0 0 0 2em",
    "ol": "margin:0 0 1em 0;padding:0 0 0 2em",
    "li": "margin:0 0 .25em 0",
    "blockquote": "margin:0 0 1em 0;padding:0 0 0 1em;border-left:3px solid #c8ccd0;color:#57606a",
    "a": "color:#0b57d0",
    "img": "max-width:100%;height:auto",
}
_FONT = (
    "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5"
)
# Sets no colour, so that a client in dark mode shows light text.


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail. *content_type* is detected from its bytes, not from its *name*.

    :param content_id: the name by which forwarded messages may show it as a picture.
    """

    name: str
    content_type: str
    content: bytes
    width: int | None = None
    height: int | None = None
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The quoted message in plain text, and the line above it with its author and time."""

    introduction: str
    text: str

    def plain(self) -> str:
        """Return it as plain text with quote marks (RFC 3676, 4.5)."""
        lines = (f">{'' if one.startswith('>') or not one else ' '}{one}" for one in _lines(self.text))
        return "\n".join([self.introduction, *lines])

    def html(self) -> str:
        """Return it as HTML with the classes and the type by which mail programs collapse a quote."""
        words = "<br>\n".join(map(escape, _lines(self.text)))
        return (
            f'<div class="gmail_quote" style="margin:1.5em 0 0 0"><div class="gmail_attr">'
            f"{escape(self.introduction)}</div>"
            f'<blockquote class="gmail_quote" type="cite" dir="auto" style="{_STYLES["blockquote"]}">'
            f"{words}</blockquote></div>"
        )


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A forwarded message.

    :param head: the header lines above its text, as name and value: *From*, *Date*, *Subject*, *To*.
    :param notes: lines below it about files that are not forwarded.
    :param form: the same text as safe HTML; empty if it has only plain text.
    """

    head: Sequence[tuple[str, str]]
    text: str
    notes: Sequence[str] = ()
    form: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """Forwarded messages, and the line above each."""

    title: str
    messages: Sequence[Forwarded]

    def plain(self) -> str:
        """Return them as plain text without quote marks, because they are the content of the mail."""
        return "\n\n".join(self._plain(one) for one in self.messages)

    def _plain(self, one: Forwarded) -> str:
        head = [f"---------- {self.title} ---------", *(f"{name}: {value}" for name, value in one.head)]
        return "\n".join([*head, "", *_lines(one.text), *one.notes]).rstrip()

    def html(self) -> str:
        """Return them as HTML with the class by which mail programs recognise forwarded messages."""
        return "".join(self._html(one) for one in self.messages)

    def _html(self, one: Forwarded) -> str:
        head = "<br>\n".join(
            [
                f"---------- {escape(self.title)} ---------",
                *(f"<b>{escape(name)}:</b> {escape(value)}" for name, value in one.head),
            ]
        )
        words = one.form or _broken(_lines(one.text))
        below = f'<div dir="auto">{_broken(one.notes)}</div>' if one.notes else ""
        return (
            f'<div class="gmail_quote" style="margin:1.5em 0 0 0"><div class="gmail_attr">{head}</div>'
            f'<div dir="auto" style="margin:1em 0 0 0">{words}</div>{below}</div>'
        )


def _broken(lines: Sequence[str]) -> str:
    return "<br>\n".join(map(escape, lines))


def passed_on(form: str) -> str:
    """Return the formatted form of a forwarded message, on the white page for which it was written."""
    return f'<div style="color-scheme:light;background-color:#fff;color:#1c1e21">{form}</div>'


def marked(text: str, shown: Mapping[str, Picture]) -> str:
    """Return a forwarded text of ours, cut as its plain text.

    :param shown: its pictures by name.
    """
    return without_pictures(to_html("\n".join(_lines(text)), _STYLES, shown))


def _lines(text: str) -> list[str]:
    """Return the lines of a quoted or forwarded text, cut to :data:`MOST_QUOTED`."""
    bare = written(text.strip(), "")[0]
    cut = f"{bare[:MOST_QUOTED]}\n[\u2026]" if len(bare) > MOST_QUOTED else bare
    return [one.rstrip() for one in cut.split("\n")]


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a mail.

    :param message_id: without angle brackets.
    :param references: external ids of the conversation, newest first.
    :param own_subject: the subject a person entered; empty: that of the conversation, as a reply.
    :param cc: addresses, normalised like all others here. Bcc recipients are not part of a mail.
    :param reply_to: the address for replies, if not *sender*.
    :param others: further recipients in To besides *recipient*, names and addresses.
    :param names: names of the *cc* recipients, by address.
    :param calendar: a calendar file that answers an invitation; the mail's text says the same.
    :param automatic: it was sent automatically, so no automatic answer is allowed.
    """

    sender_name: str
    sender: str
    recipient: str
    subject: str | None
    text: str
    message_id: str
    references: tuple[str, ...]
    date: datetime
    own_subject: str = ""
    signature: str = ""
    cc: Sequence[str] = ()
    reply_to: str = ""
    files: Sequence[File] = ()
    automatic: bool = False
    recipient_name: str = ""
    others: Sequence[tuple[str, str]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    quoted: Quote | Forward | None = None
    calendar: str = ""


def message_id(message_key: str, address: str) -> str:
    """Return the Message-ID of a reply: the same for every attempt, so a mail sent twice is shown once."""
    return f"{message_key}@{domain_of(address)}"


def subject(of_conversation: str | None) -> str:
    """Return the subject of a reply."""
    words = line(of_conversation or "", 400)
    return words if _REPLY.match(words) else f"Re: {words}".strip()


def compose(reply: Reply) -> bytes:
    """Return the mail as sent over the wire, with CRLF line ends."""
    mail = _body(reply)
    mail["From"] = _mailbox("From", reply.sender_name, reply.sender)
    to = [(reply.recipient_name, reply.recipient), *reply.others]
    mail["To"] = ", ".join(_mailbox("To", name, address) for name, address in to)
    if reply.cc:
        mail["Cc"] = ", ".join(_mailbox("Cc", reply.names.get(one, ""), one) for one in reply.cc)
    if reply.reply_to and reply.reply_to != reply.sender:
        mail["Reply-To"] = reply.reply_to
    about = line(reply.own_subject, 400) or (
        subject(reply.subject) if reply.references or reply.subject else ""
    )
    charset_of_line = "us-ascii" if about.isascii() else "utf-8"
    mail["Subject"] = Header(about, charset_of_line, header_name="Subject").encode()
    mail["Date"] = format_datetime(reply.date)
    mail["Message-ID"] = f"<{reply.message_id}>"
    mail[OURS] = reply.message_id
    if reply.automatic:
        mail["Auto-Submitted"] = "auto-replied"  # RFC 3834
        mail["X-Auto-Response-Suppress"] = "All"  # Exchange
    known = [reference for reference in reply.references if _SAFE_ID.match(reference)][:MAX_REFERENCES]
    if known:
        mail["In-Reply-To"] = f"<{known[0]}>"
        mail["References"] = " ".join(f"<{reference}>" for reference in reversed(known))
    return mail.as_bytes(policy=compat32.clone(linesep="\r\n"))


def _mailbox(header: str, name: str, address: str) -> str:
    """Return an address with its name, encoded for a header (RFC 5322, RFC 2047)."""
    name = line(name, 100)
    if not address.isascii() or name.lower() == address:
        return address  # the name would be encoded, but the address must not be
    if name.isascii() and "=?" not in name:  # except text that only looks like an encoded word
        return formataddr((name, address))
    # An encoded word has at most 75 characters, so a long name needs several.
    words = Header(name, "utf-8", maxlinelen=75, header_name=header).encode()
    return f"{words} <{address}>"


def _body(reply: Reply) -> Message:
    text, signature = written(reply.text, reply.signature)
    shown = {name: file for name in pictures(text) if (file := _named(name, reply.files)) is not None}
    ids = {name: f"picture{at}.{reply.message_id}" for at, name in enumerate(shown, 1)}
    places = {name: picture(ids[name], file.width, file.height) for name, file in shown.items()}
    words = MIMEMultipart("alternative")
    below = f"\n\n-- \n{to_text(signature)}" if signature else ""
    if reply.quoted is not None:
        below += f"\n\n{reply.quoted.plain()}"
    words.attach(_text(f"{to_text(without_pictures(text) if shown else text)}{below}", "plain"))
    form = html(text, signature, places, reply.quoted)
    inline = [(ids[name], file) for name, file in shown.items()]
    for file in reply.files if isinstance(reply.quoted, Forward) else ():
        # The same picture may have been sent twice, and another mail may use the same name.
        place, own = f'src="cid:{file.content_id}"', f"{file.content_id}.{reply.message_id}"
        if file.content_id and place in form and file.content_type in PICTURE_TYPES:
            form = form.replace(place, f'src="cid:{own}"')
            inline.append((own, file))
    laid_out = _text(form, "html")
    if inline:
        related = MIMEMultipart("related", type="text/html")
        related.attach(laid_out)
        for id_, file in inline:
            part = _attached(file, "inline")
            part["Content-ID"] = f"<{id_}>"
            related.attach(part)
        words.attach(related)
    else:
        words.attach(laid_out)
    if reply.calendar:
        answer = _text(reply.calendar, "calendar")
        answer.set_param("method", "REPLY")
        words.attach(answer)
    files = [one for one in reply.files if not any(one is file for _, file in inline)]
    if not files:
        return words
    mail = MIMEMultipart("mixed")
    if text.strip() or signature or reply.quoted:
        mail.attach(words)
    for file in files:
        mail.attach(_attached(file))
    return mail


def _named(name: str, files: Sequence[File]) -> File | None:
    """Return the picture called *name*, or None if no picture of that name can be shown inline."""
    return next((one for one in files if one.name == name and one.content_type in PICTURE_TYPES), None)


def picture(content_id: str, width: int | None, height: int | None) -> Picture:
    """Return the inline picture for a file in its own size, at most :data:`WIDEST`.

    Outlook ignores ``max-width``, so the size is given explicitly.
    """
    if not width or not height:
        return Picture(f"cid:{content_id}")
    shown = min(width, WIDEST)
    return Picture(f"cid:{content_id}", shown, max(1, round(height * shown / width)))


def html(
    text: str, signature: str, shown: Mapping[str, Picture], quoted: Quote | Forward | None = None
) -> str:
    """Return the HTML of a mail: of *text* and *signature* as :func:`written` returns them.

    :param shown: the pictures that may be inline in *text*, by name.
    """
    below = (
        f'<div style="margin:1.5em 0 0 0;color:#57606a;font-size:13px">{to_html(signature, _STYLES)}</div>'
        if signature
        else ""
    )
    if quoted is not None:
        below += quoted.html()
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark"></head>'
        f'<body><div dir="auto" style="{_FONT}">{to_html(text, _STYLES, shown)}{below}</div></body></html>\n'
    )


def _text(text: str, subtype: str) -> MIMEText:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    return MIMEText(text, subtype, charset)  # type: ignore[arg-type]  # typeshed knows only its name


def _attached(file: File, how: str = "attachment") -> MIMEBase:
    name = line(file.name, 200) or "file"
    main, sub = _type_of(file, name).split("/")
    part = MIMEBase(main, sub)
    part.set_payload(file.content)
    encode_base64(part)
    if name.isascii():
        part.add_header("Content-Disposition", how, filename=name)
        return part
    # The parameter of RFC 2231 for standard clients; an encoded word, which is non-standard here, for
    # Outlook.
    word = Header(name, "utf-8", maxlinelen=10_000).encode()
    part.set_param("name", word)
    part["Content-Disposition"] = f"{how}; filename*={encode_rfc2231(name, 'utf-8')}"
    return part


def _type_of(file: File, name: str) -> str:
    found = file.content_type
    if found in _VAGUE:
        found = mimetypes.guess_type(name)[0] or found
    # Files are sent as base64, which message/* and multipart/* types forbid.
    fits = bool(_TYPE.match(found)) and not found.startswith(("message/", "multipart/"))
    return found if fits else "application/octet-stream"


def written(text: str, signature: str) -> tuple[str, str]:
    """Return both with uniform line ends and without characters that cannot be encoded."""
    alike = (one.replace("\r\n", "\n").replace("\r", "\n") for one in (text, signature))
    text, signature = (one.encode("utf-8", "replace").decode() for one in alike)
    return text, signature.strip()


def line(text: str, most: int) -> str:
    """Return *text* as one line of at most *most* characters."""
    return " ".join(_UNSAFE.sub(" ", text).split())[:most]
