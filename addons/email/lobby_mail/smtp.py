"""Send mail through an account's server, one SMTP step at a time, so that failures can be distinguished."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from host.sdk import net
from host.sdk.errors import ProviderError
from host.sdk.secrets import Secret

CONNECT_SECONDS = 10.0
STEP_SECONDS = 30.0
ACCEPT_SECONDS = 90.0
"""Timeout in seconds for the response to the mail itself: servers scan it for viruses first."""


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class SignInError(ProviderError):
    """The credentials are missing or invalid. The message is for people.

    :ivar ended: whether the provider no longer accepts the sign-in, so that a person must sign in again.
    """

    def __init__(self, words: str, *, ended: bool) -> None:
        super().__init__(words[:300])
        self.ended = ended


class Bearer(Protocol):
    """Placeholder for the password of an account that signed in at a provider."""

    def token(self) -> Secret:
        """Return an access token that does not expire soon, renewed if necessary.

        :raises SignInError: if there is none.
        """

    def refused(self, token: Secret) -> None:
        """Record that a server refused *token*, so that :meth:`token` returns a new one."""


@dataclass(frozen=True, slots=True)
class Server:
    """An account's outgoing server. Without *user*, there is no login.

    :param bearer: used instead of a password.
    """

    host: str
    port: int
    security: Security
    user: str = ""
    password: Secret | None = field(default=None, repr=False)
    bearer: Bearer | None = field(default=None, repr=False, compare=False)


class RefusedError(ProviderError):
    """The server refused.

    :ivar code: the SMTP reply code; 4xx is temporary, 5xx permanent.
    :ivar words: the server's message.
    """

    def __init__(self, code: int, words: bytes | str) -> None:
        self.code = code
        self.words = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        super().__init__(f"{code} {self.words}"[:500])

    @property
    def for_now(self) -> bool:
        return self.code < 500


class StepRefusedError(RefusedError):
    """The server refused the connection, the sender, the recipient or the mail."""


class SenderRefusedError(StepRefusedError):
    """The server refused the sender, before it knew of a recipient."""


class LoginRefusedError(RefusedError):
    """The server rejected the user and password."""


class _Guarded(smtplib.SMTP):
    """An SMTP client with guarded sockets."""

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return net.connect(host, port, timeout=CONNECT_SECONDS, mail=True)


class _GuardedTLS(smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: Any) -> ssl.SSLSocket:
        connection = net.connect(host, port, timeout=CONNECT_SECONDS, mail=True)
        try:
            return self.context.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise


@contextmanager
def signed_in(server: Server) -> Iterator[smtplib.SMTP]:
    """Yield a connection ready for mail.

    :raises FetchError: if the server cannot be reached, or is not allowed.
    :raises StepRefusedError: if it refuses the connection, or lacks a feature the settings require.
    :raises LoginRefusedError: if it rejects the credentials.
    :raises OSError, smtplib.SMTPServerDisconnected: if the connection breaks, or its certificate is wrong.
    """
    server = with_token(server)
    with net.waiting():
        yield from _dialogue(server)


def _dialogue(server: Server) -> Iterator[smtplib.SMTP]:
    try:
        client = _open(server)
    except RefusedError as error:
        if server.bearer is not None and server.password and isinstance(error, LoginRefusedError):
            server.bearer.refused(server.password)
        raise _discreet(error, server) from None
    try:
        yield client
    except RefusedError as error:
        raise _discreet(error, server) from None
    finally:
        # Not quit(), which waits for a response that isn't needed and may fail after the mail was accepted.
        with suppress(OSError, smtplib.SMTPException):
            client.putcmd("quit")
        client.close()


def with_token(server: Server) -> Server:
    """Return *server* with an access token as its password, obtained before connecting.

    :raises LoginRefusedError: if there is no valid token.
    """
    if server.bearer is None:
        return server
    try:
        return replace(server, password=server.bearer.token())
    except SignInError as error:
        raise LoginRefusedError(535 if error.ended else 454, str(error)) from None


def xoauth2(user: str, token: Secret) -> str:
    """Return the SASL XOAUTH2 response: https://developers.google.com/gmail/imap/xoauth2-protocol."""
    return f"user={user}\1auth=Bearer {token.reveal()}\1\1"


def _open(server: Server) -> smtplib.SMTP:
    context = net.tls_context()
    client: smtplib.SMTP = (
        _GuardedTLS(context=context, timeout=STEP_SECONDS)
        if server.security is Security.TLS
        else _Guarded(timeout=STEP_SECONDS)
    )
    client._host = server.host  # type: ignore[attr-defined]  # what starttls() asks the certificate for
    try:
        _step(*client.connect(server.host, server.port))
        _timeout(client, STEP_SECONDS)
        _greet(client)
        if server.security is Security.STARTTLS:
            if not client.has_extn("starttls"):
                raise StepRefusedError(502, "the server offers no STARTTLS")
            _step(*client.starttls(context=context))
            _greet(client)
        if server.user:
            _login(client, server)
    except BaseException:
        client.close()
        raise
    return client


def _discreet(error: RefusedError, server: Server) -> RefusedError:
    """Return *error* without the password, because some servers quote it."""
    words = error.words
    for secret in secrets_of(server.user, server.password):
        words = words.replace(secret, "…")
    return type(error)(error.code, words)


