"""Users of a thing that can be deleted, as its page names them before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

KEYS: Mapping[str, frozenset[str]] = {
    "label": frozenset({"label", "labels", "all_labels", "no_labels"}),
    "team": frozenset({"team", "teams"}),
    "person": frozenset({"person", "assignee", "mentioned"}),
    "attribute": frozenset({"attribute"}),
    "reply": frozenset({"canned"}),
    "macro": frozenset({"macro"}),
    "endpoint": frozenset({"endpoint"}),
    "sequence": frozenset({"sequence"}),
    "account": frozenset({"accounts", "account_id"}),
}
"""The keys under which stored definitions have the ids of each kind."""


class Use(msgspec.Struct, frozen=True):
    """Something that uses what would be deleted.

    :param what: what it is, such as "Rule".
    :param name: empty if it is not named, because it is somebody else's.
    :param state: its state in words; empty: it has none.
    :param link: endpoint and arguments of its page, besides the workspace; None: it has none.
    :param permission: what a viewer needs for that page.
    """

    what: str
    name: str
    state: str = ""
    link: tuple[str, Mapping[str, Any]] | None = None
    permission: str = "read"


def named(part: object, kind: str) -> set[int]:
    """Return the ids of a kind that a stored definition names."""
    return set(_ids(part, KEYS[kind], ""))


def _ids(part: object, keys: frozenset[str], key: str) -> Iterator[int]:
    if isinstance(part, Mapping):
        for name, one in part.items():
            yield from _ids(one, keys, str(name))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _ids(one, keys, key)
    elif key in keys and isinstance(part, int) and not isinstance(part, bool) and part:
        yield part
