"""Read delivery reports about a mail of ours: failed, delayed or read (RFC 3464, RFC 8098).

Reports from servers that do not follow those standards are recognised by their text: first by flufl.bounce,
then by our own patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

from host.sdk.i18n import noop
from host.sdk.messages import ReportKind

from ..addresses import domain_of, normal
from ..composing import OURS
from . import headers, report_words
from .charsets import decode
from .htmltext import to_text

MOST_PARTS = 50
_SENDERS = re.compile(
    r"(?:mailer-?daemon|mail-?daemon|post_?master|mail[-.]?delivery|mailadmin|microsoftexchange|mdaemon|daemon|"
    r"bounces?|noreply-dmarc|autoreply|root|uucp)\b|no-reply@(?:[\w-]{1,63}\.){1,4}(?:dion|auone-net|ezweb)(?:\.ne)?\.jp\Z",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.:/-])([45]\d\d)[ -](?=[ \S])")
_ID = re.compile(r"(?im)^[>|\s]{0,8}(?:Message-ID|X-Lobby-Message):\s{0,5}<?([0-9a-f]{32}@[^<>\s]{3,250})>?")
_ANY_ID = re.compile(r"(?im)^[>|\s]{0,8}(?:Original-)?Message-ID:\s{0,5}<?[^<>@\s]{1,250}@[^<>\s]{1,250}")
_ANGLED = re.compile(r"<(?:mailto:|smtp:)?([^<>@\s]{1,64}@[^<>@\s]{3,255})>", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w.+-])([\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_TO = re.compile(r"(?im)^[>|\s]{0,8}To:[ \t]{0,5}(\S.{0,300})$")
_NOT_REACHED = re.compile(r"did not reach the following recipients?(?:\(s\))?:?", re.IGNORECASE)
"""Heading of the recipients that Exchange and GroupWise did not reach, after the fields of the mail."""
_NEAR = 400
_QUOTED = 64 * 1024
"""Characters of a text to search for the headers of the returned mail."""
_WRAPPED = re.compile(r"\r?\n[ \t]+(?=\S)|[ \t]{2,}")
"""Break inside a field or a server's message, whose lines are indented where they continue."""
_LINES = 400
_WIDTH = 160
"""Limits on the part of a report passed to flufl.bounce, see :func:`_shortened`."""


class Why(NamedTuple):
    sentence: str
    next_step: str


_ADDRESS = Why(
    noop("This address doesn't exist on the recipient's mail server."),
    noop("Check the spelling, or ask for the correct address another way."),
)
_CLOSED = Why(noop("The recipient's mailbox is disabled at the moment."), noop("Reach them another way."))
_FULL = Why(
    noop("The recipient's mailbox is full."), noop("Try again in a few days, or reach them another way.")
)
_SIZE = Why(
    noop("The email is too large for the recipient's mail server."),
    noop("Send smaller files, or links to them."),
)
_REFUSED = Why(
    noop("The recipient's mail server rejected the email as spam or untrusted."),
    noop("Ask your email admin to check SPF, DKIM and DMARC for your domain."),
)
_ROUTE = Why(
    noop("The recipient's mail server couldn't be reached."),
    noop("Check the part of the address after the @, then try again later."),
)
_MANY = Why(
    noop("The email had more recipients than the recipient's mail server accepts at once."),
    noop("Send it to fewer people at a time."),
)
_RATE = Why(
    noop("The recipient's mail server doesn't accept further emails from you now."), noop("Try again later.")
)
_LATER = Why(noop("The recipient's mail server didn't accept the email in time."), noop("Try again later."))
_OTHER = Why(
    noop("The email came back."), noop("The error below shows the response of the recipient's mail server.")
)
_DELAYED = Why(
    noop("Delivery is delayed. The mail servers keep trying."),
    noop("No action needed. If it comes back, it will be shown as not delivered."),
)
_RECEIPT = Why("", "")
_BY_STATUS = {"1": _ADDRESS, "4": _ROUTE, "7": _REFUSED}
_EXACTLY = {
    "1.0": _ADDRESS,
    "2.1": _CLOSED,
    **dict.fromkeys(("2.2", "3.1"), _FULL),
    **dict.fromkeys(("2.3", "3.4"), _SIZE),
    **dict.fromkeys(("1.7", "1.8"), _REFUSED),
    **dict.fromkeys(("1.2", "3.5", "4.6"), _ROUTE),
    "5.3": _MANY,
    "7.13": _CLOSED,
    "7.28": _RATE,
}
_UNLESS_UNKNOWN = {"2.1", "7.1"}
"""Statuses that servers also give to an address that doesn't exist, if they say so."""
_VAGUE = {"0.0", "5.0", "3.0", "7.0", "4.0", "1.0"}
"""Unspecific statuses, for which the words are more precise."""
_BY_CLEAR_WORDS = (
    (report_words.DIRECTORY, _ADDRESS),
    (report_words.LISTED, _REFUSED),
    (report_words.MANY, _MANY),
    (report_words.RATE, _RATE),
    (report_words.GREY, _LATER),
    (report_words.CLEARLY_FULL, _FULL),
    (report_words.SENDER, _REFUSED),
    (report_words.NO_DOMAIN, _ROUTE),
    (report_words.CLOSED, _CLOSED),
)
"""Words that outweigh a status: servers give 5.1.1 and 5.7.1 to refusals of any kind."""
_BY_WORDS = (
    (report_words.FULL, _FULL),
    (report_words.SIZE, _SIZE),
    (report_words.FROM, _REFUSED),
    (report_words.BROKEN, _OTHER),
    (report_words.ADDRESS, _ADDRESS),
    (report_words.ROUTE, _ROUTE),
    (report_words.REFUSED, _REFUSED),
)


