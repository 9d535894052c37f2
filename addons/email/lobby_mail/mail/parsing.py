"""Convert a received mail to a message with its text, its files, and the mail it answers."""

from __future__ import annotations

import binascii
import logging
import mimetypes
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import Message
from itertools import islice

from host.sdk import clock, settings
from host.sdk.errors import SdkError
from host.sdk.messages import (
    ANSWER_TO,
    CLAIMED_WRITER,
    INVITATION,
    MAILING_LIST,
    OWN_ADDRESS,
    THROUGH_LIST,
    AttachmentRole,
    Ignored,
    InboundAttachment,
    InboundChange,
    MessageBounced,
    MessageKind,
    MessageReceived,
)
from host.sdk.webhooks import Envelope

from ..addresses import domain_of, named_by, normal
from ..composing import OURS
from . import (
    authentication,
    bounces,
    charsets,
    flowed,
    formatted,
    headers,
    identity,
    invitations,
    kept,
    lists,
    quotes,
    report_words,
    tnef,
    uuencoded,
)
from .htmltext import to_text

log = logging.getLogger(__name__)

MAX_DEPTH = 20
MAX_PARTS = 500
MAX_WORK = 5_000_000
"""Maximum product of lines and boundaries: the package compares each line with each open boundary. Of a mail
of more than 10 MB, half its bytes.
"""
MAX_SEPARATORS = 20_000
MAX_HEADER_LINES = 5_000
MAX_HTML = 2 * 1024 * 1024
MAX_RECIPIENTS = 500
"""Maximum number of recipients of each kind; further ones are dropped."""
MAX_NOTED = 20
MAX_CALENDARS = 3
"""Maximum number of calendar files of a mail that are read."""
_NOTED = ("X-Original-To", "Envelope-To", "Delivered-To", "X-Delivered-To")
"""Headers in which servers record the address they delivered a mail to."""
LATE = timedelta(days=14)
"""If a mail's date is this much older than its arrival, the sender's clock was wrong."""

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,66}\Z")
_ENCODING = re.compile(r"[\s\"]{0,9}([a-z0-9-]{1,40})")
_SAID_AGAIN = {"text/x-amp-html", "text/watch-html", "text/enriched"}
"""Forms of a mail besides its text and HTML, for programs of one kind."""
_WORD = re.compile(r"\w+")
_KEY = re.compile(r"[0-9a-f]{32}\Z")
"""The first part of our Message-IDs."""
_FALLBACK_NAMES = {
    "message/rfc822": "message.eml",
    "text/calendar": "invitation.ics",
    "text/html": "page.html",
}


LARGE = 4 * 1024 * 1024
"""Bytes from which mails are parsed one at a time, because that takes eight times the memory of a mail."""
_large = threading.Lock()


def parse(envelope: Envelope) -> tuple[InboundChange, ...]:
    """Convert one mail to a message; nothing of a broken mail is lost.

    A mail that cannot be parsed becomes a message with the whole mail attached.
    """
    with _large if len(envelope.body) > LARGE else nullcontext():
        return kept.told(_change(envelope), envelope)


def _change(envelope: Envelope) -> InboundChange:
    at = envelope.occurred_at or clock.now()
    try:
        return _read(envelope.body, at)
    except Exception:  # the email package may raise any exception for malformed mail, which must arrive too
        log.warning("a mail of %d bytes could not be taken apart", len(envelope.body), exc_info=True)
        whole = InboundAttachment(
            MessageKind.FILE, content=envelope.body, name="message.eml", content_type="message/rfc822"
        )
        name, address, subject = _told_by_head(envelope.body)
        return MessageReceived(
            contact=address or envelope.lane or headers.UNKNOWN_SENDER,
            external_id=None,
            sent_at=at,
            kind=MessageKind.FILE,
            attachments=(whole,),
            subject=subject or None,
            contact_name=name or None,
            contact_email=address or None,
        )


