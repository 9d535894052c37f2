"""Desks in processes of their own that fetch a mailbox, each forked from this one and killed by the test.

Reads lines of JSON, ``{"die_at": n}``: fork a desk that kills itself at its n-th step, 0 for never; answers
with its process id. A step is each moment before and after the server or the journal is asked, and the one
between the SQL of a write and its commit.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from addons.email.lobby_mail.addon import register_channels
from addons.email.lobby_mail.imap import connection, watching
from addons.email.lobby_mail.imap import session as imap_session
from host.channels.directory import Directory
from host.core import db, guard, secrets, storage
from host.delivery.worker import drain
from host.queue.journal import Journal
from host.sdk.webhooks import Envelope
from tests.conftest import KEYS


class _Generation:
    number = 1
    directory = Directory(register_channels())


class _Steps:
    def __init__(self, die_at: int) -> None:
        self._numbers = itertools.count(1)
        self._die_at = die_at

    def take(self) -> None:
        if next(self._numbers) == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **kwargs: Any) -> Any:
            self.take()
            result = act(*args, **kwargs)
            self.take()
            return result

        return acting


def _desk(given: dict[str, Any], die_at: int) -> None:
    steps = _Steps(die_at)
    db.connect(given["url"])
    secrets.use(secrets.Keyring(KEYS))
    storage.use(storage.FolderStore(Path(given["folder"]) / "attachments"))
    real = guard.getaddrinfo
    guard.getaddrinfo = lambda _host, port, **kw: real("127.0.0.1", port, **kw)
    guard.tls_context = lambda: ssl.create_default_context(cafile=given["certificate"])
    guard.allow([f"mail.shop.example:{given['port']}"])
    imap_session.DELAYS = imap_session.REFUSED_DELAYS = (0.01,)
    watching.LOOK_SECONDS = 0.02
    watching.HOLD, watching.RENEW_SECONDS = timedelta(seconds=0.3), 0.1
    for name in ("select_folder", "search", "fetch"):
        setattr(connection.Client, name, steps.around(getattr(connection.Client, name)))
    journal = Journal(Path(given["folder"]) / "spool")
    journal.start()

    def ingest(
        raw: bytes, envelopes: tuple[Envelope, ...], also: Callable[[Session], None] | None = None
    ) -> None:
        def and_die(session: Session) -> None:
            if also is not None:
                also(session)
            session.flush()
            steps.take()

        journal.ingest(
            source="receiver:imap", channel="email", raw=raw, remote="", envelopes=envelopes, also=and_die
        )

    watching.start(steps.around(ingest))
    threading.Thread(target=_work, daemon=True).start()
    threading.Event().wait()


def _work() -> None:
    while True:
        drain(_Generation())
        time.sleep(0.02)


def main() -> None:
    given = json.loads(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        die_at = int(json.loads(line)["die_at"])
        child = os.fork()
        if not child:
            try:
                _desk(given, die_at)
            finally:
                os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
