"""The frames that wait for one browser: in order, once, and only so many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from host.core import clock
from host.live import events, stream
from host.live.events import SentEvents
from host.live.stream import BUFFER_BYTES, Batch, Stream, wake
from tests.helpers import on_a_loop


def batch(*frames: tuple[int, bytes]) -> Batch:
    return Batch.of([id_ for id_, _ in frames], [frame for _, frame in frames])


BEAT = batch((0, b": beat\n\n"))


async def attend(
    one: Stream, told: SentEvents | None = None, write: Callable[[bytes], bool] | None = None
) -> None:
    one.attend(told, write)


def opened() -> Stream:
    return Stream(1, 1, 1)


def test_frames_are_taken_once_and_in_order() -> None:
    one = opened()
    one.put(batch((1, b"a;"), (2, b"b;")))
    one.put(batch((3, b"c;")))
    assert one.take() == (b"a;b;c;", True)
    assert one.take() == (b"", True)


def test_what_was_told_as_missed_is_not_told_again() -> None:
    one = opened()
    one.put(batch((3, b"3;"), (4, b"4;"), (5, b"5;"), (6, b"6;")))
    on_a_loop(attend(one, SentEvents(frozenset({3, 5}))))
    assert one.take() == (b"4;6;", True)


def test_repeats_are_looked_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened()
    one.put(batch((3, b"3;")))
    on_a_loop(attend(one, SentEvents(frozenset({3}))))
    later = clock.monotonic() + events.LATE.total_seconds() + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert one.take() == (b"3;", True)


def test_only_the_first_of_what_waits_wakes() -> None:
    one = opened()
    assert one.put(batch((1, b"a")))
    assert not one.put(batch((2, b"b")))
    one.take()
    assert one.put(batch((3, b"c")))


def test_a_browser_too_slow_to_follow_is_cut_off() -> None:
    one = opened()
    frame = b"x" * 1000
    kept = 0
    while not one.put(batch((kept + 1, frame))) or not kept:
        kept += 1
    assert kept == BUFFER_BYTES // 1000
    assert not one.put(batch((kept + 2, frame)))
    frames, goes_on = one.take()
    assert (len(frames), goes_on) == (kept * 1000, False)


def test_an_end_comes_after_what_waits() -> None:
    one = opened()
    one.put(batch((1, b"last;")))
    one.end()
    one.end()
    assert not one.put(batch((2, b"late;")))
    assert one.take() == (b"last;", False)


def test_a_task_is_woken_by_any_thread() -> None:
    one = opened()

    async def attend() -> list[tuple[bytes, bool]]:
        one.attend()
        found = []
        for frame in (b"a", b"b"):
            threading.Thread(
                target=lambda frame=frame: wake([one] if one.put(batch((1, frame))) else [])
            ).start()
            await asyncio.wait_for(one.wait(), 60)
            found.append(one.take())
        threading.Thread(target=one.end).start()
        await asyncio.wait_for(one.wait(), 60)
        return [*found, one.take()]

    assert on_a_loop(attend()) == [(b"a", True), (b"b", True), (b"", False)]


def test_what_came_before_the_task_wakes_it_at_once() -> None:
    early, ended = opened(), opened()
    early.put(batch((1, b"a")))
    ended.end()

    async def attend() -> list[bool]:
        early.attend()
        ended.attend()
        return [await asyncio.wait_for(one.wait(), 60) is None for one in (early, ended)]

    assert on_a_loop(attend()) == [True, True]


def test_many_are_woken_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WOKEN_AT_ONCE", 2)
    many = [opened() for _ in range(5)]
    between: list[int] = []

    async def attend() -> None:
        for one in many:
            one.attend()
        wake(one for one in many if one.put(batch((1, b"a"))))
        while sum([one._batches == [] for one in many]) < 5:
            await asyncio.sleep(0)
            awake = [one for one in many if one._ready is not None and one._ready.is_set()]
            between.append(len(awake))
            if len(awake) == 5:
                return

    on_a_loop(attend())
    assert {2, 4} <= set(between)


def test_only_a_task_that_takes_nothing_is_cut() -> None:
    attended, quiet = opened(), opened()

    async def attend() -> list[str]:
        told: list[str] = []
        for one in (attended, quiet):
            one.attend()
        for _ in range(4):
            assert attended.beat(BEAT)
            told.append(attended.take()[0].decode())
        stuck = asyncio.create_task(stand_still(quiet))
        await asyncio.sleep(0)
        assert [quiet.beat(BEAT) for _ in range(3)] == [True, False, False]
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(stuck, 60)
        return told

    async def stand_still(one: Stream) -> None:
        one.attend()
        await asyncio.sleep(60)

    assert on_a_loop(attend()) == [": beat\n\n"] * 4
    assert (attended.is_cut, quiet.is_cut) == (False, True)


def test_a_loop_that_has_ended_harms_nobody() -> None:
    one = opened()

    async def attend() -> None:
        one.attend()

    on_a_loop(attend())
    one.put(batch((1, b"a")))
    one.end()


def test_a_browser_that_keeps_up_is_written_to_without_its_task() -> None:
    one, written = opened(), []

    async def act() -> tuple[bytes, bool]:
        one.attend(SentEvents(frozenset({7})), lambda chunk: not written.append(chunk))
        for id_, frame in ((1, b"a;"), (2, b"b;")):
            assert one.put(batch((id_, frame)))
            one.wake_now()
        assert written == [b"2\r\na;\r\n", b"2\r\nb;\r\n"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.wait(), 0.01)
        one.put(batch((7, b"told;"), (8, b"new;")))
        one.wake_now()
        await asyncio.wait_for(one.wait(), 60)
        return one.take()

    assert on_a_loop(act()) == (b"new;", True)
    assert len(written) == 2


def test_what_a_browser_that_is_behind_gets_keeps_its_order() -> None:
    one, free, written = opened(), [True], []

    def write(chunk: bytes) -> bool:
        if free[0]:
            written.append(chunk)
        return free[0]

    async def act() -> tuple[bytes, bool]:
        one.attend(None, write)
        for id_, frame in ((1, b"a;"), (2, b"b;"), (3, b"c;")):
            free[0] = id_ != 2
            if one.put(batch((id_, frame))):
                one.wake_now()
        await asyncio.wait_for(one.wait(), 60)
        one.end()
        return one.take()

    assert on_a_loop(act()) == (b"b;c;", False)
    assert written == [b"2\r\na;\r\n"]
