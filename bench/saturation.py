"""How much a server takes in when everybody sends as fast as it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from bench import wrk
from bench.load import Result, WrongAnswerError, closed_loop
from bench.payload import deliveries
from bench.servers import Served, on_last_core

CONNECTIONS = 32
FASTEST = 14_000


def saturate(serving: AbstractContextManager[Served], seconds: float, *, most: int | None = None) -> Result:
    """Measure how many unique deliveries a second a server takes in, and that it stored each of them."""
    with serving as served:
        return saturate_served(served, seconds, most=most)


def saturate_served(served: Served, seconds: float, *, most: int | None = None) -> Result:
    """Do the same to a server that runs already.

    :param most: how many requests are made beforehand; more cannot be answered.
    """
    requests, _ = deliveries(served.path, most or int(FASTEST * (seconds + 1.5)))
    before = served.rows()
    result = press(served.port, requests, seconds)
    answered = sum(result.statuses.values())
    stored = served.rows() - before
    unanswered = 2 * CONNECTIONS if wrk.path() else 0
    if not answered <= stored <= answered + unanswered:
        raise WrongAnswerError(f"{answered} answers of 200, {stored} rows")
    return result


def press(port: int, requests: list[bytes], seconds: float) -> Result:
    """Send as fast as is answered, each request once."""
    with on_last_core():
        if wrk.path() is None:
            return closed_loop(port, _unique(requests), connections=CONNECTIONS, seconds=seconds)
        return wrk.closed_loop(port, requests, connections=CONNECTIONS, seconds=seconds)


def _unique(requests: list[bytes]) -> Iterator[bytes]:
    yield from requests
    raise WrongAnswerError("the server is faster than there are requests: prepare more of them")
