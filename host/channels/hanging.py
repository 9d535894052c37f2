"""Run a function of an addon with a timeout.

Python cannot stop a thread, so a function that hangs keeps its thread until it returns. It must not block its
caller as well. While one call of a function hangs, this process starts no other call of it, so one that
always hangs costs one thread and blocks nobody. While :data:`MOST_HUNG` calls of one addon hang, none of its
functions is called: an addon with many functions costs no more threads than that, except for calls that were
under way at that moment.

This limit is short, and includes waiting for other programs. Each call also has the longer budget of
:mod:`host.core.call_budget`, which interrupts it, and has the process replaced if that happens often.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar, cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import recording
from host.models.health import HealthMinute, Metric

T = TypeVar("T")

log = logging.getLogger("lobby.addons")

MOST_HUNG = 3
"""Number of hanging calls of an addon in a process at which its functions are no longer called."""
LATELY_MINUTES = 60

PAUSED_STEP = _l(
    "It continues once they return. If they don't, an admin can deactivate the addon, or restart Lobby."
)
"""The next step for a person after :func:`paused_sentence`."""

_lock = threading.Lock()
_hung: Counter[str] = Counter()
"""Number of calls that hang, by the function's name."""


class HangsError(Exception):
    """A function did not return in time, or an earlier call of it still hangs."""


class PausedError(HangsError):
    """A function was not called, because :data:`MOST_HUNG` calls of its addon hang."""


def paused_sentence(addon: str) -> object:
    """Return why functions of *addon* are not called, in the reader's language.

    :param addon: its name or slug.
    """
    return _l(
        "The addon %(addon)s isn't called at the moment, because %(number)s of its calls haven't returned.",
        addon=addon,
        number=MOST_HUNG,
    )


def within(seconds: float, name: str, use: Callable[[], T]) -> T:
    """Return the result of *use*, or raise its error, if it finishes within *seconds*.

    :param name: kind and name of the function, such as ``panel shop.orders``: an addon may call a panel and a
        tool the same. The name begins with the addon's slug and a dot.
    :raises HangsError: if it doesn't. Its thread keeps running.
    :raises PausedError: if too many other calls of the addon hang.
    """
    kind, slug = _kind_and_slug(name)
    with _lock:
        if sum(count for other, count in _hung.items() if _kind_and_slug(other)[1] == slug) >= MOST_HUNG:
            raise PausedError()
        if _hung[name]:
            raise HangsError()
    done = threading.Event()
    came: list[tuple[T | None, BaseException | None]] = []
    context = copy_context()  # the reader's language

    def work() -> None:
        result: T | None = None
        problem: BaseException | None = None
        try:
            result = context.run(use)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            problem = error
        with _lock:
            came.append((result, problem))
            late = done.is_set()
            done.set()
            if late:
                _hung[name] -= 1
        if late:
            log.warning("%s of an addon returned after all", name)

    threading.Thread(target=work, name=f"addon {name}", daemon=True).start()
    if not done.wait(seconds):
        with _lock:
            if not came:
                done.set()
                _hung[name] += 1
    if not came:
        recording.count(Metric.CALLS_HUNG, slug, kind)
        log.error("%s of an addon has not returned after %s seconds", name, seconds)
        raise HangsError()
    result, problem = came[0]
    if problem is not None:
        raise problem
    return cast(T, result)


def _kind_and_slug(name: str) -> tuple[str, str]:
    kind, _space, rest = name.rpartition(" ")
    return kind, rest.partition(".")[0]


def lately(session: Session) -> dict[str, int]:
    """Return how many calls hung within the last hour, in any process, by the addon's slug."""
    rows = HealthMinute.__table__.c
    query = (
        sa.select(rows.channel, sa.func.sum(rows["count"]))
        .where(rows.minute > recording.this_minute() - LATELY_MINUTES, rows.metric == Metric.CALLS_HUNG)
        .group_by(rows.channel)
        .order_by(rows.channel)
    )
    return {slug: int(count) for slug, count in session.execute(query)}
