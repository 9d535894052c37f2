"""A connection to an IMAP server: guarded, encrypted, and with limits on everything it may send."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import imapclient
from imapclient.exceptions import (
    CapabilityError,
    IMAPClientAbortError,
    IMAPClientError,
    LoginError,
    ProtocolError,
)

from host.sdk import net

from ..smtp import Security, SignInError, secrets_of, xoauth2
from .server import BrokenError, EndedError, LoginRefusedError, RefusedError, Server

CONNECT_SECONDS = 10.0
STEP_SECONDS = 60.0
"""Timeout for each response in seconds: some servers scan a whole folder first."""
MOST_LINE = 16 * 1024 * 1024
"""Maximum bytes of a line: a search in a million mails returns a line of 8 MB."""
MOST_LITERAL = 64 * 1024 * 1024
"""Maximum bytes of a mail or part that a server may send, whatever was requested."""
MOST_SAID = 128 * 1024 * 1024
"""Maximum bytes of the response to one command."""

_FOR_NOW = re.compile(r"(?i)\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]|too many|try again|temporar")


class _Guarded(imaplib.IMAP4):
    """An IMAP connection with a guarded socket and limits on what it reads."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        self._said = 0
        self._server = server
        self._context = context
        super().__init__(server.host, server.port)

    def _create_socket(self, _timeout: float | None = None) -> socket.socket:
        server = self._server
        connection = net.connect(server.host, server.port, timeout=CONNECT_SECONDS, mail=True)
        connection.settimeout(STEP_SECONDS)
        if server.security is not Security.TLS:
            return connection
        try:
            return self._context.wrap_socket(connection, server_hostname=server.host)
        except BaseException:
            connection.close()
            raise

    def _new_tag(self) -> bytes:
        self._said = 0
        tag: bytes = super()._new_tag()  # type: ignore[misc]
        return tag

    def _hear(self, size: int) -> None:
        self._said += size
        if self._said > MOST_SAID:
            raise self.abort("the server says more than it was asked for")

    def read(self, size: int) -> bytes:
        self._hear(size)
        if size > MOST_LITERAL:
            raise self.abort("the server hands out more than it was asked for")
        data: bytes = super().read(size)
        if len(data) < size:
            raise self.abort("the connection broke in the middle of a mail")
        return data

    def readline(self) -> bytes:
        line: Any = self.file.readline(MOST_LINE + 1)
        if len(line) > MOST_LINE:
            raise self.abort("the server says a line without an end")
        self._hear(len(line))
        return bytes(line)


class Client(imapclient.IMAPClient):  # type: ignore[misc]  # the package has no types of its own
    """The package's client on a guarded connection. Signed in by :func:`signed_in`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._told = b""
        self._context = net.tls_context()
        super().__init__(server.host, server.port, ssl=server.security is Security.TLS, timeout=STEP_SECONDS)
        # Otherwise it formats every line for its log, including passwords.
        self._imap.debug = 0
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - the package's name
        return _Guarded(self._server, self._context)

    def has_news(self) -> bool:
        """Return whether the server has reported a different number of mails since the last call."""
        said = self._imap.untagged_responses.pop("EXISTS", None)
        before = self._told
        if said:
            self._told = bytes(said[-1])
        return self._told != before

    def begin_idle(self) -> None:
        """Start IDLE; :meth:`heard` then returns notifications, and ``idle_done`` ends it.

        The package's own method treats a notification before the server's confirmation as an error.
        """
        self._idle_tag = self._imap._command("IDLE")
        while self._imap._get_response() is not None:
            if self._imap.tagged_commands.get(self._idle_tag) is not None:
                raise IMAPClientAbortError("the server refused IDLE")

    def heard(self) -> list[bytes]:
        """Return the lines the server has sent since the last call, without waiting."""
        connection = self.socket()
        connection.setblocking(False)
        lines = []
        try:
            while True:
                lines.append(bytes(self._imap._get_line()))
        except (OSError, IMAPClientAbortError) as error:
            if lines or "EOF" in str(error) or isinstance(error, OSError):
                return lines
            raise
        finally:
            connection.settimeout(STEP_SECONDS)


@contextmanager
def signed_in(server: Server) -> Iterator[Client]:
    """Yield a signed-in connection. Wrap commands on it in :func:`told`.

    :raises FetchError: if the server cannot be reached, or is not allowed.
    :raises RefusedError: if it refuses the connection, or lacks a required feature.
    :raises LoginRefusedError: if it rejects the credentials.
    :raises BrokenError: if the connection breaks, or the server does not speak IMAP.
    :raises ssl.SSLError: if encryption could not be negotiated, or the certificate is not trusted.
    """
    server = _with_token(server)
    with net.waiting():
        yield from _dialogue(server)


def _dialogue(server: Server) -> Iterator[Client]:
    try:
        client = _open(server)
    except LoginRefusedError:
        if server.bearer is not None and server.password is not None:
            server.bearer.refused(server.password)
        raise
    try:
        yield client
    finally:
        _close(client)


def _with_token(server: Server) -> Server:
    """Return *server* with an access token as its password, obtained before connecting."""
    if server.bearer is None:
        return server
    try:
        return replace(server, password=server.bearer.token())
    except SignInError as error:
        if error.ended:
            raise EndedError(str(error)) from None
        raise RefusedError(str(error), for_now=True) from None


@contextmanager
def told(server: Server) -> Iterator[None]:
    """Translate exceptions of the package into this module's errors, without credentials in them."""
    try:
        yield
    except (IMAPClientAbortError, ProtocolError) as error:
        raise BrokenError(_discreet(error, server)) from None
    except IMAPClientError as error:
        raise RefusedError(_discreet(error, server)) from None
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, EOFError) as error:
        raise BrokenError(_broken(error)) from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        # Raised by the package's parser for invalid responses.
        raise BrokenError(f"the server's answer cannot be read ({type(error).__name__})") from error


