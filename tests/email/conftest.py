"""An installation with mail in it, and an SMTP server outside that does what a test wants."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy.orm import Session as DatabaseSession

from addons.email.lobby_mail import card
from demo.processes import free_port
from host.channels import connecting
from host.core import clock, db, guard
from host.models.users import Workspace
from host.process.serving import HostApplication
from host.sdk import i18n
from host.sdk.cards import Connection, ConnectRequest
from host.sdk.channel import AccountRef
from host.users import throttle
from tests import mail
from tests.conftest import made_once
from tests.helpers import make_config, serving


@pytest.fixture(scope="session")
def migrated_file(migrated_file: Path, run_folder: Path) -> Path:
    """An SQLite file with the tables of host and mail, where mail is active."""

    def make(path: Path) -> None:
        shutil.copy(migrated_file, path)
        mail.install(f"sqlite:///{path}")

    return made_once(run_folder, "email.sqlite3", make)


@pytest.fixture
def any_database(any_database: db.Database) -> db.Database:
    """The same, once for each kind of server."""
    mail.install(any_database.url.render_as_string(hide_password=False))
    return any_database


@pytest.fixture
def desk(database: db.Database) -> db.Database:
    """The process's database, with mail's tables."""
    return database


@pytest.fixture
def any_desk(any_database: db.Database) -> db.Database:
    return any_database


@pytest.fixture(autouse=True)
def _speaks_german() -> None:
    """Have the addon's own texts known, as in a process that serves it."""
    i18n.use_catalogues([mail.ADDON / "translations"])


@pytest.fixture(autouse=True)
def _nothing_exempt() -> Iterator[None]:
    guard.allow(())
    yield
    guard.allow(())


@contextmanager
def whole_host(data: Path, **settings: Any) -> Iterator[str]:
    """Run the whole host in this process (pages, journal, workers, listeners); yield its address."""
    throttle.reset()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    application = HostApplication(make_config(data, public_url=url, workers="2", **settings))
    application.start()
    try:
        with serving(application, port):
            yield url
    finally:
        application.close()


@dataclass
class Outside:
    """A mail server of somebody else.

    :ivar mails: (envelope sender, recipients, content) of every mail it took.
    :ivar answers: what it says instead of yes: by ``MAIL``, ``RCPT``, ``DATA`` (the mail itself), or about
        one address, as a recipient or as the sender in the mail.
    """

    user: str = "hello@shop.example"
    password: str = "correct horse"
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    logins: list[bool] = field(default_factory=list)
    accepts: Callable[[str, str], bool] | None = None
    """Tells whether it takes a token of a provider for a user; None: it takes passwords only."""
    port: int = 0

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        user, _, rest = base64.b64decode(args[1]).decode().removeprefix("user=").partition("\1")
        token = rest.removeprefix("auth=Bearer ").removesuffix("\1\1")
        fine = self.accepts is not None and self.accepts(user, token)
        self.logins.append(fine)
        if not fine:
            await server.push("334 " + base64.b64encode(b'{"status":"400"}').decode())
            await server._reader.readline()
            return AuthResult(success=False, handled=False, message=f"535 5.7.8 not {token}")
        return AuthResult(success=True)

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        fine = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (
            self.user,
            self.password,
        )
        self.logins.append(fine)
        return AuthResult(success=fine, handled=False)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refused = self.answers.get("RCPT") or self.answers.get(address)
        if refused is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        sender = b"From: " + (envelope.original_content or b"").partition(b"From: ")[2].split(b"\r\n")[0]
        refused = [said for of, said in self.answers.items() if "@" in of and of.encode() in sender]
        if refused or "DATA" in self.answers:
            return self.answers.get("DATA") or refused[0]
        assert envelope.mail_from is not None
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content or b""))
        return "250 taken"


def run_server(protocol: Callable[[asyncio.AbstractEventLoop], SMTP]) -> Iterator[int]:
    """Serve *protocol* on a port of this machine in a thread; yield the port."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    ports: list[int] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(lambda: protocol(loop), "127.0.0.1", 0))
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a certificate for mail.shop.example with its key."""
    from demo.certificates import make_certificate

    return str(make_certificate(tmp_path_factory.mktemp("tls"), "mail.shop.example"))


@pytest.fixture
def outside(certificate: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """A server that wants STARTTLS and a login, reached as mail.shop.example."""
    import socket

    server = Outside()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def protocol(loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            server,
            hostname="outside",
            tls_context=context,
            auth_required=True,
            authenticator=server.authenticate,
            enable_SMTPUTF8=True,
            loop=loop,
        )

    real = socket.getaddrinfo
    monkeypatch.setattr(guard, "getaddrinfo", lambda _host, port, **kw: real("127.0.0.1", port, **kw))
    monkeypatch.setattr(guard, "tls_context", lambda: ssl.create_default_context(cafile=certificate))
    for port in run_server(protocol):
        server.port = port
        guard.allow([f"mail.shop.example:{port}"])
        yield server


def values(outside: Outside, **more: str) -> dict[str, str]:
    """Return what an owner would enter for *outside*."""
    return {
        "name": "Shop",
        "address": "hello@shop.example",
        "smtp_host": "mail.shop.example",
        "smtp_port": str(outside.port),
        "smtp_security": "starttls",
        "smtp_user": outside.user,
        "smtp_password": outside.password,
        **more,
    }


def new_workspace() -> int:
    def use_case(session: DatabaseSession) -> int:
        row = Workspace(name="Shop", created_at=clock.now())
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def connect(outside: Outside, workspace: int | None = None, **more: str) -> AccountRef:
    """Connect an account through the card, as the page does."""
    workspace = new_workspace() if workspace is None else workspace
    request = ConnectRequest(
        workspace, None, values(outside, **more), lambda _external_id: None, by_admin=True
    )
    connection = card.connect(request)
    assert isinstance(connection, Connection), connection
    return connecting.save(workspace_id=workspace, channel="email", connection=connection)
