"""Notice code of addons that is called inside a write, in every quick test.

The rule: **inside a write, no code of an addon is called**, unless :data:`LISTED` names it. On SQLite a write
holds the one lock of the desk, so an addon that takes long would stop everybody. What is listed does nothing
but look at its arguments: while it runs, sockets, files and sleeping are refused.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from host.channels import timeouts
from host.core import call_budget, db

LISTED = {
    "approved_policy": "whether an approved template may be sent now, decided under the lock that sends",
    "capabilities_of": "what an account can do, from its settings",
    "contact_label": "the name of a contact without one, from its id",
    "id_for_address": "the form in which an address is stored, from the address",
    "laid_out": "the HTML of a reply, from its text: it is part of what the write stores",
    "limits": "the limits of sending, from the account's settings",
    "other_ids": "how else the provider may write a person's id",
    "own_addresses": "addresses that are the team's own, from the account's settings",
    "private_policy": "whether a comment may be answered privately, decided under the lock that sends",
    "reply_policy": "whether the account may write now, decided under the lock that sends",
    "signature": "the signature below a reply, from the account's settings",
}
"""What may be called inside a write, as calls are counted, each with what it does."""
REFUSED = frozenset({"open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"})
"""Audit events of what a listed call may not do."""

found: list[str] = []
"""What was called inside a write since the last look, each with its stack."""
_here = threading.local()
_hooked = threading.Event()


@contextmanager
def watching() -> Iterator[None]:
    """Note in :data:`found` each call of an addon inside a write, and what listed ones do."""
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_audit)  # for the whole process: it cannot be removed
    enter, leave, within = call_budget.enter, call_budget.leave, timeouts.within
    sleep = time.sleep

    def enter_and_note(slug: str, release: str, what: str) -> int:
        depth = enter(slug, release, what)
        if not depth and _is_inside():
            if what in LISTED:
                _here.listed = what
            else:
                _note(f"{what} of the addon {slug} was called inside a write")
        return depth

    def leave_and_forget(depth: int) -> None:
        if not depth:
            _here.listed = None
        leave(depth)

    def within_and_note(seconds: float, name: str, use: Any, customer: Any = None) -> Any:
        if _is_inside():
            _note(f"{name} was waited for inside a write")
        return within(seconds, name, use, customer)

    def refuse_or_sleep(seconds: float) -> None:
        _refuse("time.sleep")
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", refuse_or_sleep)
        patch.setattr(call_budget, "enter", enter_and_note)
        patch.setattr(call_budget, "leave", leave_and_forget)
        patch.setattr(timeouts, "within", within_and_note)
        yield


def _is_inside() -> bool:
    return db._current is not None and db._current.is_inside


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in REFUSED and getattr(_here, "listed", None) is not None and not _is_import():
        _refuse(event)


def _refuse(event: str) -> None:
    """Refuse what a listed call does inside a write."""
    what = getattr(_here, "listed", None)
    if what is None:
        return
    _note(f"{what} did {event} inside a write")
    raise PermissionError(f"{what} may not do {event} inside a write")


def _is_import() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _note(sentence: str) -> None:
    listed, _here.listed = getattr(_here, "listed", None), None  # a traceback opens files
    try:
        stack = "".join(traceback.format_stack(sys._getframe(2), limit=14))
    finally:
        _here.listed = listed
    found.append(f"{sentence}:\n{stack}")
