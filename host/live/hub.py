"""The live streams of a process. One thread reads events, and each stream gets those of its workspace."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from typing import cast

import sqlalchemy as sa
from flask import current_app

from host.core import db, logs
from host.events.writing import EVERYBODY, listen
from host.features.live_signal import LiveSignal
from host.live import events, stream_access
from host.live.events import Event
from host.live.read_position import Position
from host.live.signals import Signals
from host.live.stream import Batch, Stream, wake
from host.users.reach import Accounts

log = logging.getLogger("lobby.live")

POLL_SECONDS = 0.1
"""Interval of polling for other processes' changes while there are streams."""
IDLE_POLL_SECONDS = 1.0
PAUSE_SECONDS = 0.01
PAUSE_SECONDS_EACH = 20e-6
"""After a delivery, further events are collected for :data:`PAUSE_SECONDS`, plus this time per stream: a
thousand browsers are written to at most about thirty times a second."""
IDLE_PAUSE_SECONDS = 0.25
"""The same without streams, so that reading does not slow down receiving."""
CHECK_SECONDS = 3.0
TURNS = 5
"""Checks per heartbeat of a stream. A stream whose browser read nothing for two heartbeats is cut off."""
HEARTBEAT = Batch.of((), [b"event: beat\ndata: 1\n\n"])
"""An event and not a comment, because scripts don't see comments and must notice a server that hangs."""
START_SECONDS = 5.0
BATCH = 500
PER_USER = 6
NEVER_TOLD = 2**63 - 1
"""The id of signals, which are not events: none was sent before a stream began."""
_FOLLOWED = frozenset({"message", "state"})
"""Changes whose delivery to the browser is logged."""


class HubFullError(Exception):
    """The process has the maximum number of streams."""


