"""Copy the files of messages from one store to another, while the desk runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from host.core import storage
from host.core.storage import SHARDS, Store
from host.media.file_removal import CHUNK, is_used, named

log = logging.getLogger(__name__)

AT_ONCE = 4
PASSES = 5
"""Maximum number of passes. Files added during a pass are copied in the next."""


class _Outcome(Enum):
    COPIED = "copied"
    THERE = "there"
    DAMAGED = "damaged"
    GONE = "gone"


@dataclass(slots=True)
class Copied:
    """The result of copying the files that rows reference.

    :param there: files that were already in the target, with the same size.
    :param damaged: keys whose content in the source doesn't match its hash; they were left out.
    """

    files: int = 0
    bytes: int = 0
    there: int = 0
    damaged: set[str] = field(default_factory=set)


def copy(source: Store, target: Store, tell: Callable[[str], None]) -> Copied:
    """Copy every file that a row references from *source* to *target*, until a pass finds nothing new.

    Each is read once, and stored only if its SHA-256 is its key. Copied files stay, so it can be called again
    after an interruption.

    :param tell: receives progress lines.
    :raises StoreAwayError: if one of the stores does not answer.
    """
    total = Copied()
    with ThreadPoolExecutor(AT_ONCE, "copy-file") as pool:
        for number in range(1, PASSES + 1):
            before, there = total.files, total.there
            total.damaged = set()
            for place, shard in enumerate(SHARDS, 1):
                keys = source.keys(shard, older_than=None)
                for start in range(0, len(keys), CHUNK):
                    _copy_some(source, target, keys[start : start + CHUNK], total, pool)
                if place % 32 == 0:
                    tell(f"pass {number}, {100 * place // len(SHARDS)} %: {total.files} files copied")
            if number > 1:
                total.there = there
            if total.files == before:
                break
    return total


def _copy_some(
    source: Store, target: Store, keys: Sequence[str], total: Copied, pool: ThreadPoolExecutor
) -> None:
    # Only referenced files: the source may still contain files erased after the desk stopped using it.
    wanted = sorted(named(keys))
    copied = []
    for key, (outcome, size) in zip(
        wanted, pool.map(lambda key: _copy_one(source, target, key), wanted), strict=True
    ):
        if outcome is _Outcome.COPIED:
            copied.append(key)
            total.files += 1
            total.bytes += size
        elif outcome is _Outcome.THERE:
            total.there += 1
        elif outcome is _Outcome.DAMAGED:
            total.damaged.add(key)
    # Files may have been erased from the source while they were copied.
    for key in set(copied) - named(copied):
        target.remove(key, in_use=partial(is_used, key))


def _copy_one(source: Store, target: Store, key: str) -> tuple[_Outcome, int]:
    """Copy a file; return the outcome and its size in bytes."""
    size = source.size(key)
    if size is None:
        return _Outcome.GONE, 0
    if target.size(key) == size:
        return _Outcome.THERE, size
    try:
        with source.open_stored(key) as file, target.stage(file, most=size) as staged:
            if staged.key == key:
                staged.keep()
                return _Outcome.COPIED, size
    except storage.NotStoredError:
        return _Outcome.GONE, 0
    log.error("file %s is damaged in %s and was not copied", key, source.place)
    return _Outcome.DAMAGED, size