class Bounce(NamedTuple):
    """A report about a mail of ours.

    :param message_id: its Message-ID; empty: the report names no mail.
    :param recipient: the recipient the report is about; empty: unknown.
    :param raw: the status and the other server's message.
    """

    message_id: str
    recipient: str
    why: Why
    raw: str
    kind: ReportKind = ReportKind.FAILED


def read(message: Message) -> Bounce | None:
    """Return the report in *message*; None if it is not a report, or about a mail that is not ours.

    Only a server's report may name no mail at all: the mail is then found by its recipient.
    """
    parts = list(_parts(message))
    receipt = _receipt(message, parts)
    report = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    failed = [address for _, address in headers.addresses(message, "X-Failed-Recipients")]
    is_server = report is not None or bool(failed) or _is_from_a_server(message, "")
    if receipt is None and not is_server and not _looks_like_one(message, ""):
        return None
    id_ = _of_mail(parts) or _answered(message)
    if id_ is None and (
        receipt is not None or not _is_from_a_server(message, "") or _names_another(message, parts)
    ):
        return None
    id_ = id_ or ""
    words = _Words.of(parts)
    if receipt is not None and not report_words.REJECTED.search(words.said):
        kind, recipient = receipt
        return Bounce(id_, recipient, _RECEIPT, " ".join(words.said.split())[:1000], kind)
    if report is not None:
        found = _by_fields(report, id_, words)
        if found is not None or _has_actions(report):
            return found
    return _by_words(message, id_, words, failed, is_server=is_server)


def is_report(message: Message) -> bool:
    """Return whether *message* looks like a server's report about any mail."""
    failed = headers.raw(message, "X-Failed-Recipients")
    return bool(failed) or _is_from_a_server(message, "") or _looks_like_one(message, "")


# ---- a delivery status -------------------------------------------------------------------------------


def _has_actions(report: Message) -> bool:
    return any(headers.raw(block, "Action").strip() for block in _blocks(report))


def _blocks(report: Message) -> Iterator[Message]:
    blocks = report.get_payload()
    for block in blocks[:MOST_PARTS] if isinstance(blocks, list) else ():
        if isinstance(block, Message):
            yield block


