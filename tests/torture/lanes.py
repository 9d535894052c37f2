"""One lane: a desk on one kind of database, poured on and broken, brought to rest, and examined."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.processes import Sandbox, free_port
from host.core.backports.values import replace
from tests.addons.own_servers import Server
from tests.torture import brokers
from tests.torture.checks import Found, Scene, examine, resources, spooled
from tests.torture.desk import Desk, addon, server_folder
from tests.torture.nemesis import Nemesis
from tests.torture.people import ANSWERABLE, People
from tests.torture.provider import Ledger, Provider
from tests.torture.proxy import Proxy
from tests.whole.history import read_ledger, written
from tests.whole.rig import finish, start_sandbox, until
from tests.whole.shops import APP_ID, CAFE, POTTERY, SECOND_APP_ID, STUDIO, furnish, point_webhooks
from tests.whole.torture import FAULTS

LAUNCH = ("-m", "tests.torture.launch")
REST_SECONDS = 180.0
SMALL_DISK = "160m"
HOUR = 180.0
"""A provider's hour of failures, after which it unsubscribes the desk; twenty times shorter here."""
KILLS = {"kill web": 3.0, "kill web at a 200": 4.0, "kill web while starting": 3.0}
SERVER_KILLS = {**KILLS, "kill worker": 4.0, "kill database": 4.0, "kill everything": 1.0}


@dataclass
class Plan:
    """How much of what."""

    deliveries: int
    kills: int
    """How many ends of something are played first; 0: whatever is drawn."""
    seconds: float
    """After which no new fault begins, however few there were."""
    weights: dict[str, float]
    rate: float
    pace: float = 0.25
    faulty: bool = False
    """Whether clocks, COMMITs and jobs are told to fail, and PostgreSQL has a second web process."""
    calm: bool = False
    """Whether nothing is broken: then PostgreSQL has a second web process too, and no write may deadlock."""
    answerable: int = ANSWERABLE
    """Customers of each shop that agents answer."""
    rest: float = REST_SECONDS
    """Seconds the desk has to come to rest; one that is broken on purpose may never do so."""
    meanwhile: bool = False
    """Whether customers write until the last fault and no longer, so that every fault meets somebody."""

    def only(self, kinds: Sequence[str]) -> Plan:
        """Return this plan with no other faults than *kinds*, drawn by their weights from the start.

        :raises SystemExit: if it has none of them.
        """
        weights = {kind: weight for kind, weight in self.weights.items() if kind in kinds}
        if not weights:
            raise SystemExit(
                f"none of {', '.join(kinds)} is played here; there are: {', '.join(self.weights)}"
            )
        return replace(self, weights=weights, kills=0)


@dataclass
class Outcome:
    """What came of one lane."""

    name: str
    seed: int
    found: Found
    deliveries: int
    events: int
    redelivered: int
    counts: dict[str, int]
    seconds: float
    notes: list[str] = field(default_factory=list)