def _broken(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    return "the connection broke"


def _open(server: Server) -> Client:
    try:
        client = Client(server)
    except ssl.SSLError:
        raise
    except OSError as error:
        raise BrokenError(_broken(error)) from None
    except IMAPClientError as error:
        raise BrokenError(_discreet(error, server)) from None
    try:
        if server.security is Security.STARTTLS:
            with told(server):
                if not client.has_capability("STARTTLS"):
                    raise RefusedError("the server offers no STARTTLS")
                client.starttls(client._context)
        with told(server):
            _login(client, server)
    except BaseException:
        _close(client)
        raise
    return client


def _login(client: Client, server: Server) -> None:
    password = server.password.reveal() if server.password else ""
    try:
        if server.bearer is not None:
            _present(client, server)
        elif client.has_capability("AUTH=PLAIN") and not (server.user + password).isascii():
            client.plain_login(server.user, password)
        elif client.has_capability("LOGINDISABLED"):
            raise LoginRefusedError("the server takes no password here")
        else:
            client.login(server.user, password)
    except LoginError as error:
        if isinstance(error.__context__, IMAPClientAbortError):
            raise error.__context__ from None
        words = _discreet(error, server)
        raise LoginRefusedError(words, for_now=bool(_FOR_NOW.search(words))) from None
    except UnicodeError:
        raise LoginRefusedError("the server takes no letters outside ASCII") from None
    except CapabilityError as error:
        raise LoginRefusedError(_discreet(error, server)) from None


def _present(client: Client, server: Server) -> None:
    """Sign in with an access token. A server that refuses sends the reason, and waits for an empty line."""
    assert server.password is not None
    if not client.has_capability("AUTH=XOAUTH2"):
        raise LoginRefusedError("the server does not take sign-ins of a provider (XOAUTH2)")
    words = xoauth2(server.user, server.password)
    client.sasl_login("XOAUTH2", lambda challenge: b"" if challenge else words)


def _close(client: Client) -> None:
    # Not logout(), which waits for a response that isn't needed.
    with suppress(Exception):
        client.socket().settimeout(1)
        client._imap.send(b"ZZ LOGOUT\r\n")
    with suppress(Exception):
        client.shutdown()


def _discreet(error: BaseException, server: Server) -> str:
    """Return the server's message without the password, because some servers quote it."""
    words = str(error)
    if words.startswith("b'") or words.startswith('b"'):
        words = words[2:-1]
    for secret in secrets_of(server.user, server.password):
        words = words.replace(secret, "…")
    return " ".join(words.split())


def check(server: Server) -> int:
    """Connect, sign in and open the inbox, as fetching does; return its number of mails.

    Raises the errors of :func:`signed_in`.
    """
    with signed_in(server) as client:
        return exists(client.select_folder("INBOX", readonly=True))


def exists(selected: Any) -> int:
    """Return the number of mails in a folder from the response to its selection."""
    return int(selected.get(b"EXISTS") or 0)
