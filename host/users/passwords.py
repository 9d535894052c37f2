"""Hash and check passwords with argon2id, in the same time for known and unknown users."""

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
"""As many as for eight characters drawn by lot from digits: what takes fewer, a patient guesser reaches."""
LOOKED_AT = 72
NONE = "!"
"""Stands for the hash of somebody who has no password yet: nothing typed is theirs."""

# OWASP's floor is 19 MiB and 2 passes. Four at a time hold 128 MiB, whatever the number of threads.
MEMORY_KIB = 32 * 1024
PASSES = 3
AT_ONCE = 4
PATIENCE = 10.0

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
_slots = threading.BoundedSemaphore(AT_ONCE)
_looking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Hashed:
    """The argon2id hash of a checked password, made before a write begins: hashing takes its time."""

    value: str = field(repr=False)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=PATIENCE):
        raise UnavailableError(_("Too many people are signing in at this moment."))
    try:
        yield
    finally:
        _slots.release()


def normal(password: str) -> str:
    """Return *password* in one Unicode form, so that every keyboard's é is the same."""
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
        return str(_("This password is one of the first that anybody would try. Choose another."))
    if email and folded in {email.casefold(), email.partition("@")[0].casefold()}:
        return str(_("Your address is not a password. Choose another."))
    return _guessable(normal(password), email)


def _guessable(password: str, email: str) -> str | None:
    """Return why somebody who guesses would be at *password* soon, or None."""
    from zxcvbn import zxcvbn

    # What is hard to guess in its first 72 characters is not made easier by more of them.
    own = [email, email.partition("@")[0], *re.split(r"[^\w]+", email)] if email else []
    with _looking:  # what one call is given lies in the library's own tables until the next
        found = zxcvbn(password[:LOOKED_AT], user_inputs=[*common(), *own])
    if found["guesses"] >= MIN_GUESSES:
        return None
    kinds = {_kind(part, own) for part in found["sequence"]}
    reasons = {
        "own": _("It is too close to your address."),
        "common": _(
            "It is too close to a password many people use: swapped letters and a number change little."
        ),
        "repeat": _("It repeats itself."),
        "sequence": _("Its characters follow each other, as in “abcd” or “6543”."),
        "spatial": _("Its keys lie next to each other on the keyboard."),
        "date": _("A date is soon guessed."),
        "word": _("It is little more than one word or name."),
    }
    reason = next((why for kind, why in reasons.items() if kind in kinds), _("It is soon guessed."))
    return f"{reason} {_('Three or four words that do not belong together make a good one.')}"


def _kind(part: Mapping[str, Any], own: Collection[str]) -> str:
    """Say of a part of a password how it would be guessed."""
    pattern = str(part["pattern"])
    if pattern != "dictionary":
        return "date" if pattern == "regex" else pattern
    if str(part["matched_word"]).casefold() in {one.casefold() for one in own if one}:
        return "own"
    return "common" if part["dictionary_name"] in {"passwords", "user_inputs"} else "word"


def hashed(password: str | Hashed, *, email: str = "") -> Hashed:
    """Check and hash *password*; a :class:`Hashed` is returned unchanged.

    :raises InvalidError: with the reason, if it breaks a rule.
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


def verify(stored: str | None, password: str) -> bool:
    """Tell whether *stored* is the hash of *password*.

    ``None`` stands for a user who does not exist, and takes as long.
    """
    dummy = _dummy()
    if stored == NONE:
        stored = None
    if len(password) > 4 * MAX_LENGTH:
        stored, password = None, ""
    with _slot():
        try:
            return _hasher.verify(stored or dummy, normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Tell whether *stored* was made with other parameters than today's."""
    return stored != NONE and _hasher.check_needs_rehash(stored)
