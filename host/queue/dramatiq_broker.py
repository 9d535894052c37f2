"""Send wake-ups with Dramatiq, over RabbitMQ or Redis.

A message only contains the name of a direction. Order, delays, retries and limits are kept in the database,
so none of Dramatiq's middleware is used, and losing all its messages loses no work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any, TypeVar
from urllib.parse import urlsplit

import dramatiq

from host.core import clock

R = TypeVar("R")

SOCKET_SECONDS = 5.0
HEARTBEAT_SECONDS = 30
REDIS_POLL_MILLISECONDS = 50
"""How often an idle process polls Redis."""
RABBITMQ_POLL_MILLISECONDS = 1000
"""How often an idle process checks whether it should stop: RabbitMQ pushes messages."""
STOP_MILLISECONDS = 3000
REPEAT_SECONDS = 600.0


class _OnceInAWhile(logging.Filter):
    """Lets a log record through unless an equal one passed in the last ten minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = clock.monotonic()
        if now - self._said.get(str(record.msg), float("-inf")) < REPEAT_SECONDS:
            return False
        self._said[str(record.msg)] = now
        return True


class _ToTheRoot(logging.Handler):
    """Passes records to the root logger of the process."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)


def _quieten() -> None:
    """Log only once the messages that the client logs every three seconds while the broker is unavailable."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it writes a page for each failed connection
    logger = logging.getLogger("dramatiq")
    if logger.propagate:
        handler = _ToTheRoot()
        handler.addFilter(_OnceInAWhile())
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False


class _Rabbitmq:
    poll = RABBITMQ_POLL_MILLISECONDS

    def __init__(self, url: str) -> None:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        self.broker: Any = RabbitmqBroker(url=url, middleware=[])
        parameters: Any = self.broker.parameters
        parameters.socket_timeout = parameters.stack_timeout = SOCKET_SECONDS
        parameters.blocked_connection_timeout = SOCKET_SECONDS
        parameters.heartbeat = HEARTBEAT_SECONDS

    def waiting(self, queue: str) -> int:
        return int(self.broker.get_queue_message_counts(queue)[0])

    def keep_alive(self) -> None:
        self.broker.connection.process_data_events(time_limit=0)

    def forget_connection(self) -> None:
        del self.broker.connection

    def close(self) -> None:
        self.broker.close()


class _Redis:
    poll = REDIS_POLL_MILLISECONDS

    def __init__(self, url: str) -> None:
        import redis
        from dramatiq.brokers import redis as brokers

        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )
        make: Any = brokers.RedisBroker
        self.broker: Any = make(client=self._client, namespace="lobby", middleware=[])

    def waiting(self, queue: str) -> int:
        return int(self.broker.do_qsize(queue))

    def keep_alive(self) -> None:
        self._client.ping()

    def forget_connection(self) -> None:
        """Do nothing: the client reconnects automatically."""

    def close(self) -> None:
        self.broker.close()
        self._client.close()


class DramatiqBroker:
    """A client of the broker at *url*: amqp:// or amqps://, redis:// or rediss://.

    The constructor doesn't use the network.

    :param installation: separates this installation's queues from those of others on the same broker.
    """

    def __init__(self, url: str, installation: str, directions: Collection[str]) -> None:
        _quieten()
        self._transport = _Rabbitmq(url) if urlsplit(url).scheme in {"amqp", "amqps"} else _Redis(url)
        self._wake: Callable[[str], None] = lambda _direction: None
        self._worker: dramatiq.Worker | None = None
        self._actors = {direction: self._actor(direction, installation) for direction in directions}

    def _actor(self, direction: str, installation: str) -> dramatiq.Actor[[], None]:
        name = f"lobby-{installation}-{direction}"

        @dramatiq.actor(broker=self._transport.broker, actor_name=name, queue_name=name)
        def wake() -> None:
            self._wake(direction)

        return wake

    def publish(self, direction: str) -> None:
        """Put a wake-up into the queue of *direction*; one of its listeners gets it."""
        self._safely(self._actors[direction].send)

    def waiting(self, direction: str) -> int:
        """Return the number of wake-ups of *direction* that no process has received."""
        return self._safely(lambda: self._transport.waiting(self._actors[direction].queue_name))

    def keep_alive(self) -> None:
        """Answer the broker's heartbeat, or request one."""
        self._safely(self._transport.keep_alive)

    def _safely(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except Exception:
            self._transport.forget_connection()
            raise

    def receive(self, directions: Collection[str], wake: Callable[[str], None]) -> None:
        """Call *wake* for each wake-up of *directions*. Connects and reconnects automatically."""
        self._wake = wake
        queues = {self._actors[direction].queue_name for direction in directions}
        if queues:
            self._worker = dramatiq.Worker(
                self._transport.broker, queues=queues, worker_threads=1, worker_timeout=self._transport.poll
            )
            self._worker.start()

    def close(self) -> None:
        """Stop receiving and close every connection. Afterwards *wake* is not called."""
        self._wake = lambda _direction: None
        if self._worker is not None:
            self._worker.stop(timeout=STOP_MILLISECONDS)
            self._worker = None
        self._transport.close()
