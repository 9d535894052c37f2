"""``python -m tests.torture.outages``: while the database comes and goes, every customer stays in order.

Several web processes, each with its own spool, receive the numbered messages of each customer, in turn. While
the database is away they keep them; once it is back, each message has to be applied after the one before.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from demo.processes import free_port
from tests.torture import lanes, report
from tests.torture.checks import Scene, examine
from tests.torture.desk import Desk
from tests.torture.isolation import CUSTOMERS, SETTLED_SECONDS, Writers, in_order
from tests.torture.lanes import Outcome, bring_to_rest
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.provider import Ledger, Provider
from tests.torture.proxy import Proxy
from tests.whole.rig import until
from tests.whole.shops import (
    ADMIN,
    APP_ID,
    CAFE,
    POTTERY,
    POTTERY_AGENT,
    SECOND_APP_ID,
    STUDIO,
    point_webhooks,
)

AWAY_SECONDS = (3.0, 9.0)
BACK_SECONDS = (3.0, 6.0)
"""Least and most seconds between what was written being there and the next outage."""
CLOCKS_SECONDS = 600.0
"""How far the clocks of web processes and workers are off, in opposite directions."""
MUTANT = "wait_for_no_spool"
"""The function of ``launch.py`` that makes a build which has to fail."""


WAYS = ("refused", "stalled", "full", "clocks", "disk")
FULL_SECONDS = 4.0
"""How long the disk is full before the database goes, and after it is back."""
NO_ROOM = re.compile(r"Only 0 MB are free where Lobby stores its files")
NO_FILES = re.compile(r"cannot store files right now")


@dataclass
class Outages:
    """Takes the database away from a desk, and measures how soon everything is there after it is back.

    :param way: ``refused``: connections are reset and refused; ``stalled``: nothing is passed on; ``full``:
        the server has no connection left; ``clocks``: it answers, and the clocks of the processes are wrong;
        ``disk``: connections are refused while the disk with the data folder is full, which has to be a small
        one. SQLite's statements fail instead.
    """

    desk: Desk
    writers: Writers
    seed: int
    way: str = "refused"
    settled: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def play(self, count: int) -> None:
        chance = random.Random(self.seed)
        for number in range(1, count + 1):
            time.sleep(chance.uniform(*BACK_SECONDS))
            self._away(chance.uniform(*AWAY_SECONDS))
            back = time.monotonic()
            try:
                until(lambda back=back: self._old(back) == 0, "what was written being there", SETTLED_SECONDS)
            except AssertionError as error:
                self.wrong.append(str(error))
            self.settled.append(time.monotonic() - back)
            print(f"{self.desk.kind}, outage {number}: there after {self.settled[-1]:.1f} s", flush=True)

    def _away(self, seconds: float) -> None:
        proxy = self.desk.to_database
        if proxy is None:
            with self.desk.failing("statements"):
                time.sleep(seconds)
        elif self.way == "full":
            with self._no_connection_left():
                time.sleep(seconds)
        elif self.way == "clocks":
            for name, off in (("web", CLOCKS_SECONDS), ("worker", -CLOCKS_SECONDS)):
                self.desk.set_clock(name, off)
            time.sleep(seconds)
            for name in ("web", "worker"):
                self.desk.set_clock(name, 0.0)
        elif self.way == "disk":
            with self._full_disk():
                self.wrong += self._untold()
                time.sleep(FULL_SECONDS)
                if left := self._old(time.monotonic() - FULL_SECONDS / 2):
                    self.wrong.append(f"{left} messages wait for room, and the database is there")
                answers = self.writers.provider.figures.answers
                refused = answers["503"]
                self._refused(proxy, seconds)
                if answers["503"] == refused:
                    self.wrong.append("no webhook was answered 503, so nothing is proved")
                time.sleep(FULL_SECONDS)
        elif self.way == "stalled":
            proxy.stalled = True
            time.sleep(seconds)
            proxy.heal()
        else:
            self._refused(proxy, seconds)

    def _refused(self, proxy: Proxy, seconds: float) -> None:
        proxy.refuse()
        time.sleep(seconds)
        proxy.heal()

    @contextmanager
    def _full_disk(self) -> Iterator[None]:
        """Take all the room there is where the desk's files are."""
        filler = self.desk.data / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 10):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            try:
                yield
            finally:
                filler.unlink()

    def _untold(self) -> list[str]:
        """Return what is not said of the full disk: on Health, and to an agent who attaches a file."""
        health = self.desk.person(ADMIN).session.get(f"{self.desk.url}/admin/health", timeout=10).text
        wrong = [] if NO_ROOM.search(health) else ["Health does not say that there is no room"]
        person = self.desk.person(POTTERY_AGENT)
        person.open("/account")
        answer = person.session.post(
            f"{self.desk.url}/w/{self.desk.homes['Pottery']}/uploads",
            data={"csrf_token": person.forms[-1].values["csrf_token"]},
            files={"file": ("cup.txt", b"blue " * 4000, "text/plain")},
            headers={"Accept": "application/json"},
            timeout=30,
        )
        if answer.status_code != 503 or not NO_FILES.search(answer.text):
            wrong.append(f"whoever attaches a file is told {answer.status_code} {answer.text[:300]}")
        return wrong

    @contextmanager
    def _no_connection_left(self) -> Iterator[None]:
        """Take every connection that the server still has, as a program that leaks them does."""
        assert self.desk.server is not None
        engine = sa.create_engine(self.desk.server.url, poolclass=sa.pool.NullPool)
        with ExitStack() as taken:
            with suppress(sa.exc.OperationalError):
                while True:
                    taken.enter_context(engine.connect())
            yield
        engine.dispose()

    def _old(self, back: float) -> int:
        return sum(one.visible is None for one in self.writers.between(0.0, back))


