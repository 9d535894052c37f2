"""The errors an addon may raise or catch."""

from __future__ import annotations


class SdkError(Exception):
    """Base class of all errors between host and addon."""


class AccountTakenError(SdkError):
    """The provider's account is already live in this or another workspace."""


class AccountGoneError(SdkError):
    """The account was disconnected during an operation on it."""


class OtherAccountError(SdkError):
    """The credentials belong to another account than the one being changed."""


class FetchError(SdkError):
    """The guarded client could not fetch something, or refused to.

    ``sent``: whether any byte of the request may have reached the server, so that it may have taken effect.
    """

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class FileEndedError(FetchError):
    """The provider no longer has the file, or no longer grants access; a retry would not help."""


class ForbiddenAddressError(FetchError):
    """The address is private, or its host is not declared by the addon."""


class SecretUnreadableError(SdkError):
    """A stored secret cannot be decrypted: its key is missing, or the bytes were moved or changed."""
