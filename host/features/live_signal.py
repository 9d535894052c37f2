"""Signals to open pages that no event records."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import msgspec


class LiveSignal(msgspec.Struct, frozen=True):
    """A change that open pages hear of soon, but do not miss if they were away: they ask when they return.

    :param topic: the name under which pages follow it.
    :param user_id: the person whose pages are told. Others are told only when *state* changes.
    :param data: ids; its ``conversation`` says who may hear of it.
    :param key: what changed; *version*: a number that differs after each change.
    :param to_all: whether everybody is told of each change.
    """

    topic: str
    workspace_id: int
    user_id: int
    data: Mapping[str, Any]
    key: Hashable
    version: int
    state: bool
    to_all: bool
