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


class DeskError(SdkError):
    """A call of :mod:`host.sdk.desk` was refused; nothing was changed.

    ``code``: the reason, for programs: ``undeclared``, ``too_many``, ``conversation_not_found``, ... The
    codes are in docs/sdk/desk.md.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class ProviderError(SdkError):
    """The provider refused: a revoked token, a missing permission, a message it doesn't take.

    Addons raise a subclass. A call that ends in one is not counted as a failure of the addon's code, and
    neither is one that ends in a :class:`FetchError`. The message names no credential.
    """


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


class SettingsMissingError(SdkError):
    """Required settings of an addon's form are not filled in.

    ``slug``: the addon; ``names``: the missing settings; ``workspace_id``: whose, None for the server's.
    """

    def __init__(self, slug: str, names: tuple[str, ...], workspace_id: int | None = None) -> None:
        where = "an admin fills them in" if workspace_id is None else f"workspace {workspace_id}"
        super().__init__(f"settings of addon {slug!r} are missing ({where}): {', '.join(names)}")
        self.slug = slug
        self.names = names
        self.workspace_id = workspace_id


class SecretUnreadableError(SdkError):
    """A stored secret cannot be decrypted: its key is missing, or the bytes were moved or changed."""
