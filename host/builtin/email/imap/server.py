"""The server a mailbox is on, and how it may fail. Needs no package for IMAP, which is loaded late."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from host.sdk.secrets import Secret

from ..smtp import Bearer, Security

_CODE = re.compile(r"\A\s*\[[A-Z0-9 =._-]{1,80}\]\s*")


@dataclass(frozen=True, slots=True)
class Server:
    """The server a mailbox is on, and how to sign in.

    :param bearer: instead of a password.
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

    :param aliases: further addresses of the account.
    :param folders: names of those read besides the inbox and what was sent.
    :param since: what the server has from before is left where it is; None: none is.
    :param connected_at: what is from before counts as earlier.
    :param largest: bytes of the largest mail that is taken whole.
    """

    account_id: int
    address: str
    server: Server
    since: datetime | None
    connected_at: datetime
    largest: int
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class RefusedError(Exception):
    """The server refused; its words are the message, without credentials.

    :ivar for_now: whether it may be otherwise in a while.
    """

    def __init__(self, words: str, *, for_now: bool = False) -> None:
        super().__init__(words[:300])
        self.for_now = for_now


class LoginRefusedError(RefusedError):
    """The server did not take the user and password."""


class EndedError(LoginRefusedError):
    """The provider takes the sign-in no more. People have been told."""


class BrokenError(Exception):
    """The connection broke, or the server said something that is not IMAP."""


def plain(words: str) -> str:
    """Return a server's words without the code in brackets at their beginning."""
    return _CODE.sub("", words)
