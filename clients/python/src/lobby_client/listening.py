"""Deliver events to a program on this machine, as if they were the desk's webhooks.

Events are posted one after the other, each until it was taken. The place in a file is the one behind the last
event that was taken; what is posted again after a crash has the same id. Other conversations can go on past
one whose event was not taken: the events that wait are in the file, too.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

import urllib3
from urllib3.exceptions import HTTPError

from lobby_client import webhooks
from lobby_client._position import Position, pause_of
from lobby_client._sync import listening
from lobby_client._sync.client import Lobby
from lobby_client.errors import LobbyError
from lobby_client.events import Event, EventChoice, EventPage

PATIENCE_SECONDS = 15.0
"""How long the program may take to answer, as with the desk's own webhooks."""


class NotTakenError(Exception):
    """The program did not take an event."""


@dataclass
class Place:
    """A listener's position in the events, and its signing secret.

    :param after: the cursor the present page was asked for with; None: nothing was asked yet.
    :param taken: ids of the events of that page that were taken, or wait.
    :param waiting: events that wait for one that was not taken, with that; oldest first.
    """

    path: Path
    secret: str = field(repr=False)
    after: Optional[str] = None
    taken: list[str] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Place:
        """Return the position stored in *path*, or a new one.

        :raises ValueError: if the file holds something else.
        """
        try:
            found = json.loads(path.read_text())
            place = cls(path, found["secret"], found["after"], list(found["taken"]))
            place.waiting = [dict(one) for one in found.get("waiting", ())]  # earlier versions kept none
            return place
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
    :param events: only these; ``message.*`` stands for all that begin so. Empty: all.
    :param continue_others: whether other conversations go on while an event is not taken.
    :param sleep: waits; told from outside for tests.
    """

    def __init__(
        self,
        client: Lobby,
        forward: str,
        place: Place,
        *,
        say: Callable[[str], None],
        events: Sequence[EventChoice] = (),
        continue_others: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._forward = forward
        self._place = place
        self._say = say
        self._events = events
        self._told = ""
        self._pool = urllib3.PoolManager(retries=False)
        self._loop = listening.Listener(
            self._page,
            self._deliver,
            position=Position(place.after, place.taken, place.waiting),
            save=self._keep,
            continue_others=continue_others,
            on_error=self._failed,
            on_unreachable=self._unreachable,
            sleep=sleep,
        )

    def run(self) -> None:
        """Deliver events until interrupted.

        :raises LobbyError: if the desk refuses, so that asking again would not help.
        """
        self._loop.run()

    def turn(self) -> None:
        """Deliver what waits and is due, and one page of events."""
        self._loop.turn()

    def _page(self, **query: Any) -> EventPage:
        return self._client.events.page(events=self._events, **query)

    def _keep(self, position: Position) -> None:
        place = self._place
        place.after, place.taken, place.waiting = position.cursor, position.handled, position.waiting
        place.keep()
        if self._told:
            self._say(self._told)
            self._told = ""

    def _deliver(self, event: Event) -> None:
        """Post *event*.

        :raises NotTakenError: if it was not answered with 2xx.
        """
        body = json.dumps(
            {"event": event.event, "data": event.data}, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")
        began = time.monotonic()
        outcome = self._post(event, body)
        took = round((time.monotonic() - began) * 1000)
        if not (outcome.isdigit() and outcome.startswith("2")):
            raise NotTakenError(outcome)
        self._told = f"{outcome}  {event.event}  {event.id}  {took} ms"

    def _failed(self, error: Exception, event: Event, attempt: int) -> Literal["retry"]:
        if not isinstance(error, NotTakenError):
            raise error
        self._say(f"{error}  {event.event}  {event.id}, again in {pause_of(attempt - 1):g} s")
        return "retry"

    def _unreachable(self, problem: LobbyError, pause: float) -> None:
        self._say(f"the desk cannot be asked, trying again in {pause:g} s: {_brief(problem)}")

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


def _brief(problem: LobbyError) -> str:
    return str(problem).splitlines()[0][:200]
