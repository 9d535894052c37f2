"""Signals to open pages that are not in the event log."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import msgspec


class LiveSignal(msgspec.Struct, frozen=True):
    """A change that is sent to open pages soon. Pages that were disconnected query it when they reconnect.

    :param topic: the name under which pages follow it.
    :param user_id: the person whose pages are notified. Others are only notified when *state* changes.
    :param data: ids; its ``conversation`` determines who may be notified.
    :param key: what changed; *version*: a number that differs after each change.
    :param to_all: whether everyone is notified of each change.
    """

    topic: str
    workspace_id: int
    user_id: int
    data: Mapping[str, Any]
    key: Hashable
    version: int
    state: bool
    to_all: bool
