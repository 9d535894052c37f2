"""Errors of addons: one plain sentence for the admin, the state it leads to, details for the log."""

from __future__ import annotations

from host.models.addons import AddonState


class Skipped(str):
    """The reason why a step was skipped; the step returns it."""

    __slots__ = ()


class AddonError(Exception):
    """An addon cannot be used. The message is one sentence for an admin.

    :param state: the state the addon's card shows.
    :param detail: more for "Show the error": last lines of a traceback, the database's message. No secrets.
    """

    def __init__(self, sentence: str, *, state: AddonState = AddonState.INACTIVE, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.state = state
        self.detail = detail


def last_lines(error: BaseException, count: int = 1) -> str:
    """Return the class of *error* and the first *count* lines of its message."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[:count])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