def _by_fields(report: Message, id_: str, words: _Words) -> Bounce | None:
    """Return the status of the first recipient that the mail did not reach, or has not reached yet."""
    delayed = None
    for block in _blocks(report):
        action = headers.raw(block, "Action").strip().lower()
        if not action.startswith(("fail", "error", "expired", "delayed")):
            continue
        recipient = ""
        for name in ("Original-Recipient", "Final-Recipient", "X-Actual-Recipient"):
            recipient = recipient or _address(headers.raw(block, name).rpartition(";")[2])
        recipient = recipient or words.returned_to
        status, said = headers.raw(block, "Status").strip(), headers.raw(block, "Diagnostic-Code").strip()
        raw = " ".join(f"{status} {said}".split())[:1000]
        if action.startswith("delayed"):
            delayed = delayed or Bounce(id_, recipient, _DELAYED, raw, ReportKind.DELAYED)
            continue
        return Bounce(id_, recipient, _why(f"{status}\n{said}", words.said), raw)
    return delayed


def _address(written: str) -> str:
    """Return the address in a field of a report, or an empty string if it has no usable one."""
    bare = written.strip(" <>")
    found = normal(bare)
    if found is None and (inside := _ANGLED.search(written[:2000]) or _BARE.search(written[:2000])):
        found = normal(inside.group(1))
    return found or ""


# ---- a report in words -------------------------------------------------------------------------------


class _Words(NamedTuple):
    """The text of a report, prepared for searching.

    :param said: the server's own text.
    :param returned_to: the recipients of the returned mail.
    """

    said: str
    returned_to: str

    @classmethod
    def of(cls, parts: list[Message]) -> _Words:
        texts = [_text(part) for part in parts if _has_words(part)]
        whole = "\n".join(texts)[:_QUOTED]
        cut = report_words.RETURNED.search(whole)
        said = whole if cut is None else whole[: cut.start()]
        returned = next(
            (name for part in parts[1:] if part.get("To") for _, name in headers.addresses(part, "To")), ""
        )
        if not returned:
            beneath = [_text(part) for part in parts if part.get_content_type() == "text/rfc822-headers"]
            quoted = "\n".join(["" if cut is None else whole[cut.start() :], *beneath])
            named = _TO.search(quoted)
            returned = "" if named is None else _address(named.group(1))
        return cls(said, returned)


def _by_words(
    message: Message, id_: str, words: _Words, failed: list[str], *, is_server: bool
) -> Bounce | None:
    """Return the result of a report that has text but no status fields.

    :param is_server: whether a server wrote it; if only the subject looks so, a person may have.
    """
    said = words.said
    subject = headers.text(message, "Subject", 500)
    delayed, permanent = _known_words(message)
    status = _STATUS.search(said)
    authors = headers.authors(message)
    encloses = any(part.get_content_type() == "message/rfc822" for part in _parts(message))
    if words.returned_to in authors or not (
        is_server or delayed or permanent or encloses or headers.is_automatic(message)
    ):
        return None
    is_final = bool(
        failed
        or permanent
        or (status is not None and status.group(1) == "5")
        or any(one.group(1).startswith("5") for one in _REPLY.finditer(said))
    )
    still_tries = bool(delayed or report_words.DELAYED.search(f"{subject}\n{said}"))
    if not is_final and not still_tries:
        if not (is_server or encloses) or not report_words.FAILED.search(f"{subject}\n{said}"):
            return None  # a server's message that isn't a report
        is_final = True
    own = authors.union(
        address for name in ("To", "Delivered-To") for _, address in headers.addresses(message, name)
    )
    named = [*failed, *permanent, *delayed]
    named += [one for one in map(_address, _ANGLED.findall(said)[:20]) if one]
    named += [one for one in map(_address, _BARE.findall(said)[:20]) if one]
    named = [one for one in named if one not in own and domain_of(one) != domain_of(id_)]
    named = [one for one in named if not _SENDERS.match(one)] or named
    recipient = words.returned_to if words.returned_to in named or not named else named[0]
    if not failed and (below := _not_reached(said)) in named:
        recipient = below
    if still_tries and not failed and not permanent:
        return Bounce(id_, recipient, _DELAYED, _around(said), ReportKind.DELAYED)
    return Bounce(id_, recipient, _why("", said), _around(said))


