"""The SMTP listener: accepts mail for connected addresses, and answers 250 once it is durable."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from host.sdk import clock, db, settings
from host.sdk.errors import SdkError
from host.sdk.webhooks import Envelope, Ingest, Receiver

from . import aliases, late, models
from .addresses import normal, without_tag
from .mail import headers, identity, trips

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Session
    from aiosmtpd.smtp import Envelope as Transaction

    from .smtp_connection import SmtpConnection

log = logging.getLogger(__name__)

MAX_MAIL = 25 * 1024 * 1024
LARGE = 1024 * 1024
"""Bytes from which a mail is stored apart from others: one at a time, and a copy for each account."""
IN_ROW = 4 * 1024 * 1024
"""Bytes that the inbound log writes into one row."""
MAX_RECIPIENTS = 100
IDLE_SECONDS = 120
"""Timeout for one command, and for each 1 MB of a mail."""

STORED = "250 2.0.0 Stored"
GONE = "550 5.1.1 No such address here any more"
LATER = "451 4.3.0 The desk cannot store mail at the moment, try again later"


def listen_address() -> tuple[str, int] | None:
    """Return the host and port to listen on, from the operator's settings, or None to receive no mail."""
    try:
        text = settings.get("", "smtp_listen")
    except SdkError:
        return None
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def receiver() -> list[Receiver]:
    """Return the listener, or an empty list if no address to listen on is set."""
    address = listen_address()
    return [] if address is None else [Receiver("smtp", "email", partial(start, address))]


class Recipient(NamedTuple):
    """The account that mail for an address belongs to.

    :param address: the account's address.
    :param named: the alias the mail was sent to; empty: none.
    """

    address: str
    account_id: int
    named: str = ""


def _connected() -> dict[str, Recipient]:
    """Return all connected email accounts by address."""
    table = db.host_table(models.ACCOUNTS)
    query = sa.select(table.c.external_id, table.c.id).where(
        table.c.channel == "email", table.c.state != "disconnected"
    )
    with db.read() as session:
        found = {row.id: row.external_id for row in session.execute(query)}
    # An account takes precedence over another account's alias.
    return {
        **{
            alias: Recipient(found[account_id], account_id, alias)
            for account_id, theirs in aliases.known.get().items()
            if account_id in found
            for alias in theirs
        },
        **{address: Recipient(address, account_id) for account_id, address in found.items()},
    }


recipients = db.Snapshot(_connected)


def account_of(address: str) -> Recipient | None:
    """Return the account that mail for *address* belongs to, or None.

    ``hello+anything@example.com`` belongs to ``hello@example.com``.
    """
    wanted = normal(address)
    known = recipients.get()
    for candidate in () if wanted is None else (wanted, without_tag(wanted)):
        if candidate in known:
            return known[candidate]
    return None


def envelopes(
    raw: bytes,
    mail_from: str,
    to: Mapping[str, int],
    *,
    own: Mapping[int, Sequence[str]] = MappingProxyType({}),
    named: Mapping[int, str] = MappingProxyType({}),
) -> Iterator[Envelope]:
    """Yield an envelope of one mail for each account it is addressed to.

    :param to: address -> account id.
    :param own: aliases by account; *named*: the alias that the sender's server named.
    """
    message = identity.head(raw)
    lane = headers.sender(message)[1]
    if lane == headers.UNKNOWN_SENDER:
        lane = normal(mail_from) or lane
    key = identity.key(message, raw, secrets.token_hex(16))
    trace = f"Return-Path: <{normal(mail_from) or ''}>\r\n".encode()
    now = clock.now()
    for address, account_id in to.items():
        above = trace + identity.delivered_to(address, own.get(account_id, ()))
        if named.get(account_id):
            above += f"X-Original-To: {named[account_id]}\r\n".encode()
        yield Envelope(
            account_id=account_id,
            lane=lane,
            dedupe_key=key,
            kind="mail",
            body=b"".join([above, identity.BELOW, raw]),
            occurred_at=now,
        )


