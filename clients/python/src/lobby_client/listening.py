"""Deliver events to a program on this machine, as if they were the desk's webhooks.

Events are posted one after the other, each until it was taken. The place in a file is the one behind the last
event that was taken; what is posted again after a crash has the same id.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

import urllib3
from urllib3.exceptions import HTTPError

from lobby_client import webhooks
from lobby_client._sync.client import Lobby
from lobby_client.errors import (
    APIConnectionError,
    LobbyError,
    RateLimitedError,
    ServerError,
    UnreadableAnswerError,
)
from lobby_client.events import Event

PATIENCE_SECONDS = 15.0
"""How long the program may take to answer, as with the desk's own webhooks."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
WAIT_SECONDS = 25


@dataclass
class Place:
    """A listener's position in the events, and its signing secret.

    :param after: the cursor the present page was asked for with; None: nothing was asked yet.
    :param taken: ids of the events of that page that were taken.
    """

    path: Path
    secret: str = field(repr=False)
    after: Optional[str] = None
    taken: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Place:
        """Return the position stored in *path*, or a new one.

        :raises ValueError: if the file holds something else.
        """
        try:
            found = json.loads(path.read_text())
            return cls(path, found["secret"], found["after"], list(found["taken"]))
        except FileNotFoundError:
            return cls(path, webhooks.new_secret())
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path} holds no place of a listener; remove it to begin now") from None

    def keep(self) -> None:
        """Write the file atomically, readable only by this user."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = {name: value for name, value in asdict(self).items() if name != "path"}
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(found, file)
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)  # Ctrl-C may come between the two
            raise


class Listener:
    """Polls for events and posts them to *forward*.

    :param say: is told a line about what happens.
    :param sleep: waits; told from outside for tests.
    """

    def __init__(
        self,
        client: Lobby,
        forward: str,
        place: Place,
        *,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._forward = forward
        self._place = place
        self._say = say
        self._sleep = sleep
        self._pool = urllib3.PoolManager(retries=False)

    def run(self) -> None:
        """Deliver events until interrupted.

        :raises LobbyError: if the desk refuses, so that asking again would not help.
        """
        while True:
            self.turn()

    def turn(self) -> None:
        """Deliver one page of events."""
        place = self._place
        page = self._page()
        for event in _behind(page.data, place.taken):
            told = self._deliver(event)
            place.taken.append(event.id)
            place.keep()
            self._say(told)
        place.after, place.taken = page.next, []
        place.keep()

    def _page(self) -> Any:
        after = self._place.after
        # A first answer comes at once: until there is a place in the file, a restart would begin anew.
        wait = 0 if after is None else WAIT_SECONDS
        for pause in _pauses():
            try:
                return self._client.events.page(after=after, limit=200, wait=wait)
            except (APIConnectionError, RateLimitedError, ServerError, UnreadableAnswerError) as problem:
                self._say(f"the desk cannot be asked, trying again in {pause:g} s: {_brief(problem)}")
                self._sleep(pause)
        raise AssertionError  # there is always one more pause

    def _deliver(self, event: Event) -> str:
        """Post *event* until it is accepted; return a line for the log."""
        body = json.dumps(
            {"event": event.event, "data": event.data}, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")
        for pause in _pauses():
            began = time.monotonic()
            outcome = self._post(event, body)
            took = round((time.monotonic() - began) * 1000)
            if outcome.isdigit() and outcome.startswith("2"):
                return f"{outcome}  {event.event}  {event.id}  {took} ms"
            self._say(f"{outcome}  {event.event}  {event.id}, again in {pause:g} s")
            self._sleep(pause)
        raise AssertionError  # there is always one more pause

    def _post(self, event: Event, body: bytes) -> str:
        """Return the status of the response to *body*, or the error."""
        headers = webhooks.headers_of(self._place.secret, event.id, int(time.time()), body)
        timeout = urllib3.Timeout(connect=5.0, read=PATIENCE_SECONDS)
        try:
            answer = self._pool.request(
                "POST", self._forward, body=body, headers=headers, timeout=timeout, redirect=False
            )
        except (HTTPError, OSError) as error:
            return type(error).__name__
        return str(answer.status)


def _behind(events: Sequence[Event], taken: Sequence[str]) -> Iterator[Event]:
    """Yield those of *events* that were not delivered yet, in order."""
    done = set(taken)
    return (event for event in events if event.id not in done)


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]


def _brief(problem: LobbyError) -> str:
    return str(problem).splitlines()[0][:200]