@contextmanager
def own_server(kind: str) -> Iterator[Server]:
    """Yield a database server of the torture's own, running; remove it afterwards."""
    folder = server_folder()
    server = Server(kind, folder)
    try:
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Yield a sandbox that keeps its ledger in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = start_sandbox(folder / "ledger.jsonl")
    try:
        yield sandbox
    finally:
        sandbox.program.stop()
        finish(sandbox.program)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Have *folder* be a disk of its own that is soon full.

    :raises OSError: if this person may not mount one.
    """
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise OSError(made.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def furnished(kind: str, folder: Path, zips: dict[str, Path], *, disk: bool = False) -> Iterator[Desk]:
    """Yield a desk with two workspaces, three accounts and five people, which does not run yet.

    :param disk: whether its data is on a small disk of its own.
    """
    with ExitStack() as stack:
        if disk:
            stack.enter_context(small_disk(folder / "data"))
        sandbox = stack.enter_context(own_sandbox(folder))
        desk = Desk(folder, sandbox, settings={"LOBBY_THREADS": "16"}, command=LAUNCH)
        desk.to_provider = Proxy(("127.0.0.1", int(sandbox.url.rpartition(":")[2])))
        stack.callback(desk.close)
        if kind != "sqlite":
            desk.server = stack.enter_context(own_server(kind))
            desk.to_database = Proxy(("127.0.0.1", desk.server.port))
            desk.workers = 1
            desk.settings["LOBBY_WORKERS"] = "0"
            desk.broker, lacking = brokers.of(kind, folder)
            if desk.broker is not None:
                stack.callback(desk.broker.close)
                desk.broker.start()
                desk.broker.wait()
            elif lacking:
                desk.notes.append(lacking)
        made = furnish(desk, zips["0.9.0"])
        desk.homes = made["workspaces"]
        yield desk
        desk.stop()


def releases(folder: Path) -> dict[str, Path]:
    """Build the two releases the traffic goes through."""
    folder.mkdir(parents=True, exist_ok=True)
    return {version: addon(version, folder) for version in ("0.9.0", "1.0.0")}


def play(desk: Desk, name: str, plan: Plan, seed: int, zips: dict[str, Path]) -> Outcome:
    """Start *desk*, pour, break, come to rest; return what was found."""
    began = time.monotonic()
    desk.faulty = plan.faulty
    if (plan.faulty or plan.calm) and desk.kind == "postgresql":
        desk.second_port = free_port()
    desk.start()
    for app in (APP_ID, SECOND_APP_ID):
        desk.control("PATCH", f"apps/{app}", {"retry_seconds": [0.8] * 400, "disable_after": HOUR})
    point_webhooks(desk)
    people = People(desk, seed, desk.homes, plan.pace, plan.answerable)
    pens = people.prepare()
    strangers = [
        (shop, f"10277{number}{position:011}")
        for number, shop in enumerate((POTTERY, STUDIO, CAFE))
        for position in range(60)
    ]
    nemesis: Nemesis

    def calm() -> bool:
        return nemesis.calm()

    provider = Provider(
        desk.webhooks,
        (POTTERY, STUDIO, CAFE),
        pens + strangers,
        Ledger(desk.folder / "provider.jsonl"),
        seed,
        plan.rate,
        calm,
        most=plan.deliveries,
    )
    nemesis = Nemesis(desk, provider, seed, zips)
    weights = dict(plan.weights)
    if desk.broker is None:
        weights.pop("kill broker", None)
    for number, fault in enumerate(() if plan.calm else FAULTS):
        desk.control("POST", "faults", {**fault, "seed": seed + number})
    scene = Scene(desk, provider, people, nemesis)
    marks = [("began", time.monotonic() - began)]
    provider.begin()
    people.begin()
    try:
        if plan.calm:
            until(lambda: provider.exhausted or provider.trouble, "the calm hour", plan.seconds * 2)
        else:
            nemesis.play(weights, kills=plan.kills, until=began + plan.seconds)
        desk.start()
        before = resources(desk.processes())
        marks.append(("broken", time.monotonic() - began))
        if plan.meanwhile:
            provider.hush()
        provider.rate = 0.0
        until(lambda: provider.exhausted or provider.trouble, "the rest being brought", REST_SECONDS)
    finally:
        marks.append(("poured", time.monotonic() - began))
        people.end()
    desk.control("DELETE", "faults")
    marks.append(("people gone", time.monotonic() - began))
    bring_to_rest(scene, plan.rest)
    marks.append(("at rest", time.monotonic() - began))
    after = resources(desk.processes())
    provider.end()
    provider.ledger.close()
    found = examine(scene)
    if plan.calm and found.figures["writes undone, deadlock"]:
        found.blame("I11", f"{found.figures['writes undone, deadlock']} deadlocks, and nothing was broken")
    if nemesis.commits_cut:
        found.figures["lines cut at a COMMIT"] = nemesis.commits_cut
    _plateau(before, after, found)
    figures = provider.figures
    return Outcome(
        name,
        seed,
        found,
        figures.taken,
        figures.events,
        figures.redelivered,
        dict(nemesis.counts),
        time.monotonic() - began,
        [*desk.notes, ", ".join(f"{name} after {seconds:.0f} s" for name, seconds in marks)],
    )


def bring_to_rest(scene: Scene, seconds: float) -> None:
    """Wait until everything was taken and nothing is under way; what does not come to rest is found later."""
    desk, provider = scene.desk, scene.provider
    provider.hush()
    until(lambda: provider.open == 0, "every delivery being taken", REST_SECONDS)

    def unanswered() -> set[str]:
        entries = read_ledger(desk.ledger)
        missing = set(written(entries))
        for one in entries:
            if one["kind"] == "webhook" and one["status"] == 200:
                missing.difference_update(one["mids"])
        return missing

    def busy() -> bool:
        return not desk.control("POST", "wait", {"timeout": 5})["idle"]

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (busy() or unanswered() or any(_open(desk))):
        time.sleep(0.3)


def _open(desk: Desk) -> Sequence[Any]:
    return [
        desk.value("SELECT COUNT(*) FROM inbound_events WHERE state = 'pending'"),
        desk.value("SELECT COUNT(*) FROM outbox WHERE open"),
        desk.value("SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'sending')"),
        len(spooled(desk)),
    ]


def _plateau(before: dict[str, int], after: dict[str, int], found: Found) -> None:
    """I10: what was poured after the last fault left the processes no larger than it found them."""
    room = {"threads": 40, "files": 120, "memory": 150 * 1024}
    for name, most in room.items():
        if after[name] > before[name] + most:
            found.blame("I10", f"{name} grew from {before[name]} to {after[name]} without a fault")
    found.figures |= {"threads at rest": after["threads"], "files at rest": after["files"]}
    found.figures["memory at rest, MB"] = after["memory"] // 1024