def _is_proved(address: str, authors: Sequence[tuple[str, str]], checked: Mapping[str, str] | None) -> bool:
    """Return whether our server proved that a mail is from *address*, which wrote it alone."""
    is_author = [author for _, author in authors] == [address]
    return is_author and checked is not None and checked["verdict"] == "pass"


def _told_by_head(body: bytes) -> tuple[str, str, str]:
    """Return the sender's name, address and the subject of a mail that cannot be parsed, or nothing."""
    try:
        message = identity.head(body)
        name, address = headers.sender(message, set(identity.own(message)))
        subject = headers.text(message, "Subject", 500)
    except Exception:  # noqa: BLE001  # what made the whole fail may stand there
        return "", "", ""
    return ("", "", subject) if address == headers.UNKNOWN_SENDER else (name, address, subject)


def _read(body: bytes, at: datetime) -> InboundChange:
    _check_cost(body)
    message = headers.parse_mail(body)
    addresses = identity.own(message)
    own = set(addresses)
    claim = lists.claim(message)
    authors = headers.authors(message) | ({claim.address} if claim else set())
    if own & authors and _is_ours(message, own):
        return Ignored("sent from here itself")
    if claim and claim.address in own:
        claim = claim._replace(name="", address="")
    checked = authentication.results(message, authserv_id())
    contact, name, address = _writer(message, own, claim, is_proved=lists.is_proved(checked))
    parts = _Content(message)
    words, files = parts.taken_apart()
    sent = headers.date(message)
    if sent is None or sent < at - LATE:
        sent = at
    sent_along = [file for file in files if file.role is not AttachmentRole.FORMATTED]
    kind = MessageKind.TEXT if words or not sent_along else sent_along[0].kind
    written_by = headers.addresses(message, "From")
    invitation = parts.invitation(own, {one for _, one in written_by})
    if invitation is not None and not words:
        kind, words = MessageKind.INVITATION, invitations.in_words(invitation)
    content: dict[str, object] = {**_went_to(message), **_ours(message, addresses), **parts.about}
    content |= _answer_to(message, address, own) | _of_list(message, claim)
    if invitation is not None:
        content[INVITATION] = invitation
    bounce = bounces.read(message)
    if bounce is None and not bounces.is_report(message) and not _is_digest(message):
        content |= _folds(words, headers.text(message, "Subject", 500))
    content |= _differing(written_by, address, content.get(ANSWER_TO), () if claim else own)
    if checked is not None:
        content["sender_check"] = checked
    if headers.is_automatic(message):
        content["automatic"] = True
    if protection := _protection(message, words):
        content["protection"] = protection
    received = MessageReceived(
        contact=contact,
        external_id=headers.message_id(message),
        sent_at=sent,
        kind=kind,
        text=words,
        attachments=tuple(files),
        content=content,
        subject=headers.text(message, "Subject", 500) or None,
        references=headers.references(message),
        contact_name=name or None,
        contact_email=None if address == headers.UNKNOWN_SENDER or contact != address else address,
        contact_email_verified=claim is None and _is_proved(address, written_by, checked),
    )
    if bounce is None or not bounce.recipient or bounce.recipient in own:
        return received
    if bounce.message_id and domain_of(bounce.message_id) not in map(domain_of, own):
        return received
    return MessageBounced(
        contact=bounce.recipient,
        external_id=bounce.message_id,
        at=sent,
        report=received,
        sentence=bounce.why.sentence,
        next_step=bounce.why.next_step,
        raw=bounce.raw,
        kind=bounce.kind,
    )


def _writer(
    message: Message, own: set[str], claim: lists.Claim | None, *, is_proved: bool
) -> tuple[str, str, str]:
    """Return the customer's id, and the name and address of whoever wrote.

    :param claim: whom a mailing list names as the writer; *is_proved*: the list is who it says it is.
    """
    name, address = headers.sender(message, own)
    if claim is None:
        return address, name, address
    if claim.address and is_proved:
        return named_by(claim.posted, claim.address), claim.name, claim.address
    return address, claim.title or name, address


