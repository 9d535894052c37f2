"""The e-mail adapter."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

from host.sdk import clock, db
from host.sdk.channel import (
    AccountRef,
    CannotTell,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    Held,
    NotSent,
    ProviderProblem,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Threading,
    Unknown,
)
from host.sdk.errors import FetchError, ForbiddenAddressError, SecretUnreadableError
from host.sdk.i18n import noop
from host.sdk.messages import InboundChange, MessageKind
from host.sdk.secrets import unseal
from host.sdk.webhooks import Envelope

from . import composing, smtp
from .addresses import normal, without_tag
from .headers import UNKNOWN_SENDER
from .models import EmailAccount, password_place
from .parsing import parse

_CHECK_CARD = noop("An owner can check the mail server on Settings, Channels.")


class EmailAdapter(ChannelAdapter):
    key = "email"
    label = "Email"
    mark = ChannelMark(icon="mail", tone=4)
    contact_id_name = "address"
    capabilities = Capabilities(
        sends=frozenset({MessageKind.TEXT}),
        threading=Threading.REFERENCES,
        has_subject=True,
        originals=True,
    )

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return parse(envelope)

    def send(self, request: SendRequest) -> SendResult:
        """Hand the mail to the account's server. Its Message-ID is the same in every attempt."""
        if request.part.kind is not MessageKind.TEXT:
            return Rejected(_problem("kind", noop("This channel sends text only.")))
        recipient = normal(request.recipient)
        if recipient is None or recipient == UNKNOWN_SENDER:
            return Rejected(
                _problem(
                    "address",
                    noop("The sender of this conversation left no address that can be answered."),
                )
            )
        try:
            account = _settings(request.account)
        except SecretUnreadableError as error:
            return Held(_problem("password", noop("The stored password cannot be read."), raw=str(error)))
        if account is None:
            return Held(_problem("settings", noop("The account has no mail server.")))
        sender, server = account
        if without_tag(recipient) == without_tag(sender):
            return Rejected(
                _problem("address", noop("This mail came from your own address and names nobody to answer."))
            )
        identity = composing.message_id(request.message_key, sender)
        mail = composing.compose(
            composing.Reply(
                sender_name=request.account.name,
                sender=sender,
                recipient=recipient,
                subject=request.subject,
                text=request.part.text,
                message_id=identity,
                references=request.references,
                date=clock.now(),
            )
        )
        return _deliver(server, sender, recipient, mail) or Sent(identity)

    def search(self, request: SearchRequest) -> SearchResult:
        return CannotTell("a mail server does not tell what it has sent")


def _settings(account: AccountRef) -> tuple[str, smtp.Server] | None:
    """Return the sender's address, and the server."""
    with db.read() as session:
        row = session.get(EmailAccount, account.id)
    if row is None:
        return None
    password = unseal(row.smtp_password, password_place(account)) if row.smtp_password else None
    security = smtp.Security(row.smtp_security)
    return row.address, smtp.Server(row.smtp_host, row.smtp_port, security, row.smtp_user, password)


def _deliver(server: smtp.Server, sender: str, recipient: str, mail: bytes) -> SendResult | None:
    """Send; return the outcome if that failed, else None."""
    try:
        smtp.deliver(server, sender, recipient, mail)
    except smtp.UnconfirmedError as error:
        return Unknown(
            _problem(
                "unconfirmed",
                noop("The connection to the mail server broke before it confirmed the mail."),
                noop("Ask the customer, or send it again: most mailboxes drop the second copy."),
                raw=str(error),
            )
        )
    except smtp.LoginRefusedError as error:
        return _login_failed(server, error)
    except smtp.StepRefusedError as error:
        if error.for_now:
            sentence = noop("The mail server does not take the mail at the moment.")
            return NotSent(_problem(str(error.code), sentence, raw=str(error)))
        sentence = noop("The mail server refused the mail.")
        step = noop("Read what it said, and check the customer's address.")
        return Rejected(_problem(str(error.code), sentence, step, raw=str(error)))
    except ForbiddenAddressError as error:
        sentence = noop("The mail server is at an address this desk may not reach.")
        return Held(_problem("address", sentence, _CHECK_CARD, raw=error.reason))
    except FetchError as error:
        sentence = noop("The mail server cannot be reached.")
        return NotSent(_problem("connect", sentence, _CHECK_CARD, raw=error.reason), whole_account=True)
    except (OSError, smtplib.SMTPException) as error:
        sentence = noop("The connection to the mail server broke before the mail was sent.")
        return NotSent(
            _problem("connection", sentence, _CHECK_CARD, raw=f"{type(error).__name__}: {error}"[:300]),
            whole_account=True,
        )
    return None


def _login_failed(server: smtp.Server, first: smtp.LoginRefusedError) -> SendResult:
    """Return the outcome of a refused login, after a second try: some busy servers refuse a good password."""
    sentence = noop("The mail server does not accept the user and password.")
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
