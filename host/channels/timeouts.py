"""Run a function of an addon with a timeout.

Python cannot stop a thread, so a function that hangs keeps its thread until it returns. It must not block its
caller as well. While a call of a function for one customer hangs, this process starts no other call of it for
them; for other customers it does. While calls for :data:`MOST_HUNG` customers hang, the function isn't called
at all. While :data:`MOST_OF_ADDON` calls of one addon hang, none of its functions is: an addon with many
functions costs no more threads than that, except for calls that were under way at that moment.

This limit is short, and includes waiting for other programs. Each call also has the longer budget of
:mod:`host.core.call_budget`, which interrupts it, and has the process replaced if that happens often.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from contextvars import copy_context
from typing import TypeVar, cast

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import recording
from host.core import call_budget
from host.models.health import HealthMinute, Metric

T = TypeVar("T")

log = logging.getLogger("lobby.addons")

MOST_HUNG = 3
"""Number of customers for whom a function hangs in a process at which it is no longer called."""
MOST_OF_ADDON = 9
"""Number of hanging calls of an addon in a process at which its functions are no longer called."""
LATELY_MINUTES = 60

PAUSED_STEP = _l(
    "It continues once they return. If they don't, an admin can deactivate the addon, or restart Lobby."
)
"""The next step for a person after :func:`paused_sentence`."""

_lock = threading.Lock()
_hung: Counter[tuple[str, Hashable]] = Counter()
"""Number of calls that hang, by the function's name and the customer."""


KINDS = frozenset({"panel", "composer", "section", "route", "tool", "condition", "action", "settings"})
"""The kinds of functions that are called with this limit."""


class HangsError(Exception):
    """A function did not return in time, or an earlier call of it for the same customer still hangs."""


class PausedError(HangsError):
    """A function was not called, because too many calls of it or of its addon hang.

    :ivar number: how many.
    :ivar of_function: whether they are calls of this function.
    """

    def __init__(self, number: int, *, of_function: bool) -> None:
        super().__init__()
        self.number = number
        self.of_function = of_function


def paused_sentence(addon: str, error: PausedError) -> object:
    """Return why a function of *addon* is not called, in the reader's language.

    :param addon: its name or slug.
    """
    if error.of_function:
        return _l(
            "The addon %(addon)s isn't asked for this at the moment, because %(number)s such calls haven't "
            "returned.",
            addon=addon,
            number=error.number,
        )
    return _l(
        "The addon %(addon)s isn't called at the moment, because %(number)s of its calls haven't returned.",
        addon=addon,
        number=error.number,
    )


def within(seconds: float, name: str, use: Callable[[], T], customer: Hashable = None) -> T:
    """Return the result of *use*, or raise its error, if it finishes within *seconds*.

    :param name: kind and name of the function, such as ``panel shop.orders``: an addon may call a panel and a
        tool the same. The name begins with the addon's slug and a dot.
    :param customer: whom or what the call is about. Another call about the same is not started while it
        hangs.
    :raises HangsError: if it doesn't. Its thread keeps running.
    :raises PausedError: if too many other calls of the function or the addon hang.
    """
    kind, slug = _kind_and_slug(name)
    key = (name, customer)
    with _lock:
        of_addon = sum(count for (other, _who), count in _hung.items() if _kind_and_slug(other)[1] == slug)
        if of_addon >= MOST_OF_ADDON:
            raise PausedError(of_addon, of_function=False)
        if key in _hung:
            raise HangsError()
        of_function = _count(name)
        if of_function >= MOST_HUNG:
            raise PausedError(of_function, of_function=True)
    done = threading.Event()
    came: list[tuple[T | None, BaseException | None]] = []
    context = copy_context()  # the reader's language

    def work() -> None:
        result: T | None = None
        problem: BaseException | None = None
        try:
            with call_budget.about(customer):
                result = context.run(use)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            problem = error
        with _lock:
            came.append((result, problem))
            late = done.is_set()
            done.set()
            if late:
                _hung[key] -= 1
                if _hung[key] <= 0:  # less if a test dropped it
                    del _hung[key]
        if late:
            log.warning("%s of an addon returned after all", name)

    threading.Thread(target=work, name=f"addon {name}", daemon=True).start()
    if not done.wait(seconds):
        with _lock:
            if not came:
                done.set()
                _hung[key] += 1
    if not came:
        recording.count(Metric.CALLS_HUNG, slug, kind)
        recording.hung(slug, name)
        log.error("%s of an addon has not returned after %s seconds", name, seconds)
        raise HangsError()
    result, problem = came[0]
    if problem is not None:
        raise problem
    return cast(T, result)


def _kind_and_slug(name: str) -> tuple[str, str]:
    kind, _space, rest = name.rpartition(" ")
    return kind, rest.partition(".")[0]


def _count(name: str) -> int:
    return sum(count for (other, _who), count in _hung.items() if other == name)


def count(name: str) -> int:
    """Return how many calls of the function *name* hang in this process."""
    with _lock:
        return _count(name)


class HungFunction(msgspec.Struct, frozen=True):
    """A function of an addon, calls of which hung lately.

    :ivar name: its kind and name, such as ``panel shop.orders``.
    """

    slug: str
    name: str
    times: int


def lately(session: Session) -> list[HungFunction]:
    """Return the functions that hung within the last hour, in any process, by addon and name."""
    rows = HealthMinute.__table__.c
    query = (
        sa.select(rows.channel, rows.label, sa.func.sum(rows["count"]))
        .where(rows.minute > recording.this_minute() - LATELY_MINUTES, rows.metric == Metric.FUNCTIONS_HUNG)
        .group_by(rows.channel, rows.label)
        .order_by(rows.channel, rows.label)
    )
    return [HungFunction(slug, name, int(times)) for slug, name, times in session.execute(query)]