def _has_words(part: Message) -> bool:
    """Return whether a part is text, or should have parts but has only their text."""
    is_torn = part.get_content_maintype() == "multipart" and not part.is_multipart()
    return is_torn or part.get_content_type() in {"text/plain", "text/html"}


def _not_reached(said: str) -> str:
    """Return the address directly below the sentence that announces it, or an empty string."""
    found = _NOT_REACHED.search(said)
    return "" if found is None else _address(said[found.end() : found.end() + _NEAR])


def _known_words(message: Message) -> tuple[list[str], list[str]]:
    """Return the recipients that flufl.bounce finds delayed, and those it finds failed."""
    from flufl.bounce import (
        all_failures,
    )  # loaded with the first report, because most desks get none for days

    try:
        found = all_failures(_shortened(message, [_LINES, MOST_PARTS]))
    except Exception:  # noqa: BLE001  # it raises what it wants on junk; then our own words decide
        return [], []
    delayed, permanent = (
        sorted(filter(None, (_address(one.decode("ascii", "replace")) for one in some))) for some in found
    )
    return delayed, permanent


def _shortened(part: Message, left: list[int]) -> Message:
    """Return a copy of *part* with its first lines, cut, and decoded.

    The patterns of flufl.bounce take quadratic time per line, and each one scans the whole mail.

    :param left: how many more lines and parts are allowed.
    """
    made = Message()
    for name in ("Content-Type", "From", "To", "Subject", "X-Failed-Recipients", "X-Mailer", "Received"):
        for value in list(headers.all_raw(part, name))[:3]:
            made[name] = value[:2000]
    left[1] -= 1
    inner = part.get_payload()
    if isinstance(inner, list):
        made.set_payload([_shortened(one, left) for one in inner if isinstance(one, Message) and left[1] > 0])
        return made
    lines = _text(part)[:_QUOTED].splitlines()[: left[0]]
    left[0] -= len(lines)
    made.set_payload("\n".join(line[:_WIDTH] for line in lines))
    return made


# ---- receipts ----------------------------------------------------------------------------------------


def _receipt(message: Message, parts: list[Message]) -> tuple[ReportKind, str] | None:
    """Return the result and recipient of a receipt; None for other mails, and unless it says *read* or
    *deleted*.
    """
    author = next((address for _, address in headers.addresses(message, "From")), "")
    for part in parts:
        if part.get_content_type() != "message/disposition-notification":
            continue
        fields = _fields(part)
        kind = _disposition(headers.raw(fields, "Disposition"))
        named = _address(headers.raw(fields, "Original-Recipient").rpartition(";")[2])
        named = named or _address(headers.raw(fields, "Final-Recipient").rpartition(";")[2])
        return None if kind is None else (kind, named or author)
    subject = headers.text(message, "Subject", 500)
    marked = "mdn" in headers.raw(message, "Content-Class").lower() or (
        message.get_content_type() == "multipart/report"
        and str(message.get_param("report-type", "")).lower() == "disposition-notification"
    )
    if not marked and not headers.is_automatic(message):
        return None
    if (kind := report_words.receipt(subject)) is None:
        return None
    return kind, author


def _fields(part: Message) -> Message:
    """Return the fields of a notification, which the package parses as an attached mail."""
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return inner[0]
    return headers.parse_mail(_text(part)[:_QUOTED].encode("utf-8", "replace"))


def _disposition(written: str) -> ReportKind | None:
    what = written.rpartition(";")[2].partition("/")[0].strip().lower()
    return {"displayed": ReportKind.READ, "deleted": ReportKind.DELETED}.get(what)


# ---- reasons -----------------------------------------------------------------------------------------


def _why(fields: str, said: str) -> Why:
    """Return the reason, which after a temporary error is never that the address doesn't exist.

    :param said: the server's own text, without the mail that came back.
    """
    fields, said = (_WRAPPED.sub(" ", text) for text in (fields, said))
    found = _told(fields, said)
    return _LATER if found in {_ADDRESS, _OTHER} and _is_temporary(fields, said) else found


