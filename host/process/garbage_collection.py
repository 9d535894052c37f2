"""Tune Python's garbage collector for a process that serves for weeks.

A full collection looks at every object there is while nothing else runs. Most are modules, classes and
routes, which stay as long as the process does. On a slow machine that takes a tenth of a second each time,
and it was what the slowest of a hundred messages waited for.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_settled = False


@contextmanager
def importing() -> Iterator[None]:
    """Collect nothing while a program is imported, and pass over what was imported for ever.

    Of 170,000 objects a thousand are garbage; looking for it took a sixth of the time to import, and again as
    long when the process began to serve. A forked process would have a copy made of all it looks at.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def freeze_objects() -> None:
    """Let collections pass over all there is now. Call it once the process serves."""
    global _settled  # noqa: PLW0603 - of the process, as the collector is
    _settled = True
    collect()


def collect() -> None:
    """Free what only circles of references keep alive: the app of a generation that was left is one."""
    if _settled:
        gc.unfreeze()
    gc.collect()
    if _settled:
        gc.freeze()