def _folds(words: str, subject: str) -> dict[str, object]:
    """Return what the page collapses, and from where on there is only a quote."""
    folds = quotes.folds(words, subject)
    found: dict[str, object] = {}
    if folds:
        found["folds"] = [one._asdict() for one in folds]
    if folds and folds[-1].kind == quotes.QUOTE and folds[-1].end == len(words):
        found["quoted_from"] = folds[-1].start
    return found


def _of_list(message: Message, claim: lists.Claim | None) -> dict[str, object]:
    """Return the list that a person wrote to, and the writer it names in place of itself."""
    found: dict[str, object] = {}
    if posted := lists.through(message):
        found[THROUGH_LIST] = posted
    if claim and claim.address:
        found[CLAIMED_WRITER] = {"name": claim.name, "address": claim.address}
    return found


def _differing(
    written_by: Sequence[tuple[str, str]], address: str, answer_to: object, own: Collection[str]
) -> dict[str, object]:
    """Return who wrote a mail and where an answer goes, if they differ.

    :param address: of the customer, who gets the answer unless *answer_to* names others.
    """
    if not written_by:
        return {}
    writer = written_by[0][1]
    asked = [one["address"] for one in answer_to] if isinstance(answer_to, list) else [address]
    others = (one for one in asked if not authentication.same_domain(domain_of(writer), domain_of(one)))
    elsewhere = next(others, "") if writer not in own else ""
    if writer == address and not elsewhere:
        return {}
    found: dict[str, object] = {"from": writer, "reply_to": address if writer != address else elsewhere}
    return {**found, "answer_elsewhere": elsewhere} if elsewhere else found


def _is_digest(message: Message) -> bool:
    """Return whether a mailing list sent several mails as one digest."""
    kind = message.get_content_type()
    return kind == "multipart/digest" or (
        kind == "multipart/mixed"
        and not report_words.REPLY.match(headers.text(message, "Subject", 500))
        and any(part.get_content_type() == "multipart/digest" for part in islice(message.walk(), MAX_PARTS))
    )


def _went_to(message: Message) -> dict[str, object]:
    """Return a mail's recipients: ``to`` and ``cc``, lists of name and address."""
    found = {name: headers.addresses(message, name)[:MAX_RECIPIENTS] for name in ("To", "Cc")}
    return {
        name.lower(): [{"name": label, "address": address} for label, address in people]
        for name, people in found.items()
        if people
    }


def _answer_to(message: Message, contact: str, own: set[str]) -> dict[str, object]:
    """Return the mailing list of a mail, and the people of Reply-To besides *contact* and the list."""
    found: dict[str, object] = {}
    posted = lists.address_of(message)
    if posted and posted not in own:
        found[MAILING_LIST] = posted
    people = dict.fromkeys(headers.addresses(message, "Reply-To")[:MAX_RECIPIENTS])
    listed = [{"name": name, "address": address} for name, address in people if address not in {posted, *own}]
    return found if [one["address"] for one in listed] in ([], [contact]) else {**found, ANSWER_TO: listed}


def _ours(message: Message, own: Sequence[str]) -> dict[str, object]:
    """Return our addresses that a mail names, and the alias to answer from, if any.

    The alias to answer from is the first of our addresses in To or Cc. For a blind copy, it is the one
    recorded by a server in transit.
    """
    aliases = set(own[1:])
    if not aliases:
        return {}
    named = [one for name in ("To", "Cc") for _, one in headers.addresses(message, name) if one in own]
    noted = [
        address
        for name in _NOTED
        for line in islice(headers.all_raw(message, name), MAX_NOTED)
        for address in (normal(line.strip(" <>")),)
        if address in aliases
    ]
    found: dict[str, object] = {}
    if present := [one for one in dict.fromkeys(named) if one in aliases]:
        found["own"] = present
    first = next(iter(named or noted), "")
    return {**found, OWN_ADDRESS: first} if first in aliases else found


