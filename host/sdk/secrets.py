"""Credentials: stored encrypted, bound to the row that holds them, and never shown."""

from __future__ import annotations

from host.core import secrets as _host
from host.sdk.errors import SecretUnreadableError

Place = _host.Place
Secret = _host.Secret

__all__ = ["Place", "Secret", "SecretUnreadableError", "fingerprint", "seal", "unseal"]


def seal(secret: Secret, place: Place) -> str:
    """Encrypt *secret* for storing at *place*.

    The row's UUID must be generated before the row is inserted.
    """
    return _host.keyring().seal(secret, place)


def unseal(sealed: str, place: Place) -> Secret:
    """Decrypt a value sealed for *place*.

    :raises SecretUnreadableError: if it was sealed for another place or changed, or its key is missing.
    """
    return _host.keyring().open(sealed, place)


def fingerprint(secret: Secret) -> str:
    """Return 16 hex digits equal for equal secrets of this installation; safe to store and compare."""
    return _host.keyring().fingerprint(secret)
