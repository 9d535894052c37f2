"""Descriptors that a forked child must not keep open, because they must close with this process.

A file's lock and a server's session live as long as any process has them open. A program that is started
closes them automatically; a copy of this process, made by ``os.fork()`` or ``multiprocessing``, would keep
them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ours: set[int] = set()


@contextmanager
def not_inherited(descriptor: int | None) -> Iterator[None]:
    """Close *descriptor* in every child forked while the block runs; does nothing for None."""
    if descriptor is None:
        yield
        return
    _ours.add(descriptor)
    try:
        yield
    finally:
        _ours.discard(descriptor)


def _close_in_child() -> None:
    for descriptor in _ours:
        with suppress(OSError):
            os.close(descriptor)
    _ours.clear()


os.register_at_fork(after_in_child=_close_in_child)
