"""A call into an addon takes no longer than its budget, wherever it hangs."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import call_budget, db, marks
from host.core.call_budget import HungCallError, watched
from host.core.call_budget.threads import ReplaceableThread, ReplacingPool
from host.models.users import InstallationValue
from tests import calling_watch
from tests.hanging import Hang, hanging

PARSE, OTHER = "parse", "send"


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    with hanging(tmp_path, monkeypatch, PARSE) as found:
        found.fuse.touch()
        yield found


def loop() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001 - as an addon may
            pass


def test_a_loop_is_ended_where_it_is(hang: Hang) -> None:
    told: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
    call_budget.watch(lambda call, where: told.put((call.slug, call.what, where)))

    def call() -> None:
        with watched("toy", "1.0.0", PARSE):
            loop()

    pool = ReplacingPool(1)
    with pytest.raises(HungCallError, match=r"parse had not returned after 0\.2 s"):
        pool.submit(call).result(60)
    assert pool.submit(int).result(60) == 0, "its thread goes on"
    assert not call_budget.are_stuck()
    slug, what, where = told.get(timeout=60)
    assert (slug, what) == ("toy", "parse")
    assert "in loop" in where
    assert told.empty()


def in_call(hang: Hang, what: str = PARSE) -> None:
    with watched("toy", "1.0.0", what):
        hang()


def test_a_thread_that_cannot_be_ended_is_replaced_and_who_waits_is_told(hang: Hang) -> None:
    pool = ReplacingPool(1)
    with pytest.raises(HungCallError):
        pool.submit(in_call, hang).result(60)
    assert call_budget.are_stuck()
    assert pool.submit(int).result(60) == 0
    hang.let_go()
    assert pool.submit(int).result(60) == 0


def test_work_that_has_no_end_goes_on_in_another_thread(hang: Hang) -> None:
    threads: list[threading.Thread] = []
    ended = threading.Event()

    def work() -> None:
        threads.append(threading.current_thread())
        if len(threads) == 1:
            in_call(hang)
        ended.set()

    thread = ReplaceableThread(target=work, name="work")
    thread.start()
    assert ended.wait(60)
    thread.join(60)
    assert not thread.is_alive()
    assert threads[0].is_alive()
    hang.let_go()
    threads[0].join(60)
    assert len(threads) == 2


def put(session: sa.orm.Session, name: str) -> None:
    session.add(InstallationValue(name=name, value=""))


def names() -> list[str]:
    with db.read() as session:
        return list(
            session.scalars(sa.select(InstallationValue.name).where(InstallationValue.name.like("x%")))
        )


def test_what_its_session_wrote_is_rolled_back_and_the_next_writer_goes_ahead(
    any_database: db.Database, hang: Hang
) -> None:
    def write(session: sa.orm.Session) -> None:
        put(session, "x-lost")
        session.flush()
        in_call(hang)

    outcome: Future[None] = Future()

    def work() -> None:
        try:
            db.write(write)
        except BaseException as error:
            outcome.set_exception(error)
            raise

    pool = ReplacingPool(1)
    with pytest.raises(HungCallError):
        pool.submit(work).result(60)
    # The same row: on a server its lock has to be gone, too.
    db.write(put, "x-lost")
    hang.let_go()
    assert outcome.exception(60) is not None
    assert names() == ["x-lost"]
    db.write(put, "x-more")
    assert sorted(names()) == ["x-lost", "x-more"]
    calling_watch.found.clear()  # no addon is called inside a write otherwise


def test_a_call_that_writes_by_itself_writes_nothing_once_it_was_given_up(
    any_database: db.Database, hang: Hang
) -> None:
    said: list[BaseException] = []

    def write(session: sa.orm.Session) -> None:
        put(session, "x-lost")
        session.flush()
        hang()

    def call() -> None:
        with watched("toy", "1.0.0", PARSE):
            for fn in (write, lambda session: put(session, "x-late")):
                try:
                    db.write(fn)
                except BaseException as error:  # noqa: BLE001 - as rude as an addon may be
                    said.append(error)

    pool = ReplacingPool(1)
    with pytest.raises(HungCallError):
        pool.submit(call).result(60)
    hang.let_go()
    assert pool.submit(int).result(60) == 0
    assert len(said) == 2
    assert names() == []


def test_waiting_for_a_provider_is_not_counted(hang: Hang) -> None:
    began = threading.Event()

    def call() -> str:
        with watched("toy", "1.0.0", PARSE), marks.waiting():
            began.set()
            hang()
        return "done"

    answer = ReplacingPool(1).submit(call)
    assert began.wait(60)
    seen = time.monotonic()
    while time.monotonic() - seen < 0.5:  # over its budget by far
        call_budget.look()
    hang.fuse.unlink()
    with open(hang.pipe, "w"):
        pass
    assert answer.result(60) == "done"


def test_waiting_for_the_database_is_not_counted(database: db.Database, hang: Hang) -> None:
    held, done = threading.Event(), threading.Event()

    def hold(session: sa.orm.Session) -> None:
        held.set()
        assert done.wait(60)

    def call() -> str:
        with watched("toy", "1.0.0", PARSE):
            db.write(put, "x")
        return "written"

    pool = ReplacingPool(2)
    holder = pool.submit(db.write, hold)
    assert held.wait(60)
    answer = pool.submit(call)
    seen = time.monotonic()
    while time.monotonic() - seen < 0.5:
        call_budget.look()
    done.set()
    holder.result(60)
    assert answer.result(60) == "written"


def test_the_event_loop_comes_back_even_from_a_sleep(hang: Hang, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_budget, "_signalled", False)
    call_budget.interrupt_main_thread()
    began = time.monotonic()
    with pytest.raises(HungCallError), watched("toy", "1.0.0", PARSE):
        time.sleep(60)
    assert time.monotonic() - began < 50
    with pytest.raises(HungCallError):
        in_call(hang)
    assert not call_budget.are_stuck()


def test_the_outermost_call_has_the_budget(hang: Hang) -> None:
    with watched("toy", "1.0.0", OTHER):
        seen = time.monotonic()
        with watched("toy", "1.0.0", PARSE):
            while time.monotonic() - seen < 0.5:
                call_budget.look()


INTERRUPTED = """
import sys, threading, time
from host.core import call_budget

call_budget.SECONDS = call_budget.LOOK_SECONDS = 0.05
call_budget.watch()

def hangs():
    try:
        with call_budget.watched("toy", "1", "panel"):
            while True:
                pass
    except call_budget.HungCallError:
        return

thread = threading.Thread(target=hangs)
thread.start()
thread.join()

def loop():
    for _ in range(10):
        pass

def trace(frame, event, arg):
    frame.f_trace_opcodes = True
    return trace

sys.settrace(trace)
loop()
sys.settrace(None)
print("ended")
"""


def test_nobody_looks_for_an_error_any_more_after_one_was_raised() -> None:
    """Where the interpreter still looks for one, it is slow, and a traced loop never ends."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "ended\n", done.stderr
