"""The email adapter."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from flask import url_for

from host.sdk import clock, db
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.channel import (
    AccountRef,
    AutomaticLimit,
    CannotTell,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    CopyLimits,
    ForwardedMessage,
    Held,
    MediaLimits,
    NotSent,
    ProviderProblem,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Signature,
    Threading,
    Unknown,
)
from host.sdk.errors import FetchError, ForbiddenAddressError, SecretUnreadableError
from host.sdk.formatting import to_text, without_pictures
from host.sdk.i18n import format_moment, noop, translate
from host.sdk.i18n import gettext as _
from host.sdk.messages import (
    INVITATION_ANSWER,
    OWN_ADDRESS,
    EnclosedMail,
    InboundChange,
    MessageKind,
    OutgoingFile,
)
from host.sdk.webhooks import Envelope

from . import aliases, composing, rights, servers, signatures, signing, smtp
from .addresses import normal, reached_at, without_tag
from .mail import enclosed, invitation_answer
from .mail.headers import UNKNOWN_SENDER
from .mail.parsing import parse
from .models import EmailAccount

log = logging.getLogger(__name__)

MOST_BYTES = 20 * 1024 * 1024
"""Maximum bytes of a mail's files. Encoded they are a third larger, which large providers accept."""
GO_WITHOUT_COPIES = 3
"""Attempt from which a mail is sent without the copies that its server temporarily refuses."""
_WROTE = noop("On %(date)s, %(author)s wrote:")
_FORWARDED = noop("Forwarded message")
_FROM, _DATE, _SUBJECT, _TO = noop("From"), noop("Date"), noop("Subject"), noop("To")
_NOT_ALONG = noop("[File not attached: %(name)s]")
_CHECK_SENDER = noop(
    "Read the server's response. It may not allow this account to send from the additional address the "
    "customer wrote to. Allow it on the mail server, or remove that address from the account."
)
_NOT_THEIRS = noop("The sender address was removed from the account.")
_FROM_ANOTHER = noop("Send it again from another address, or add this one back in the account's settings.")
_CHECK_CARD = noop("An owner can check the mail server under Settings, Channels.")
_ALLOW_RELAY = noop("The server administrator allows it by adding its host and port to LOBBY_MAIL_RELAYS.")


