"""What goes wrong while customers write and agents answer, one thing after another, drawn from a seed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from tests.live.test_nginx import nginx
from tests.torture import powerloss
from tests.torture.callers import Asking, Slow
from tests.torture.desk import Desk, Stopped, family
from tests.torture.provider import Provider
from tests.torture.proxy import Proxy

JUMPS = (120.0, 3600.0)
"""Seconds a clock is off by, forwards or backwards."""
SETTLING = 6.0
"""Seconds after a fault in which its echo may still be heard."""
PROGRESS_SECONDS = 60.0
ASLEEP = 6.0
"""Longer than a lease lasts, and than a transaction may stand still (``tests/whole/quick_desk.py``)."""
UNDONE = 20.0
"""Seconds after which a desk that does not go on has stopped."""


@dataclass
class Nemesis:
    """Plays faults on one desk until there were enough of them or the time is up."""

    desk: Desk
    provider: Provider
    seed: int
    zips: dict[str, Path] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    forgotten: int = 0
    """Bytes that were written, never synced, and lost with the power."""
    commits_cut: int = 0
    """Lines to the database that were cut at a COMMIT."""
    _calm_from: float = 0.0
    _playing: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} nemesis")

    def calm(self) -> bool:
        """Tell whether nothing is being played, and the last fault is some time ago."""
        return not self._playing and time.monotonic() > self._calm_from

    @property
    def kills(self) -> int:
        return sum(count for kind, count in self.counts.items() if _ends_something(kind))

    @property
    def faults(self) -> int:
        return self.counts.total()

    def play(self, weights: dict[str, float], *, kills: int, until: float) -> None:
        """Play faults, but begin none after *until* (of ``time.monotonic``).

        :param kills: so many ends of something, and between them each other kind once, those of more weight
            first; 0: every kind once, in such an order, then whatever is drawn.
        """
        self._see_progress(min(until, time.monotonic() + PROGRESS_SECONDS))
        for kind in self._drawn(weights, kills):
            if time.monotonic() > until:
                return
            with self._window(kind):
                self.cause(kind)
                self.desk.start()
            self._see_progress(min(until + 20, time.monotonic() + PROGRESS_SECONDS))

    def cause(self, kind: str) -> None:
        """Play one fault, to its end; a process it killed stays away."""
        getattr(self, "_" + kind.replace(" ", "_"))()

    def _drawn(self, weights: dict[str, float], kills: int) -> Iterator[str]:
        kinds = list(weights)
        ends = [one for one in kinds if _ends_something(one)]
        others = [one for one in kinds if not _ends_something(one)]
        self._chance.shuffle(others)
        others.sort(key=weights.__getitem__)
        if kills:
            while others or self.kills < kills:
                if self.kills < kills:
                    yield self._chance.choices(ends, [weights[one] for one in ends])[0]
                if others:
                    yield others.pop()
            return
        yield from self._chance.sample(kinds, len(kinds))
        while True:
            yield self._chance.choices(kinds, list(weights.values()))[0]

    @contextmanager
    def _window(self, kind: str) -> Iterator[None]:
        self._playing = True
        try:
            yield
            self.counts[kind] += 1
        finally:
            self._calm_from = time.monotonic() + SETTLING
            self._playing = False

    def _see_progress(self, deadline: float) -> None:
        """Let the desk do some work between two faults, however slow the machine is."""
        before = self.provider.figures.taken
        while self.provider.figures.taken < before + 15 and time.monotonic() < deadline:
            if not self.provider.open and self.provider.exhausted:
                return
            time.sleep(0.01)

    def _moment(self, longest: float = 0.6) -> None:
        time.sleep(self._chance.uniform(0.0, longest))

    def _last(self, least: float, most: float) -> None:
        """Let a fault last."""
        time.sleep(self._chance.uniform(least, most))

    # The desk's own processes

    def _kill_web(self) -> None:
        self._moment()
        self.desk.kill()

    def _kill_web_at_a_200(self) -> None:
        """Cut the power in the moment a 200 was read: what was answered has to be there."""
        assert self.desk.program is not None
        group = self.desk.program.process.pid
        struck = threading.Event()

        def strike() -> None:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            struck.set()

        self._moment(0.3)
        self.provider.ambush = strike
        struck.wait(5)
        self.provider.ambush = None
        self.desk.kill()

    def _kill_web_while_starting(self) -> None:
        """Cut the power, and once or twice again before the desk stands."""
        self.desk.kill()
        self.counts["kill web"] += 1
        again = self._chance.randint(1, 2)
        for _ in range(again):
            self.desk.start_and_kill(self._chance.uniform(0.1, 0.9))
        self.counts["kill web while starting"] += again - 1  # the last one is counted as every fault is

    def _power_cut(self) -> None:
        """End the desk and forget what it had not synced."""
        self._moment()
        self.desk.kill()
        self.forgotten += powerloss.forget(self.desk.data, self.desk.folder / "unsynced")

    def _kill_at_a_chore(self) -> None:
        """Cut off whoever has just begun to clean up or to remove files."""
        begun = self.desk.begun_jobs()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (now := self.desk.begun_jobs()) == begun:
            time.sleep(0.001)
        self._moment(0.02)
        who = {name for name in now if now[name] != begun.get(name)}
        if "worker" in who and self.desk.helpers:
            self.desk.kill_worker()
        elif "second" in who:
            self.desk.kill_second()
        else:
            self.desk.kill()

    def _kill_second_web(self) -> None:
        self._moment()
        self.desk.kill_second()

    def _kill_worker(self) -> None:
        self._moment()
        self.desk.kill_worker(self._chance.randrange(len(self.desk.helpers)))

    def _kill_database(self) -> None:
        assert self.desk.server is not None
        self._moment()
        self.desk.server.kill()
        self._last(0.0, 1.0)
        self.desk.server.start()

    def _kill_broker(self) -> None:
        """Take away what only wakes: the database is looked at without it, too."""
        assert self.desk.broker is not None
        self._moment()
        self.desk.broker.kill()
        self._last(0.0, 2.0)
        self.desk.broker.start()  # RabbitMQ takes some ten seconds more, in which other things go wrong

    def _kill_everything(self) -> None:
        """Cut the power of the whole machine."""
        if self.desk.server is not None:
            self.desk.server.kill()
        while self.desk.helpers:
            self.desk.kill_worker()
        self.desk.kill_second()
        self.desk.kill()
        if self.desk.server is not None:
            self.desk.server.start()

    def _restart(self) -> None:
        self.desk.restart()

    def _stop_web(self) -> None:
        """Let the web process stand still for longer than a provider waits and a lease lasts."""
        with Stopped(self.desk.web()):
            self._last(4.5, 6.5)

    def _stop_worker(self) -> None:
        with Stopped([one.process.pid for one in self.desk.helpers]):
            self._last(4.5, 6.5)

    def _worker_asleep(self) -> None:
        """Have a worker sleep in a write until its server undoes it, then have it find that out."""
        if not self.desk.rest("worker", ASLEEP):
            self.trouble.append("no worker came to a write in which it was to sleep")
            return
        with self._others_work("a sleeping worker"):
            time.sleep(ASLEEP)

    def _worker_frozen(self) -> None:
        """Freeze a worker in the middle of a write, beside another one, for longer than a lease lasts."""
        self.desk.workers += 1
        try:
            self.desk.start()
            if not self.desk.rest("worker", ASLEEP):
                self.trouble.append("no worker came to a write in which it was to be frozen")
                return
            with Stopped([self.desk.helpers[0].process.pid]), self._others_work("a frozen worker"):
                time.sleep(ASLEEP)
        finally:
            self.desk.workers -= 1
            self.desk.kill_worker(len(self.desk.helpers) - 1)

    @contextmanager
    def _others_work(self, who: str) -> Iterator[None]:
        """Blame *who* if, at the end of the block, nothing more that came is applied."""
        yield
        applied = self._applied()
        deadline = time.monotonic() + UNDONE
        while self._applied() <= applied and not self._nothing_comes():
            if time.monotonic() > deadline:
                self.trouble.append(f"{who} stopped everybody's inbound")
                return
            time.sleep(0.1)

    def _applied(self) -> int:
        with suppress(sa.exc.DBAPIError):
            return int(self.desk.value("SELECT COUNT(*) FROM inbound_events WHERE state = 'applied'"))
        return 0

    def _nothing_comes(self) -> bool:
        return self.provider.exhausted and not self.provider.open

    def _row_held(self) -> None:
        """Hold the conversation of one customer, as somebody does who forgot a transaction at a prompt."""
        held = self.desk.value("SELECT MIN(id) FROM conversations")
        statement = f"SELECT id FROM conversations WHERE id = {held} FOR UPDATE"
        with self.desk.holding(statement, "somebody at a prompt"), self._others_work("a held row"):
            self._last(4.0, 6.0)

    def _stop_database(self) -> None:
        assert self.desk.server is not None
        with Stopped(family(self.desk.server)):
            self._last(3.5, 5.5)

    # Clocks

    @contextmanager
    def _clocks(self, *names: str) -> Iterator[None]:
        """Have the wall's clock of processes be wrong, each by a time of its own, and then right again."""
        way = self._chance.choice((1, -1))
        for number, name in enumerate(names):
            self.desk.set_clock(name, (way if number % 2 == 0 else -way) * self._chance.uniform(*JUMPS))
        try:
            yield
        finally:
            for name in names:
                self.desk.set_clock(name, 0.0)

    def _clock_of_web(self) -> None:
        with self._clocks("web"):
            self._last(2.0, 4.0)

    def _clock_of_worker(self) -> None:
        with self._clocks("worker"):
            self._last(2.0, 4.0)

    def _clocks_apart(self) -> None:
        """Let web and worker be wrong in opposite directions."""
        with self._clocks("web", "worker", "second"):
            self._last(2.0, 4.0)

    # Statements and COMMITs

    def _at_commits(self, how: str) -> None:
        """Cut the line at about every fifth COMMIT; with SQLite, which has none, have it fail."""
        if self.desk.to_database is None:
            with self.desk.failing(how):
                self._last(2.0, 3.0)
            return
        with self._line(self.desk.to_database) as line:
            line.at_commits = how
            self._last(2.0, 3.0)
        self.commits_cut += line.commits_cut
        line.commits_cut = 0

    def _commit_cut_before(self) -> None:
        self._at_commits("before")

    def _commit_cut_after(self) -> None:
        self._at_commits("after")

    def _statement_fails(self) -> None:
        with self.desk.failing("statement"):
            self._last(2.0, 3.0)

    # Lines

    @contextmanager
    def _line(self, proxy: Proxy | None) -> Iterator[Proxy]:
        assert proxy is not None
        try:
            yield proxy
        finally:
            proxy.heal()

    def _slow(self, proxy: Proxy | None) -> None:
        with self._line(proxy) as line:
            line.latency = self._chance.uniform(0.05, 0.4)
            self._last(2.5, 2.5)

    def _stall(self, proxy: Proxy | None) -> None:
        with self._line(proxy) as line:
            line.stalled = True
            self._last(3.5, 5.0)

    def _break(self, proxy: Proxy | None) -> None:
        with self._line(proxy) as line:
            line.most = self._chance.choice((400, 2_000, 20_000))
            self._last(2.5, 2.5)

    def _refuse(self, proxy: Proxy | None) -> None:
        with self._line(proxy) as line:
            line.refuse()
            self._last(1.0, 2.5)

    def _database_slow(self) -> None:
        self._slow(self.desk.to_database)

    def _database_stalled(self) -> None:
        self._stall(self.desk.to_database)

    def _database_reset(self) -> None:
        self._break(self.desk.to_database)

    def _database_refused(self) -> None:
        self._refuse(self.desk.to_database)

    def _provider_slow(self) -> None:
        self._slow(self.desk.to_provider)

    def _provider_stalled(self) -> None:
        self._stall(self.desk.to_provider)

    def _provider_reset(self) -> None:
        self._break(self.desk.to_provider)

    def _provider_failing(self) -> None:
        """Have the provider answer every call, whole and at once, that it fails for a moment."""
        rules = [
            {"call": call, "action": "error", "code": 2, "note": "burst"}
            for call in ("send", "conversations")
        ]
        made = [self.desk.control("POST", "faults", rule)["id"] for rule in rules]
        try:
            self._last(2.0, 4.0)
        finally:
            for one in made:
                self.desk.control("DELETE", f"faults/{one}")

    def _provider_refused(self) -> None:
        self._refuse(self.desk.to_provider)

    # Callers

    def _slow_connections(self) -> None:
        """Have hundreds of callers take their time, and see that deliveries are taken in all the while."""
        with Slow(("127.0.0.1", self.desk.port)) as slow:
            time.sleep(1.0)
            before = self.provider.figures.taken
            deadline = time.monotonic() + UNDONE
            time.sleep(2.0)
            while self.provider.figures.taken <= before and not self._nothing_comes():
                if time.monotonic() > deadline:
                    self.trouble.append(f"{slow.count} slow connections stopped the webhooks")
                    return
                time.sleep(0.1)

    def _rolling_restart(self) -> None:
        """Restart two web processes behind nginx, one after the other: whoever asks there sees no error."""
        folder = self.desk.folder / f"nginx-{self.counts['rolling restart']}"
        folder.mkdir()
        with nginx(folder, self.desk.port, self.desk.second_port) as front, Asking(front) as asking:
            for restart in (self.desk.restart, self.desk.restart_second):
                time.sleep(1.0)
                restart()
            time.sleep(1.0)
        if len(asking.answers) < 10 or set(asking.answers) - {200, 401}:
            seen = Counter(asking.answers).most_common()
            self.trouble.append(f"during a rolling restart behind nginx the answers were {seen}")

    # The addon

    def _addon_updated(self) -> None:
        """Put the newer release on the running desk, then have the older one back."""
        self.desk.lobby("addon", "install", str(self.zips["1.0.0"]))
        self.desk.lobby("addon", "activate", "instagram")
        self._moment(1.0)
        self.desk.lobby("addon", "rollback", "instagram")

    # The disk

    def _disk_full(self) -> None:
        """Fill the disk the data folder is on, for some seconds."""
        filler = self.desk.data / "filler"
        with filler.open("wb", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(b"\0" * 65536)
            self._last(2.0, 4.0)
        filler.unlink()


def _ends_something(kind: str) -> bool:
    return kind.startswith(("kill", "power"))