class Hub:
    """Distributes events to the streams of this process.

    Changes by this process arrive immediately, those by others within :data:`POLL_SECONDS`.
    """

    def __init__(self) -> None:
        self._streams: dict[int, dict[Stream, None]] = {}
        """Streams by workspace."""
        self._people: dict[int, dict[Stream, None]] = {}
        """Streams by person, the oldest first."""
        self._count = 0
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._knows_where = threading.Event()
        """Whether the watcher knows the event to continue after."""
        self._closed = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads that read events and check access."""
        self._closed = False
        self._stopping.clear()
        self._knows_where.clear()
        listen(self._awake)
        self._threads = [
            threading.Thread(target=self._watch, name="live-hub", daemon=True),
            threading.Thread(target=self._check, name="live-access", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End every stream and stop the threads."""
        with self._lock:
            self._closed = True
            streams = [stream for group in self._streams.values() for stream in group]
        for stream in streams:
            stream.end()
        self._stopping.set()
        self._awake.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads = []

    stop = close

    @property
    def count(self) -> int:
        """The number of streams."""
        return self._count

    def subscribe(
        self,
        workspace_id: int,
        user_id: int,
        session_id: int,
        *,
        capacity: int,
        accounts: Accounts = None,
    ) -> Stream:
        """Open a stream of a workspace's changes from now on.

        :param session_id: the login session; the stream ends soon after sign-out.
        :param capacity: maximum number of streams of this process.
        :param accounts: the accounts its reader sees; None for all. If they change, the stream ends.

        A person has at most :data:`PER_USER` streams. A further one ends the oldest, which usually belongs to
        a page they have left without the server noticing.

        :raises HubFullError: if there are already *capacity* streams, or the database does not answer.
        """
        # After a start, events between the stream's missed ones and the watcher's first read would be lost.
        if self._threads and not self._knows_where.wait(START_SECONDS):
            raise HubFullError("it is not known yet what is new")
        with self._lock:
            if self._closed or self._count >= capacity:
                raise HubFullError("no stream is free")
            stream = Stream(workspace_id, user_id, session_id, accounts)
            self._streams.setdefault(workspace_id, {})[stream] = None
            own = self._people.setdefault(user_id, {})
            own[stream] = None
            self._count += 1
            surplus = list(own)[:-PER_USER]
        for oldest in surplus:
            self.unsubscribe(oldest)
        if self._count == 1:
            self._awake.set()  # without streams, the watcher polls rarely
        return stream

    def unsubscribe(self, stream: Stream) -> None:
        """End and remove *stream*."""
        self._forget(stream)
        stream.end()

    def _forget(self, stream: Stream) -> None:
        with self._lock:
            self._remove(self._streams, stream.workspace_id, stream)
            if self._remove(self._people, stream.user_id, stream):
                self._count -= 1

    @staticmethod
    def _remove(groups: dict[int, dict[Stream, None]], key: int, stream: Stream) -> bool:
        group = groups.get(key, {})
        if stream not in group:
            return False
        del group[stream]
        if not group:
            del groups[key]
        return True

    # Access

    def _check(self) -> None:
        turn = 0
        while not self._stopping.wait(CHECK_SECONDS):
            turn = (turn + 1) % TURNS
            try:
                self._beat(turn)
                self._end_strangers()
            except sa.exc.SQLAlchemyError as error:
                # Events cannot be read either, so nothing is sent without a check.
                log.warning("who may watch cannot be checked at the moment: %s", type(error).__name__)
            except Exception:
                log.exception("who may watch could not be checked")

    def _beat(self, turn: int) -> None:
        """Send heartbeats to a fifth of the streams if idle, and close those whose browser reads nothing."""
        mine = [stream for stream in self._all() if id(stream) // 64 % TURNS == turn]
        wake([stream for stream in mine if stream.beat(HEARTBEAT)])

    def _all(self) -> list[Stream]:
        with self._lock:
            return [stream for group in self._people.values() for stream in group]

    def _end_strangers(self) -> None:
        streams = self._all()
        if not streams:
            return
        with db.read() as session:
            allowed = stream_access.allowed(session, {stream.session_id for stream in streams})
        for stream in streams:
            pair = stream.session_id, stream.workspace_id
            if pair not in allowed or allowed[pair] != stream.accounts:
                self.unsubscribe(stream)  # a browser that still has access reconnects

    # Events

    def _watch(self) -> None:
        position, signals = Position(), Signals()
        self._awake.set()
        while not self._stopping.is_set():
            self._awake.wait(POLL_SECONDS if self._count else IDLE_POLL_SECONDS)
            self._awake.clear()
            try:
                while not self._stopping.is_set() and self._hand_out(position):
                    pass
                if self._count and signals.is_due():
                    with db.read() as session:
                        fresh = signals.fresh(session)
                    self._signal(fresh)
            except sa.exc.SQLAlchemyError as error:
                log.warning("live events cannot be read at the moment: %s", type(error).__name__)
                self._stopping.wait(1)
            except Exception:
                log.exception("live events could not be handed out")
                self._stopping.wait(1)

    def _hand_out(self, position: Position) -> bool:
        """Deliver the next events; return whether there may be more."""
        with db.read() as session:
            if position.newest is None:
                position.newest = events.newest_id(session)
                self._knows_where.set()
                return False
            late = position.waited_for()
            found = events.named(session, late) if late else []
            new = events.newer(session, position.newest, BATCH)
        position.move([event.id for event in found], [event.id for event in new])
        shown = [event for event in (*found, *new) if event.topic]
        if shown:
            self._deliver(shown)
        return len(new) == BATCH

    def _deliver(self, changes: Sequence[Event]) -> None:
        with self._lock:
            watched = list(self._streams)
        shown = [one for one in changes if one.topic in _FOLLOWED and one.workspace_id in watched]
        logs.follow_each("shown", [_step(one) for one in shown])
        waiting: list[Stream] = []
        frames = {event.id: event.frame() for event in changes} if watched else {}
        for workspace_id in watched:
            own = [event for event in changes if event.workspace_id in (workspace_id, EVERYBODY)]
            if not own:
                continue
            groups: dict[Accounts, list[Stream]] = {}
            with self._lock:
                for stream in self._streams.get(workspace_id, ()):
                    groups.setdefault(stream.accounts, []).append(stream)
            for accounts, streams in groups.items():
                # Each frame is rendered once for all browsers.
                ids = [event.id for event in _narrowed(own, accounts)]
                if ids:
                    batch = Batch.of(ids, [frames[id_] for id_ in ids])
                    waiting += [stream for stream in streams if stream.put(batch)]
        wake(waiting)
        count = self._count
        self._stopping.wait(PAUSE_SECONDS + count * PAUSE_SECONDS_EACH if count else IDLE_PAUSE_SECONDS)

    def _signal(self, fresh: Sequence[tuple[LiveSignal, bool]]) -> None:
        """Deliver signals to one person's pages or to the whole workspace."""
        waiting: list[Stream] = []
        for signal, to_all in fresh:
            groups: dict[Accounts, list[Stream]] = {}
            with self._lock:
                for stream in self._streams.get(signal.workspace_id, ()):
                    if to_all or stream.user_id == signal.user_id:
                        groups.setdefault(stream.accounts, []).append(stream)
            payload = json.dumps(dict(signal.data))
            event = Event(NEVER_TOLD, signal.workspace_id, signal.topic, payload)
            # Without an id, because it is no position in the event log.
            frame = f"event: {signal.topic}\ndata: {payload}\n\n".encode()
            batch = Batch.of([NEVER_TOLD], [frame])
            for accounts, streams in groups.items():
                if _narrowed([event], accounts):
                    waiting += [stream for stream in streams if stream.put(batch)]
        wake(waiting)


def _narrowed(found: list[Event], accounts: Accounts) -> list[Event]:
    if accounts is None:
        return found
    with db.read() as session:
        return events.narrowed(session, found, accounts)


def _step(event: Event) -> logs.Ids:
    """Return the ids with which the log records that *event* was shown to browsers."""
    ids = json.loads(event.payload)
    return {
        "live_id": event.id,
        "message_id": ids.get("message"),
        "conversation_id": ids.get("conversation"),
    }


def current_hub() -> Hub:
    """Return the hub of this process."""
    return cast(Hub, current_app.extensions["lobby.host"].hub)
