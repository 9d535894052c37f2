"""The floor of processing: ``python -m bench.floors.processing FILE COUNT``, events into conversations.

Reads stored events 32 at a time, and in one transaction writes the conversation, the message and what tells
browsers of it, and marks the event. Prints a line of JSON: how many events, and the seconds
they took by the clock and of the processor.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time

import msgspec

from bench.payload import CUSTOMERS, bodies

BATCH = 32
TABLES = """
CREATE TABLE inbox (id INTEGER PRIMARY KEY, lane, body, done, received_at);
CREATE INDEX inbox_pending ON inbox (done, id);
CREATE TABLE conversation (id INTEGER PRIMARY KEY, account, customer, last_at, preview, unread,
  UNIQUE (account, customer));
CREATE TABLE message (id INTEGER PRIMARY KEY, conversation, mid UNIQUE, text, sent_at);
CREATE INDEX message_thread ON message (conversation, sent_at, id);
CREATE TABLE live (id INTEGER PRIMARY KEY AUTOINCREMENT, topic, payload, at);
"""


class Id(msgspec.Struct):
    id: str


class Text(msgspec.Struct):
    mid: str
    text: str


class Event(msgspec.Struct):
    sender: Id
    recipient: Id
    timestamp: int
    message: Text


class Entry(msgspec.Struct):
    messaging: list[Event]


class Body(msgspec.Struct):
    entry: list[Entry]


def fill(file: sqlite3.Connection, count: int) -> None:
    file.executescript(TABLES)
    file.execute("BEGIN")
    rows = ((number % CUSTOMERS, body, 0, 0) for number, body in enumerate(bodies(count)))
    file.executemany("INSERT INTO inbox (lane, body, done, received_at) VALUES (?, ?, ?, ?)", rows)
    file.execute("COMMIT")


def apply(file: sqlite3.Connection) -> int:
    decode = msgspec.json.Decoder(Body).decode
    done = 0
    while True:
        events = file.execute(
            "SELECT id, body FROM inbox WHERE done = 0 ORDER BY id LIMIT ?", (BATCH,)
        ).fetchall()
        if not events:
            return done
        file.execute("BEGIN IMMEDIATE")
        for number, body in events:
            event = decode(body).entry[0].messaging[0]
            (conversation,) = file.execute(
                "INSERT INTO conversation (account, customer, last_at, preview, unread) "
                "VALUES (?, ?, ?, ?, 1) ON CONFLICT (account, customer) DO UPDATE SET "
                "last_at = excluded.last_at, preview = excluded.preview, unread = unread + 1 RETURNING id",
                (event.recipient.id, event.sender.id, event.timestamp, event.message.text),
            ).fetchone()
            cursor = file.execute(
                "INSERT INTO message (conversation, mid, text, sent_at) VALUES (?, ?, ?, ?)",
                (conversation, event.message.mid, event.message.text, event.timestamp),
            )
            told = f'{{"conversation":{conversation},"message":{cursor.lastrowid}}}'
            file.execute("INSERT INTO live (topic, payload, at) VALUES ('message', ?, ?)", (told, 0))
            file.execute("UPDATE inbox SET done = 1 WHERE id = ?", (number,))
        file.execute("COMMIT")
        done += len(events)


def main() -> None:
    file = sqlite3.connect(sys.argv[1], isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    fill(file, int(sys.argv[2]))
    began, cpu = time.perf_counter(), time.process_time()
    done = apply(file)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    (stored,) = file.execute("SELECT count(*) FROM message").fetchone()
    assert stored == done == int(sys.argv[2]), (stored, done)
    print(json.dumps({"events": done, "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()
