"""Work: how many bytecodes and calls what a desk does most often takes, however busy the machine is.

``python -m bench.work DATA`` counts in a process of its own, on the desk that :mod:`bench.prepare` made in
*DATA*, and prints a line of JSON: for each name of :data:`COUNTED` the bytecodes that Python executes, the
calls of functions, and the calls of functions in C. Inside of those (SQLite, msgspec) nothing is counted.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench import payload
from bench.fill_outbox import fill
from bench.payload import bodies, signature
from bench.plan import Figure, Plan
from bench.sending import BUSY, provider
from bench.servers import THIS, Desk, Tree, settings_for
from demo.processes import free_port
from host import counters
from host.core import clock, config, db, logs, secrets
from host.delivery import worker
from host.models.inbox import Conversation, Message
from host.models.users import Role, User
from host.process.asgi import AsgiApplication
from host.process.incoming import ABORT
from host.process.serving import HostApplication
from host.queue import policy
from host.queue.journal import Journal
from host.queue.wakeups import IN, OUT
from host.users import api_keys, members
from host.users.actor import UnitOfWork, person_or_desk
from host.web import assets

PATH = "/addons/instagram/webhook"
WEBHOOKS = 40
EVENTS = 512
"""Events applied while counting, in claims as large as those of a backlog; as many before that."""
CUSTOMERS = EVENTS // 2
"""Customers who wrote them: two each, as in a backlog."""
REPLIES = 9
PAGES = 3
"""Replies and pages counted, each by itself; as many before that."""
FOREVER = 1e6

COUNTED = {
    "F1": "a webhook answered",
    "F8": "an event from the journal to conversation, message and live event",
    "sent": "a reply sent",
    "API": "an API call that lists conversations",
    "inbox": "the first page of the inbox",
    "thread": "a conversation opened",
}
MEASURES = ("bytecodes", "calls", "C calls")


def work(plan: Plan) -> list[Figure]:
    """Count the work of each of :data:`COUNTED`; the same tree has the same figures on every machine."""
    return [
        Figure(
            f"work {name}",
            f"thousand bytecodes for {COUNTED[name]}",
            (found["bytecodes"] / 1000,),
            None,
            False,
            f"{found['calls']:,} calls, {found['C calls']:,} in C",
            {key.replace(" ", "_").lower(): float(value) for key, value in found.items()},
        )
        for name, found in counted(plan.desk, plan.folder).items()
    ]


def counted(desk: Desk, folder: Path, *, tree: Tree = THIS) -> dict[str, dict[str, int]]:
    """Return bytecodes, calls and calls of C of each of :data:`COUNTED`, counted on a copy of *desk*."""
    data, ledger, port = folder / "work", folder / "work.tsv", free_port()
    shutil.copytree(desk.data, data)
    count = tree.command("bench.work", str(data), str(desk.workspace), desk.cookies[0])
    settings = settings_for(desk, data, workers=0) | {
        "PYTHONHASHSEED": "0",
        "LOBBY_LOG_LEVEL": "ERROR",
        "LOBBY_ALLOW_HOSTS": f"127.0.0.1:{port}",
        "LOBBY_ADDON_INSTAGRAM_GRAPH_INSTAGRAM_URL": f"http://127.0.0.1:{port}",
        "LOBBY_ADDON_INSTAGRAM_SENDS_PER_SECOND": "10000",
    }
    try:
        with provider(port, ledger, PROVIDER_FAULTY="0"):
            done = subprocess.run(
                count, cwd=tree.root, env=settings, check=False, capture_output=True, text=True
            )
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"bench.work ended with {done.returncode}: {done.stderr[-4000:]}")
    found: dict[str, dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return found


class Counter:
    """Counts what the threads do that trace with it, except in this file and while it is off."""

    def __init__(self) -> None:
        self._totals = [0, 0, 0]
        self._on = False

    def follow(self) -> None:
        """Have the calling thread trace from here on."""
        sys.settrace(self._trace)
        sys.setprofile(self._profile)

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Count what is done inside, in the order of :data:`MEASURES`."""
        self._totals = totals = [0, 0, 0]
        self.follow()
        self._on = True
        try:
            yield totals
        finally:
            self._on = False
            sys.setprofile(None)
            sys.settrace(None)

    def _trace(self, frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        code: CodeType = frame.f_code
        if not self._on or code.co_filename == __file__:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self._totals[1] += 1
        return self._within

    def _within(self, _frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        if event == "opcode":
            self._totals[0] += 1
        return self._within

    def _profile(self, frame: FrameType, event: str, _arg: object) -> None:
        if self._on and event == "c_call" and frame.f_code.co_filename != __file__:
            self._totals[2] += 1


class Counting:
    """A desk whose work is counted; its journal's thread counts as well."""

    def __init__(self, settings: config.Config, workspace: int, cookie: str) -> None:
        self._counter = Counter()
        self._workspace = workspace
        self._cookie = cookie
        journal_run = Journal._run

        def run(journal: Journal) -> None:
            self._counter.follow()
            journal_run(journal)

        Journal._run = run  # type: ignore[method-assign, assignment]
        # Whether a second, or a fifth of one, has passed meanwhile is chance.
        payload.CUSTOMERS = CUSTOMERS
        counters.REFRESH_SECONDS = assets.LOOKED_AT_SECONDS = FOREVER
        policy.WAITED = timedelta.max
        self.desk = HostApplication(settings)
        counters.reset()
        fill(self.desk, 2 * REPLIES, 1, [BUSY])
        self._asgi = AsgiApplication(self.desk)

    def all(self) -> dict[str, dict[str, int]]:
        """Do each of :data:`COUNTED`; return what it took."""
        key = db.write(self._key)
        inbox, signed_in = f"/w/{self._workspace}/inbox", {"HTTP_COOKIE": self._cookie}
        found = {"F1": self._answered(), "F8": self._applied(), "sent": self._sent()}
        self._at_once()
        stood = clock.monotonic()
        clock.monotonic = lambda: stood
        return found | {
            "API": self._asked("/api/v1/conversations", {"HTTP_AUTHORIZATION": f"Bearer {key}"}),
            "inbox": self._asked(inbox, signed_in),
            "thread": self._asked(f"{inbox}/{self._first_conversation()}", signed_in),
        }

    def _key(self, session: Session) -> str:
        """Make the first person an owner, and a key of theirs; return it."""
        owner = session.scalars(sa.select(User.id).order_by(User.id)).first()
        assert owner is not None
        members.set_role(session, self._workspace, owner, Role.OWNER)
        work = UnitOfWork(session, self._workspace, person_or_desk(owner), clock.now())
        return api_keys.create(work, "Bench", tuple(api_keys.Scope))

    def _answered(self) -> dict[str, int]:
        """Count webhooks one by one: how often the loop looks before the journal has synced is chance."""
        each: list[list[int]] = []

        async def post() -> None:
            for body in bodies(WEBHOOKS // 4):
                await self._post(body)
            for body in list(bodies(WEBHOOKS)):
                with self._counter.counting() as totals:
                    await self._post(body)
                each.append(totals)

        asyncio.run(post())
        return _medians(each)

    async def _post(self, body: bytes) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            assert message.get("status", 200) == 200, message

        await self._asgi(_scope(body), receive, send)

    def _applied(self) -> dict[str, int]:
        self._take_in()
        self._work(IN)
        self._take_in()
        with self._counter.counting() as totals:
            self._work(IN)
        found = _named([round(total / EVENTS) for total in totals])
        with db.read() as session:
            messages = session.scalar(sa.text("SELECT count(*) FROM messages WHERE external_id LIKE 'aW%'"))
        assert messages == 2 * EVENTS + WEBHOOKS + WEBHOOKS // 4, messages
        return found

    def _take_in(self) -> None:
        """Take in one by one: how many share a commit is chance."""

        async def post() -> None:
            for body in bodies(EVENTS):
                await self._post(body)

        asyncio.run(post())

    def _work(self, direction: str, most: int = sys.maxsize) -> None:
        """Do what a delivery thread does, until nothing is due or *most* claims are worked off."""
        claimer = worker._claimers(4)[direction]
        while most and (leases := claimer.claim()):
            worker._work(leases, self.desk.generation, claimer)
            most -= 1

    def _sent(self) -> dict[str, int]:
        self._work(OUT, REPLIES)
        found = self._median(REPLIES, lambda: self._work(OUT, 1))
        with db.read() as session:
            sent = session.scalar(sa.text("SELECT count(*) FROM messages WHERE state = 'sent'"))
        assert sent == 2 * REPLIES, sent
        return found

    def _asked(self, path: str, headers: dict[str, str]) -> dict[str, int]:
        for _ in range(PAGES):
            self._get(path, headers)
        return self._median(PAGES, lambda: self._get(path, headers))

    def _get(self, path: str, headers: dict[str, str]) -> None:
        def start(status: str, _headers: Any, _error: Any = None) -> Any:
            assert status == "200 OK", (path, status)

        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:8080",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **headers,
        }
        answer = self.desk(environ, start)
        assert b"".join(answer)
        getattr(answer, "close", lambda: None)()

    def _first_conversation(self) -> int:
        query = "SELECT min(id) FROM conversations WHERE workspace_id = :workspace"
        with db.read() as session:
            return int(session.scalar(sa.text(query), {"workspace": self._workspace}) or 0)

    def _median(self, times: int, act: Callable[[], object]) -> dict[str, int]:
        """Count *act* each time by itself: what is done once a second is done in some."""
        each = []
        for _ in range(times):
            with self._counter.counting() as totals:
                act()
            each.append(totals)
        return _medians(each)

    def _at_once(self) -> None:
        """Have everything happened at one moment: a page writes each minute once."""

        def use_case(session: Session) -> None:
            for model in (Conversation, Message):
                for column in model.__table__.columns:
                    if isinstance(column.type, db.UTCDateTime):
                        found = sa.select(sa.func.max(column)).scalar_subquery()
                        session.execute(
                            sa.update(model).where(column.is_not(None)).values({column.name: found})
                        )

        db.write(use_case)


def _medians(each: Sequence[Sequence[int]]) -> dict[str, int]:
    return _named([statistics.median_low(column) for column in zip(*each, strict=True)])


def _named(totals: Sequence[int]) -> dict[str, int]:
    return dict(zip(MEASURES, totals, strict=True))


def _scope(body: bytes) -> dict[str, Any]:
    """Return a delivery as a server hands it over."""
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "user-agent": "Webhooks/1.0",
        "x-hub-signature-256": signature(body),
        "content-length": str(len(body)),
    }
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        ABORT: lambda: None,  # as the server that closes slow connections has it
    }


def main(_data: str, workspace: str, cookie: str) -> None:
    gc.disable()
    settings = config.load()
    logs.set_up(settings.log_level)
    secrets.use(secrets.load_keyring(settings))
    secrets.load_session_key(settings)
    db.connect(settings.database_url)
    counting = Counting(settings, int(workspace), cookie)
    counting.desk.start(web=False)
    print(json.dumps(counting.all()))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    # Without waiting for the threads: what they did is counted.
    os._exit(0)
