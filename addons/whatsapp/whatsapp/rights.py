"""Refusals that concern the number and not the message: name what is missing, and hold its replies.

Meta answers each call with the same refusal until somebody gives the permission back. A reply refused for
that reason waits, as with a dead token, and Meta is asked again every ten minutes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from host.sdk.accounts import AccountState, mark_connected, overview
from host.sdk.channel import AccountRef
from host.sdk.http import FetchError
from host.sdk.i18n import gettext as _
from host.sdk.i18n import noop
from host.sdk.pages import Job

from . import accounts, checks
from .graph import Graph, GraphError

log = logging.getLogger(__name__)

LOST: Mapping[str, str] = {
    "whatsapp_business_messaging": noop(
        "The permission to send messages (whatsapp_business_messaging) was taken away. Give it back to the "
        "system user at Meta, then choose Check now; or paste a new token in Settings."
    ),
    "whatsapp_business_management": noop(
        "The permission to manage the account (whatsapp_business_management) was taken away. Give it back to "
        "the system user at Meta, then choose Check now; or paste a new token in Settings."
    ),
}
"""The sentence that people read, by the permission that is missing."""
NO_ACCESS = noop(
    "The system user of the token no longer has access to this number. Assign it the WhatsApp account at "
    "Meta with full control, then choose Check now; or paste a new token in Settings."
)
REASONS = frozenset({*LOST.values(), NO_ACCESS})
"""Every sentence a number may have stopped with that ends without new credentials."""
GONE = 190
"""Meta's code of a dead token."""


def missing(graph: Graph, number: str) -> str | None:
    """Return what a number lacks, in words; empty if its token is no longer valid, None if nothing.

    :raises FetchError: if Meta does not answer.
    """
    try:
        facts = checks.token_facts(graph.token)
        if facts is None:
            return ""
        if facts.missing:
            return LOST[facts.missing[0]]
        checks.number(graph, number)
    except GraphError as error:
        return "" if error.code in {0, GONE} else NO_ACCESS
    return None


def is_back(account: AccountRef) -> bool:
    """Let the replies of a number go that may send again; return whether it may.

    :raises FetchError: if Meta does not answer.
    """
    found = accounts.of(account)
    if found is None or missing(Graph.of(found), account.external_id) is not None:
        return False
    mark_connected(account.id, REASONS)
    return True


def check(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Check a number for a person who waits.

    :raises ValueError: with what is still missing.
    """
    try:
        if is_back(account):
            return str(_("The number may send again. Waiting replies are being sent."))
    except FetchError as error:
        raise ValueError(_("Meta can't be reached: %(why)s.", why=error.reason)) from None
    raise ValueError(_("Meta still refuses: the permission isn't back yet."))


def look_again() -> None:
    """Let the replies of numbers go that may send again."""
    for row in overview("whatsapp"):
        if row.state is AccountState.NEEDS_RECONNECT and row.state_reason in REASONS:
            try:
                is_back(row.account)
            except FetchError as error:
                log.info("number %s could not be checked: %s", row.account.id, error.reason)


JOB = Job("whatsapp-rights", timedelta(minutes=10), look_again)
