"""Watch every connected mailbox, in one thread each and one process at a time."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.webhooks import Ingest

from .. import late, servers
from ..models import ACCOUNTS, Mailbox, account_ref
from ..receiving import size_limit

if TYPE_CHECKING:
    from .session import Watcher

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Interval of checks for changed accounts, which need no query."""
HOLD = timedelta(seconds=45)
"""Lease of a mailbox: after a crash, it is not read for that long."""
RENEW_SECONDS = 15.0
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Connected:
    """A mailbox as last saved."""

    account: AccountRef
    saved_at: datetime


def _mailboxes() -> dict[int, _Connected]:
    table = db.host_table(ACCOUNTS)
    query = (
        sa.select(Mailbox.account_id, Mailbox.saved_at, table)
        .join(table, table.c.id == Mailbox.account_id)
        .where(table.c.state != "disconnected")
    )
    with db.read() as session:
        return {
            row.account_id: _Connected(
                account_ref(row),
                row.saved_at,
            )
            for row in session.execute(query)
        }


connected = db.Snapshot(_mailboxes)


class _Supervisor:
    """Starts and stops watchers. It outlives generations, as the SMTP listener does; see :func:`start`."""

    def __init__(self) -> None:
        self.ingests: list[Ingest] = []
        self._token = uuid.uuid4().hex
        self._watchers: dict[int, tuple[datetime, Watcher]] = {}
        self._ending: list[Watcher] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        renewed = float("-inf")
        seen: object = None
        while not self._stopping.is_set():
            now = clock.monotonic()
            try:
                found = connected.get()
                # Once a watcher has ended, the next one of the same mailbox can start.
                if found is not seen or self._ending or now - renewed >= RENEW_SECONDS:
                    self._tend(found)
                    seen, renewed = found, now
            except Exception:
                log.warning("mailboxes cannot be looked up at the moment", exc_info=True)
                renewed = now - RENEW_SECONDS + 5
            self._stopping.wait(LOOK_SECONDS)
        for account_id in list(self._watchers):
            self._end(account_id)
        for watcher in self._ending:
            watcher.join(END_SECONDS)
        try:
            db.write(_let_go, self._token)
        except sa.exc.SQLAlchemyError:
            log.info("mailboxes stay held for a moment longer")

    def _tend(self, found: dict[int, _Connected]) -> None:
        for account_id, (saved_at, _) in list(self._watchers.items()):
            if account_id not in found or found[account_id].saved_at != saved_at:
                self._end(account_id)
        self._ending = [one for one in self._ending if not one.join(0)]
        ending = {one.settings.account_id for one in self._ending}
        held = db.write(_hold, list(found), self._token) if found else set()
        for account_id in list(self._watchers):
            if account_id not in held:
                self._end(account_id)
        for account_id in held - set(self._watchers) - ending:
            self._begin(found[account_id])

    def _begin(self, one: _Connected) -> None:
        try:
            settings = servers.to_read(one.account, size_limit())
        except SecretUnreadableError:
            log.warning("the password of the mailbox of account %s cannot be read", one.account.id)
            return
        if settings is None or not settings.server.can_sign_in:
            return
        watcher: Watcher = late.machinery().Watcher(settings, lambda: self.ingests[-1])
        self._watchers[one.account.id] = one.saved_at, watcher
        watcher.start()

    def _end(self, account_id: int) -> None:
        _, watcher = self._watchers.pop(account_id)
        watcher.stop()
        self._ending.append(watcher)


def _hold(session: Session, ids: list[int], token: str) -> set[int]:
    """Take the leases of mailboxes that are free; return those held by *token*."""
    now = clock.now()
    free = sa.or_(Mailbox.holder.is_(None), Mailbox.holder == token, Mailbox.held_until < now)
    query = sa.select(Mailbox.account_id).where(Mailbox.account_id.in_(ids), free)
    mine = set(session.scalars(query.order_by(Mailbox.account_id).with_for_update()))
    if mine:
        session.execute(
            sa.update(Mailbox).where(Mailbox.account_id.in_(mine)).values(holder=token, held_until=now + HOLD)
        )
    return mine


def _let_go(session: Session, token: str) -> None:
    session.execute(sa.update(Mailbox).where(Mailbox.holder == token).values(holder=None, held_until=None))


_lock = threading.Lock()
_supervisors: list[_Supervisor] = []


def start(ingest: Ingest) -> Callable[[], None]:
    """Watch every mailbox and pass its mail to *ingest*; return a function that stops this.

    Two generations may be started during a switch: the newest one gets the mail.
    """
    with _lock:
        if not _supervisors:
            _supervisors.append(_Supervisor())
            _supervisors[0].ingests.append(ingest)
            _supervisors[0].start()
        else:
            _supervisors[0].ingests.append(ingest)
        supervisor = _supervisors[0]

    def stop() -> None:
        with _lock:
            if ingest not in supervisor.ingests:
                return
            if len(supervisor.ingests) > 1:
                supervisor.ingests.remove(ingest)
                return
            if supervisor in _supervisors:
                _supervisors.remove(supervisor)
        supervisor.stop()

    return stop
