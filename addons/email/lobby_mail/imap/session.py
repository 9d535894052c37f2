"""Watch one mailbox in its own thread: import existing mail, then use IDLE and polling."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.orm import Session

from host.sdk import accounts, clock, db
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.i18n import noop
from host.sdk.webhooks import Ingest

from ..models import Mailbox
from .connection import Client, signed_in, told
from .reading import Memory, Reader
from .server import BrokenError, EndedError, LoginRefusedError, RefusedError, Settings, plain

log = logging.getLogger(__name__)

POLL_SECONDS = 60.0
"""Interval of the polls that are authoritative, regardless of IDLE. IDLE is restarted each time."""
RECONCILE_SECONDS = 3600.0
"""Interval at which each folder is compared with the mails accounted for."""
DELAYS = (5.0, 15.0, 60.0, 180.0, 300.0)
REFUSED_DELAYS = (10.0, 300.0, 900.0)
"""Delays after refused logins: short first, because busy servers refuse valid passwords; then long, because
some servers lock the account."""
TELL_AFTER = 3
"""Number of consecutive failures after which people are notified; most problems resolve themselves."""

WARNING = "mailbox"


class Watcher:
    """The thread that watches one mailbox.

    :param ingest: returns the function that writes to the inbound log, which changes with the generation.
    """

    def __init__(self, settings: Settings, ingest: Callable[[], Ingest]) -> None:
        self.settings = settings
        self._ingest = ingest
        self._memory = Memory()
        self._failures = self._refusals = 0
        self._stopping = threading.Event()
        self._ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"imap-{settings.account_id}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to stop, which it does after the current response."""
        self._stopping.set()
        with suppress(OSError):
            self._theirs.send(b".")

    def join(self, seconds: float) -> bool:
        """Wait for the thread to stop; return whether it did."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with signed_in(self.settings.server) as client:
                    self._refusals = 0
                    self._watch(client)
                continue
            except Exception as error:  # noqa: BLE001 - whatever it was, the mailbox is tried again
                delay = self._note_failure(error)
            self._stopping.wait(delay)
        self._ours.close()
        self._theirs.close()

    # ---- watching ------------------------------------------------------------------------------------

    def _watch(self, client: Client) -> None:
        reader = Reader(client, self.settings, self._ingest, self._stopping.is_set, self._memory)
        while not self._stopping.is_set():
            rest = reader.reconcile()
            self._note_checked()
            reconciled = time.monotonic()
            if not reader.bring_in(rest):
                return
            self._note_checked()
            while not self._stopping.is_set() and time.monotonic() - reconciled < RECONCILE_SECONDS:
                reader.look()
                self._note_checked()
                if not self._stopping.is_set():
                    self._wait(client)

    def _wait(self, client: Client) -> None:
        """Wait until the server sends something, a poll is due, or the thread should stop."""
        server = self.settings.server
        if client.has_news():
            return
        idles = client.has_capability("IDLE")
        until = time.monotonic() + POLL_SECONDS
        if idles:
            with told(server):
                client.begin_idle()
        try:
            while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
                # Data that came with the confirmation of IDLE is in the buffer, invisible to a poll.
                with told(server):
                    said = client.heard() if idles else []
                if any(b" EXISTS" in line for line in said):
                    return
                if self._said_anything(client, left) and not said and idles:
                    with told(server):
                        said = client.heard()
                    if not said or any(b" EXISTS" in line for line in said):
                        return  # no data: the connection may be closed, which the next command will show
        finally:
            if idles and not self._stopping.is_set():
                with told(server):
                    client.idle_done()

    def _said_anything(self, client: Client, seconds: float) -> bool:
        """Wait for the server, or for :meth:`stop`; return whether the server has sent data."""
        connection = client.socket()
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._ours.fileno(), select.POLLIN)
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        return connection.fileno() in ready

    # ---- state ---------------------------------------------------------------------------------------

    def _note_checked(self) -> None:
        account_id, had_failed = self.settings.account_id, self._failures > 0
        self._failures = 0

        def use_case(session: Session) -> bool:
            box = session.get(Mailbox, account_id)
            if box is None:
                return False
            told_before = box.problem is not None
            box.checked_at, box.problem, box.failing_since = clock.now(), None, None
            return told_before

        if db.write(use_case) or had_failed:
            accounts.clear_warning(account_id, WARNING)

    def _note_failure(self, error: Exception) -> float:
        """Store the problem, notify people if it persists, and return the seconds until the next attempt."""
        account_id = self.settings.account_id
        self._failures += 1
        if isinstance(error, BrokenError):
            self._memory.note_break()
        refused = isinstance(error, LoginRefusedError) and not error.for_now
        words = _words(error)
        if _is_known(error):
            log.warning("the mailbox of account %s cannot be read: %s", account_id, words)
        else:
            log.error("the mailbox of account %s cannot be read", account_id, exc_info=error)
        if self._failures > 1 or refused:
            with suppress(Exception):  # the database itself may have failed
                db.write(_keep_problem, account_id, words)
                if isinstance(error, EndedError):
                    pass  # people were already notified
                elif refused and self._refusals >= 1:
                    self._warn(_REFUSED, words)
                elif not refused and self._failures >= TELL_AFTER:
                    self._warn(_sentence(error), words)
        if refused:
            self._refusals += 1
            return REFUSED_DELAYS[min(self._refusals, len(REFUSED_DELAYS)) - 1]
        return DELAYS[min(self._failures, len(DELAYS)) - 1]

    def _warn(self, sentence: str, words: str) -> None:
        accounts.warn(
            self.settings.account_id,
            WARNING,
            sentence,
            next_step=noop(
                "Edit the account under Settings, Channels, and save. Any problem is shown there."
            ),
            details={"host": self.settings.server.host, "words": words},
            stage=sentence[:64],
            bad=True,
        )


_REFUSED = noop(
    "The mailbox server %(host)s no longer accepts the username and password, so no new mail arrives. "
    "The server responded: %(words)s"
)
_UNREACHABLE = noop("The mailbox server %(host)s can't be reached, so no new mail arrives. (%(words)s)")
_FAILING = noop("The mailbox on %(host)s can't be read right now. (%(words)s)")


def _sentence(error: Exception) -> str:
    return _UNREACHABLE if isinstance(error, FetchError | BrokenError | ssl.SSLError) else _FAILING


def _is_known(error: Exception) -> bool:
    return isinstance(error, RefusedError | BrokenError | FetchError | ssl.SSLError)


def _words(error: Exception) -> str:
    if isinstance(error, ForbiddenAddressError):
        return "a private address, which LOBBY_MAIL_RELAYS does not name"
    if isinstance(error, RefusedError | BrokenError | FetchError):
        return plain(str(error))[:300] or type(error).__name__
    if isinstance(error, ssl.SSLError):
        return f"no trusted encryption: {getattr(error, 'verify_message', '') or error.reason or ''}"[:300]
    return type(error).__name__


def _keep_problem(session: Session, account_id: int, words: str) -> None:
    box = session.get(Mailbox, account_id)
    if box is not None:
        box.problem = words[:500]
        box.failing_since = box.failing_since or clock.now()