class EmailAdapter(ChannelAdapter):
    key = "email"
    mark = ChannelMark(icon="mail", tone=4)
    contact_id_name = "address"
    capabilities = Capabilities(
        sends=MEDIA_KINDS | {MessageKind.TEXT},
        threading=Threading.REFERENCES,
        has_subject=True,
        can_start=True,
        media=dict.fromkeys(MEDIA_KINDS, MediaLimits(frozenset(), MOST_BYTES)),
        text_with_files=True,
        files_bytes=MOST_BYTES,
        formatting=True,
        signatures=True,
        forwards=True,
        copies=CopyLimits(most=20, clean=reached_at),
        automatic=AutomaticLimit(most=3, seconds=600),
        originals=True,
        answers_invitations=True,
        receives=frozenset({MessageKind.TEXT}),
    )

    @property
    def label(self) -> str:  # type: ignore[override]  # a word of the language, unlike the names of other channels
        return str(_("Email"))

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return enclosed.noted(parse(envelope))

    def read_enclosed(self, content: bytes) -> EnclosedMail | None:
        return enclosed.read(content)

    def send(self, request: SendRequest) -> SendResult:
        """Send the mail through the account's server. Its Message-ID is the same in every attempt."""
        if request.part.kind not in self.capabilities.sends:
            return Rejected(_problem("kind", noop("Email can only send text and files.")))
        to = _recipients(request)
        recipient = next(iter(to), None)
        if recipient is None or recipient == UNKNOWN_SENDER:
            return Rejected(
                _problem(
                    "address",
                    noop("The sender has no address you can reply to."),
                )
            )
        try:
            account = _settings(request.account)
        except SecretUnreadableError as error:
            return Held(_problem("password", noop("The stored password can't be read."), raw=str(error)))
        if account is None:
            return Held(_problem("settings", noop("The account has no mail server.")))
        address, server, reply_to, quotes = account
        content = request.part.content
        sender = _sender(request, address)
        if sender is None:
            return Rejected(
                _problem("sender", _NOT_THEIRS, _FROM_ANOTHER, raw=str(request.part.content[OWN_ADDRESS]))
            )
        if _is_own(request.account, recipient):
            return Rejected(
                _problem(
                    "address", noop("This email came from your own address and has no one else to reply to.")
                )
            )
        try:
            files = [_file(one) for one in request.part.files]
            below = _below(request, sender, quotes=quotes)
        except Exception as error:  # noqa: BLE001  # whatever it is: not a byte has gone out
            log.warning("a file of a mail cannot be read: %s", type(error).__name__)
            return NotSent(_problem("files", noop("An attachment of this email can't be read right now.")))
        identity = composing.message_id(request.message_key, address)
        cc = _others(content.get("cc"), to)
        bcc = _others(content.get("bcc"), [*to, *cc])
        names = {**_names(content.get("names")), **to}
        if request.recipient_name:
            names[reached_at(request.recipient) or ""] = request.recipient_name
        answer = content.get(INVITATION_ANSWER)
        calendar = "" if not answer else invitation_answer.reply(answer, clock.now(), request.account.name)
        if calendar is None:
            return Rejected(_problem("invitation", noop("The answer to the invitation can't be written.")))
        mail = composing.compose(
            composing.Reply(
                sender_name=request.account.name,
                sender=sender,
                recipient=recipient,
                recipient_name=names[recipient],
                others=[(names[one], one) for one in to if one != recipient],
                names=names,
                subject=request.subject,
                text=request.part.text,
                message_id=identity,
                references=request.references,
                date=clock.now(),
                own_subject=str(
                    content.get("subject") or (answer and request.part.text.partition("\n")[0]) or ""
                ),
                calendar=calendar,
                signature=str(content.get("signature") or ""),
                cc=cc,
                reply_to=reply_to,
                files=files,
                automatic=request.automatic,
                quoted=None if answer else below,
            )
        )
        mail = signing.signed(request.account, mail, sender)
        copies = [one for one in to if one != recipient]
        patient = request.attempt < GO_WITHOUT_COPIES
        # The server knows the signed-in person as the account, and bounces return to it.
        found = _deliver(
            request.account, server, address, recipient, mail, [*copies, *cc, *bcc], wait_for_copies=patient
        )
        if isinstance(found, Rejected) and sender != address:
            return Rejected(replace(found.problem, next_step=_CHECK_SENDER))
        return found if not isinstance(found, list) else Sent(identity, missed=_missed(found))

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        found = reached_at(address)
        if found is None or found == UNKNOWN_SENDER or _is_own(account, found):
            return None
        return found if normal(address) else address  # the id of somebody whom a list names

    def own_addresses(self, account: AccountRef) -> Sequence[str]:
        return aliases.of(account.id)

    def signature(self, account: AccountRef, user_id: int) -> Signature | None:
        with db.read() as session:
            found = signatures.read(session, account.id, user_id)
        if found is None:
            return None
        page = url_for("email.signature", workspace_id=account.workspace_id, account_id=account.id)
        return Signature(found.used, page)

    def preview(self, request: SendRequest) -> str:
        part = request.part
        places = {
            one.name: composing.picture(str(at), one.width, one.height) for at, one in enumerate(part.files)
        }
        text, signature = composing.written(part.text, str(part.content.get("signature") or ""))
        account = _stored(request.account)
        quotes = account is not None and account.quotes is True
        sender = str(part.content.get(OWN_ADDRESS) or request.account.external_id)
        below = _below(request, sender, quotes=quotes)
        return composing.html(text, signature, places, below)

    def search(self, request: SearchRequest) -> SearchResult:
        return CannotTell("a mail server does not tell what it has sent")


