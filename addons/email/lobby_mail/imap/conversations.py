"""Sort earlier mails: conversations newest first, the mails of each oldest first.

The order matters because a mail joins the conversation of the one it answers only if that one was imported
first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

MOST_IDS = 60

_ID = re.compile(rb"<[^<>\s]{1,500}>")
_OWN = re.compile(rb"(?im)^message-id\s*:\s*(<[^<>\s]{1,500}>)")


class Dated(Protocol):
    """A mail, its time, and the ids it names."""

    @property
    def came_at(self) -> datetime: ...

    @property
    def ids(self) -> tuple[int, ...]: ...


T = TypeVar("T", bound=Dated)


def ids(head: bytes) -> tuple[int, ...]:
    """Return hashes of the Message-IDs in *head*: the mail's own, and those it refers to."""
    found = [*_OWN.findall(head), *_ID.findall(head)]
    return tuple(dict.fromkeys(hash(one) for one in found[:MOST_IDS]))


def in_order(mails: Sequence[T]) -> list[list[T]]:
    """Group *mails* by conversation: the one with the newest mail first, mails oldest first."""
    parents: dict[int, int] = {}

    def root(id_: int) -> int:
        top = id_
        while parents.setdefault(top, top) != top:
            top = parents[top]
        while parents[id_] != top:
            parents[id_], id_ = top, parents[id_]
        return top

    for mail in mails:
        for other in mail.ids[1:]:
            parents[root(other)] = root(mail.ids[0])
    groups: dict[object, list[T]] = {}
    for number, mail in enumerate(mails):
        key: object = ("id", root(mail.ids[0])) if mail.ids else ("number", number)
        groups.setdefault(key, []).append(mail)
    for group in groups.values():
        group.sort(key=lambda mail: mail.came_at)
    return sorted(groups.values(), key=lambda group: group[-1].came_at, reverse=True)
