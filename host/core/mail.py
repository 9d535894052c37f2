"""Send mail from Lobby, such as a warning to an owner, through the operator's mail server."""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import unquote, urlsplit

from babel.support import NullTranslations

from host.core import clock, guard
from host.core.config import Config
from host.core.secrets import Secret
from host.sdk import i18n
from host.sdk.errors import FetchError, ForbiddenAddressError

SECONDS = 20.0


class NotSentError(Exception):
    """The server has not accepted the mail, so it can be retried. It contains no text of the server.

    :ivar why: ``private`` (the address is private, and LOBBY_MAIL_RELAYS does not name it), ``unreachable``,
        ``login``, ``plain`` (a password would be sent unencrypted), ``certificate`` or ``refused``.
    """

    def __init__(self, words: str, why: str = "refused") -> None:
        super().__init__(words)
        self.why = why


class UnconfirmedError(Exception):
    """The connection broke during the transfer of the mail: whether the server accepted it is unknown."""


@dataclass(frozen=True, slots=True)
class Server:
    """The mail server and the sender of Lobby's mail.

    :param guarded: whether a private address is only allowed if LOBBY_MAIL_RELAYS names it: an admin chose
        the server on a page, not the operator.
    """

    host: str
    port: int
    tls: bool
    sender: str
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)
    guarded: bool = False


def words(*languages: str | None) -> NullTranslations:
    """Return the catalogue of the first available one of *languages*, else English.

    :param languages: codes such as ``de``, the recipient's first; None or empty: not set.
    """
    return next((i18n.catalogue(one) for one in languages if one and _has(one)), NullTranslations())


def _has(language: str) -> bool:
    return language == "en" or (i18n.CATALOGUES / language / "LC_MESSAGES" / "messages.mo").is_file()


def server_of(config: Config) -> Server | None:
    """Return the server named in the settings, or None."""
    if not config.mail_server:
        return None
    parts = urlsplit(config.mail_server)
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname or "",
        port=parts.port or (465 if tls else 25 if parts.username is None else 587),
        tls=tls,
        sender=config.mail_from or f"lobby@{urlsplit(config.public_url).hostname}",
        user=unquote(parts.username or ""),
        password=Secret(unquote(parts.password or "")),
        guarded="mail_server" not in config.given,
    )


def compose(server: Server, recipient: str, subject: str, text: str) -> EmailMessage:
    """Return a mail marked as automatic, so that no automatic reply answers it."""
    mail = EmailMessage()
    mail["From"] = server.sender
    mail["To"] = recipient
    mail["Subject"] = " ".join(subject.split())[:200]
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = make_msgid(domain=server.sender.rpartition("@")[2] or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def send(server: Server, mail: EmailMessage) -> None:
    """Pass one mail to the server; return once the server has confirmed it.

    :raises NotSentError: if the server has certainly not accepted it.
    :raises UnconfirmedError: if the outcome is unknown.
    """
    try:
        client = _open(server)
    except (OSError, ValueError, FetchError) as error:  # every error of smtplib is an OSError
        raise NotSentError(_words(error), _why(error)) from None
    try:
        client.send_message(mail)
    except smtplib.SMTPServerDisconnected as error:
        raise UnconfirmedError(_words(error)) from None
    except (smtplib.SMTPException, ValueError) as error:
        raise NotSentError(_words(error)) from None
    except OSError as error:
        raise UnconfirmedError(_words(error)) from None
    finally:
        # Not quit(): it waits for an unneeded answer, and may fail after the mail was accepted.
        with suppress(OSError):
            client.close()


class _Guarded(smtplib.SMTP):
    """A connection to an address that the guard checked first."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return guard.connect(host, port, timeout=timeout, mail=True)


class _GuardedTls(smtplib.SMTP_SSL):
    """The guarded connection, encrypted from the start."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = guard.connect(host, port, timeout=timeout, mail=True)
        return self.context.wrap_socket(plain, server_hostname=self._host)  # type: ignore[attr-defined]


def _open(server: Server) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.tls:
        encrypted = _GuardedTls if server.guarded else smtplib.SMTP_SSL
        client: smtplib.SMTP = encrypted(server.host, server.port, timeout=SECONDS, context=context)
    else:
        plain = _Guarded if server.guarded else smtplib.SMTP
        client = plain(server.host, server.port, timeout=SECONDS)
    try:
        client.ehlo_or_helo_if_needed()
        safe = server.tls
        if not safe and client.has_extn("starttls"):
            client.starttls(context=context)
            client.ehlo()
            safe = True
        if server.user:
            if not safe and not _is_here(server.host):
                raise smtplib.SMTPNotSupportedError("no encryption for a password")
            _login(client, server)
    except BaseException:
        client.close()
        raise
    return client


def _login(client: smtplib.SMTP, server: Server) -> None:
    password = server.password.reveal()
    if (server.user + password).isascii():
        client.login(server.user, password)
        return
    # smtplib only knows ASCII (RFC 4616 allows UTF-8).
    given = base64.b64encode(f"\0{server.user}\0{password}".encode()).decode()
    code, _words = client.docmd("AUTH", f"PLAIN {given}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, b"")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why(error: Exception) -> str:
    """Return the word of :class:`NotSentError` for an error before the mail was passed to the server."""
    match error:
        case ForbiddenAddressError():
            return "private"
        case ssl.SSLCertVerificationError():
            return "certificate"
        case smtplib.SMTPAuthenticationError():
            return "login"
        case smtplib.SMTPNotSupportedError():
            return "plain"
        case smtplib.SMTPResponseException() | smtplib.SMTPException():
            return "refused"
    return "unreachable"


def _words(error: Exception) -> str:
    """Return a sentence for *error* without the server's text: some servers quote their input."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"
