"""A desk to be killed: journal, workers and a provider that keeps a ledger of its own, in one process.

Started as ``python -m tests.delivery.runner URL FOLDER``. The parent imports everything once and forks a desk
for every line it reads, so that one more start costs milliseconds; it prints the child's process id. The desk
answers on ``FOLDER/desk-<n>.sock``: a line of JSON in, ``ok`` out once it is durable.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socketserver
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from host import counters
from host.core import db, secrets, storage
from host.delivery.worker import Workers
from host.models.inbox import ContactIdentity, Conversation
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import policy
from host.queue.journal import Journal
from host.sdk.channel import (
    Absent,
    ChannelAdapter,
    Found,
    NotSent,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from tests.delivery.desk import PROBLEM, ToyAdapter, ToyDirectory, ToyGeneration, envelope
from tests.helpers import do, queue_reply


class LedgerAdapter(ToyAdapter):
    """A provider that writes down, durably, everything it was made to deliver; and that can be read."""

    def __init__(self, ledger: Path) -> None:
        super().__init__()
        self.ledger = ledger

    def send(self, request: SendRequest) -> SendResult:
        chance = random.random()
        if chance < 0.08:
            return NotSent(PROBLEM, retry_after=1.0)
        if chance < 0.12:
            return Unknown(PROBLEM)
        mid = uuid.uuid4().hex
        line = json.dumps({"mid": mid, "to": request.recipient, "text": request.part.text}) + "\n"
        descriptor = os.open(self.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if chance < 0.2:
            return Unknown(PROBLEM)
        return Sent(mid)

    def search(self, request: SearchRequest) -> SearchResult:
        for line in self.ledger.read_text().splitlines() if self.ledger.exists() else ():
            found = json.loads(line)
            if found["to"] == request.recipient and found["text"] == request.part.text:
                return Found(found["mid"])
        return Absent()


class Handler(socketserver.StreamRequestHandler):
    """One connection of the feeder."""

    journal: ClassVar[Journal]
    account_id: ClassVar[int]
    author_id: ClassVar[int]
    adapter: ClassVar[ChannelAdapter]

    def handle(self) -> None:
        for line in self.rfile:
            message = json.loads(line)
            if "reply" in message:
                done = self.reply(message)
            else:
                self.receive(message)
                done = True
            self.wfile.write(b"ok\n" if done else b"later\n")

    def receive(self, message: dict[str, Any]) -> None:
        more = {name: message[name] for name in ("kind", "ids", "changed", "about") if name in message}
        one = envelope(self.account_id, message["mid"], contact=message["from"], **more)
        self.journal.ingest(source="/hook", channel="email", raw=one.body, remote="", envelopes=[one])

    def reply(self, message: dict[str, Any]) -> bool:
        with db.read() as session:
            row = session.execute(
                sa.select(Conversation.id, Conversation.workspace_id)
                .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
                .where(ContactIdentity.external_id == message["to"])
            ).first()
        if row is None:
            return False
        do(
            queue_reply,
            row[1],
            row[0],
            message["reply"],
            reply_key=message["key"],
            adapter=self.adapter,
            actor=self.author_id,
        )
        return True


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(url: str, folder: Path, number: int, account_id: int, author_id: int) -> None:
    """Be a desk until somebody kills this process."""
    policy.ECHO_PATIENCE = timedelta(seconds=0.3)
    policy.READING_GAP = timedelta(seconds=0.2)
    policy.SWEEP_SECONDS = 0.1
    policy.LEASE = timedelta(seconds=1.5)
    policy.RENEW_AFTER = timedelta(seconds=0.3)
    policy.RENEW_SECONDS = 0.1
    random.seed()
    db.connect(url, pool_size=16)
    counters.reset()
    secrets.use(secrets.Keyring({"k1": bytes(range(32))}))
    storage.use(storage.FolderStore(folder / "attachments"))
    Handler.adapter = LedgerAdapter(folder / "ledger")
    generation = ToyGeneration(ToyDirectory({"email": Handler.adapter}))
    Handler.journal = Journal(folder / "spool")
    Handler.account_id, Handler.author_id = account_id, author_id
    Handler.journal.start()
    Workers(lambda: generation, 1, 2).start()
    Server(str(folder / f"desk-{number}.sock"), Handler).serve_forever(poll_interval=10)


def main() -> None:
    url, folder, account_id, author_id = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                serve(url, folder, int(line), account_id, author_id)
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
