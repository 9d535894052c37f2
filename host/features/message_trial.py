"""A step of a tried message: a feature's look at it."""

from __future__ import annotations

import msgspec


class TrialStep(msgspec.Struct, frozen=True):
    """A feature's look at a tried message.

    :param name: what looked at it, as people call it.
    :param acts: whether it would do something.
    :param does: what it would do, in words; empty if nothing.
    """

    icon: str
    name: str
    acts: bool = False
    does: str = ""
