"""Processes of several releases on one database, and people who write to them all the time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from demo.processes import CHECKOUT, Program
from host.core import clock, migrations
from host.models.users import LoginSession
from tests.conftest import missing
from tests.upgrade.loading import Old
from tests.whole.rig import Rig, finish, until
from tests.whole.shops import APP_ID, POTTERY

CUSTOMERS = ("ana.sample", "kit.makes.sample", "rosa.sample")
BACK = 3
"""How many migrations the release before lacks."""
PATIENCE = 300.0
"""Seconds what was written may take after a time in which nobody served, on a busy machine."""
PARTS = ("host", "migrations", "addons", "sandbox", "dist")


def release_before(folder: Path) -> Path:
    """Put Lobby as it was before the newest :data:`BACK` migrations into *folder*."""
    revision = list(migrations.revisions())[-BACK]
    (file,) = (CHECKOUT / "migrations" / "versions").glob(f"{revision}_*.py")
    asked = ["log", "-1", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "--", str(file)]
    done = subprocess.run(
        ["git", *asked], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    commit = done.stdout.strip()
    if not commit:
        missing("the history of this checkout")
    folder.mkdir(parents=True)
    packed = subprocess.run(
        ["git", "archive", f"{commit}^1", *PARTS], cwd=CHECKOUT, capture_output=True, timeout=60, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, timeout=60, check=True)
    assert not (folder / file.relative_to(CHECKOUT)).exists()
    return folder


@dataclass
class Process:
    """A ``lobby run`` or ``lobby worker`` of some release, on the database of *rig*."""

    rig: Rig
    tree: Path
    port: int = 0
    program: Program | None = None
    settings: dict[str, str] = field(default_factory=dict)
    said: str = ""
    """What it wrote in its earlier lives."""

    @property
    def environment(self) -> dict[str, str]:
        bound = {"LOBBY_BIND": f"127.0.0.1:{self.port}"} if self.port else {}
        return {**self.rig.environment, **bound, **self.settings}

    def start(self) -> None:
        command, ready = ("run", r"lobby listening on ") if self.port else ("worker", "lobby worker running")
        self.program = Program.start(
            "lobby", [sys.executable, "-u", "-m", "host.cli", command], self.environment, folder=self.tree
        )
        self.program.wait_for(ready)

    def stop(self) -> None:
        if self.program is not None:
            self.program.stop()
            finish(self.program)
            self.said += self.program.output
            self.program = None

    def lobby(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "host.cli", *arguments],
            cwd=self.tree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30)

    def receive_webhooks(self) -> None:
        """Have the provider deliver here from now on."""
        address = f"{self.url}/addons/instagram/webhook"
        self.rig.control("POST", "webhook", {"app": APP_ID, "callback_url": address, "verify": False})


def subscribe(old: Old) -> None:
    """Have the provider deliver messages, and again soon where they were not taken."""
    token = {"Authorization": f"Bearer {POTTERY.token}"}
    address = f"{old.rig.sandbox.url}/graph.facebook.com/v26.0/me/subscribed_apps"
    requests.post(address, params={"subscribed_fields": "messages"}, headers=token, timeout=30)
    old.rig.control("PATCH", f"apps/{APP_ID}", {"retry_seconds": [0.8] * 400, "disable_after": 3600.0})


def stay_signed_in(old: Old) -> None:
    """Let whoever was signed in when the desk was recorded be so now: sessions last some hours."""
    now = clock.now()
    engine = sa.create_engine(old.url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        lasting = {"seen_at": now, "expires_at": now + timedelta(days=1)}
        connection.execute(sa.update(LoginSession).values(**lasting))
    engine.dispose()


class People:
    """Customers who write all the time, and a program that answers by the API of whichever process serves.

    :ivar webs: the web processes that serve.
    """

    def __init__(self, old: Old) -> None:
        self.old = old
        self.webs: list[Process] = []
        self.wrote: list[str] = []
        self.answered: list[str] = []
        self.trouble: list[str] = []
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> People:
        works = [lambda who=who: self._write(who) for who in CUSTOMERS]  # type: ignore[misc]
        for work in (*works, self._answer):
            self._threads.append(threading.Thread(target=self._guarded, args=(work,), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join(60)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test looks for it
            self.trouble.append(repr(error))

    def _write(self, who: str) -> None:
        for number in count():
            if self._over.wait(0.5):
                return
            text = f"{who} writes {number}"
            self.old.rig.control("POST", "dm", {"customer": who, "text": text})
            self.wrote.append(text)

    def _answer(self) -> None:
        conversations = self._conversations()
        for number in count():
            if self._over.wait(0.6):
                return
            body = {
                "conversationId": conversations[number % len(conversations)],
                "kind": "text",
                "text": f"answer {number}",
            }
            if self._send(body, number):
                self.answered.append(body["text"])  # type: ignore[arg-type]

    def _send(self, body: dict[str, Any], number: int) -> bool:
        """Bring an answer until a process took it, as a program does; return whether one did."""
        headers = {"Authorization": f"Bearer {self.old.notes['key']}", "Idempotency-Key": f"answer-{number}"}
        for turn in count(number):
            webs = list(self.webs)
            try:
                web = webs[turn % len(webs)]
                answer = requests.post(f"{web.url}/api/v1/messages", json=body, headers=headers, timeout=20)
            except (requests.RequestException, ZeroDivisionError):
                answer = None
            if answer is not None and answer.status_code != 503:
                assert answer.status_code == 201, answer.text
                return True
            if self._over.wait(0.2):
                return False
        raise AssertionError("unreachable")

    def _conversations(self) -> list[int]:
        """Return the conversations of those who write, once each wrote."""

        def found() -> list[int]:
            texts = {f"{who} writes 0" for who in CUSTOMERS}
            return [row["conversation_id"] for row in self.old.rows("messages") if row.get("text") in texts]

        until(lambda: len(found()) == len(CUSTOMERS), "everybody's first message")
        return found()

    def go_on(self, least: int = 9) -> None:
        """Wait until more was written and answered, and all of it is where it belongs."""
        wrote, answered = len(self.wrote), len(self.answered)
        until(
            lambda: self.trouble or (len(self.wrote) >= wrote + least and len(self.answered) > answered + 2),
            "people who write",
        )
        assert self.trouble == []
        self.nothing_is_lost()

    def nothing_is_lost(self) -> None:
        """Everything written is there once, and every answer reached its customer once."""
        wrote, answered = set(self.wrote), set(self.answered)
        until(lambda: not wrote - set(self._texts()), "everything customers wrote", PATIENCE)
        until(lambda: not answered - set(self._sent()), "every answer being sent", PATIENCE)
        texts, sent = self._texts(), self._sent()
        assert [text for text in texts if texts.count(text) > 1 and text in wrote | answered] == []
        assert [text for text in sent if sent.count(text) > 1 and text in answered] == []

    def _texts(self) -> list[str]:
        return [row["text"] for row in self.old.rows("messages") if row.get("text")]

    def _sent(self) -> list[str]:
        entries = self.old.rig.control("GET", "ledger?kind=send&limit=10000")["entries"]
        return [one["text"] for one in entries if one.get("text")]


def nothing_is_dead(old: Old, processes: Sequence[Process]) -> None:
    """No event could not be read, and no process said that it failed."""
    dead = [row.get("reason") for row in old.rows("inbound_events") if row["state"] == "dead"]
    assert dead == []
    for one in processes:
        output = one.said + (one.program.output if one.program else "")
        assert "Traceback" not in output, output[-4000:]


def stopping(stack: ExitStack, *processes: Process) -> None:
    for one in processes:
        stack.callback(one.stop)