def _is_temporary(fields: str, said: str) -> bool:
    """Return whether all codes of a report are temporary, those of the fields if they have any."""
    for text in (fields, said):
        codes = [one.group(1)[0] for pattern in (_STATUS, _REPLY) for one in pattern.finditer(text)]
        if codes:
            return "5" not in codes and "4" in codes
    return False


def _told(fields: str, said: str) -> Why:
    """Return the reason: from clear words, else a status code, else any words; those of the fields first."""
    for text in (fields, said):
        for pattern, why in _BY_CLEAR_WORDS:
            if pattern.search(text):
                return why
    for text in (fields, said):
        for status in _STATUS.finditer(text):
            kind, subject, detail = status.groups()
            code = f"{subject}.{detail}"
            if kind != "2" and code not in _VAGUE:
                exact = _EXACTLY.get(code) or _BY_STATUS.get(subject)
                if code in _UNLESS_UNKNOWN and report_words.UNKNOWN.search(text):
                    return _ADDRESS
                if exact is not None:
                    return exact
        for pattern, why in _BY_WORDS:
            if pattern.search(text):
                return why
    for status in _STATUS.finditer(fields):
        return _EXACTLY.get(f"{status.group(2)}.{status.group(3)}", _BY_STATUS.get(status.group(2), _OTHER))
    return _OTHER


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            return
        yield part


def _of_mail(parts: list[Message]) -> str | None:
    """Return the Message-ID of our mail that the report returns in full or as headers."""
    for part in parts[1:]:
        for name in (OURS, "Message-ID", "Original-Message-ID"):
            found = _ID.match(f"Message-ID: {headers.raw(part, name).strip()}")
            if found is not None:
                return found.group(1)
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/disposition-notification":
            written = headers.raw(_fields(part), "Original-Message-ID").strip()
            found = _ID.match(f"Message-ID: {written}")
        elif kind.startswith(("text/", "message/")) or _has_words(part):
            found = _ID.search(_text(part)[:_QUOTED])
        else:
            continue
        if found is not None:
            return found.group(1)
    return None


def _answered(message: Message) -> str | None:
    """Return the Message-ID of our mail that a report names as the one it answers."""
    for reference in headers.references(message):
        found = _ID.match(f"Message-ID: {reference}")
        if found is not None:
            return found.group(1)
    return None


def _names_another(message: Message, parts: list[Message]) -> bool:
    """Return whether a report names a mail that is not ours: another program's, or one with our forged
    address."""
    if headers.references(message):
        return True
    for part in parts[1:]:
        if any(headers.raw(part, name).strip() for name in (OURS, "Message-ID", "Original-Message-ID")):
            return True
    texts = (p for p in parts if p.get_content_maintype() in {"text", "message"} or _has_words(p))
    return any(_ANY_ID.search(_text(part)[:_QUOTED]) for part in texts)


@headers.once
def _is_from_a_server(message: Message, _name: str) -> bool:
    if message.get_content_type() == "multipart/report":
        return True
    authors = headers.authors(message)
    answers = (address for _, address in headers.addresses(message, "Reply-To")[:5])
    if any(_SENDERS.match(address) for address in (*authors, *answers)):
        return True
    if headers.raw(message, "Return-Path").strip() == "<>" and not authors:
        return True
    return report_words.SENDER_NAMES.search(headers.text(message, "From", 500)) is not None


@headers.once
def _looks_like_one(message: Message, _name: str) -> bool:
    subject = headers.text(message, "Subject", 500)
    if report_words.REPLY.match(subject):
        return report_words.SUBJECT_END.search(subject) is not None
    return report_words.SUBJECT.search(subject) is not None


def _text(part: Message) -> str:
    if part.is_multipart():
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    declared = part.get_param("charset", "")
    text = decode(content, declared if isinstance(declared, str) and declared else "utf-8")
    return to_text(text[:_QUOTED]) if part.get_content_type() == "text/html" else text


def _around(text: str) -> str:
    """Return the lines around a server's error message."""
    found = _STATUS.search(text) or _REPLY.search(text)
    place = max(0, (found.start() if found else 0) - 200)
    return " ".join(text[place : place + 600].split())
