"""External services on this machine: mail servers, a webhook receiver, stand-ins for a model and a shop."""

from __future__ import annotations

import smtplib
import ssl
import tempfile
import threading
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.certificates import make_certificate
from demo.processes import free_port
from demo.program import Program
from demo.push import PushService, serving
from sandbox.mailbox import ImapServer, running
from sandbox.model.server import ModelServer
from sandbox.shop import Shop

PUSH_HOST = "127.0.0.1"


def _status(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the status of the order that a sequence asks for; there is one order."""
    return {"status": "on its way"} if asked["answers"].get("order_number") == "54321" else {}


class Outside:
    """A mail server that keeps everything it receives, a mailbox, and other programs, on this machine.

    :ivar mailbox: read through IMAP, with a certificate of its own.
    :ivar push: the push service of people's phones.
    :ivar certificate: its certificate file, for clients that must trust it.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self._arrived = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.program = Program(free_port())
        self.order_status = Program(free_port(), _status)
        self.model = ModelServer()
        self.shop = Shop()
        self._ending = ExitStack()
        self.push: PushService = self._ending.enter_context(serving(PUSH_HOST))
        folder = self._ending.enter_context(tempfile.TemporaryDirectory(prefix="lobby-demo-tls-"))
        self.certificate = make_certificate(Path(folder), "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.mailbox = ImapServer(port=free_port(), context=context)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def addresses(self) -> str:
        """All addresses here that the desk uses, in the format of LOBBY_ALLOW_HOSTS."""
        model = f"{self.model.host}:{self.model.port}"
        shop = f"127.0.0.1:{self.shop.port}"
        programs = f"{self.program.address},{self.order_status.address}"
        pushes = self.push.address
        return f"{self.address},{programs},{model},{shop},{pushes},localhost:{self.mailbox.port}"

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
        """Wait until *count* mails have arrived; return whether they did."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.received) >= count, seconds)

    def start(self) -> None:
        self._controller.start()
        self.program.start()
        self.order_status.start()
        self.model.start()
        self.shop.start()
        self._ending.enter_context(running(self.mailbox))

    def stop(self) -> None:
        if self._controller.loop.is_running():
            self._controller.stop()
            self.program.stop()
            self.order_status.stop()
            self.model.close()
            self.shop.close()
        self._ending.close()


def write_mail(
    port: int,
    *,
    sender: str,
    name: str,
    to: str,
    subject: str,
    text: str,
    message_id: str,
    answers: str = "",
    invitation: str = "",
) -> None:
    """Send a mail to the desk's own SMTP listener on *port*.

    :param invitation: a calendar file that goes along.
    """
    mail = written_mail(
        sender=sender, name=name, to=to, subject=subject, text=text, message_id=message_id, answers=answers
    )
    if invitation:
        mail.add_alternative(invitation, subtype="calendar", params={"method": "REQUEST"})
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(mail, from_addr=sender, to_addrs=[to])


def written_mail(
    *, sender: str, name: str, to: str, subject: str, text: str, message_id: str, answers: str = ""
) -> EmailMessage:
    """Return a mail as somebody outside writes it."""
    mail = EmailMessage()
    mail["From"] = f"{name} <{sender}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = message_id
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    return mail
