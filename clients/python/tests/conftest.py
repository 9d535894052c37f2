from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import host.process.features  # noqa: F401 - loads the features whose routes the document describes
import pytest
from clients.python.tests.standin import KEY, Answering, Reply, StandIn

from lobby_client import AsyncLobby, Lobby


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    """Start stand-ins for a desk."""
    started: list[StandIn] = []

    def start(*replies: Reply, answer: Answering | None = None) -> StandIn:
        started.append(StandIn(*replies, answer=answer))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep how long the client would wait before it tries again, and do not wait."""
    pauses: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await really(0)

    # Only the client's own: other threads of this process sleep too.
    monkeypatch.setattr("lobby_client._sync.http.time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr("lobby_client._async.http.asyncio", SimpleNamespace(sleep=sleep))
    return pauses


Calling = Callable[[Any], Any]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return what calls a client, of either kind: ``run(desk, lambda client: client.members.list())``."""

    def in_thread(desk: StandIn, call: Calling, **options: Any) -> Any:
        with Lobby(api_key=KEY, base_url=desk.url, **options) as client:
            found = call(client)
            return list(found) if inspect.isgenerator(found) else found

    async def in_loop(desk: StandIn, call: Calling, **options: Any) -> Any:
        async with AsyncLobby(api_key=KEY, base_url=desk.url, **options) as client:
            found = call(client)
            return [one async for one in found] if inspect.isasyncgen(found) else await found

    def run_loop(desk: StandIn, call: Calling, **options: Any) -> Any:
        # In a thread of its own: other tests of the process may leave a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, in_loop(desk, call, **options)).result()

    return in_thread if request.param == "sync" else run_loop
