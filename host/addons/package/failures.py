"""Errors of addons: one plain sentence for the admin, the state it leads to, details for the log."""

from __future__ import annotations

import traceback
from pathlib import Path

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


def place_of(error: BaseException, folder: Path) -> str:
    """Return where in *folder* *error* arose, ``toy/addon.py, line 3``; an empty text if elsewhere."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        found = place_in(folder, error.filename, error.lineno)
        if found:
            return found
    places = (
        place_in(folder, frame.filename, frame.lineno)
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if frame.lineno
    )
    return next(filter(None, places), "")


def place_in(folder: Path, file: str, line: int) -> str:
    """Return *file* and *line* for people, relative to *folder*; an empty text if it is elsewhere."""
    path = Path(file).resolve()
    if not path.is_relative_to(folder.resolve()):
        return ""
    return f"{path.relative_to(folder.resolve()).as_posix()}, line {line}"
