"""Run an addon's tool with a timeout.

Python cannot stop a thread, so a tool that hangs keeps its thread until it returns. It must not keep the slot
of its turn as well. While one call of a tool hangs, this process starts no other call of it, so a tool that
always hangs costs one thread and blocks nobody.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

from host import recording
from host.models.health import Metric

log = logging.getLogger("lobby.assistants")

_lock = threading.Lock()
_hung: Counter[str] = Counter()


class HangsError(Exception):
    """A tool did not return in time, or an earlier call of it still hangs."""


def within(seconds: float, name: str, use: Callable[[], str]) -> str:
    """Return the result of *use*, or raise its error, if it finishes within *seconds*.

    :param name: name of the tool, ``<slug>.<word>``.
    :raises HangsError: if it doesn't. Its thread keeps running.
    """
    with _lock:
        if _hung[name]:
            raise HangsError()
    done = threading.Event()
    came: list[tuple[str, BaseException | None]] = []

    def work() -> None:
        result, problem = "", None
        try:
            result = use()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            problem = error
        with _lock:
            came.append((result, problem))
            late = done.is_set()
            done.set()
            if late:
                _hung[name] -= 1
        if late:
            log.warning("the tool %s of an addon returned after all", name)

    threading.Thread(target=work, name=f"tool {name}", daemon=True).start()
    if not done.wait(seconds):
        with _lock:
            if not came:
                done.set()
                _hung[name] += 1
    if not came:
        slug = name.partition(".")[0]
        recording.count(Metric.TOOLS_HUNG, slug)
        log.error("the tool %s of an addon has not returned after %s seconds", name, seconds)
        raise HangsError()
    result, problem = came[0]
    if problem is not None:
        raise problem
    return result
