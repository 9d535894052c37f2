"""The Comments switch of an account, and the comments account that shares its credentials.

The permissions are only requested when the switch is turned on (docs/instagram-platform). Permissions never
requested cannot be misused, and an owner who wants only messages sees a shorter list. Messages and comments
are independent: each can be disconnected while the other stays connected.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts as host_accounts
from host.sdk import db
from host.sdk.cards import Ability, CardAction, Field
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountGoneError, AccountTakenError, SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext, noop

from .. import config, permissions
from ..accounts import Credentials, credentials, find, live_ids
from ..config import COMMENTS_CHANNEL, Flavour
from ..graph import GraphError
from . import app_webhook
from .checks import held_of

log = logging.getLogger(__name__)

ABILITY = "comments"
LOST = noop("The last sign-in didn't include the permission for comments, so they stopped.")
LOST_STEP = noop("Reconnect the account, and keep the permission for comments selected.")


def is_one(account: AccountRef) -> bool:
    """Return whether *account* is a comments account."""
    return account.channel == COMMENTS_CHANNEL


def of(account: AccountRef | None) -> AccountRef | None:
    """Return the comments account of *account*, or None while comments are off."""
    return None if account is None else host_accounts.beside(account.id, COMMENTS_CHANNEL)


def wanted(account: AccountRef | None) -> bool:
    """Return whether comments are enabled for *account* or its main account."""
    return account is not None and (is_one(account) or of(account) is not None)


def needed(account: AccountRef | None, workspace_id: int) -> bool:
    """Return whether a sign-in has to ask for comments, because they would stop without the permission.

    :param account: the account that is reconnected; None: it may be any of the workspace.
    """
    return are_on(workspace_id) if account is None else wanted(account)


def are_on(workspace_id: int) -> bool:
    """Return whether any account of a workspace has comments on."""
    host = db.host_table("channel_accounts")
    query = sa.select(host.c.id).where(
        host.c.workspace_id == workspace_id,
        host.c.channel == COMMENTS_CHANNEL,
        host.c.state != host_accounts.AccountState.DISCONNECTED,
    )
    with db.read() as session:
        return session.scalar(query.limit(1)) is not None


def uses(account_id: int) -> tuple[bool, bool]:
    """Return whether messages, and whether comments, use an account's credentials."""
    with db.read() as session:
        row = find(session, account_id)
        live = live_ids(session, account_id)
        held = row is not None and _is_held(session, row.account_id)
    if row is None:
        return False, False
    return row.account_id in live, not held and any(one != row.account_id for one in live)


def _is_held(session: Session, account_id: int) -> bool:
    """Return whether only the comments of an account wait for a permission, and its messages go on."""
    host = db.host_table("channel_accounts")
    beside = host.alias("beside")
    query = (
        sa.select(host.c.id)
        .join(beside, beside.c.beside_id == host.c.id)
        .where(
            host.c.id == account_id,
            host.c.state == host_accounts.AccountState.CONNECTED,
            beside.c.channel == COMMENTS_CHANNEL,
            beside.c.state == host_accounts.AccountState.NEEDS_RECONNECT,
        )
    )
    return session.scalar(query) is not None


def fields_of(found: Credentials) -> tuple[str, ...]:
    """Return the webhook fields an account needs for its connected messages and comments."""
    messages, comments = uses(found.account_id)
    return config.fields_of(found.flavour, messages=messages, comments=comments)


def allowed(flavour: Flavour, scopes: Collection[str]) -> bool:
    """Return whether a token with these permissions may read comments."""
    return all(name in scopes for name in config.comment_scopes(flavour))


def abilities_in_words(flavour: Flavour, scopes: Collection[str]) -> str:
    """Return what a token allows, for people: ``Messages, comments``."""
    found = []
    if not permissions.lacking(flavour, scopes):
        found.append(_("Messages"))
    if allowed(flavour, scopes):
        found.append(_("Comments"))
    return ", ".join(found) or _("None")


def abilities(flavour: Flavour, scopes: Collection[str], *, on: bool) -> list[Ability]:
    """Return the Comments switch for the card; *on*: whether comments are connected."""
    granted = allowed(flavour, scopes)
    switch = Ability(
        name=ABILITY,
        label=_("Comments"),
        on=on,
        granted=granted,
        action=ACTION.name,
        help=_("Comments on your posts, and mentions of you.")
        if granted
        else _(
            "Comments on your posts, and mentions of you. Turning this on also asks Meta for this permission."
        ),
    )
    return [switch]


