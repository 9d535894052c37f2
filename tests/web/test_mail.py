"""The desk's own mail over the wire: what a server takes, what it refuses, and what nobody knows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from host.core import mail
from host.core.secrets import Secret


class Server:
    """Takes mail, or answers *answer* to its body."""

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(envelope)
        return self.answer


@pytest.fixture
def smtp() -> Iterator[tuple[Server, mail.Server]]:
    handler = Server()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, mail.Server("127.0.0.1", port, False, "lobby@desk.example.com")
    controller.stop()


def letter(server: mail.Server) -> Any:
    return mail.compose(server, "ola@example.com", "@shop:\n a warning", "Müller said so.\n")


def test_a_mail_arrives_whole(smtp: tuple[Server, mail.Server]) -> None:
    handler, server = smtp
    mail.send(server, letter(server))
    (envelope,) = handler.taken
    assert envelope.rcpt_tos == ["ola@example.com"]
    assert b"Subject: @shop: a warning" in envelope.content


def test_a_refused_mail_was_not_sent_and_the_servers_words_are_not_told(
    smtp: tuple[Server, mail.Server],
) -> None:
    handler, server = smtp
    handler.answer = "550 not with top-secret"
    with pytest.raises(mail.NotSentError) as caught:
        mail.send(server, letter(server))
    assert str(caught.value) == "SMTPDataError 550"


def test_a_server_that_is_away_has_not_taken_it() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        server = mail.Server("127.0.0.1", free.getsockname()[1], False, "a@example.com")
        with pytest.raises(mail.NotSentError):
            mail.send(server, letter(server))


@pytest.fixture
def asking() -> Iterator[tuple[int, list[str], Server]]:
    """A server that takes any password over an open line: its port, the passwords, and what it took."""
    given: list[str] = []

    def look(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
        given.append(login.password.decode())
        return AuthResult(success=True)

    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    handler = Server()
    controller = Controller(
        handler, hostname="127.0.0.1", port=port, authenticator=look, auth_require_tls=False
    )
    controller.start()
    yield port, given, handler
    controller.stop()


def test_a_password_goes_over_no_open_line_to_another_machine(
    asking: tuple[int, list[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, given, handler = asking
    connect = socket.create_connection

    def elsewhere(address: tuple[str, int], *rest: Any, **named: Any) -> socket.socket:
        assert address == ("mail.example.com", port)
        return connect(("127.0.0.1", port), *rest, **named)

    monkeypatch.setattr(socket, "create_connection", elsewhere)
    server = mail.Server("mail.example.com", port, False, "a@example.com", "desk", Secret("top-secret"))
    with pytest.raises(mail.NotSentError, match="SMTPNotSupportedError"):
        mail.send(server, letter(server))
    assert given == handler.taken == []


@pytest.mark.parametrize("password", ["top-secret", "päss wörd"])
def test_a_password_of_any_letters_is_taken(asking: tuple[int, list[str], Server], password: str) -> None:
    port, given, handler = asking
    server = mail.Server("127.0.0.1", port, False, "a@example.com", "desk", Secret(password))
    mail.send(server, letter(server))
    assert given == [password]
    assert handler.taken


def test_a_line_cut_while_handing_over_leaves_it_open() -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with closing(connection), connection.makefile("rwb") as file:
            file.write(b"220 hello\r\n")
            file.flush()
            for line in file:
                if line.upper().startswith(b"DATA"):
                    file.write(b"354 go on\r\n")
                    file.flush()
                    return
                file.write(b"250 fine\r\n")
                file.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    server = mail.Server("127.0.0.1", listening.getsockname()[1], False, "a@example.com")
    with closing(listening), pytest.raises(mail.UnconfirmedError):
        mail.send(server, letter(server))
    thread.join(timeout=10)
