"""Wake-ups between processes: a worker that never looks by itself does the work all the same."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pika
import pytest
import redis

from demo.processes import clean_environment
from host import counters
from host.cli import doctor
from host.core import clock, config, db, storage
from host.models.health import Kind
from host.models.inbox import DeliveryState
from host.queue import announcing, wakeups
from host.queue.announcing import Announcer
from host.queue.journal import Journal
from host.sdk.cards import Finding, Verdict
from tests.conftest import POSTGRESQL, _use, fresh_server_database, missing
from tests.delivery.desk import Desk, envelope
from tests.health import pretend
from tests.wire import Wire

PATIENCE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class FakeBroker:
    """Keeps what it is told, and fails while *problem* is set."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.alive = 0
        self.backlog = 0
        self.problem: Exception | None = None
        self.gate: threading.Event | None = None

    def publish(self, direction: str) -> None:
        self._answer()
        self.published.append(direction)

    def waiting(self, _direction: str) -> int:
        self._answer()
        return self.backlog

    def keep_alive(self) -> None:
        self._answer()
        self.alive += 1

    def receive(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.gate is not None:
            self.gate.wait(PATIENCE)
        if self.problem is not None:
            raise self.problem


@pytest.fixture
def told() -> Iterator[tuple[FakeBroker, Announcer]]:
    fake = FakeBroker()
    announcer = Announcer(lambda: fake, ())
    announcer.start()
    until(lambda: fake.alive, "the first question")
    yield fake, announcer
    announcer.stop()


def test_many_wake_ups_become_few(
    told: tuple[FakeBroker, Announcer], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, announcer = told
    fake.gate = threading.Event()
    announcer.send_wakeup(wakeups.OUT)
    for _ in range(1000):
        announcer.send_wakeup(wakeups.IN)
        announcer.send_wakeup(wakeups.OUT)
    fake.gate.set()
    until(lambda: wakeups.IN in fake.published, "a wake-up")
    until(lambda: not announcer._wanted, "the rest")
    announcer.stop()
    assert len(fake.published) <= 4


def test_what_one_process_was_told_does_not_travel_on(told: tuple[FakeBroker, Announcer]) -> None:
    fake, _ = told
    here: list[str] = []
    stop = wakeups.listen(here.append)
    wakeups.wake_here(wakeups.IN)
    wakeups.wake(wakeups.OUT)
    stop()
    until(lambda: fake.published, "a wake-up")
    assert (here, fake.published) == ([wakeups.IN, wakeups.OUT], [wakeups.OUT])


def test_a_broker_that_hangs_keeps_nobody_waiting(told: tuple[FakeBroker, Announcer]) -> None:
    fake, _ = told
    fake.gate = threading.Event()
    for _ in range(1000):
        wakeups.wake(wakeups.IN)
    assert fake.published == []  # and we are here, although nothing was let through
    fake.gate.set()
    until(lambda: fake.published, "a wake-up")


def test_where_nobody_listens_few_wake_ups_are_left(
    told: tuple[FakeBroker, Announcer], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, announcer = told
    monkeypatch.setattr(announcing, "COUNT_EVERY_SECONDS", 0.0)
    fake.backlog = announcing.ENOUGH_WAITING
    announcer.send_wakeup(wakeups.IN)
    until(lambda: not announcer._wanted, "the announcement")
    fake.backlog -= 1
    announcer.send_wakeup(wakeups.OUT)
    until(lambda: fake.published, "a wake-up")
    assert fake.published == [wakeups.OUT]


def test_a_broker_that_is_away_is_told_of_once(
    told: tuple[FakeBroker, Announcer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(announcing, "BACK_OFF_SECONDS", (0.001,))
    fake, announcer = told
    fake.problem = ConnectionError("away")
    announcer.send_wakeup(wakeups.IN)
    until(lambda: announcer._failures > 5, "a few tries")
    fake.problem = None
    until(lambda: "the broker answers again" in caplog.text, "the return")
    assert caplog.text.count("the broker does not answer") == 1
    announcer.send_wakeup(wakeups.IN)
    until(lambda: fake.published, "a wake-up")


@pytest.mark.parametrize("url", ["kafka://x", "amqp://", "redis://h:99999", "guest:pw@host"])
def test_a_broker_that_cannot_be_one_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(config.ConfigError, match="LOBBY_BROKER_URL cannot be used") as refused:
        config.load({"LOBBY_BROKER_URL": url})
    assert "pw" not in str(refused.value)


def test_two_questions_make_one_installation(database: db.Database) -> None:
    first = counters.installation()
    counters.reset()
    assert counters.installation() == first


# With brokers and processes


@pytest.fixture
def desk(migrated_postgresql: str, tmp_path: Path) -> Iterator[Desk]:
    for url in fresh_server_database(POSTGRESQL, f" TEMPLATE {migrated_postgresql}"):
        for _ in _use(url):
            storage.use(storage.FolderStore(tmp_path / "attachments"))
            yield Desk()


REDIS = "redis://127.0.0.1:6379/0"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/%2F"


@pytest.fixture(params=["redis", "rabbitmq"])
def wire(request: pytest.FixtureRequest, desk: Desk) -> Iterator[tuple[Wire, str]]:
    """A line to the broker, and the broker's address at its near end."""
    real = REDIS if request.param == "redis" else RABBITMQ
    broker = announcing.connect(real)
    try:
        broker.keep_alive()
    except Exception:  # noqa: BLE001 - each client has errors of its own
        missing(str(request.param))
    finally:
        broker.close()
    port = 6379 if request.param == "redis" else 5672
    wire = Wire(port)
    yield wire, real.replace(str(port), str(wire.port))
    wire.close()
    _clean(f"lobby-{counters.installation():012x}", request.param)


def _clean(name: str, kind: str) -> None:
    if kind == "redis":
        client: Any = redis.Redis.from_url(REDIS)
        found = client.keys(f"lobby:*{name}*")
        if found:
            client.delete(*found)
        client.close()
        return
    connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ))
    channel = connection.channel()
    for direction in (wakeups.IN, wakeups.OUT):
        for ending in ("", ".DQ", ".XQ"):
            channel.queue_delete(f"{name}-{direction}{ending}")
    connection.close()


class Listener:
    """The other process."""

    def __init__(self, broker: str, folder: Path) -> None:
        self._woken = {wakeups.IN: 0, wakeups.OUT: 0}
        url = db.current().url.render_as_string(hide_password=False)
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.delivery.listener", url, broker, str(folder)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self._ready.is_set() or not self._reader.is_alive(), "the other process starting")
        assert self._ready.is_set()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("woken "):
                self._woken[line.split()[1]] += 1  # maybe before it is ready: the broker tells it at once
            elif line == "ready\n":
                self._ready.set()

    def woken(self, direction: str) -> int:
        return self._woken[direction]

    def look(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("look\n")
        self.process.stdin.flush()

    def close(self) -> int:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        ended = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self._reader.join(PATIENCE)  # to the end of what it said
        self.process.stdout.close()
        return ended


@pytest.fixture
def other(wire: tuple[Wire, str], tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(wire[1], tmp_path / "attachments")
    yield listener
    assert listener.close() == 0


@pytest.fixture
def journal(wire: tuple[Wire, str], tmp_path: Path) -> Iterator[Journal]:
    """The taking in of a process that has no workers, and tells those that have."""
    announcer = Announcer(lambda: announcing.connect(wire[1]), ())
    journal = Journal(tmp_path / "spool")
    announcer.start()
    journal.start()
    yield journal
    journal.stop()
    announcer.stop()


def receive(desk: Desk, journal: Journal, mid: str) -> None:
    one = envelope(desk.account.id, mid)
    journal.ingest(source="/hook", channel="email", raw=one.body, remote="", envelopes=[one])


@pytest.mark.slow
@pytest.mark.services
def test_another_process_works_because_it_was_told(desk: Desk, journal: Journal, other: Listener) -> None:
    receive(desk, journal, "hello")
    until(lambda: "hello" in desk.texts(), "the event being applied")
    message = desk.reply("hi", desk.customer_wrote("bert"), contact="bert")
    until(lambda: desk.state(message) == DeliveryState.SENT, "the reply being sent")
    until(lambda: other.woken(wakeups.IN) and other.woken(wakeups.OUT), "both being said")


def test_what_is_heard_of_the_broker_is_kept_with_since_when(told: tuple[FakeBroker, Announcer]) -> None:
    fake, announcer = told

    def heard(*, answers: bool) -> datetime:
        until(lambda: announcer.heard is not None and announcer.heard.answers == answers, "hearing it")
        assert announcer.heard is not None
        return announcer.heard.since

    first = heard(answers=True)
    fake.problem = OSError("away")
    announcer.send_wakeup(wakeups.IN)
    away = heard(answers=False)
    assert away > first
    fake.problem = None
    assert heard(answers=True) > away
    alive = fake.alive
    back = heard(answers=True)
    announcer.send_wakeup(wakeups.IN)
    until(lambda: fake.published or fake.alive > alive, "another answer")
    assert heard(answers=True) == back, "since the first of its answers"


@pytest.mark.services
def test_the_doctor_asks_the_broker_and_tells_no_password(
    desk: Desk, wire: tuple[Wire, str], data: Path
) -> None:
    line, url = wire
    settings = {
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": db.current().url.render_as_string(hide_password=False),
        "LOBBY_BROKER_URL": url,
    }

    def found() -> Finding:
        lines = doctor.examine(config.load(settings), accounts=False)
        return next(line.finding for line in lines if line.finding.name == "broker")

    assert found().verdict is Verdict.PASS
    db.write(pretend.process, "a", Kind.WORKER, machine="m2", pid=12, broker="away", broker_since=clock.now())
    before = found()
    assert before.verdict is Verdict.FAIL
    assert f"does not answer m2:12 since {clock.now():%Y-%m-%d}" in before.evidence
    line.cut()
    after = found()
    assert after.verdict is Verdict.FAIL
    assert "LOBBY_BROKER_URL" in after.fix
    assert "guest:" not in after.evidence


@pytest.mark.services
@pytest.mark.slow
def test_without_its_broker_everything_goes_on_later_and_with_it_at_once_again(
    desk: Desk, journal: Journal, other: Listener, wire: tuple[Wire, str]
) -> None:
    line, _ = wire
    receive(desk, journal, "before")
    until(lambda: "before" in desk.texts(), "the event being applied")
    line.cut()
    receive(desk, journal, "meanwhile")
    message = desk.reply("hi", desk.customer_wrote("bert"), contact="bert")
    other.look()
    until(lambda: "meanwhile" in desk.texts(), "the event being applied")
    until(lambda: desk.state(message) == DeliveryState.SENT, "the reply being sent")
    line.mend()

    def told_again() -> bool:
        # A wake-up may be lost while both ends still connect, so one message is not enough to ask for.
        receive(desk, journal, f"after {clock.monotonic()}")
        time.sleep(0.2)
        return any(text.startswith("after") for text in desk.texts())

    until(told_again, "an event being applied without anybody looking")


@pytest.mark.services
@pytest.mark.slow
def test_a_broker_that_answers_nothing_holds_up_no_write(
    desk: Desk, journal: Journal, other: Listener, wire: tuple[Wire, str]
) -> None:
    line, _ = wire
    line.hang()
    for number in range(20):
        receive(desk, journal, f"m{number}")
    other.look()
    until(lambda: len(desk.texts()) == 20, "the events being applied")
    line.mend()
    line.cut()  # what hung is not believed any more
    line.mend()

    def told_again() -> bool:
        receive(desk, journal, f"after {clock.monotonic()}")
        time.sleep(0.2)
        return any(text.startswith("after") for text in desk.texts())

    until(told_again, "an event being applied without anybody looking")