def secrets_of(user: str, password: Secret | None) -> list[str]:
    """Return a password or token in all forms that a server may quote."""
    if not password:
        return []
    presented = xoauth2(user, password)
    return [base64.b64encode(presented.encode()).decode(), presented, password.reveal()]


def _timeout(client: smtplib.SMTP, seconds: float) -> None:
    if client.sock is not None:
        client.sock.settimeout(seconds)


def _step(code: int, words: bytes) -> None:
    if 400 <= code < 600:
        raise StepRefusedError(code, words)
    if not 200 <= code < 400:
        raise smtplib.SMTPServerDisconnected("the server answered with something that is not SMTP")


def _greet(client: smtplib.SMTP) -> None:
    code, words = client.ehlo()
    if code >= 400:
        code, words = client.helo()
    _step(code, words)


def _login(client: smtplib.SMTP, server: Server) -> None:
    if server.security is Security.NONE:
        raise LoginRefusedError(530, "a password is not sent over a connection that is not encrypted")
    if server.bearer is not None and server.password is not None:
        _present(client, server.user, server.password)
        return
    password = server.password.reveal() if server.password else ""
    if not (server.user + password).isascii():
        _login_in_unicode(client, server.user, password)
        return
    try:
        client.login(server.user, password)
    except smtplib.SMTPAuthenticationError as error:
        raise LoginRefusedError(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError:
        raise LoginRefusedError(504, "the server offers no way to sign in with a password") from None
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException:
        raise LoginRefusedError(504, "the server offers no way to sign in that is known here") from None


def _present(client: smtplib.SMTP, user: str, token: Secret) -> None:
    """Sign in with an access token. A server that refuses sends the reason, and waits for an empty line."""
    if "XOAUTH2" not in client.esmtp_features.get("auth", "").upper().split():
        raise LoginRefusedError(504, "the server does not take sign-ins of a provider (XOAUTH2)")
    code, words = client.docmd("AUTH", "XOAUTH2 " + base64.b64encode(xoauth2(user, token).encode()).decode())
    if code == 334:
        code, words = client.docmd("")
    if code != 235:
        raise LoginRefusedError(code, words)


def _login_in_unicode(client: smtplib.SMTP, user: str, password: str) -> None:
    """Sign in with a user or password outside ASCII (RFC 4616), which :mod:`smtplib` does not send."""
    if "PLAIN" not in client.esmtp_features.get("auth", "").upper().split():
        raise LoginRefusedError(504, "the server offers no way to sign in with letters outside ASCII")
    given = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    code, words = client.docmd("AUTH", f"PLAIN {given}")
    if code != 235:
        raise LoginRefusedError(code, words)


def check(server: Server) -> None:
    """Connect and sign in, as for sending. Raises the errors of :func:`signed_in`."""
    with signed_in(server):
        pass


class UnconfirmedError(ProviderError):
    """The connection broke while the mail was sent, so it is unknown whether the server accepted it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A recipient the server did not accept, and its message."""

    address: str
    error: StepRefusedError


def deliver(
    server: Server,
    sender: str,
    recipient: str,
    mail: bytes,
    copies: Sequence[str] = (),
    *,
    wait_for_copies: bool = False,
) -> list[Refused]:
    """Send one mail; return the *copies* that the server refused, once it confirmed the rest.

    If the server refuses *recipient*, nothing is sent to anyone.

    :param wait_for_copies: send nothing yet if a copy is refused temporarily.
    :raises UnconfirmedError: if the connection broke after sending began.
    :raises: the errors of :func:`signed_in`, always before sending began; :class:`StepRefusedError` also for
        the mail itself.
    """
    with signed_in(server) as client:
        plain = all(one.isascii() for one in (sender, recipient, *copies))
        options = [] if plain else ["SMTPUTF8", "BODY=8BITMIME"]
        if options and not client.has_extn("smtputf8"):
            raise StepRefusedError(553, "the mail server cannot send to addresses outside ASCII")
        if options:
            client.command_encoding = "utf-8"
        most = client.esmtp_features.get("size", "")
        if most.isdecimal() and len(most) < 19 and 0 < int(most) < len(mail):
            raise StepRefusedError(552, f"the mail has {len(mail)} bytes, and the server takes {most}")
        try:
            _step(*client.mail(sender, options))
        except StepRefusedError as error:
            raise SenderRefusedError(error.code, error.words) from None
        _step(*client.rcpt(recipient))
        refused = []
        for one in copies:
            try:
                _step(*client.rcpt(one))
            except StepRefusedError as error:
                if error.for_now and wait_for_copies:
                    raise
                refused.append(Refused(one, error))
        code, words = client.docmd("DATA")
        _step(code, words)
        body = b"".join(_stuffed(mail)) + b".\r\n"
        _timeout(client, ACCEPT_SECONDS)
        try:
            client.send(body)
            code, words = client.getreply()
            _step(code, words)
        except StepRefusedError:
            raise
        except (OSError, smtplib.SMTPException) as error:
            raise UnconfirmedError(type(error).__name__) from error
    return refused


def _stuffed(mail: bytes) -> Iterator[bytes]:
    """Yield the lines of *mail*, each ending in CRLF, with leading dots doubled."""
    for line in mail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n"):
        yield (b"." if line.startswith(b".") else b"") + line + b"\r\n"