def _protection(message: Message, words: str) -> str:
    """Return how a mail is signed or encrypted with PGP (RFC 3156) or S/MIME (RFC 8551), or nothing."""
    kind = message.get_content_type()
    if kind in {"multipart/encrypted", "multipart/signed"}:
        way = "smime" if "pkcs7" in str(message.get_param("protocol", "")).lower() else "pgp"
        return f"{way}-{kind.partition('/')[2]}"
    if kind in {"application/pkcs7-mime", "application/x-pkcs7-mime"}:
        signed = str(message.get_param("smime-type", "")).lower() == "signed-data"
        return "smime-sealed" if signed else "smime-encrypted"
    if kind == "text/plain" and words.startswith("-----BEGIN PGP MESSAGE-----"):
        return "pgp-encrypted"
    return ""


def authserv_id() -> str:
    """Return the names under which our mail servers report their checks of senders."""
    try:
        return settings.get("", "smtp_authserv_id")
    except SdkError:
        return ""


def _is_ours(message: Message, own: set[str]) -> bool:
    """Return whether a mail from an address of ours was sent by this desk.

    A website's contact form also sends from that address, but a customer wrote its mail.
    """
    if headers.raw(message, OURS):
        return True
    key, _, domain = (headers.message_id(message) or "").rpartition("@")
    return _KEY.match(key) is not None and domain in {domain_of(address) for address in own}


class _TooCostlyError(ValueError):
    """Parsing the mail would take so long that other mails would wait."""


