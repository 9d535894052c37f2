"""Send the desk's own mail, such as a warning to an owner, by the operator's mail server."""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from babel.support import NullTranslations, Translations

from host.core import clock, guard
from host.core.config import Config
from host.core.secrets import Secret
from host.sdk.errors import FetchError, ForbiddenAddressError

SECONDS = 20.0


class NotSentError(Exception):
    """The server has not taken the mail, so it may be tried again. Quotes nothing the server said.

    :ivar why: ``private`` (the address is, and LOBBY_MAIL_RELAYS does not name it), ``unreachable``,
        ``login``, ``plain`` (a password would go out unencrypted), ``certificate`` or ``refused``.
    """

    def __init__(self, words: str, why: str = "refused") -> None:
        super().__init__(words)
        self.why = why


class UnconfirmedError(Exception):
    """The connection broke while the mail was handed over: it is unknown whether it was taken."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the desk's own mail goes out, and whom it is from.

    :param guarded: whether it may be at a private address only where LOBBY_MAIL_RELAYS names it: an admin
        chose it on a page, not who runs the machine.
    """

    host: str
    port: int
    tls: bool
    sender: str
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)
    guarded: bool = False


CATALOGUES = Path(__file__).parents[1] / "translations"
_beside: tuple[Path, ...] = ()


def use_catalogues(folders: Iterable[Path]) -> None:
    """Have :func:`words` know those in *folders*, of addons, from now on in this process.

    :param folders: as :data:`CATALOGUES`, each file readable. A text that both have is said as here.
    """
    global _beside  # noqa: PLW0603 - the addons of the process
    _beside = tuple(folders)
    _catalogue.cache_clear()


def words(*languages: str | None) -> NullTranslations:
    """Return the catalogue of the first of *languages* that there is, else English: no page has chosen one.

    :param languages: codes, such as ``de``, of who reads the mail first; None or empty: they said none.
    """
    return next((_catalogue(one) for one in languages if one and _has(one)), NullTranslations())


def _has(language: str) -> bool:
    return language == "en" or (CATALOGUES / language / "LC_MESSAGES" / "messages.mo").is_file()


@cache
def _catalogue(language: str) -> NullTranslations:
    found = Translations.load(str(CATALOGUES), [language])
    for folder in _beside:
        found.add_fallback(Translations.load(str(folder), [language]))
    return found


def server_of(config: Config) -> Server | None:
    """Return the server the settings name, or None where they name none."""
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
    """Return a mail marked as sent by a program, so that no automatic reply answers it."""
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
    """Hand one mail to the server; returns once the server confirmed it.

    :raises NotSentError: if it certainly has not.
    :raises UnconfirmedError: if that is unknown.
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
        # Not quit(): it waits for an answer nobody needs, and may fail after the mail was taken.
        with suppress(OSError):
            client.close()


class _Guarded(smtplib.SMTP):
    """A connection to an address that was looked at first."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return guard.connect(host, port, timeout=timeout, mail=True)


class _GuardedTls(smtplib.SMTP_SSL):
    """The same, encrypted from the beginning."""

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
    # smtplib knows ASCII only (RFC 4616 does not).
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
    """Return the word of :class:`NotSentError` for an error before the mail was handed over."""
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
    """Return a sentence for *error* without the server's text: some servers quote what they were sent."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"
