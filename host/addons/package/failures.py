"""Errors of addons: one plain sentence for the admin, the state it leads to, details for the log."""

from __future__ import annotations

from host.models.addons import AddonState


class Skipped(str):
    """What a step returns that was not taken: the reason."""

    __slots__ = ()


class AddonError(Exception):
    """An addon cannot be used. The message is one sentence for an admin.

    :param state: what the addon's card says while it is so.
    :param detail: more for "Show the error": a traceback's last lines, the database's words. No secrets.
    """

    def __init__(self, sentence: str, *, state: AddonState = AddonState.INACTIVE, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.state = state
        self.detail = detail


def last_lines(error: BaseException, count: int = 1) -> str:
    """Return the kind of *error* and the first line of what it says."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[:count])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
