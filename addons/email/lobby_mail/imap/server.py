"""The server of a mailbox, and its errors. Does not need the IMAP package, which is loaded lazily."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from host.sdk.errors import ProviderError
from host.sdk.secrets import Secret

from ..smtp import Bearer, Security

_CODE = re.compile(r"\A\s*\[[A-Z0-9 =._-]{1,80}\]\s*")


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a mailbox, and the credentials.

    :param bearer: used instead of a password.
    """

    host: str
    port: int
    security: Security
    user: str
    password: Secret | None = field(default=None, repr=False)
    bearer: Bearer | None = field(default=None, repr=False, compare=False)

    @property
    def can_sign_in(self) -> bool:
        return self.password is not None or self.bearer is not None


@dataclass(frozen=True, slots=True)
class Settings:
    """A mailbox to read.

    :param aliases: aliases of the account.
    :param folders: names of further folders to read besides the inbox and the sent folder.
    :param since: mails from before are not imported; None: no limit.
    :param connected_at: mails from before count as earlier.
    :param largest: bytes of the largest mail that is fetched completely.
    """

    account_id: int
    address: str
    server: Server
    since: datetime | None
    connected_at: datetime
    largest: int
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class RefusedError(ProviderError):
    """The server refused a command. The exception's message is the server's, without credentials.

    :ivar for_now: whether the refusal may be temporary.
    """

    def __init__(self, words: str, *, for_now: bool = False) -> None:
        super().__init__(words[:300])
        self.for_now = for_now


class LoginRefusedError(RefusedError):
    """The server rejected the user and password."""


class EndedError(LoginRefusedError):
    """The provider no longer accepts the sign-in. People have been notified."""


class BrokenError(ProviderError):
    """The connection broke, or the server sent something that is not IMAP."""


def plain(words: str) -> str:
    """Return a server's message without the leading code in brackets."""
    return _CODE.sub("", words)