def play(
    desk: Desk, name: str, count: int, seed: int, *, webs: int = 2, way: str = "refused", mutant: str = ""
) -> Outcome:
    """Take the database away from a furnished *desk* *count* times; return what was found.

    :param webs: how many web processes receive; on SQLite, one.
    :param way: in which way it goes, see :class:`Outages`.
    :param mutant: what ``launch.py`` does to the desk.
    """
    began = time.monotonic()
    server = desk.server is not None
    desk.faulty = not server or way == "clocks"
    desk.workers = 2 if server else 0
    desk.other_ports = [free_port() for _ in range(webs - 1)] if server else []
    desk.settings |= {"TORTURE_DELAYS": "as delivered", "TORTURE_MUTANT": mutant}
    desk.start()
    for app in (APP_ID, SECOND_APP_ID):
        desk.control("PATCH", f"apps/{app}", {"retry_seconds": [0.8] * 400, "disable_after": 3600.0})
    point_webhooks(desk)
    people = People(desk, seed, desk.homes, 1.2)
    people.prepare()
    shops = (POTTERY, STUDIO, CAFE)
    customers = [
        (shop, f"10299{number}{position:011}")
        for number, shop in enumerate(shops)
        for position in range(CUSTOMERS)
    ]
    ledger = Ledger(desk.folder / "provider.jsonl")
    nemesis: Nemesis

    def calm() -> bool:
        return nemesis.calm()

    provider = Provider(desk.webhooks, shops, customers, ledger, seed, 0.0, calm, most=0)
    nemesis = Nemesis(desk, provider, seed)
    writers = Writers(desk, provider, customers, seed, addresses=desk.webhooks)
    played = Outages(desk, writers, seed, way)
    writers.begin()
    try:
        with nemesis._window("database away"):
            played.play(count)
    finally:
        writers.end()
    scene = Scene(desk, provider, people, nemesis)
    bring_to_rest(scene, 180.0)
    provider.end()
    ledger.close()
    found = examine(scene)
    for sentence in (*played.wrong, *writers.trouble):
        found.blame("I12", sentence)
    for sentence in in_order(writers, desk):
        found.blame("I3", sentence)
    longest = max(played.settled, default=0.0)
    note = f"{count} outages with {len(desk.webhooks)} web processes: all there after {longest:.1f} s at most"
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
        [*desk.notes, note],
    )


def verdict(outcome: Outcome) -> str:
    """Return what is wrong with the proof if the broken build kept the order; empty: it did not."""
    return "" if outcome.found.broken["I3"] else f"{MUTANT}: nobody was out of order, so nothing is proved"


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.outages", description=__doc__)
    parser.add_argument("--kind", default="postgresql", choices=("sqlite", "postgresql", "mariadb"))
    parser.add_argument("--outages", type=int, default=30)
    parser.add_argument("--webs", type=int, default=2)
    parser.add_argument("--way", default="refused", choices=WAYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", action="store_true", help="a build that waits for no spool")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="lobby-outages-") as folder:
        zips = lanes.releases(Path(folder) / "zips")
        disk = arguments.way == "disk"
        with lanes.furnished(arguments.kind, Path(folder) / "desk", zips, disk=disk) as desk:
            mutant = MUTANT if arguments.broken else ""
            name = f"{arguments.kind}, outages"
            outcome = play(
                desk,
                name,
                arguments.outages,
                arguments.seed,
                webs=1 if disk else arguments.webs,
                way=arguments.way,
                mutant=mutant,
            )
    print(report.table([outcome], {}))
    if arguments.broken:
        wrong = verdict(outcome)
        print(wrong or "red, as it has to be")
        return int(bool(wrong))
    return int(outcome.found.red)


if __name__ == "__main__":
    sys.exit(main())
