"""Hash and check passwords with argon2id, taking the same time for known and unknown users."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from flask_babel import gettext as _

from host.core.errors import InvalidError, UnavailableError

MIN_LENGTH = 8
MAX_LENGTH = 128
MIN_GUESSES = 10**8
"""Minimum guesses for a password, as many as for eight random digits: a patient attacker manages fewer."""
LOOKED_AT = 72
NONE = "!"
"""Placeholder hash of a person without a password; no password matches it."""

# OWASP's minimum is 19 MiB and 2 passes. Four at a time use 128 MiB, regardless of the number of threads.
MEMORY_KIB = 32 * 1024
PASSES = 3
AT_ONCE = 4
PATIENCE = 10.0

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
_slots = threading.BoundedSemaphore(AT_ONCE)
_unwaited = threading.BoundedSemaphore(1)
"""Slot of checks that wait for nothing: they leave the other slots to those who may wait."""
_looking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Hashed:
    """The argon2id hash of a valid password, computed before a write begins because hashing is slow."""

    value: str = field(repr=False)


@contextmanager
def _slot(*, waits: bool = True) -> Iterator[None]:
    slots = _slots if waits else _unwaited
    if not slots.acquire(timeout=PATIENCE if waits else 0):
        raise UnavailableError(_("Too many people are signing in right now."))
    try:
        yield
    finally:
        slots.release()


def normal(password: str) -> str:
    """Return *password* in one Unicode normal form, so that é is equal from every keyboard."""
    return unicodedata.normalize("NFC", password)


@cache
def common() -> frozenset[str]:
    """Return the most common passwords, which attackers try first."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text().splitlines()
    return frozenset(line.strip() for line in lines if line.strip())


def problem(password: str, *, email: str = "") -> str | None:
    """Return why *password* cannot be used, as a sentence, or None."""
    length = len(normal(password))
    if length < MIN_LENGTH:
        return str(_("Use at least %(count)d characters.", count=MIN_LENGTH))
    if length > MAX_LENGTH:
        return str(_("Use at most %(count)d characters.", count=MAX_LENGTH))
    folded = normal(password).casefold()
    if folded in common() or len(set(folded)) < 3:
        return str(_("This is one of the most common passwords. Choose another."))
    if email and folded in {email.casefold(), email.partition("@")[0].casefold()}:
        return str(_("Don't use your email address as your password. Choose another."))
    return _guessable(normal(password), email)


def _guessable(password: str, email: str) -> str | None:
    """Return why *password* would be guessed quickly, or None."""
    from zxcvbn import zxcvbn

    # A password whose first 72 characters are hard to guess does not become easier with more characters.
    own = [email, email.partition("@")[0], *re.split(r"[^\w]+", email)] if email else []
    with _looking:  # the library's tables keep the input of a call until the next one
        found = zxcvbn(password[:LOOKED_AT], user_inputs=[*common(), *own])
    if found["guesses"] >= MIN_GUESSES:
        return None
    kinds = {_kind(part, own) for part in found["sequence"]}
    reasons = {
        "own": _("Too similar to your email address."),
        "common": _("Too similar to a common password. Swapping letters or adding a number isn't enough."),
        "repeat": _("Too repetitive."),
        "sequence": _("Characters in sequence, such as “abcd” or “6543”, are easy to guess."),
        "spatial": _("Keys next to each other on the keyboard are easy to guess."),
        "date": _("Dates are easy to guess."),
        "word": _("A single word or name is easy to guess."),
    }
    reason = next(
        (why for kind, why in reasons.items() if kind in kinds), _("This password is easy to guess.")
    )
    advice = _("Three or four unrelated words make a good password.")
    return f"{reason} {advice}"


def _kind(part: Mapping[str, Any], own: Collection[str]) -> str:
    """Return the way in which part of a password would be guessed."""
    pattern = str(part["pattern"])
    if pattern != "dictionary":
        return "date" if pattern == "regex" else pattern
    if str(part["matched_word"]).casefold() in {one.casefold() for one in own if one}:
        return "own"
    return "common" if part["dictionary_name"] in {"passwords", "user_inputs"} else "word"


def hashed(password: str | Hashed, *, email: str = "") -> Hashed:
    """Check and hash *password*; a :class:`Hashed` is returned unchanged.

    :raises InvalidError: with the reason, if the password breaks a rule.
    """
    if isinstance(password, Hashed):
        return password
    reason = problem(password, email=email)
    if reason is not None:
        raise InvalidError(reason, next_step="")
    with _slot():
        return Hashed(_hasher.hash(normal(password)))


@cache
def _dummy() -> str:
    return _hasher.hash("nobody has this password")


def verify(stored: str | None, password: str, *, waits: bool = True) -> bool:
    """Return whether *stored* is the hash of *password*.

    ``None`` means that the user does not exist; it takes the same time.

    :param waits: whether it waits while other passwords are checked. If not, one is checked at a time.
    :raises UnavailableError: if the password was not checked because others are.
    """
    dummy = _dummy()
    if stored == NONE:
        stored = None
    if len(password) > 4 * MAX_LENGTH:
        stored, password = None, ""
    with _slot(waits=waits):
        try:
            return _hasher.verify(stored or dummy, normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Return whether *stored* was made with outdated parameters."""
    return stored != NONE and _hasher.check_needs_rehash(stored)