def switch(account: AccountRef, values: Mapping[str, str]) -> str:
    """Switch Comments on or off for one account.

    :raises ValueError: with a sentence, if the token does not allow it or Meta rejects it.
    """
    on = values.get("on") == "1"
    try:
        found = credentials(account.id)
        if found is None:
            raise ValueError(_("This account's credentials are missing. Reconnect it."))
        if on:
            _require(found)
        subscribe(found, comments=on)
    except SecretUnreadableError:
        raise ValueError(_("The stored credentials can't be read.")) from None
    except GraphError as error:
        raise ValueError(_("Meta rejected it: %(words)s", words=error.quote)) from None
    if not on:
        host_accounts.close_beside(account, COMMENTS_CHANNEL)
        tell_app(account, tidy=True)
        return str(_("Comments turned off for %(handle)s.", handle=account.handle))
    open_for(account)
    if tell_app(account):
        return str(_("Comments turned on for %(handle)s.", handle=account.handle))
    return str(
        _(
            "Comments are on for %(handle)s. In the Meta app, under Webhooks, Instagram, select %(fields)s.",
            handle=account.handle,
            fields=", ".join(config.object_comment_fields()),
        )
    )


def open_for(account: AccountRef) -> None:
    """Connect the comments account of *account*.

    :raises ValueError: with a sentence, if it cannot be connected.
    """
    try:
        host_accounts.open_beside(account, COMMENTS_CHANNEL)
    except AccountTakenError:
        raise ValueError(_("This account's comments are already connected in another workspace.")) from None
    except AccountGoneError:
        raise ValueError(_("The account is disconnected. Reconnect it.")) from None


def after_connecting(account: AccountRef, *, on: bool) -> None:
    """Apply the chosen state of comments after connecting the account; then update the Meta app's webhook."""
    if on and of(account) is None:
        try:
            open_for(account)
        except ValueError as error:
            log.warning("comments of account %s could not be switched on: %s", account.id, error)
    elif not on:
        beside = of(account)
        if beside is not None:
            # Its campaigns and conversations stay, and it goes on once the permission is back.
            host_accounts.mark_needs_reconnect(beside.id, LOST, alone=True)
    app_webhook.after_connecting(account)


def tell_app(account: AccountRef, *, tidy: bool = False) -> bool:
    """Select or clear the comment fields in the Meta app's webhook; return whether that succeeded."""
    try:
        return app_webhook.lead_here(account, tidy=tidy) is app_webhook.Led.HERE
    except GraphError as error:
        log.info("the webhook of the app of account %s could not be set: %s", account.id, error.quote)
    except SecretUnreadableError as error:
        log.error("the secrets of account %s cannot be read: %s", account.id, error)
    return False


def _require(found: Credentials) -> None:
    if found.flavour is Flavour.PAGE:
        scopes: Collection[str] = found.graph().token_facts().scopes
    else:
        with db.read() as session:
            row = find(session, found.account_id)
        scopes = row.scopes if row is not None else ()
    missing = [name for name in config.comment_scopes(found.flavour) if name not in scopes]
    if missing:
        raise ValueError(
            _(
                "The token is missing the permission %(missing)s. Reconnect the account with a token "
                "that has it.",
                missing=", ".join(missing),
            )
        )
    db.write(note_scopes, found.account_id, list(scopes))


def note_scopes(session: Session, account_id: int, scopes: list[str]) -> None:
    """Store what the token of an account allows."""
    row = find(session, account_id)
    if row is not None:
        row.scopes = scopes


def subscribe(found: Credentials, *, messages: bool | None = None, comments: bool | None = None) -> None:
    """Subscribe the account to the fields it needs, and remove those it doesn't; unrelated fields stay.

    :param messages: whether it needs messages; None keeps the current state.
    :raises GraphError: if Meta rejects it.
    """
    if not found.may_subscribe:
        return
    now = uses(found.account_id)
    messages = now[0] if messages is None else messages
    comments = now[1] if comments is None else comments
    needed = config.fields_of(found.flavour, messages=messages, comments=comments)
    ours = {
        *config.fields_of(found.flavour),
        *config.fields_of(found.flavour, messages=False, comments=True),
    }
    graph = found.graph()
    held = held_of(graph.subscriptions(found.node), found.flavour, found.app_id) or ()
    kept = [name for name in held if name not in ours]
    if set(held) != {*needed, *kept}:
        graph.subscribe(found.node, tuple(dict.fromkeys((*needed, *kept))))


ACTION = CardAction(
    name="comments",
    label=lazy_gettext("Comments"),
    run=switch,
    fields=(Field("on", lazy_gettext("On"), required=False, kind="checkbox"),),
    listed=False,
)
