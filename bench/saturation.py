"""How much a server takes in when everybody sends as fast as it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from bench import wrk
from bench.load import RanOutError, Result, WrongAnswerError, closed_loop
from bench.payload import deliveries
from bench.servers import Served, on_last_core

CONNECTIONS = 32
EXPECTED = 14_000
"""Requests prepared for each second; a server that answers more gets twice as many and is measured again."""

Make = Callable[[int], Sequence[bytes]]


def saturate(serving: AbstractContextManager[Served], seconds: float) -> Result:
    """Measure how many unique deliveries a second a server takes in, and that it stored each of them."""
    with serving as served:
        return saturate_served(served, seconds)


def saturate_served(served: Served, seconds: float) -> Result:
    """Do the same to a server that runs already."""
    before, tries = served.rows(), 0

    def make(count: int) -> Sequence[bytes]:
        nonlocal tries
        tries += 1
        return deliveries(served.path, count)[0]

    result = press(served.port, make, seconds)
    answered = sum(result.statuses.values())
    stored = served.rows() - before
    unanswered = 2 * CONNECTIONS * tries if wrk.path() else 0
    if not answered <= stored <= answered + unanswered:
        raise WrongAnswerError(f"{answered} answers of 200, {stored} rows")
    return result


def press(port: int, make: Make, seconds: float, *, expected: int = EXPECTED) -> Result:
    """Send as fast as is answered, each request once; the statuses count every answer, also of a try before.

    :param make: makes that many requests, none of them made before.
    :param expected: how many a second are made at first.
    """
    before: Counter[int] = Counter()
    while True:
        requests = make(int(expected * (seconds + 1.5)))
        try:
            with on_last_core():
                if wrk.path() is None:
                    result = closed_loop(port, iter(requests), connections=CONNECTIONS, seconds=seconds)
                else:
                    result = wrk.closed_loop(port, requests, connections=CONNECTIONS, seconds=seconds)
        except RanOutError as error:
            before += error.statuses
            expected *= 2
        else:
            result.statuses += before
            return result
