"""What the desk costs: memory at rest, time to the first page, and queries that do not grow with the data."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from host import counters
from host.core import clock, config, db, guard
from host.inbox.apply.changes import apply_changes
from host.inbox.apply.incoming import Incoming
from host.models.channels import ChannelAccount, ref
from host.models.users import User
from host.process.serving import HostApplication
from host.sdk.messages import MessageReceived
from tests.helpers import Browser, client_for
from tests.whole.rig import Rig, running, until
from tests.whole.shops import ADMIN, POTTERY, POTTERY_OWNER, furnish, point_webhooks

pytestmark = pytest.mark.slow

MEMORY = 200 * 1024
"""Kilobytes one process may hold at rest."""
LIBRARIES = "flask, flask_babel, sqlalchemy.orm, alembic.command, uvicorn.server, requests, PIL.Image"
TIMES = 6.0
"""How much longer the first page may take than another Python needs to import what Lobby is made of."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Rig]:
    for rig in running(tmp_path_factory.mktemp("resources")):
        furnish(rig, addon_zip)
        yield rig
        guard.allow(())


def resident(pid: int) -> int:
    """Return the kilobytes a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def first_page(rig: Rig) -> float:
    """Start the desk; return how long it took until somebody saw a page."""
    started = time.monotonic()
    rig.start()
    answer = requests.get(f"{rig.url}/login", timeout=10)
    assert answer.status_code == 200
    return time.monotonic() - started


def importing() -> float:
    """Return how long a program takes here that imports the larger libraries and ends."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
    return time.monotonic() - started


def test_the_first_page_is_there_soon(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """Seconds say how fast the machine is, and what else it does: docs/performance.md has them."""
    took, least = [], []
    for _ in range(3):
        least.append(importing())
        took.append(first_page(rig))
        rig.stop()
    with capsys.disabled():
        print(f"\nfirst page: {min(took):.2f} s after `lobby run`; importing takes {min(least):.2f} s")
    assert min(took) < TIMES * min(least), (took, least)


def test_a_process_at_rest_holds_less_than_200_mb(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.start()
    point_webhooks(rig)
    who = {"account": POTTERY.igid, "customer": POTTERY.customer}
    rig.control("POST", "dm", {**who, "text": "hello"})
    until(lambda: rig.rows("SELECT 1 FROM messages"), "a message")
    person = rig.person(POTTERY_OWNER)
    admin = rig.person(ADMIN)
    for _ in range(20):
        person.open("/")
        admin.open("/admin/addons")
    assert rig.program is not None
    held = resident(rig.program.process.pid)
    rig.stop()
    with capsys.disabled():
        print(f"\nmemory at rest: {held // 1024} MB")
    assert held < MEMORY


class Statements:
    """Counts what is sent to the database."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        for engine in db.current().engines:
            event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        self.seen.append(statement)

    def of(self, browser: Browser, path: str) -> list[str]:
        """Return the statements of one request, with everything warmed up before."""
        assert browser.get(path).status_code == 200, path
        counters.forget()
        self.seen.clear()
        assert browser.get(path).status_code == 200, path
        return list(self.seen)


@pytest.fixture(scope="module")
def application(rig: Rig) -> Iterator[HostApplication]:
    """The desk in this process, not serving."""
    application = HostApplication(config.load(rig.environment))
    yield application
    db.current().dispose()


def write_in(application: HostApplication, conversations: int, messages: int) -> None:
    """Make so many customers write to the Pottery, and the first of them so many messages."""
    adapter = application.generation().directory.adapter("instagram")
    assert adapter is not None
    with db.read() as session:
        row = session.scalars(
            sa.select(ChannelAccount).where(ChannelAccount.external_id == POTTERY.igid)
        ).one()
        account = ref(row)
    now = clock.now()

    def items() -> Iterator[Incoming]:
        for number in range(conversations):
            for part in range(messages if number == 0 else 2):
                sent_at = now - timedelta(seconds=1000 * (number + 1) - part)
                mid = f"counted-{number}-{part}"
                change = MessageReceived(
                    f"10260001{number:08}", mid, sent_at, text=f"Text {part} of {number}"
                )
                yield Incoming(account, adapter, change, now, mid)

    def use_case(session: Session) -> None:
        apply_changes(session, list(items()))

    db.write(use_case)


def paths(workspace: int) -> dict[str, str]:
    with db.read() as session:
        text = "SELECT conversation_id FROM messages WHERE external_id = 'counted-0-0'"
        chosen = session.scalar(sa.text(text))
        rows = session.scalars(sa.text("SELECT id FROM conversations ORDER BY id DESC LIMIT 20")).all()
    inbox = f"/w/{workspace}/inbox"
    listed = ",".join(map(str, {chosen, *rows}))
    return {
        "inbox": inbox,
        "inbox, one channel": f"{inbox}?channel=instagram&view=unassigned",
        "thread": f"{inbox}/{chosen}",
        "thread alone": f"{inbox}/{chosen}/thread",
        "by window": f"{inbox}?sort=closing",
        "by waiting": f"{inbox}?only=waiting&sort=waiting",
        "more of the list": f"{inbox}/list",
        "earlier messages": f"{inbox}/{chosen}/messages",
        "what changed": f"{inbox}/updates?rows={listed}&conversation={chosen}&head=1&composer=1&here=1",
        "Channels": f"/w/{workspace}/settings/channels",
        "People": f"/w/{workspace}/settings/people",
    }


def test_pages_take_as_many_queries_for_200_conversations_as_for_5(
    application: HostApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    with db.read() as session:
        owner = session.scalars(sa.select(User).where(User.email == POTTERY_OWNER)).one()
    browser = client_for(application.generation().app, owner)
    statements = Statements()
    write_in(application, 5, 3)
    few = {name: statements.of(browser, path) for name, path in paths(1).items()}
    write_in(application, 200, 200)
    many = {name: statements.of(browser, path) for name, path in paths(1).items()}
    with capsys.disabled():
        print("\nqueries: " + ", ".join(f"{name} {len(seen)}" for name, seen in many.items()))
    for name, seen in many.items():
        extra = [one for one in seen if seen.count(one) > few[name].count(one)]
        assert len(seen) <= len(few[name]), f"{name}: {len(few[name])} became {len(seen)}: {extra[:3]}"
        # Channels also reads what uses each account, for the dialogs that delete one.
        most = 37 if name == "Channels" else 30
        assert 0 < len(seen) < most, f"{name} takes {len(seen)} queries"


def test_the_counter_counts(application: HostApplication) -> None:
    statements = Statements()
    with db.read() as session:
        for _ in range(3):
            session.scalar(sa.text("SELECT 1"))
    assert [one for one in statements.seen if one == "SELECT 1"] == ["SELECT 1"] * 3
