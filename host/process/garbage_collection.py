"""Tune Python's garbage collector for a process that runs for weeks.

A full collection visits every object while all threads stop. Most are modules, classes and routes, which live
as long as the process. On a slow machine that takes a tenth of a second each time, and it dominated the 99th
percentile of message latency.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_settled = False


@contextmanager
def importing() -> Iterator[None]:
    """Disable collection during imports, and exempt the imported objects forever.

    Only a thousand of 170,000 objects are garbage; searching them took a sixth of the import time, and as
    long again when the process started to serve. In a forked process, a collection would copy every page it
    touches.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def freeze_objects() -> None:
    """Exempt all existing objects from collection. Call it once the process serves."""
    global _settled  # noqa: PLW0603 - of the process, as the collector is
    _settled = True
    collect()


def collect() -> None:
    """Free objects kept alive only by reference cycles, such as the app of a replaced generation."""
    if _settled:
        gc.unfreeze()
    gc.collect()
    if _settled:
        gc.freeze()
