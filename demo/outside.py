"""The outside world: a mail server, a program that is told what happens, a stand-in for a language model."""

from __future__ import annotations

import smtplib
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.processes import free_port
from demo.program import Program
from sandbox.model.server import ModelServer


class Outside:
    """A mail server on this machine that keeps everything it is given."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self._arrived = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.program = Program(free_port())
        self.model = ModelServer()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def addresses(self) -> str:
        """Everything here that the desk reaches, as LOBBY_ALLOW_HOSTS takes it."""
        return f"{self.address},{self.program.address},{self.model.host}:{self.model.port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        with self._arrived:
            self.received.append(mail)
            self._arrived.notify_all()
        return "250 Taken"

    def wait_for(self, count: int, seconds: float = 10.0) -> bool:
        """Wait until *count* mails have arrived; tell whether they did."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.received) >= count, seconds)

    def start(self) -> None:
        self._controller.start()
        self.program.start()
        self.model.start()

    def stop(self) -> None:
        if self._controller.loop.is_running():
            self._controller.stop()
            self.program.stop()
            self.model.close()


def write_mail(
    port: int, *, sender: str, name: str, to: str, subject: str, text: str, message_id: str, answers: str = ""
) -> None:
    """Send a mail to the desk's own SMTP listener on *port*."""
    mail = EmailMessage()
    mail["From"] = f"{name} <{sender}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = message_id
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(mail, from_addr=sender, to_addrs=[to])
