"""``python -m bench.lanes_worker drain URL | woken URL BROKER | bare BROKER QUEUE``: one process.

Says ``ready``, begins at the first line it reads, ends at the second and says what it did, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host import counters
from host.core import db, storage
from host.delivery.worker import Workers, drain
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import announcing, policy
from host.queue.wakeups import IN
from host.sdk.messages import Ignored, InboundChange
from host.sdk.webhooks import Envelope


@dataclass
class Nothing:
    """A channel that has nothing to say of any event, and remembers in what order it was asked."""

    order: list[tuple[int, str, int]] = field(default_factory=list)
    number: int = 1

    def parse(self, envelope: Envelope) -> list[InboundChange]:
        self.order.append((time.monotonic_ns(), envelope.lane, int(envelope.kind)))
        return [Ignored("the bench")]

    @property
    def directory(self) -> Any:
        return self

    def adapter(self, _key: str) -> Any:
        return self


def bare_actor(broker: str, queue: str, taken: list[float] | None = None) -> Any:
    """Return an actor of Dramatiq's that does nothing, without any of its middleware."""
    import dramatiq

    if broker.startswith("amqp"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        made: Any = RabbitmqBroker(url=broker, middleware=[])
    else:
        from dramatiq.brokers import redis

        maker: Any = redis.RedisBroker
        made = maker(url=broker, middleware=[])

    @dramatiq.actor(broker=made, actor_name="nothing", queue_name=queue)
    def nothing() -> None:
        if taken is not None:
            taken.append(time.monotonic())

    return nothing


def _connect(url: str) -> None:
    db.connect(url, pool_size=16)
    counters.reset()
    with db.read() as session:
        session.connection()


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)


def _wait() -> None:
    sys.stdin.readline()


def draining(url: str) -> None:
    """Apply what is due in one thread, and look again until told to end."""
    _connect(url)
    channel = Nothing()
    over = threading.Event()
    print("ready", flush=True)
    _wait()

    def listen() -> None:
        _wait()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    while not over.is_set():
        if not drain(channel, direction=IN, limit=10**9):
            over.wait(0.005)
    _say(order=channel.order)


def woken(url: str, broker: str) -> None:
    """Be a worker that never looks by itself."""
    policy.SWEEP_SECONDS = 3600
    _connect(url)
    storage.use(storage.FolderStore(Path(tempfile.mkdtemp(prefix="lobby-bench-"))))
    channel = Nothing()
    workers = Workers(lambda: channel, 8, 0)
    announcer = announcing.Announcer(lambda: announcing.connect(broker), workers.directions)
    print("ready", flush=True)
    _wait()
    announcer.start()
    # Not what start() finds due: the wake-up is what counts.
    workers.wake_due = lambda: None  # type: ignore[method-assign]
    workers.start()
    _wait()
    announcer.stop()
    workers.stop()
    _say(order=channel.order)


def bare(broker: str, queue: str) -> None:
    """Take messages that say nothing, with Dramatiq's own worker of eight threads."""
    import dramatiq

    taken: list[float] = []
    actor = bare_actor(broker, queue, taken)
    worker = dramatiq.Worker(actor.broker, worker_threads=8)
    print("ready", flush=True)
    _wait()
    worker.start()
    _wait()
    worker.stop(timeout=10_000)
    _say(items=len(taken), ended=max(taken, default=0.0))


if __name__ == "__main__":
    ways: dict[str, Callable[..., None]] = {"drain": draining, "woken": woken, "bare": bare}
    ways[sys.argv[1]](*sys.argv[2:])
