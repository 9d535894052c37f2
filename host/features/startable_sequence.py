"""A sequence as rules and campaigns see it."""

from __future__ import annotations

import msgspec


class StartableSequence(msgspec.Struct, frozen=True):
    """A sequence that rules and campaigns may refer to.

    :param live: whether it can start now, after a customer's message.
    :param by_rules: whether it can also start at any other time while the reply window is open.
    """

    name: str
    live: bool
    by_rules: bool
