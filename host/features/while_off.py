"""The things a disabled feature keeps, and the conversations it left to people."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec


class WhileOff(msgspec.Struct, frozen=True):
    """The remains of a disabled feature in a workspace.

    :param kept: its objects in order, each with a few words about it, which may be empty.
    :param conversations: those it left to people since it was disabled.
    """

    kept: Sequence[tuple[str, str]] = ()
    conversations: Collection[int] = ()
