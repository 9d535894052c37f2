"""Hash and check passwords with argon2id, in the same time for known and unknown users."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from flask_babel import gettext as _

from host.core.errors import InvalidError, UnavailableError

MIN_LENGTH = 8
MAX_LENGTH = 128

# OWASP's floor is 19 MiB and 2 passes. Four at a time hold 128 MiB, whatever the number of threads.
MEMORY_KIB = 32 * 1024
PASSES = 3
AT_ONCE = 4
PATIENCE = 10.0

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
_slots = threading.BoundedSemaphore(AT_ONCE)


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
    return None


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
    if len(password) > 4 * MAX_LENGTH:
        stored, password = None, ""
    with _slot():
        try:
            return _hasher.verify(stored or dummy, normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Tell whether *stored* was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)
