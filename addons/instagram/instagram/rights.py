"""Refusals that concern the account and not the message: ask Meta at once, and hold the account's replies.

Meta answers each call with the same refusal until somebody gives the right back, so a reply that is refused
for that reason is not lost: it waits as with a dead token. Every ten minutes Meta is asked again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from host.sdk import db
from host.sdk.accounts import AccountState, mark_connected, overview
from host.sdk.channel import Held
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop

from . import config, permissions, restrictions
from .accounts import Credentials, credentials
from .config import CHANNEL, COMMENTS_CHANNEL, Flavour
from .connect import comments_switch
from .connect.checks import is_permission
from .errors import CatalogueEntry, catalogue, classify, problem
from .graph import GraphError

log = logging.getLogger(__name__)

LOST: Mapping[str, str] = {
    "instagram_basic": noop("The permission to view the account (instagram_basic) was taken away."),
    "instagram_manage_messages": noop(
        "The permission to read and reply to messages (instagram_manage_messages) was taken away."
    ),
    "instagram_manage_comments": noop(
        "The permission to read and reply to comments (instagram_manage_comments) was taken away."
    ),
    "instagram_business_basic": noop(
        "The permission to view the account (instagram_business_basic) was taken away."
    ),
    "instagram_business_manage_messages": noop(
        "The permission to read and reply to messages (instagram_business_manage_messages) was taken away."
    ),
    "instagram_business_manage_comments": noop(
        "The permission to read and reply to comments (instagram_business_manage_comments) was taken away."
    ),
}
"""The sentence that people read, by the permission that is missing."""
NEXT = noop("Ask the workspace owner to reconnect the account and keep all permissions selected.")


def reasons() -> frozenset[str]:
    """Return every sentence an account may have stopped with that ends without a new sign-in."""
    return frozenset({*LOST.values(), *(one.sentence for one in catalogue() if one.inspects)})


def held(
    found: Credentials, known: CatalogueEntry, error: GraphError, *, private: bool = False
) -> Held | None:
    """Return that an account's replies wait, if Meta confirms that a refusal concerns the account.

    :param private: whether a comment was answered privately, which needs the permissions for messages.
    """
    sentence = _confirmed(found, error, private=private)
    if sentence is None:
        return None
    log.warning("account %s may not send any more: %s", found.account_id, error.quote)
    step = NEXT if sentence in LOST.values() else known.next_step
    return Held(replace(problem(known, error), sentence=sentence, next_step=step), alone=True)


def look_again() -> None:
    """Let the replies of accounts go that may send again."""
    wanted = reasons()
    stopped = [
        row
        for channel in (CHANNEL, COMMENTS_CHANNEL)
        for row in overview(channel)
        if row.state is AccountState.NEEDS_RECONNECT and row.state_reason in wanted
    ]
    for row in stopped:
        try:
            found = credentials(row.account.id)
            if (
                found is not None
                and not restrictions.is_restricted(found.app)
                and _is_back(found, row.state_reason or "")
            ):
                mark_connected(row.account.id, wanted)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", row.account.id, error)
        except GraphError as error:
            log.info("account %s still may not send: %s", row.account.id, error.quote)


def _confirmed(found: Credentials, error: GraphError, *, private: bool) -> str | None:
    """Return why the account may not send, in words; None if Meta confirms nothing."""
    of_comments = _is_of_comments(found)
    wanted = config.comment_scopes(found.flavour) if of_comments else ()
    if private or not of_comments:
        wanted = (*permissions.must(found.flavour), *wanted)
    gone = _gone(found, wanted, error)
    if gone is not None:
        return LOST.get(gone)
    if of_comments and not private:
        return None
    try:
        _read(found)
    except GraphError as second:
        again = classify(second)
        if not again.inspects:
            return None
        if found.flavour is Flavour.LOGIN and is_permission(second) and second.subcode is None:
            return LOST[permissions.LOGIN_MUST[1]]
        return again.sentence
    return None


def _gone(found: Credentials, wanted: Sequence[str], error: GraphError) -> str | None:
    """Return a permission that the token lacks now, and note what it has.

    Meta documents no call that tells the permissions of a token of Instagram Login, but its refusals name
    the one they miss.
    """
    if found.flavour is Flavour.PAGE:
        scopes = _scopes(found)
    else:
        named = next((name for name in wanted if name in error.words.split()), None)
        scopes = None if named is None else [name for name in found.scopes if name != named]
    if scopes is None:
        return None
    db.write(comments_switch.note_scopes, found.account_id, list(scopes))
    return next((name for name in wanted if name in LOST and name not in scopes), None)


def _scopes(found: Credentials) -> Collection[str] | None:
    try:
        facts = found.graph().token_facts()
    except GraphError as error:
        log.warning("the token of account %s cannot be inspected: %s", found.account_id, error.quote)
        return None
    return facts.scopes if facts.is_valid else None


def _read(found: Credentials) -> None:
    """Read the newest conversation, which needs what sending needs.

    :raises GraphError: if Meta refuses.
    """
    query = {"platform": "instagram", "fields": "id", "limit": "1"}
    found.graph().call("GET", f"{found.node}/conversations", dict[str, Any], params=query)


def _is_back(found: Credentials, reason: str) -> bool:
    """Return whether an account has again what it lacked.

    :raises GraphError: if Meta still refuses.
    """
    lost = next((name for name, sentence in LOST.items() if sentence == reason), None)
    if lost is not None and found.flavour is Flavour.PAGE:
        facts = found.graph().token_facts()
        if not facts.is_valid or lost not in facts.scopes:
            return False
        db.write(comments_switch.note_scopes, found.account_id, list(facts.scopes))
        return True
    if lost is not None and lost not in permissions.must(found.flavour):
        return False  # only a new sign-in gives it
    _read(found)
    if lost is not None:
        db.write(comments_switch.note_scopes, found.account_id, list(dict.fromkeys((*found.scopes, lost))))
    return True


def _is_of_comments(found: Credentials) -> bool:
    host = db.host_table("channel_accounts")
    query = sa.select(host.c.channel).where(host.c.id == found.account_id)
    with db.read() as session:
        return session.scalar(query) == COMMENTS_CHANNEL
