"""``python -m tests.torture.sequences``: many runs of a sequence while the desk is killed, then count.

Each customer is in a sequence that waits, sends a text, waits again and sends another. Whatever is killed,
nobody may get a text twice or miss one, none may come outside the reply window or after STOP, and each step
has to be entered once. Ends with 1 if one of that broke.

``--runs 100000 --kills 200`` are the long form. A desk on a server has workers beside it, one of which is
killed as often as the web process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence as Many
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.fill_outbox import connect
from bench.payload import signature
from bench.sending import LedgerEntry, _read, provider
from bench.servers import Desk, prepare, settings_for
from demo.processes import DidNotStartError, Program, clean_environment, free_port
from host import counters
from host.core import clock, config, db, secrets
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.inbox import Contact, ContactIdentity, Conversation, DeliveryState, Message
from host.process.serving import HostApplication
from host.sdk.messages import MessageReceived
from host.sequences import body as bodies
from host.sequences.body import Body, End, Say, Starts, Wait
from host.sequences.models import (
    Sequence,
    SequenceRun,
    SequenceState,
    SequenceVersion,
    SequenceVisit,
    WaitsFor,
)
from host.users import workspaces

ACCOUNT = "178414888"
WINDOW = timedelta(hours=24)
CLOSING = timedelta(seconds=100)
"""What is left of the reply window of some when the runs become due."""
CLOSES_EVERY, STOPS_EVERY = 20, 25
"""Of how many customers one has little of the window left, and one sends STOP."""
GRACE = 2.0
"""Seconds a request of the desk may take to the ledger: what it decided before is not judged by after."""
IDLE_SECONDS = 120.0
"""After that long without any progress, something is stuck."""
STEPS = ("wait", "one", "again", "two", "end")


@dataclass
class Found:
    """What came of it."""

    runs: int
    kills: int = 0
    seconds: float = 0.0
    sent: int = 0
    stopped: int = 0
    closed: int = 0
    unsure: int = 0
    """Messages that were cut off while they were sent, so that nobody knows whether they came."""
    wrong: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        return (
            f"sequences: {self.runs} runs, {self.kills} kills, {self.sent} texts, "
            f"{self.stopped} ended by STOP, {self.closed} by the window, "
            f"{self.unsure} cut off, {len(self.wrong)} wrong "
            f"in {self.seconds:.0f} s"
        )


# ---- before --------------------------------------------------------------------------------------------


def fill(data: Path, url: str, count: int) -> None:
    """Let *count* customers be in a sequence, all due at once."""
    settings = config.load({"LOBBY_DATA": str(data), "LOBBY_WORKERS": "0", "LOBBY_DATABASE_URL": url})
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    adapter = HostApplication(settings).generation().directory.adapter("instagram")
    assert adapter is not None
    workspace = db.write(lambda session: workspaces.create(session, "Sequences", None).id)
    account = db.write(connect, workspace, ACCOUNT)
    now = clock.now()
    for start in range(1, count + 1, 500):
        wrote = []
        for number in range(start, min(start + 500, count + 1)):
            at = now - WINDOW + CLOSING if number % CLOSES_EVERY == 0 else now
            said = MessageReceived(f"{number:016}", f"in-{ACCOUNT}-{number}", at, text="hi")
            wrote.append(Incoming(account, adapter, said, at, str(number)))
        db.write(apply_changes, wrote)
    sequence = db.write(_sequence, workspace)
    with db.read() as session:
        talks = session.execute(
            sa.select(Conversation.id, Conversation.contact_id, ContactIdentity.external_id)
            .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
            .where(Conversation.account_id == account.id)
            .order_by(Conversation.id)
        ).all()
    for start in range(0, count, 1000):
        db.write(_start, workspace, sequence, [tuple(one) for one in talks[start : start + 1000]])


def _sequence(session: Session, workspace: int) -> int:
    now = clock.now()
    steps = (
        Wait(id="wait", minutes=1),
        Say(id="one", text="One {{contact.name}}"),
        Wait(id="again", minutes=1),
        Say(id="two", text="Two {{contact.name}}"),
        End(id="end"),
    )
    row = Sequence(
        workspace_id=workspace,
        name="Torture",
        state=SequenceState.LIVE,
        position=1,
        version=1,
        live_version=1,
        created_at=now,
    )
    session.add(row)
    session.flush()
    body = bodies.plain(Body(steps=steps, starts=Starts(programs=True)))
    session.add(
        SequenceVersion(sequence_id=row.id, number=1, body=body, author="Torture", at=now, published_at=now)
    )
    return row.id


def _start(session: Session, workspace: int, sequence: int, talks: Many[tuple[int, int, str]]) -> None:
    now = clock.now()
    # Texts tell customers apart, as in the ledger of the provider.
    for _talk, contact, customer in talks:
        session.get_one(Contact, contact).name = str(int(customer))
    runs = [
        SequenceRun(
            workspace_id=workspace,
            sequence_id=sequence,
            version=1,
            conversation_id=talk,
            contact_id=contact,
            active_contact_id=contact,
            started_by="api",
            waits_for=WaitsFor.TIME,
            step="wait",
            number=1,
            tries=0,
            due_at=now,
            attempts=0,
            cause_id=0,
            root_id=-talk,
            depth=1,
            started_at=now,
            moved_at=now,
        )
        for talk, contact, _customer in talks
    ]
    session.add_all(runs)
    session.flush()
    session.add_all(SequenceVisit(run_id=one.id, number=1, step="wait", at=now) for one in runs)


# ---- meanwhile -----------------------------------------------------------------------------------------


class Torture:
    """A desk that is killed while its runs go on.

    :param workers: processes beside the web process that do the work; 0: that one does it.
    """

    def __init__(self, desk: Desk, folder: Path, port: int, *, workers: int, chance: random.Random) -> None:
        self.desk, self.folder, self.chance, self.workers = desk, folder, chance, workers
        self.port = free_port()
        self.settings = settings_for(desk, desk.data, workers=4, port=self.port) | {
            "LOBBY_ALLOW_HOSTS": f"127.0.0.1:{port}",
            "LOBBY_LOG_LEVEL": "ERROR",
            "LOBBY_SENDERS": "16",
            "LOBBY_ADDON_INSTAGRAM_GRAPH_INSTAGRAM_URL": f"http://127.0.0.1:{port}",
            "LOBBY_ADDON_INSTAGRAM_SENDS_PER_SECOND": "1000",
        }
        self.programs: list[Program | None] = [None] * (1 + workers)
        self.said: list[str] = []
        self.stopped: dict[str, float] = {}
        """Customers whose STOP was answered with 200, and when."""
        self.over = threading.Event()

    def start(self) -> None:
        """Start what does not run; whatever was killed while it started is started again."""
        for number, running in enumerate(self.programs):
            if running is not None:
                continue
            command = [sys.executable, "-m", "host.cli", "worker" if number else "run"]
            program = Program.start("lobby", command, self.settings)
            self.programs[number] = program
            program.wait_for("lobby worker running" if number else "lobby listening on ")

    def kill(self) -> None:
        """Kill one process, with all it started."""
        number = self.chance.randrange(len(self.programs))
        program = self.programs[number]
        assert program is not None
        with suppress(ProcessLookupError):
            os.kill(program.process.pid, signal.SIGKILL)
        program.process.wait()
        self.said += program.lines
        self.programs[number] = None

    def forget_dead(self) -> None:
        """Let :meth:`start` start again what does not run."""
        for number, program in enumerate(self.programs):
            if program is not None and program.process.poll() is not None:
                self.said += program.lines
                self.programs[number] = None

    def stop(self) -> None:
        self.over.set()
        for program in self.programs:
            if program is not None:
                program.stop()
                self.said += program.lines

    def say_stop(self, customers: Many[int], seconds: float) -> None:
        """Have customers send STOP now and then, each until it is taken."""
        address = f"http://127.0.0.1:{self.port}/addons/instagram/webhook"
        session = requests.Session()
        session.trust_env = False
        for number in customers:
            if self.over.wait(seconds / len(customers)):
                return
            body = _delivery(f"{number:016}").encode()
            headers = {"X-Hub-Signature-256": signature(body), "Content-Type": "application/json"}
            while not self.over.is_set():
                with suppress(requests.RequestException):
                    if session.post(address, data=body, headers=headers, timeout=20).status_code == 200:
                        self.stopped[str(number)] = time.time()
                        break
                time.sleep(0.2)

    def rows(self, query: sa.Executable) -> list[sa.Row[tuple[object, ...]]]:
        url = self.desk.url or f"sqlite:///{self.desk.data / 'lobby.sqlite3'}"
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        try:
            with engine.connect() as connection:
                return list(connection.execute(query))
        finally:
            engine.dispose()


def _delivery(customer: str) -> str:
    at = int(time.time() * 1000)
    message = {"mid": f"stop-{customer}", "text": "STOP"}
    event = {"sender": {"id": customer}, "recipient": {"id": ACCOUNT}, "timestamp": at, "message": message}
    return json.dumps({"object": "instagram", "entry": [{"id": ACCOUNT, "time": at, "messaging": [event]}]})


def play(
    folder: Path, *, runs: int, kills: int, seed: int, url: str = "", workers: int = 0, pace: float = 25.0
) -> Found:
    """Let *runs* go on while the desk is killed *kills* times; return what is wrong after that.

    :param url: of an empty database; empty: SQLite in *folder*.
    :param pace: runs a second, from which the moments of STOP are guessed.
    """
    found, chance = Found(runs), random.Random(seed)
    desk = prepare(folder, 1, url=url)
    command = [sys.executable, "-m", "tests.torture.sequences", "fill", str(desk.data), url, str(runs)]
    subprocess.run(command, check=True, env=clean_environment())
    ledger, port = folder / "sent.tsv", free_port()
    torture = Torture(desk, folder, port, workers=workers, chance=chance)
    stoppers = [number for number in range(1, runs + 1) if number % STOPS_EVERY == 0]
    chance.shuffle(stoppers)
    began = time.monotonic()
    with provider(port, ledger):
        try:
            torture.start()
            stops = threading.Thread(target=torture.say_stop, args=(stoppers, runs / pace))
            stops.start()
            _kill_on_the_way(torture, ledger, found, kills)
            _wait_for_the_end(torture, ledger)
            stops.join(5)
        finally:
            torture.stop()
            (folder / "said.txt").write_text("\n".join(torture.said))
    found.seconds = time.monotonic() - began
    _check(torture, _read(ledger), found)
    return found


def _kill_on_the_way(torture: Torture, ledger: Path, found: Found, kills: int) -> None:
    """Kill after each so many texts, at a random moment, so that the kills meet all of the way."""
    most = 2 * found.runs * 0.9
    while found.kills < kills:
        goal = most * (found.kills + torture.chance.random()) / kills
        _wait(lambda goal=goal: _lines(ledger) >= goal, torture, ledger)  # type: ignore[misc]
        time.sleep(torture.chance.random() / 2)
        torture.kill()
        found.kills += 1
        if torture.chance.random() < 0.15:
            _kill_while_it_starts(torture)
        while True:
            with suppress(DidNotStartError):
                torture.start()
                break
            torture.forget_dead()


def _kill_while_it_starts(torture: Torture) -> None:
    killing = threading.Timer(torture.chance.random() * 3, _kill_starting, (torture,))
    killing.start()
    with suppress(DidNotStartError):
        torture.start()
    killing.cancel()
    killing.join()
    torture.forget_dead()


def _kill_starting(torture: Torture) -> None:
    for program in torture.programs:
        if program is not None and program.process.poll() is None:
            program.process.kill()
            program.process.wait()
            return


def _wait_for_the_end(torture: Torture, ledger: Path) -> None:
    active = sa.select(sa.func.count()).select_from(SequenceRun).where(SequenceRun.ended_at.is_(None))
    queued = (
        sa.select(sa.func.count())
        .select_from(Message)
        .where(Message.state.in_([DeliveryState.QUEUED, DeliveryState.SENDING]))
    )
    _wait(
        lambda: torture.rows(active)[0][0] == 0 and torture.rows(queued)[0][0] == 0,
        torture,
        ledger,
        every=2.0,
    )


def _wait(done: object, torture: Torture, ledger: Path, *, every: float = 0.2) -> None:
    """Wait until *done*, as long as anything happens.

    :raises RuntimeError: if nothing does, or a process died by itself.
    """
    assert callable(done)
    seen, at = -1, time.monotonic()
    while not done():
        lines = _lines(ledger)
        if lines != seen:
            seen, at = lines, time.monotonic()
        elif any(one is not None and one.process.poll() is not None for one in torture.programs):
            raise RuntimeError(f"Lobby died, after {lines} texts")
        elif time.monotonic() - at > IDLE_SECONDS:
            raise RuntimeError(f"nothing happens any more, after {lines} texts")
        time.sleep(every)


def _lines(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


# ---- after ---------------------------------------------------------------------------------------------


def _check(torture: Torture, entries: list[LedgerEntry], found: Found) -> None:
    """Compare the ledger and the rows of the runs with what each customer may have got."""
    got: dict[str, list[LedgerEntry]] = defaultdict(list)
    for one in entries:
        got[one.text.split()[1]].append(one)
    found.sent = sum(one.taken for one in entries)
    contact = sa.select(
        SequenceRun.id,
        Contact.name,
        SequenceRun.outcome,
        SequenceRun.reason,
        Conversation.last_inbound_at,
    ).select_from(SequenceRun)
    runs = torture.rows(
        contact.join(Contact, Contact.id == SequenceRun.contact_id).join(
            Conversation, Conversation.id == SequenceRun.conversation_id
        )
    )
    steps: dict[object, list[object]] = defaultdict(list)
    visits = sa.select(SequenceVisit.run_id, SequenceVisit.step)
    for run, step in torture.rows(visits.order_by(SequenceVisit.run_id, SequenceVisit.number)):
        steps[run].append(step)
    # Of a message whose sending was cut off, nobody knows whether it came; it is not sent again.
    unsure = set(
        torture.rows(
            sa.select(Contact.name, Message.text)
            .select_from(Message)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(Message.state == DeliveryState.UNKNOWN)
        )
    )
    found.unsure = len(unsure)
    if len(runs) != found.runs:
        found.wrong.append(f"{len(runs)} runs of {found.runs}")
    for run, name, outcome, reason, last in runs:
        texts = [one.text.split()[0] for one in got[str(name)] if one.taken]
        maybe = {str(text).split()[0] for of, text in unsure if of == name}
        about = f"customer {name}: {outcome} {reason}, {texts}"
        if steps[run] != list(STEPS[: len(steps[run])]):
            found.wrong.append(f"{about}, entered {steps[run]}")
        if [one for one in ("One", "Two") if one in texts] != texts:
            found.wrong.append(f"{about}: got twice, or in another order")
        late = [one for one in got[str(name)] if one.at > _ends(torture, str(name), last) + GRACE]
        if late:
            found.wrong.append(
                f"{about}: {late[0].text} came {late[0].at - _ends(torture, str(name), last):.1f} s late"
            )
        if outcome == "done":
            if {*texts, *maybe} != {"One", "Two"} or reason:
                found.wrong.append(f"{about}: done without both texts")
        elif str(name) in torture.stopped:
            found.stopped += 1
        elif int(str(name)) % CLOSES_EVERY == 0:
            found.closed += 1
        else:
            found.wrong.append(f"{about}: ended without reason")


def _ends(torture: Torture, name: str, last: object) -> float:
    """Return until when a customer may get a text, in seconds."""
    assert isinstance(last, datetime)
    closes = (last.replace(tzinfo=last.tzinfo or UTC) + WINDOW).timestamp()
    return min(closes, torture.stopped.get(name, closes) + STOP_IS_APPLIED)


STOP_IS_APPLIED = 10.0
"""Seconds from the answer to STOP until it is applied, on a desk that may be killed in between."""


def main() -> int:
    if sys.argv[1:2] == ["fill"]:
        fill(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--url", default="", help="of an empty database on a server")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=None, help="a folder to keep everything in")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lobby-sequences-") as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        found = play(
            folder,
            runs=arguments.runs,
            kills=arguments.kills,
            seed=seed,
            url=arguments.url,
            workers=arguments.workers,
        )
    for one in found.wrong[:50]:
        print(one)
    print(found.line)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
