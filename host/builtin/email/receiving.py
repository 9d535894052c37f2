"""The SMTP listener: takes mail for connected addresses, and says 250 once it is durable."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable
from email.message import Message
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Transaction

from host.sdk import clock, db, settings
from host.sdk.errors import SdkError
from host.sdk.webhooks import Envelope, Ingest, Receiver

from . import headers, models
from .addresses import normal, without_tag

log = logging.getLogger(__name__)

MAX_MAIL = 10 * 1024 * 1024
MAX_HEAD = 256 * 1024
MAX_LINE = 256 * 1024
MAX_CONNECTIONS = 64
MAX_PER_ADDRESS = 20
"""As many as a mail server opens to another by itself."""
MAX_RECIPIENTS = 100
IDLE_SECONDS = 120
"""For one command, and for a whole mail."""
SESSION_SECONDS = 600
"""For a connection, whatever it does."""

LATER = "451 4.3.0 The desk cannot store mail at the moment, try again later"


def listen_address() -> tuple[str, int] | None:
    """Return the host and port to listen on, as the operator set them, or None to receive no mail."""
    try:
        text = settings.get("", "smtp_listen")
    except SdkError:
        return None
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def receiver() -> list[Receiver]:
    """Return the listener, if one is wanted."""
    address = listen_address()
    return [] if address is None else [Receiver("smtp", "email", partial(start, address))]


def _connected() -> dict[str, int]:
    """Return address -> account id of every e-mail account that is connected."""
    table = db.host_table(models.ACCOUNTS)
    query = sa.select(table.c.external_id, table.c.id).where(
        table.c.channel == "email", table.c.state != "disconnected"
    )
    with db.read() as session:
        return {row.external_id: row.id for row in session.execute(query)}


recipients = db.Snapshot(_connected)


def account_of(address: str) -> tuple[str, int] | None:
    """Return (its address, account id) of the account that mail for *address* belongs to, or None.

    ``hello+anything@example.com`` belongs to ``hello@example.com``.
    """
    wanted = normal(address)
    known = recipients.get()
    for candidate in () if wanted is None else (wanted, without_tag(wanted)):
        if candidate in known:
            return candidate, known[candidate]
    return None


def envelopes(raw: bytes, mail_from: str, to: dict[str, int]) -> tuple[Envelope, ...]:
    """Cut one mail into an envelope for each account it is for.

    :param to: address -> account id.
    """
    try:
        message = headers.parse_mail(raw.partition(b"\r\n\r\n")[0][:MAX_HEAD] + b"\r\n\r\n")
    except (ValueError, RecursionError, LookupError):
        message = Message()
    lane = headers.sender(message)[1]
    if lane == headers.UNKNOWN_SENDER:
        lane = normal(mail_from) or lane
    key = f"mail:{_digest(message, raw)}"
    trace = f"Return-Path: <{normal(mail_from) or ''}>\r\n".encode()
    now = clock.now()
    return tuple(
        Envelope(
            account_id=account_id,
            lane=lane,
            dedupe_key=key,
            kind="mail",
            body=trace + f"Delivered-To: {address}\r\n".encode() + raw,
            occurred_at=now,
        )
        for address, account_id in to.items()
    )


def _digest(message: Message, raw: bytes) -> str:
    """Return a hash of a mail that is the same when the same mail is delivered again, and no other's.

    The servers it came by write their own lines on top, with their own times. A Message-ID alone is not
    enough: programs reuse theirs, and anybody may send one they have seen.
    """
    written = [headers.raw(message, name) for name in ("Message-ID", "From", "To", "Date", "Subject")]
    head = "\n".join(written).encode("utf-8", "replace")
    return hashlib.sha256(head + b"\n\n" + raw.partition(b"\r\n\r\n")[2]).hexdigest()


def size_limit() -> int:
    """Return the most bytes of one mail: 10 MB, or less where the database could not take that in one row.

    MariaDB refuses statements longer than ``max_allowed_packet``, and the driver writes bytes as hex digits.
    """
    with db.read() as session:
        if session.get_bind().dialect.name not in {"mysql", "mariadb"}:
            return MAX_MAIL
        packet = session.scalar(sa.text("SELECT @@global.max_allowed_packet"))
    return min(MAX_MAIL, max(0, int(packet or 0) // 2 - 64 * 1024))


class _Handler:
    """What aiosmtpd asks us. Everything that touches the database runs in a thread."""

    def __init__(self, ingest: Callable[[], Ingest]) -> None:
        self._ingest = ingest

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, _server: SMTP, _session: Session, envelope: Transaction, address: str, _options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        try:
            found = await asyncio.to_thread(account_of, address)
        except sa.exc.SQLAlchemyError:
            log.warning("a recipient could not be looked up", exc_info=True)
            return LATER
        if found is None:
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Transaction
    ) -> str:
        raw = envelope.original_content or b""
        mail_from = envelope.mail_from or ""
        return await asyncio.to_thread(self._take, raw, mail_from, list(envelope.rcpt_tos))

    def _take(self, raw: bytes, mail_from: str, rcpt_tos: list[str]) -> str:
        try:
            found = [account_of(address) for address in rcpt_tos]
            to = dict(one for one in found if one is not None)
            if not to:
                return "550 5.1.1 No such address here any more"
            self._ingest()(raw, envelopes(raw, mail_from, to))
        except Exception:  # whatever it was, the sender keeps the mail and tries again
            log.warning("a mail of %d bytes could not be stored", len(raw), exc_info=True)
            return LATER
        return "250 2.0.0 Stored"

    async def handle_exception(self, error: Exception) -> str:
        log.error("an SMTP session failed", exc_info=error)
        return LATER


def _counted_as(peer: Any) -> str:
    """Return what connections of *peer* are counted under: its address, of IPv6 the network of a customer."""
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except (TypeError, IndexError, ValueError):
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)


class _Protocol(SMTP):
    """aiosmtpd's, with longer lines than the standard's 998, limits on connections, and an end to each.

    Where all are held, the oldest of the address that holds most makes way. Its client sends again what
    it was not told is stored.
    """

    line_length_limit = MAX_LINE
    open_connections: ClassVar[dict[str, list[_Protocol]]] = {}
    _address = ""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = _counted_as(transport.get_extra_info("peername"))
        mine = self.open_connections.get(self._address, [])
        busiest = max(self.open_connections.values(), key=len, default=[])
        if len(mine) >= MAX_PER_ADDRESS:
            return self._send_away()
        if sum(map(len, self.open_connections.values())) >= MAX_CONNECTIONS:
            if len(mine) + 1 >= len(busiest):
                return self._send_away()
            busiest[0]._send_away()
        self.open_connections.setdefault(self._address, []).append(self)
        self._deadline = self.loop.call_later(SESSION_SECONDS, self._send_away)
        return None

    def connection_lost(self, error: Exception | None) -> None:
        self._forget()
        super().connection_lost(error)

    def _send_away(self) -> None:
        self._forget()
        transport: Any = self.transport
        if transport is not None:
            transport.write(b"421 4.3.2 Too many connections, or too long a one, try again later\r\n")
            transport.close()

    def _forget(self) -> None:
        """Count this connection no more."""
        if self._deadline is not None:
            self._deadline.cancel()
        held = self.open_connections.get(self._address, [])
        if self in held:
            held.remove(self)
        if not held:
            self.open_connections.pop(self._address, None)


class _Listener:
    """A listening socket and the thread that serves it. It outlives generations; see :func:`start`."""

    def __init__(self, address: tuple[str, int], most: int) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.create_server(address, family=family)
        self.ingests: list[Ingest] = []
        self._most = most
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        handler = _Handler(lambda: self.ingests[-1])

        def protocol() -> SMTP:
            return _Protocol(
                handler,
                data_size_limit=self._most,
                enable_SMTPUTF8=True,
                hostname="lobby",
                ident="Lobby",
                timeout=IDLE_SECONDS,
                loop=self._loop,
            )

        server = self._loop.run_until_complete(self._loop.create_server(protocol, sock=self.socket))
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(server.wait_closed())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


_lock = threading.Lock()
_listeners: dict[tuple[str, int], _Listener] = {}


def start(address: tuple[str, int], ingest: Ingest) -> Callable[[], None]:
    """Listen on *address* and hand mail to *ingest*; return what stops that.

    While one generation takes over from another both may be started: the socket stays open, and the newest
    gets the mail.

    :raises OSError: if the address cannot be listened on.
    """
    with _lock:
        listener = _listeners.get(address)
        if listener is None:
            listener = _listeners[address] = _Listener(address, size_limit())
            log.info("mail is received at %s:%d", *listener.socket.getsockname()[:2])
        listener.ingests.append(ingest)

    def stop() -> None:
        with _lock:
            if ingest not in listener.ingests:
                return
            listener.ingests.remove(ingest)
            if listener.ingests:
                return
            _listeners.pop(address, None)
        listener.close()

    return stop
