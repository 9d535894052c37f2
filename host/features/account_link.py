"""A link on the card of an account."""

from __future__ import annotations

import msgspec


class AccountLink(msgspec.Struct, frozen=True):
    """A link to a page of a feature about an account.

    :param endpoint: its view takes ``workspace_id`` and ``account_id``.
    :param name: name of the feature on the account, as people call it.
    :param does: its effect there, in words.
    """

    endpoint: str
    icon: str
    name: str
    does: str
