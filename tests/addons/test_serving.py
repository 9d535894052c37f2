"""The application follows the generation, runs what runs beside requests, and outlives outages."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from host import counters
from host.addons import lifecycle
from host.addons.running import jobs
from host.addons.running.contributions import BLUEPRINTS
from host.addons.running.jobs import JobRunner
from host.core import clock, db
from host.core.filelock import SERVING, file_lock, is_served
from host.core.migrations import BusyError
from host.models.users import InstallationValue
from host.process import serving
from host.process.app import create_app
from host.process.serving import AlreadyServingError, HostApplication
from host.sdk.pages import Job
from tests.addons.conftest import MakeZip, another_process, configuration


def activate(desk: HostApplication, path: Path) -> None:
    lifecycle.install_file(desk.config, path)
    assert lifecycle.activate(desk.config, "toy", host=desk).ok


def test_an_unreachable_database_keeps_the_generation_serving(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(desk, toy_zip())
    before = desk.generation()

    def away() -> int:
        raise sa.exc.OperationalError("SELECT 1", {}, OSError("no route to host"))

    monkeypatch.setattr(counters, "generation", away)
    assert desk.generation() is before
    assert Client(desk).get("/addons/toy/about").status_code == 200


def test_a_generation_that_cannot_be_built_is_tried_again_later(
    desk: HostApplication, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = desk.generation()
    attempts: list[int] = []

    def broken(*_: Any) -> Any:
        attempts.append(1)
        raise RuntimeError("no memory")

    monkeypatch.setattr("host.process.serving.create_app", broken)
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    for _ in range(20):
        assert desk.generation() is before
    assert len(attempts) == 1
    assert "could not be built; the one before goes on" in caplog.text
    monkeypatch.setattr("host.process.serving.create_app", create_app)
    later = time.monotonic() + serving.RETRY_SECONDS
    monkeypatch.setattr(serving, "time", SimpleNamespace(monotonic=lambda: later))
    assert desk.generation().number == before.number + 1


@pytest.mark.slow
def test_an_addon_whose_pages_break_the_app_is_left_out(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(desk, toy_zip())

    def picky(config: Any, generation: Any, *services: Any) -> Any:
        if any(slug == "toy" for slug, _ in generation.each(BLUEPRINTS)):
            raise ValueError("endpoint taken")
        return create_app(config, generation, *services)

    monkeypatch.setattr("host.process.serving.create_app", picky)
    other = another_process(desk)
    assert other.generation().failures == {"toy": "Its pages could not be added."}
    assert other.generation().directory.keys == ()
    assert Client(other).get("/login").status_code == 200


def test_looking_at_the_counter_costs_next_to_nothing(desk: HostApplication) -> None:
    asked: list[str] = []

    def ask(*given: Any) -> None:
        asked.append(given[2])

    engine = db.current().read_engine
    desk.generation()
    sa.event.listen(engine, "before_cursor_execute", ask)
    try:
        started = time.perf_counter()
        for _ in range(10_000):
            desk.generation()
        took = time.perf_counter() - started
    finally:
        sa.event.remove(engine, "before_cursor_execute", ask)
    assert len(asked) <= 1 + took / 0.2, "the database is asked each 200 ms, not each time"


def test_who_writes_goes_on_with_what_it_began_with(desk: HostApplication) -> None:
    """A consumer asks for the directory inside its write; to follow a switch there takes a second write."""
    before = desk.generation()
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    assert db.write(lambda _: desk.generation()) is before
    assert desk.generation().number == before.number + 1


def test_requests_go_on_while_another_thread_builds(
    desk: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    building, go_on = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        building.set()
        assert go_on.wait(10)
        return create_app(*given)

    before = desk.generation()
    monkeypatch.setattr("host.process.serving.create_app", slow)
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    thread = threading.Thread(target=desk.generation)
    thread.start()
    assert building.wait(10)
    assert desk.generation() is before
    assert Client(desk).get("/login").status_code == 200
    go_on.set()
    thread.join()
    assert desk.generation().number == before.number + 1


def test_webhook_addresses(desk: HostApplication, toy_zip: MakeZip) -> None:
    activate(desk, toy_zip())
    addresses = {
        "/addons/toy/webhook": None,
        "/addons/toy/webhook/abc": "abc",
        "/webhooks/toy/abc": "abc",
        "/webhooks/toy/abc/": "abc",
    }
    for path, account in addresses.items():
        found = desk.generation().webhook(path)
        assert found is not None, path
        assert (found[0], found[1].path, found[2]) == ("toy", "webhook", account)
    others = (
        "/addons/toy /addons/toy/ /addons/toy/webhook/ /addons/toy/webhook/a/b /addons/toy/webhookx"
        " /addons/other/webhook /webhooks/toy /webhooks/toy/ /webhooks/toy/a/b /webhooks/other/a"
        " /webhooks//a /webhooks/toy/a// /webhooks/toy// //"
    )
    for path in [*others.split(), ""]:
        assert desk.generation().webhook(path) is None, path


# What runs beside requests


def test_starting_and_closing_leaves_no_thread(desk: HostApplication, toy_zip: MakeZip) -> None:
    before = {thread.name for thread in threading.enumerate()}
    desk.start()
    assert {"journal", "jobs", "live-hub"} <= {thread.name for thread in threading.enumerate()}
    desk.close()
    desk.close()
    assert {t.name for t in threading.enumerate() if t.is_alive()} <= before


def test_receivers_start_and_stop_with_their_generation(desk: HostApplication, toy_zip: MakeZip) -> None:
    desk.start()
    activate(desk, toy_zip())
    happened = desk.generation().releases["toy"].plugin.events.happened
    assert set(happened) - {"swept"} == {"listening"}
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert [one for one in happened if one != "swept"] == ["listening", "silent"]


@pytest.mark.slow
def test_a_receiver_that_cannot_start_does_not_stop_the_desk(desk: HostApplication, toy_zip: MakeZip) -> None:
    desk.start()
    activate(
        desk, toy_zip({"toy/events.py": lambda t: t.replace('note("listening")', "raise OSError('port')")})
    )
    assert Client(desk).get("/login").status_code == 200


def test_only_one_process_serves_a_file(desk: HostApplication) -> None:
    assert not is_served(desk.config)
    desk.start()
    assert is_served(desk.config)
    with pytest.raises(AlreadyServingError):
        another_process(desk).start()
    with pytest.raises(BusyError, match="stop it before migrating"):
        lifecycle.migrate_everything(desk.config)
    desk.close()
    assert not is_served(desk.config)


def test_the_lock_dies_with_its_process(desk: HostApplication) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with file_lock(desk.config.data / SERVING) as got:
            os.write(writing, b"1" if got else b"0")
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert os.read(reading, 1) == b"1"
    os.close(reading)
    os.close(writing)
    assert not is_served(desk.config)


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_on_a_database_server_many_processes_serve(any_desk: HostApplication) -> None:
    any_desk.start()
    other = another_process(any_desk)
    other.start()
    other.close()


def test_it_may_be_built_before_the_server_forks(database: db.Database, data: Path) -> None:
    desk = HostApplication(configuration(database, data))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            desk.start()
            code = 0 if Client(desk).get("/login").status_code == 200 else 2
            desk.close()
        finally:
            os.write(writing, str(code).encode())
            os._exit(code)
    _, status = os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert os.waitstatus_to_exitcode(status) == 0


# Jobs


@pytest.fixture
def runs() -> list[str]:
    return []


def runner(*found: Job) -> JobRunner:
    return JobRunner(lambda: [("toy", job) for job in found])


@pytest.mark.slow
def test_a_job_runs_at_once_and_then_as_often_as_it_says(any_database: db.Database, runs: list[str]) -> None:
    run = runner(Job("sweep", timedelta(hours=1), lambda: runs.append("x")))
    assert run.run_due() == 1
    assert run.run_due() == 0
    with clock.travel(timedelta(minutes=59)):
        assert run.run_due() == 0
    with clock.travel(timedelta(minutes=61)):
        assert run.run_due() == 1
    assert runs == ["x", "x"]


def test_processes_share_the_runs_of_a_job(any_database: db.Database, runs: list[str]) -> None:
    job = Job("sweep", timedelta(hours=1), lambda: runs.append("x"))
    barrier = threading.Barrier(4)

    def process() -> None:
        barrier.wait()
        runner(job).run_due()

    threads = [threading.Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == ["x"]


def test_a_job_that_fails_runs_again_the_next_time(
    database: db.Database, runs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        runs.append("x")
        raise ValueError("provider away")

    run = runner(
        Job("sweep", timedelta(hours=1), fail), Job("other", timedelta(hours=1), lambda: runs.append("y"))
    )
    assert run.run_due() == 2
    assert runs == ["x", "y"]
    assert "provider away" in caplog.text
    with clock.travel(timedelta(hours=2)):
        assert run.run_due() == 2


def test_a_job_whose_process_died_runs_again_after_an_hour(database: db.Database, runs: list[str]) -> None:
    job = Job("sweep", timedelta(minutes=1), lambda: runs.append("x"))
    assert db.write(jobs.claim, "toy", job, clock.now())
    run = runner(job)
    with clock.travel(timedelta(minutes=30)):
        assert run.run_due() == 0, "it counts as running"
    with clock.travel(timedelta(minutes=61)):
        assert run.run_due() == 1


def test_long_names_of_jobs_fit(database: db.Database, runs: list[str]) -> None:
    run = runner(Job("n" * 60, timedelta(hours=1), lambda: runs.append("x")))
    assert run.run_due() == 1
    assert run.run_due() == 0
    with db.read() as session:
        assert all(len(name) <= 64 for name in session.scalars(sa.select(InstallationValue.name)))


def test_the_jobs_of_active_addons_run_in_the_serving_process(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 0.02)
    desk.start()
    activate(desk, toy_zip())
    happened = desk.generation().releases["toy"].plugin.events.happened
    until(lambda: "swept" in happened)


def test_a_database_that_hangs_is_not_asked_by_every_request(
    desk: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def away() -> int:
        asked.append(1)
        raise sa.exc.OperationalError("SELECT 1", {}, OSError("timed out"))

    monkeypatch.setattr(counters, "generation", away)
    for _ in range(50):
        desk.generation()
    assert len(asked) == 1


def test_a_number_read_before_the_swap_does_not_undo_it(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may be filling the counters' memory with the old number while this one commits."""
    stale = counters.generation()
    monkeypatch.setattr(counters, "generation", lambda: stale)
    activate(desk, toy_zip())
    assert "toy" in desk.generation().directory.keys
    swapped = desk.generation()
    assert desk.generation() is swapped
