"""An asynchronous loop that gives each event of the desk to a program, at least once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Any, Literal, Optional

from lobby_client._event import Event
from lobby_client._model import to_wire
from lobby_client._position import MOST_WAITING, TEMPORARY, WAIT_SECONDS, Position, pause_of, related
from lobby_client.errors import LobbyError
from lobby_client.events import AnyEvent, EventPage

Handler = Callable[[AnyEvent], Awaitable[None]]
OnError = Callable[[Exception, AnyEvent, int], Literal["retry", "skip"]]


@dataclass(frozen=True)
class _Failed:
    """How often an event failed, and when it is tried again."""

    attempts: int
    due: float


class Listener:
    """Gives events to a handler; see :meth:`lobby_client.AsyncLobby.events.listen`."""

    def __init__(
        self,
        fetch: Callable[..., Awaitable[EventPage]],
        handler: Handler,
        *,
        position: Optional[Position] = None,
        save: Optional[Callable[[Position], Awaitable[None]]] = None,
        continue_others: bool = False,
        on_error: Optional[OnError] = None,
        on_unreachable: Optional[Callable[[LobbyError, float], None]] = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        given = position or Position()
        self._fetch = fetch
        self._handler = handler
        self._cursor = given.cursor
        self._handled = [*given.handled]
        self._waiting: list[Any] = [Event.from_wire(one) for one in given.waiting]
        self._keep = save
        self._continue_others = continue_others
        self._on_error = on_error
        self._on_unreachable = on_unreachable
        self._sleep = sleep
        self._failed: dict[str, _Failed] = {}

    async def run(self) -> None:
        """Give events to the handler until something ends that."""
        while True:
            await self.turn()

    async def turn(self) -> None:
        """Handle what is due, and one page of events."""
        await self._retry()
        if len(self._waiting) >= MOST_WAITING:
            await self._sleep(self._seconds_left())
            return
        page = await self._page()
        handled = set(self._handled)
        for event in page.data:
            if event.id in handled:
                continue
            if any(related(earlier, event) for earlier in self._waiting):
                self._waiting.append(event)
            else:
                await self._handle(event)
            self._handled.append(event.id)
            await self._save()
        self._cursor, self._handled = page.next, []
        await self._save()

    async def _page(self) -> EventPage:
        # A first answer comes at once: until its position is kept, a restart would begin anew.
        wait = 0 if self._cursor is None else ceil(self._seconds_left())
        attempt = 0
        while True:
            try:
                return await self._fetch(after=self._cursor, limit=200, wait=wait)
            except TEMPORARY as problem:
                if self._on_unreachable is not None:
                    self._on_unreachable(problem, pause_of(attempt))
                await self._sleep(pause_of(attempt))
            attempt += 1

    async def _retry(self) -> None:
        """Try the waiting events whose time has come, each after the earlier ones of its conversation."""
        for event in [*self._waiting]:
            earlier = self._waiting[: self._waiting.index(event)]
            failed = self._failed.get(event.id, _Failed(0, 0.0))
            if any(related(one, event) for one in earlier) or failed.due > monotonic():
                continue
            if await self._attempt(event, failed.attempts):
                self._failed.pop(event.id, None)
                self._waiting.remove(event)
                await self._save()
            else:
                self._put(event, failed.attempts + 1)

    async def _handle(self, event: AnyEvent) -> None:
        """Handle a new event: until that succeeds, or let it wait."""
        attempt = 0
        while not await self._attempt(event, attempt):
            if self._continue_others:
                self._waiting.append(event)
                self._put(event, attempt + 1)
                return
            await self._sleep(pause_of(attempt))
            attempt += 1

    async def _attempt(self, event: AnyEvent, earlier: int) -> bool:
        """Return whether the event is done with."""
        try:
            await self._handler(event)
        except Exception as error:  # noqa: BLE001 - whatever a program of somebody else raises
            return self._on_error is not None and self._on_error(error, event, earlier + 1) == "skip"
        return True

    def _put(self, event: AnyEvent, attempts: int) -> None:
        self._failed[event.id] = _Failed(attempts, monotonic() + pause_of(attempts - 1))

    def _seconds_left(self) -> float:
        """Return the seconds until an event is tried again, at most those a request may wait."""
        dues = [self._failed[one.id].due - monotonic() for one in self._waiting if one.id in self._failed]
        return max(0.0, min([WAIT_SECONDS, *dues]))

    async def _save(self) -> None:
        if self._keep is not None:
            waiting: list[dict[str, Any]] = [to_wire(event) for event in self._waiting]
            await self._keep(Position(self._cursor, [*self._handled], waiting))