def _check_cost(body: bytes) -> None:
    lines = body.count(b"\n")
    if (
        lines * (1 + body.lower().count(b"boundary")) > max(MAX_WORK, len(body) // 2)
        or body.count(b"\n--") > MAX_SEPARATORS
        or body.partition(b"\r\n\r\n")[0].count(b"\n") > MAX_HEADER_LINES
    ):
        raise _TooCostlyError("too many lines, boundaries or headers")


class _Content:
    """The parts of a mail, sorted into text and files, and its formatted form, if any.

    :ivar about: entries of the message's content that describe the formatted form.
    """

    def __init__(self, message: Message) -> None:
        self.about: dict[str, object] = {}
        self._message = message
        self._words: list[str] = []
        self._files: list[InboundAttachment] = []
        self._form: list[str] = []
        self._is_html = False
        self._packed: tuple[tnef.Opened, InboundAttachment] | None = None
        self._calendars: list[tuple[bytes, str, str]] = []
        self._seen = 0

    def invitation(self, own: Collection[str], authors: Collection[str]) -> dict[str, object] | None:
        """Return the first invitation among the parts, which are otherwise its files."""
        left = invitations.MAX_BYTES
        # Outlook and Google send it as a part and as a file.
        for content, charset, method in self._calendars[:MAX_CALENDARS]:
            if len(content) <= left:
                left -= len(content)
                found = invitations.read(content, charset, method=method, own=own, authors=authors)
                if found is not None:
                    return found
        return None

    def taken_apart(self) -> tuple[str, list[InboundAttachment]]:
        self._take(self._message, 0)
        self._unpack()
        words = "\n\n".join(filter(None, self._words))
        html = "\n".join(self._form)
        if self._is_html and html.strip():
            self._keep_form(html, words)
        return words, self._files

    def _unpack(self) -> None:
        """Use the text and HTML of a winmail.dat if the mail has none of its own."""
        if self._packed is None:
            return
        packed, original = self._packed
        text = to_text(packed.html[:MAX_HTML]) or _plain(packed.text)
        if packed.html.strip() and not self._is_html:
            self._is_html, self._form = True, [packed.html]
        elif any(self._words) and packed.whole and not _says(self._words, text):
            self._files.append(original)
        if not any(self._words):
            self._words = [text]

    def _keep_form(self, html: str, words: str) -> None:
        content = html.encode("utf-8", "replace")
        role = AttachmentRole.FORMATTED if len(content) <= MAX_HTML else AttachmentRole.FILE
        if role is AttachmentRole.FORMATTED:
            try:
                self._describe_form(html, words)
            except Exception:
                log.exception("the HTML of a mail can't be described and is kept as a file")
                role = AttachmentRole.FILE
        # Last, because the first file determines the kind of a mail without text.
        self._files.append(
            InboundAttachment(
                MessageKind.FILE, content=content, name="message.html", content_type="text/html", role=role
            )
        )

    def _describe_form(self, html: str, words: str) -> None:
        passes_on = quotes.passes_on(words, headers.text(self._message, "Subject", 500))
        self.about["html"] = formatted.described(html, passes_on=passes_on)
        named = formatted.inline_names(html)
        self._files = [
            replace(file, role=AttachmentRole.INLINE)
            if file.content_id in named and file.kind is MessageKind.IMAGE
            else file
            for file in self._files
        ]

    def _take(self, part: Message, depth: int) -> None:
        self._seen += 1
        if self._seen > MAX_PARTS:
            raise _TooCostlyError("too many parts")
        try:
            self._sort(part, depth)
        except _TooCostlyError:
            raise
        except Exception:  # noqa: BLE001 - it is logged there, and costs no other part
            self._keep_unread(part)

    def _sort(self, part: Message, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._keep(part)
            return
        kind = part.get_content_type()
        if kind == "multipart/alternative":
            self._choose(list(_children(part)), depth)
        elif part.get_content_maintype() == "multipart" and part.is_multipart():
            for child in _children(part):
                self._take(child, depth + 1)
        elif _is_words(part, kind):
            self._say(part, kind)
        else:
            self._keep(part)

    def _say(self, part: Message, kind: str) -> None:
        if kind == "text/html":
            text = _text(part, kind)
            words = to_text(text[:MAX_HTML])
            self._is_html = True
            self._form.append(text)
            self._words.append(words)
        else:
            words = self._written(part)
            self._words.append(words)
            self._form.append(formatted.of_plain(words))

    def _written(self, part: Message) -> str:
        """Return the text of a plain part; files encoded in it become files of the mail."""
        text, files = uuencoded.take_out(_plain(_text(part, "text/plain")))
        self._seen += len(files)
        for file in files:
            name = _only_name(file.name)
            self._files.append(_file(file.content, name, mimetypes.guess_type(name)[0] or "", ""))
        if str(part.get_param("format", "")).lower() == "flowed":
            text = flowed.unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
        return text.strip()

    def _choose(self, variants: list[Message], depth: int) -> None:
        """Choose the plain text unless it is empty, else the HTML; keep or search other parts."""
        plain = [p for p in variants if p.get_content_type() == "text/plain" and _is_words(p, "text/plain")]
        said: list[str] = []
        for one in plain:
            try:
                said += filter(None, [self._written(one)])
            except Exception:  # noqa: BLE001 - as in _take
                self._keep_unread(one)
        rest = [p for p in variants if p not in plain]
        if said or any(p.get_content_type() == "text/html" for p in rest):
            rest = [p for p in rest if p.get_content_type() not in _SAID_AGAIN]
        if said:
            self._words.extend(said)
            words, form = len(self._words), len(self._form)
            for part in rest:
                self._take(part, depth + 1)
            del self._words[words:]  # the same text again, as HTML with its pictures
            if len(self._form) == form:
                self._form.extend(map(formatted.of_plain, said))
            return
        for part in rest:
            self._take(part, depth + 1)

    def _keep_unread(self, part: Message) -> None:
        """Keep a part that can't be read as a file, as far as it can be decoded, beside those that can."""
        log.exception("a part of a mail can't be read and is kept as a file")
        with suppress(Exception):
            kind = part.get_content_type()
            extension = mimetypes.guess_extension(kind) or ".bin"
            self._files.append(_file(_bytes(part), _file_name(part) or f"part{extension}", kind, ""))

    def _keep(self, part: Message) -> None:
        kind = part.get_content_type()
        content = _bytes(part)
        if not content and not headers.file_name(part):
            return
        name = _file_name(part)
        content_id = headers.raw(part, "Content-ID")
        if invitations.is_one(kind, name):
            charset, method = (headers.parameter(part, one, "Content-Type") for one in ("charset", "method"))
            self._calendars.append((content, charset, method))
        file = _file(content, name or _FALLBACK_NAMES.get(kind, ""), kind, content_id)
        if not tnef.is_one(content, kind, name) or not self._open(content, file):
            self._files.append(file)

    def _open(self, content: bytes, original: InboundAttachment) -> bool:
        """Extract the contents of a winmail.dat; return whether everything was extracted."""
        opened = tnef.read(content)
        if self._seen + len(opened.files) > MAX_PARTS:
            return False
        self._seen += len(opened.files)
        for file in opened.files:
            name = _only_name(file.name)
            guessed = mimetypes.guess_type(name)[0] or ""
            declared = file.content_type.lower() or guessed
            self._files.append(_file(file.content or b"", name, declared, file.content_id))
        says = bool(opened.html.strip() or opened.text.strip())
        if says and self._packed is None:
            self._packed = opened, original
        return opened.whole and (not says or (self._packed is not None and self._packed[0] is opened))


def _file(content: bytes, name: str, declared: str, content_id: str) -> InboundAttachment:
    content_type = declared if _TYPE.match(declared) else "application/octet-stream"
    return InboundAttachment(
        _kind_of(content_type),
        content=content,
        name=name,
        content_type=content_type,
        content_id=content_id.strip().strip("<>")[:255],
    )


def _says(parts: Sequence[str], text: str) -> bool:
    """Return whether *parts* have the same text as *text*, compared by words."""
    said, wanted = (set(_WORD.findall(one.lower())) for one in ("\n".join(parts), text))
    return len(wanted - said) <= len(wanted) // 5


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (child for child in payload if isinstance(child, Message))


def _is_words(part: Message, kind: str) -> bool:
    if kind not in {"text/plain", "text/html"}:
        return False
    disposition = headers.raw(part, "Content-Disposition").strip().lower()
    if disposition.startswith("attachment") or headers.parameter(part, "filename", "Content-Disposition"):
        return False
    if not headers.file_name(part):
        return True
    declared = headers.raw(part, "Content-Type").partition(";")[0]
    # The package treats an invalid type as text, and some programs call every file one.
    is_invalid = bool(declared.strip()) and "/" not in declared
    return not (is_invalid or disposition.startswith("inline") or _is_binary(part))


def _is_binary(part: Message) -> bool:
    """Return whether a part that is called a text has bytes that none has."""
    charset = headers.parameter(part, "charset", "Content-Type").lower()
    return not charset.startswith(("utf-16", "utf-32", "utf16", "utf32")) and b"\0" in _bytes(part)[:1024]


def _text(part: Message, kind: str) -> str:
    content = _bytes(part)
    encoding = _ENCODING.match(headers.raw(part, "Content-Transfer-Encoding").lower())
    if encoding and encoding[1] == "base64":
        content = headers.base64_text(headers.undecoded(part), content)
    declared = headers.parameter(part, "charset", "Content-Type")
    if kind == "text/html" and charsets.lookup(declared) == "":
        declared = charsets.declared_in_html(content) or declared
    return charsets.decode(content, declared)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _bytes(part: Message) -> bytes:
    if part.is_multipart():
        inner = part.get_payload()
        if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and inner:
            return inner[0].as_bytes() if isinstance(inner[0], Message) else b""
        return part.as_bytes()
    encoding = _ENCODING.match(headers.raw(part, "Content-Transfer-Encoding").lower())
    if encoding and encoding[1] == "base64":
        return headers.base64_decoded(headers.undecoded(part))
    if encoding and encoding[1] == "quoted-printable":
        return binascii.a2b_qp(headers.undecoded(part))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file_name(part: Message) -> str:
    return _only_name(headers.file_name(part))


def _only_name(name: str) -> str:
    name = headers._plain(name)
    return re.split(r"[/\\]", name)[-1].strip(". ")[:255]


def _kind_of(content_type: str) -> MessageKind:
    family = content_type.partition("/")[0]
    kinds = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.AUDIO}
    # SVG may contain scripts, so it is a document rather than a picture to show.
    return MessageKind.FILE if content_type == "image/svg+xml" else kinds.get(family, MessageKind.FILE)