def _sender(request: SendRequest, address: str) -> str | None:
    """Return the sender address of a mail; None if the chosen one no longer belongs to the account."""
    wanted = request.part.content.get(OWN_ADDRESS)
    if not isinstance(wanted, str) or wanted in {"", address}:
        return address
    with db.read() as session:
        return wanted if aliases.has(session, request.account.id, wanted) else None


def _is_own(account: AccountRef, address: str) -> bool:
    own = (account.external_id, *aliases.of(account.id))
    return without_tag(address) in {without_tag(one) for one in own}


def _quote(request: SendRequest, sender: str) -> composing.Quote | None:
    """Return the quote below the reply: the message it answers, with its author and time."""
    quoted = request.quoted
    if quoted is None:
        return None
    theirs = request.recipient_name, reached_at(request.recipient) or request.recipient
    author = (request.account.name, sender) if quoted.ours else theirs
    author = quoted.author if any(quoted.author) else author
    introduction = translate(
        request.language,
        _WROTE,
        date=format_moment(quoted.sent_at, request.language, request.timezone),
        author=_mailbox(*author),
    )
    return composing.Quote(
        introduction, to_text(without_pictures(quoted.text)) if quoted.ours else quoted.text
    )


def _below(request: SendRequest, sender: str, *, quotes: bool) -> composing.Quote | composing.Forward | None:
    """Return the part below the text: the forwarded messages, else the quoted message."""
    if not request.forwards:
        return _quote(request, sender) if quotes else None
    in_theirs = partial(translate, request.language)
    made = []
    for one in request.forwards:
        date = format_moment(one.sent_at, request.language, request.timezone)
        to = ", ".join(filter(None, (_mailbox(*each) for each in one.to)))
        head = ((_FROM, _mailbox(one.author, one.address)), (_DATE, date), (_SUBJECT, one.subject), (_TO, to))
        notes = [in_theirs(_NOT_ALONG, name=composing.line(name, 200)) for name in one.missing]
        made.append(
            composing.Forwarded(
                [(in_theirs(name), composing.line(value, 2000)) for name, value in head if value],
                to_text(without_pictures(one.text)) if one.ours else one.text,
                ["", *notes] if notes else [],
                _form(one, request.part.files),
            )
        )
    return composing.Forward(in_theirs(_FORWARDED), made)


def _form(one: ForwardedMessage, files: Sequence[OutgoingFile]) -> str:
    """Return a forwarded message as HTML; empty if it has only plain text."""
    made = one.html() if one.html is not None else ""
    if made:
        return composing.passed_on(made)
    if not one.ours:
        return ""
    known = {file.content_id: file for file in files if file.content_id}
    places = {
        name: composing.picture(id_, known[id_].width, known[id_].height)
        for name, id_ in one.pictures.items()
        if id_ in known
    }
    return composing.marked(one.text, places)


def _mailbox(name: str, address: str) -> str:
    """Return a person as a line of text: name and address, or one of them."""
    return composing.line(f"{name} <{address}>" if name and address else name or address, 400)


def _recipients(request: SendRequest) -> dict[str, str]:
    """Return the names of the recipients in To by their valid addresses: the customer's if none are given."""
    given, names = request.part.content.get("to"), _names(request.part.content.get("names"))
    found: dict[str, str] = {}
    for one in given if isinstance(given, list) and given else [request.recipient]:
        named = one if isinstance(one, Mapping) else {"address": one, "name": names.get(str(one), "")}
        address = reached_at(str(named.get("address") or ""))
        if address is not None:
            found.setdefault(address, str(named.get("name") or ""))
    return found


def _names(given: object) -> Mapping[str, str]:
    return given if isinstance(given, Mapping) else {}


def _stored(account: AccountRef) -> EmailAccount | None:
    with db.read() as session:
        return session.get(EmailAccount, account.id)


def _settings(account: AccountRef) -> tuple[str, smtp.Server, str, bool] | None:
    """Return the sender's address, the server, the reply address if it differs, and whether to quote."""
    row = _stored(account)
    if row is None:
        return None
    return row.address, servers.to_send(account, row), row.reply_to or "", bool(row.quotes)


