"""Participants of a conversation besides its customer: recipients and authors of its messages.

On a channel where senders choose which message they refer to, a reference proves nothing: it can be guessed,
and every forwarded mail contains it. Recipients, however, have seen the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.core.cleaning import external_id
from host.sdk.channel import AccountRef

RECIPIENTS = ("to", "cc", "bcc")
AFTER_FORWARD = "after_forward"
"""Key in the content of an answer to a forward, or of a delivery report, which the customer does not see."""


def is_forged(content: Mapping[str, Any]) -> bool:
    """Return whether our mail server found that the sender of a message is forged."""
    check = content.get("sender_check")
    return isinstance(check, Mapping) and check.get("verdict") == "fail"


def addresses_in(content: Mapping[str, Any]) -> set[str]:
    """Return the addresses of a message's recipients."""
    found: set[str] = set()
    for name in RECIPIENTS:
        given = content.get(name)
        found.update(_address(one) for one in (given if isinstance(given, list | tuple) else ()))
    return found


def of_message(content: Mapping[str, Any], account: AccountRef) -> frozenset[str]:
    """Return the external ids of a message's participants.

    They are its recipients and author, without the account's address and its further addresses in
    ``content["own"]``; none if the message is forged.
    """
    if is_forged(content):
        return frozenset()
    found = addresses_in(content)
    found.add(_address(content.get("author")))
    own = content.get("own")
    ours = {"", account.external_id.lower(), account.handle.lower()}
    ours |= {one.lower() for one in own if isinstance(one, str)} if isinstance(own, list | tuple) else set()
    return frozenset(external_id(address) for address in found if address.lower() not in ours)


def _address(given: object) -> str:
    address = given.get("address") if isinstance(given, Mapping) else given
    return address if isinstance(address, str) else ""
