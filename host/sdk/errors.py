"""The errors an addon may raise or catch."""

from __future__ import annotations


class SdkError(Exception):
    """Base of every error that passes between host and addon."""


class AccountTakenError(SdkError):
    """The provider's account is live in this or another workspace already."""


class AccountGoneError(SdkError):
    """The account was disconnected while something was being done with it."""


class OtherAccountError(SdkError):
    """The credentials belong to another account than the one being changed."""


class FetchError(SdkError):
    """The guarded client could not, or would not, fetch something.

    ``sent`` tells whether any byte of the request may have reached the other side. If so, the request may
    have had its effect.
    """

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class FileEndedError(FetchError):
    """The provider no longer has the file, or no longer shows it to us: asking again would not help."""


class ForbiddenAddressError(FetchError):
    """The address is private, or its host is not on the list the addon declared."""


class SecretUnreadableError(SdkError):
    """A stored secret cannot be decrypted: its key is missing, or the bytes were moved or changed."""
