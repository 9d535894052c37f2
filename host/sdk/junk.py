"""Generate invalid request bodies for tests, deterministically."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Sequence
from typing import Any

__all__ = ["junk_bodies"]

_SEED = 7


def junk_bodies(samples: Sequence[bytes] = (), *, count: int = 400) -> list[bytes]:
    """Return invalid bodies: noise, broken JSON, and *samples* cut, spliced and retyped."""
    random_ = random.Random(_SEED)  # noqa: S311 - the same junk each time
    found = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"1e999",
        b'{"a":NaN}',
        b"\xff\xfe\x00",
        b'{"a":"\\ud800"}',
        b"[" * 20_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"a":' + b"9" * 6_000 + b"}",
        b'{"\\u0000":"\\u0000"}',
    ]
    for _ in range(count // 4):
        found.append(random_.randbytes(random_.randint(0, 200)))
        found.append("".join(random_.choices(string.printable, k=80)).encode())
    for sample in samples:
        for _ in range(max(1, count // (2 * max(len(samples), 1)))):
            found.append(_mutated(sample, random_))
        found += _retyped(sample)
    return found


def _mutated(sample: bytes, random_: random.Random) -> bytes:
    if not sample:
        return b"{"
    at = random_.randrange(len(sample))
    return random_.choice(
        [
            sample[:at],
            sample[:at] + random_.randbytes(3) + sample[at:],
            sample[:at] + sample[at + random_.randint(1, 20) :],
            sample[at:] + sample[:at],
        ]
    )


def _retyped(sample: bytes) -> list[bytes]:
    """Return *sample*, if it is JSON, with each value in turn replaced by one of every other type."""
    try:
        tree = json.loads(sample)
    except ValueError:
        return []
    strange: list[Any] = [
        None,
        True,
        -1,
        1.5,
        10**40,
        "",
        "x" * 5_000,
        "\0\ud800",
        [],
        {},
        [None],
        {"": None},
    ]
    found = []
    for path in _paths(tree):
        for value in strange:
            changed = json.loads(sample)
            _put(changed, path, value)
            found.append(json.dumps(changed).encode())
    return found


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(tree, dict):
        inner = list(tree.items())
    elif isinstance(tree, list):
        inner = list(enumerate(tree))
    found = [path] if path else []
    for key, value in inner:
        found += _paths(value, (*path, key))
    return found


def _put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value