def size_limit() -> int:
    """Return the maximum bytes of a mail: 25 MB, or less if the database takes only smaller rows.

    MariaDB refuses statements longer than ``max_allowed_packet``, and the driver writes bytes as hex digits.
    """
    with db.read() as session:
        if session.get_bind().dialect.name not in {"mysql", "mariadb"}:
            return MAX_MAIL
        packet = session.scalar(sa.text("SELECT @@global.max_allowed_packet"))
    in_row = max(0, int(packet or 0) // 2 - 64 * 1024)
    return MAX_MAIL if in_row >= IN_ROW else in_row


def _is_back(account_id: int, raw: bytes) -> bool:
    """Return whether a mail is the account's test mail to itself; its arrival is then recorded."""
    marker = trips.marker_in(account_id, raw)
    if marker is not None:
        db.write(trips.note_arrived, account_id, marker, trips.verdicts_in(raw, "smtp"))
    return marker is not None


class _Handler:
    """The handler that aiosmtpd calls. Everything that uses the database runs in a thread."""

    def __init__(self, ingest: Callable[[], Ingest]) -> None:
        self._ingest = ingest
        self._large = threading.Lock()

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
        self, server: SmtpConnection, _session: Session, envelope: Transaction
    ) -> str:
        file: Any = envelope.content
        answers = await asyncio.to_thread(self._take, file, envelope.mail_from or "", list(envelope.rcpt_tos))
        return "\r\n".join(answers) if server.lmtp else min(answers)

    def _take(self, file: IO[bytes], mail_from: str, rcpt_tos: list[str]) -> list[str]:
        """Store a mail; return the response for each recipient. SMTP uses the lowest for the whole mail."""
        size = file.tell()
        file.seek(0)
        try:
            if size <= LARGE:
                return self._store(file.read(), mail_from, rcpt_tos)
            with self._large:
                return self._store(file.read(), mail_from, rcpt_tos)
        except Exception:  # after any error the sender keeps the mail and retries
            log.warning("a mail of %d bytes could not be stored", size, exc_info=True)
            return [LATER] * len(rcpt_tos)

    def _store(self, raw: bytes, mail_from: str, rcpt_tos: list[str]) -> list[str]:
        found = [account_of(address) for address in rcpt_tos]
        to = {one.address: one.account_id for one in found if one is not None}
        to = {address: id_ for address, id_ in to.items() if not _is_back(id_, raw)}
        named = {one.account_id: one.named for one in reversed(found) if one is not None}
        made = envelopes(raw, mail_from, to, own=aliases.known.get(), named=named)
        if len(raw) > LARGE:
            # Each copy is made after the one before was written, and none of the mail without our lines. If
            # one fails, the sender repeats the mail, and those that are stored recognise it.
            for one in made:
                self._ingest()(b"", (one,))
                del one
        elif to:
            self._ingest()(raw, tuple(made))
        return [GONE if one is None else STORED for one in found]

    async def handle_exception(self, error: Exception) -> str:
        log.error("an SMTP session failed", exc_info=error)
        return LATER


class _Listener:
    """A listening socket and the thread that serves it. It outlives generations; see :func:`start`."""

    def __init__(self, address: tuple[str, int], most: int) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self.socket = socket.create_server(address, family=family)
        except OSError as error:
            where = f"{address[0]}:{address[1]}"
            raise OSError(
                error.errno,
                f"Mail cannot be received at {where}: {os.strerror(error.errno or 0)}. "
                "Stop the program that uses it, or set LOBBY_SMTP_LISTEN to another address and port.",
            ) from error
        self.ingests: list[Ingest] = []
        self._most = most
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        connection = late.machinery().SmtpConnection
        handler = _Handler(lambda: self.ingests[-1])

        def protocol() -> SMTP:
            made: SMTP = connection(
                handler,
                data_size_limit=self._most,
                enable_SMTPUTF8=True,
                hostname="lobby",
                ident="Lobby",
                timeout=IDLE_SECONDS,
                loop=self._loop,
            )
            return made

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
    """Listen on *address* and pass mail to *ingest*; return a function that stops this.

    Two generations may be started during a switch: the socket stays open, and the newest one gets the mail.

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
