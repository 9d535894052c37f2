"""One connection of the SMTP listener: limits on their number and time, and LMTP."""

from __future__ import annotations

import asyncio
import ipaddress
from tempfile import SpooledTemporaryFile
from typing import IO, Any, ClassVar

from aiosmtpd.smtp import SMTP, syntax

MAX_LINE = 256 * 1024
IN_MEMORY = 256 * 1024
"""Maximum bytes of a mail being received that are in memory; the others are in a file without a name."""
TIMED = 1024 * 1024
"""Bytes of a mail for which a client has the time of one command."""
MAX_CONNECTIONS = 64
MAX_PER_ADDRESS = 20
"""Maximum number of connections per client: as many as mail servers open by default."""
SESSION_SECONDS = 600
"""Maximum duration of a connection."""


def counted_as(peer: Any) -> str:
    """Return the key for counting connections of *peer*: its address, or for IPv6 its /64 network."""
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except (TypeError, IndexError, ValueError):
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)


class SmtpConnection(SMTP):
    """aiosmtpd's connection, with lines longer than the standard's 998, and limits on number and duration.

    A client that greets with LHLO speaks LMTP (RFC 2033): each recipient of a mail gets its own response.

    If all connections are in use, the oldest one of the busiest address is closed. Its client retries mail
    that was not confirmed.
    """

    line_length_limit = MAX_LINE
    open_connections: ClassVar[dict[str, list[SmtpConnection]]] = {}
    _address = ""
    _deadline: asyncio.TimerHandle | None = None
    lmtp = False
    _unanswered = 0
    """Number of recipients of the mail being received."""

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, hostname: str) -> None:  # noqa: N802 - as aiosmtpd finds it
        """Handle LHLO, the greeting of an LMTP client."""
        self.lmtp = True
        await super().smtp_EHLO(hostname)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        """Handle EHLO, the greeting of an SMTP client."""
        await (self.push("500 5.5.1 LHLO was already sent") if self.lmtp else super().smtp_EHLO(hostname))

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        """Handle HELO, the greeting of an old SMTP client."""
        await (self.push("500 5.5.1 LHLO was already sent") if self.lmtp else super().smtp_HELO(hostname))

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Receive a mail into a file, and pass that to the handler as the envelope's content."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            status = await self._receive(file)
            if not status:
                self.envelope.content = file  # type: ignore[assignment]
                status = str(await self._call_handler_hook("DATA"))
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)

    async def _receive(self, file: IO[bytes]) -> str:
        """Write a mail to *file*; return why it is refused, or an empty string.

        A refused mail is read to its end, because clients read the response only then.
        """
        size, refusal, at_begin, timed = 0, "", True, TIMED
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.CancelledError:
                self._writer.close()
                raise
            except asyncio.LimitOverrunError as error:
                refusal = refusal or "500 5.6.0 Line too long (see RFC5321 4.5.3.1.6)"
                piece = await self._reader.read(error.consumed)
            if at_begin and piece.startswith(b"."):
                if piece == b".\r\n":
                    return refusal
                piece = piece[1:]
            at_begin = piece.endswith(b"\r\n")
            size += len(piece)
            if size > timed:
                timed += TIMED
                self._reset_timeout()
            if self.data_size_limit and size > self.data_size_limit:
                refusal = refusal or self._too_large()
            if refusal:
                file.seek(0)
                file.truncate()
            else:
                file.write(piece)

    def _too_large(self) -> str:
        most = self.data_size_limit or 0
        return f"552 5.3.4 The mail is too large: at most {most} bytes ({most / 1024**2:.3g} MB) are accepted"

    async def push(self, status: Any) -> None:
        """Send a response. After a mail, LMTP needs one per recipient, SMTP one for all."""
        text = str(status)
        if text.startswith("552 Error: message size"):
            # aiosmtpd's response to MAIL FROM with a SIZE over the limit, which it does not name.
            status = text = self._too_large()
        if self._unanswered and self.lmtp and "\r\n" not in text:
            status = "\r\n".join([text] * self._unanswered)
        # Counted now, because aiosmtpd starts the next envelope before it responds to this mail.
        asked = self.envelope.rcpt_tos if self.envelope is not None else []
        self._unanswered = len(asked) if text.startswith("354") else 0
        await super().push(status)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = counted_as(transport.get_extra_info("peername"))
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
        """Stop counting this connection."""
        if self._deadline is not None:
            self._deadline.cancel()
        held = self.open_connections.get(self._address, [])
        if self in held:
            held.remove(self)
        if not held:
            self.open_connections.pop(self._address, None)
