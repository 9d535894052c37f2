"""A log of everything the sandbox accepted, answered and sent, in order."""

from __future__ import annotations

import json
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.clock import Clock
from sandbox.world import Json

KEPT_BODIES = 2000


@dataclass(slots=True)
class Entry:
    """One line of the ledger. ``facts`` depend on the kind; ``body`` is the raw exchange."""

    id: int
    kind: str
    at_ms: int
    at: str
    facts: Json = field(default_factory=dict)
    body: str | None = None

    def as_json(self, with_body: bool = False) -> Json:
        """Return the entry for a control response."""
        shown: Json = {"id": self.id, "kind": self.kind, "at": self.at, "at_ms": self.at_ms}
        shown.update(self.facts)
        if with_body:
            shown["body"] = self.body
        return shown


class Ledger:
    """A ledger of entries in memory and, optionally, in an append-only file synced per line."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._with_body: deque[Entry] = deque()
        self._next = 1
        self._cleared = 0
        self.changed = threading.Condition()
        self.version = 0
        self._file = path.open("a", encoding="utf-8") if path else None

    def add(self, kind: str, body: str | None = None, **facts: Any) -> Entry:
        """Append an entry and return it."""
        with self._lock:
            entry = self._append(kind, body, facts)
        self.touch()
        return entry

    def _append(self, kind: str, body: str | None, facts: Json) -> Entry:
        now = self._clock.now()
        entry = Entry(self._next, kind, int(now * 1000), self._clock.iso(now), facts, body)
        self._next += 1
        self._entries.append(entry)
        if body is not None:
            self._with_body.append(entry)
            if len(self._with_body) > KEPT_BODIES:
                self._with_body.popleft().body = None
        self._write(entry.as_json())
        return entry

    @property
    def age(self) -> int:
        """The number of times the ledger was cleared, for ``add_in``."""
        return self._cleared

    def add_in(self, age: int, kind: str, body: str | None = None, **facts: Any) -> Entry | None:
        """Append an entry, unless the ledger was cleared since ``age`` was read.

        Use it for long exchanges: one that began before a reset does not belong to the world after it.
        """
        with self._lock:
            entry = self._append(kind, body, facts) if age == self._cleared else None
        self.touch()
        return entry

    def amend(self, entry: Entry, **facts: Any) -> None:
        """Change facts of an entry; the file gets a new line that names the old id."""
        with self._lock:
            entry.facts.update(facts)
            self._write({"kind": "amend", "id": entry.id, "at_ms": self._clock.now_ms(), **facts})
        self.touch()

    def _write(self, line: Json) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def touch(self) -> None:
        """Notify watchers that something changed."""
        with self.changed:
            self.version += 1
            self.changed.notify_all()

    def wait_beyond(self, version: int, timeout: float) -> int:
        """Wait for a change after ``version``; return the new version."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version, timeout)
            return self.version

    def entries(self, since: int = 0) -> Iterator[Entry]:
        """Iterate over entries with an id above ``since``, oldest first."""
        with self._lock:
            shown = self._entries[bisect_right(self._entries, since, key=lambda entry: entry.id) :]
        yield from shown

    def newest(self) -> Iterator[Entry]:
        """Iterate over all entries, newest first."""
        with self._lock:
            count = len(self._entries)
        for index in range(count - 1, -1, -1):
            with self._lock:
                if index >= len(self._entries):
                    return
                entry = self._entries[index]
            yield entry

    def get(self, entry_id: int) -> Entry | None:
        """Return one entry, or None."""
        return next((entry for entry in self.entries(entry_id - 1) if entry.id == entry_id), None)

    def clear(self) -> None:
        """Delete all entries; ids keep counting, and the file keeps its lines."""
        with self._lock:
            self._cleared += 1
            self._entries.clear()
            self._with_body.clear()
            self._write({"kind": "reset", "at_ms": self._clock.now_ms()})
        self.touch()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
