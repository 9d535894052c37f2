"""Messages to customers that could follow if conversations are changed."""

from __future__ import annotations

import msgspec


class MessagesAfter(msgspec.Struct, frozen=True):
    """A rule or addon that could write to customers because of an event.

    :param kind: the kind of the event.
    :param name: the rule or addon, as people call it.
    :param conversations: ids of those whose customers could get a message; empty if none could.
    """

    kind: str
    name: str
    conversations: frozenset[int]