def _others(given: object, without: Collection[str]) -> list[str]:
    """Return the valid addresses of *given* without duplicates and without those of *without*."""
    found = [normal(one) for one in given if isinstance(one, str)] if isinstance(given, list) else []
    return list(dict.fromkeys(one for one in found if one is not None and one not in without))


def _file(file: OutgoingFile) -> composing.File:
    with file.open() as stream:
        content = stream.read(MOST_BYTES + 1)
    return composing.File(file.name, file.content_type, content, file.width, file.height, file.content_id)


def _missed(refused: Sequence[smtp.Refused]) -> ProviderProblem | None:
    """Return the problem to show to the agent for copies that the server refused."""
    if not refused:
        return None
    said = "\n".join(f"{one.address}: {one.error}" for one in refused)
    sentence = noop("The email was sent, but the mail server rejected some recipients.")
    step = noop("See which ones below, then send it to them again at an address that works.")
    return _problem("copies", sentence, step, raw=said[:2000])


def _deliver(
    account: AccountRef,
    server: smtp.Server,
    sender: str,
    recipient: str,
    mail: bytes,
    copies: Sequence[str],
    *,
    wait_for_copies: bool,
) -> SendResult | list[smtp.Refused]:
    """Send; return the outcome if it failed, else the copies that were refused."""
    try:
        return smtp.deliver(server, sender, recipient, mail, copies, wait_for_copies=wait_for_copies)
    except smtp.UnconfirmedError as error:
        return Unknown(
            _problem(
                "unconfirmed",
                noop("The connection to the mail server was lost before it confirmed the email."),
                noop("Ask the customer, or send it again. Most mailboxes discard a duplicate."),
                raw=str(error),
            )
        )
    except smtp.LoginRefusedError as error:
        return _login_failed(server, error)
    except smtp.StepRefusedError as error:
        if error.for_now:
            sentence = noop("The mail server isn't accepting the email right now.")
            return NotSent(_problem(str(error.code), sentence, raw=str(error)))
        if (waits := rights.held(account, error)) is not None:
            return waits
        sentence = noop("The mail server rejected the email.")
        step = noop("Read the server's response and check the customer's address.")
        return Rejected(_problem(str(error.code), sentence, step, raw=str(error)))
    except ForbiddenAddressError as error:
        sentence = noop("The mail server is at an address this desk isn't allowed to reach.")
        return Held(_problem("address", sentence, _ALLOW_RELAY, raw=error.reason))
    except FetchError as error:
        sentence = noop("The mail server can't be reached.")
        return NotSent(_problem("connect", sentence, _CHECK_CARD, raw=error.reason), whole_account=True)
    except (OSError, smtplib.SMTPException) as error:
        sentence = noop("The connection to the mail server was lost before the email was sent.")
        return NotSent(
            _problem("connection", sentence, _CHECK_CARD, raw=f"{type(error).__name__}: {error}"[:300]),
            whole_account=True,
        )


def _login_failed(server: smtp.Server, first: smtp.LoginRefusedError) -> SendResult:
    """Return the outcome of a refused login after a retry: some busy servers refuse valid passwords."""
    sentence = noop("The mail server rejected the username and password.")
    if server.bearer is not None:
        sentence = noop("The mail server no longer accepts the sign-in.")
    if not first.for_now:
        try:
            smtp.check(server)
        except smtp.LoginRefusedError as second:
            if not second.for_now:
                return Held(_problem(str(second.code), sentence, _CHECK_CARD, raw=str(second)))
        except (smtp.StepRefusedError, FetchError, OSError, smtplib.SMTPException):
            pass
    return NotSent(_problem(str(first.code), sentence, _CHECK_CARD, raw=str(first)), whole_account=True)


def _problem(code: str, sentence: str, next_step: str = "", raw: str = "") -> ProviderProblem:
    return ProviderProblem(code, sentence, next_step, raw)
