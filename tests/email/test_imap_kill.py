"""A mailbox is brought in by processes that are killed, while its server gives its mails other numbers.

``IMAP_MAILS=10000 IMAP_KILLS=60`` is the long form; where ``IMAP_PAUSE`` is more, more happens between kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.worker import drain
from host.models.inbox import Message
from host.models.queue import InboundEvent
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside
from tests.email.test_imap import Desk, Generation, accounted, desk_at, imap, mail, until, written

__all__ = ["imap"]

ROOT = Path(__file__).resolve().parents[2]
MAILS = int(os.environ.get("IMAP_MAILS", "300"))
KILLS = int(os.environ.get("IMAP_KILLS", "12"))
STRIDE = 3
PAUSE = float(os.environ.get("IMAP_PAUSE", "1.2"))
SEED = 1


class Runner:
    def __init__(self, desk: Desk, data: Path, certificate: str) -> None:
        given = {
            "url": db.current().url.render_as_string(hide_password=False),
            "folder": str(data),
            "certificate": certificate,
            "port": desk.server.port,
        }
        self._log = (data / "runner.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.email.imap_runner", json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            text=True,
        )
        self.pid = 0

    def start(self, die_at: int = 0) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"die_at": die_at}) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._process.stdout.readline())

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(lambda: not self.is_alive())

    def close(self) -> None:
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@pytest.fixture
def desk_of_mail(
    desk: db.Database, data: Path, outside: Outside, imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    yield from desk_at(data, outside, imap, monkeypatch)


def fill(server: ImapServer, count: int) -> set[str]:
    """Put mails of a year into the inbox, and every tenth into what was sent; return their Message-IDs."""
    server.folders["Sent"] = mailbox.Folder(flags="\\Sent", uidvalidity=3)
    start = clock.now() - timedelta(days=365)
    names = set()
    for number in range(count):
        at = start + timedelta(days=364) * number / count
        person = number // 3 % 50
        theirs = {"From": f"P <p{person}@example.org>", "Date": written(at)}
        if number % 10 == 9:
            theirs |= {"From": "hello@shop.example", "To": f"P <p{person}@example.org>"}
        if number % 3:
            theirs["In_Reply_To"] = f"<{number - 1}@example.org>"
        folder = "Sent" if number % 10 == 9 else "INBOX"
        server.add(mail(number, f"Mail {number}", **theirs), at=at, folder=folder)
        names.add(f"{number}@example.org")
    return names


def check(names: set[str]) -> None:
    drain(Generation(), limit=1000 + MAILS)
    with db.read() as session:
        found = Counter(session.scalars(sa.select(Message.external_id)))
        states = Counter(session.scalars(sa.select(InboundEvent.state)))
    assert states == {"applied": len(names)}
    assert set(found) == names
    assert set(found.values()) == {1}


@pytest.mark.slow
def test_none_is_lost_and_none_doubled_whenever_a_process_is_killed(
    desk_of_mail: Desk, data: Path, certificate: str
) -> None:
    desk, chance = desk_of_mail, random.Random(SEED)
    desk.journal.stop()
    names = fill(desk.server, MAILS)
    desk.fetch_from(since=None)
    runner = Runner(desk, data, certificate)
    renumber_at = {KILLS // 4, KILLS // 2, 3 * KILLS // 4}
    began = time.monotonic()
    try:
        for kill in range(KILLS):
            runner.start()
            time.sleep(chance.uniform(0.1, PAUSE))
            if kill in renumber_at:
                desk.server.renumber(chance.choice(["INBOX", "Sent"]))
                time.sleep(chance.uniform(0, 0.5))
            new = MAILS + kill
            desk.server.add(mail(new, f"Mail {new}"))
            names.add(f"{new}@example.org")
            runner.kill()
        runner.start()
        until(lambda: accounted() == len(names), 60 + MAILS / 20)
    finally:
        runner.close()
    print(f"{len(names)} mails, {KILLS} kills, {time.monotonic() - began:.1f} s")
    check(names)


@pytest.mark.slow
def test_a_process_may_die_at_every_step(desk_of_mail: Desk, data: Path, certificate: str) -> None:
    desk = desk_of_mail
    desk.journal.stop()
    names = fill(desk.server, 30)
    desk.fetch_from(since=None)
    runner = Runner(desk, data, certificate)
    deaths = 0
    try:
        for step in range(1, 40, STRIDE):
            desk.server.renumber(["INBOX", "Sent"][step % 2])
            runner.start(die_at=step)
            until(lambda: not runner.is_alive() or desk.server.idling.acquire(timeout=0.01))
            deaths += not runner.is_alive()
            runner.kill()
            desk.server.add(mail(100 + step))
            names.add(f"{100 + step}@example.org")
        runner.start()
        until(lambda: accounted() == len(names))
    finally:
        runner.close()
    assert deaths > 15 // STRIDE
    check(names)
