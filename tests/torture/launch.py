"""``lobby`` with short patience, and where the environment names one, with a fault built in on purpose.

``TORTURE_MUTANT`` names one of the functions below. Each takes away one thing a promise rests on; the torture
that stays green on it proves nothing. Nothing of this is in the product: a desk started by ``lobby`` has no
such switch.
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import suppress
from typing import Any

from tests.whole import quick_desk


def acknowledge_first() -> None:
    """Answer, and write the request down a little later in a thread."""
    from host.delivery.journal import Journal, JournalUnavailableError

    ingest = Journal.ingest

    def later(self: Journal, **given: Any) -> None:
        def work() -> None:
            time.sleep(random.uniform(0.5, 2.0))
            with suppress(JournalUnavailableError):
                ingest(self, **given)

        threading.Thread(target=work, daemon=True).start()

    Journal.ingest = later  # type: ignore[method-assign]


def no_unique_key() -> None:
    """Write down what comes without asking whether it came before; the key is taken from the table, too."""
    from host.delivery import rows

    prepare = rows.Statements.__init__

    def plain(self: rows.Statements, dialect: str) -> None:
        prepare(self, dialect)
        self.event._tail = ""

    rows.Statements.__init__ = plain  # type: ignore[method-assign]


def retry_all() -> None:
    """Take what nobody knows for what was not sent."""
    from host.delivery import outbound, results
    from host.sdk.channel import NotSent, Unknown

    record = outbound._record

    def hasty(session: Any, lease: Any, head: Any, result: object, allowed: Any) -> Any:
        if isinstance(result, Unknown):
            result = NotSent(result.problem)
        return record(session, lease, head, result, allowed)

    def interrupted(session: Any, lease: Any, head: Any) -> bool:
        from host.delivery import sentences

        return results.not_sent(session, lease, head, NotSent(sentences.INTERRUPTED)) is not None

    outbound._record = hasty
    results.interrupted = interrupted


def no_sync() -> None:
    """Let SQLite leave the syncing to the system, which a power cut does not wait for."""
    from sqlalchemy import event

    from host import db

    make = db._sqlite_engine

    def careless(*arguments: Any, **named: Any) -> Any:
        engine = make(*arguments, **named)

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        return engine

    db._sqlite_engine = careless


if __name__ == "__main__":
    if mutant := os.environ.pop("TORTURE_MUTANT", ""):
        {one.__name__: one for one in (acknowledge_first, no_unique_key, retry_all, no_sync)}[mutant]()
    quick_desk.main()
