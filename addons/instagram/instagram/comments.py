"""The Comments switch of an account, and what its token allows; hidden until ``config.COMMENTS_OFFERED``.

The permissions are asked for only when the switch goes on (docs/instagram-platform). What has not been asked
for cannot be misused, and an owner who wants messages only is not frightened by a longer list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from host.sdk import db
from host.sdk.accounts import set_setting
from host.sdk.cards import Ability, CardAction, Field
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext

from . import config, permissions
from .accounts import Credentials, credentials, find
from .config import Flavour
from .graph import GraphError

ABILITY = "comments"
SETTING = "comments"


def wanted(account: AccountRef | None) -> bool:
    """Tell whether the owner of *account* switched Comments on."""
    return account is not None and are_on(account.settings)


def are_on(settings: object) -> bool:
    """Tell whether an account's *settings* say so, where comments are offered at all."""
    return config.COMMENTS_OFFERED and isinstance(settings, dict) and settings.get(SETTING) is True


def asked(abilities: Collection[str]) -> bool:
    """Tell whether a sign-in asks for comments."""
    return config.COMMENTS_OFFERED and ABILITY in abilities


def is_on(account_id: int) -> bool:
    """Tell the same of an account of which only the id is at hand."""
    host = db.host_table("channel_accounts")
    with db.read() as session:
        settings = session.scalar(sa.select(host.c.settings).where(host.c.id == account_id))
    return are_on(settings)


def allowed(flavour: Flavour, scopes: Collection[str]) -> bool:
    """Tell whether a token with these permissions may read comments."""
    return all(name in scopes for name in config.comment_scopes(flavour))


def abilities_in_words(flavour: Flavour, scopes: Collection[str]) -> str:
    """Return what a token allows, for people: ``Messages, comments``."""
    found = []
    if not permissions.lacking(flavour, scopes):
        found.append(_("Messages"))
    if config.COMMENTS_OFFERED and allowed(flavour, scopes):
        found.append(_("Comments"))
    return ", ".join(found) or _("Nothing")


def abilities(account: AccountRef, flavour: Flavour, scopes: Collection[str]) -> list[Ability]:
    """Return the switch as the card shows it; nothing while comments are not offered."""
    if not config.COMMENTS_OFFERED:
        return []
    granted = allowed(flavour, scopes)
    switch = Ability(
        name=ABILITY,
        label=_("Comments"),
        on=wanted(account),
        granted=granted,
        action=ACTION.name,
        help=_("What people write below your posts.")
        if granted
        else _("What people write below your posts. Switching it on asks Meta for this permission as well."),
    )
    return [switch]


def switch(account: AccountRef, values: Mapping[str, str]) -> str:
    """Switch Comments on or off for one account.

    :raises ValueError: with a sentence, if the token does not allow it or Meta does not take it.
    """
    if not config.COMMENTS_OFFERED:
        raise ValueError(_("Comments cannot be shown here yet."))
    on = values.get("on") == "1"
    try:
        found = credentials(account.id)
        if found is None:
            raise ValueError(_("The credentials of this account are not here. Connect it again."))
        if on:
            _require(found)
        if found.flavour is Flavour.LOGIN:
            _subscribe(found, on)
    except SecretUnreadableError:
        raise ValueError(_("The stored credentials cannot be read.")) from None
    except GraphError as error:
        raise ValueError(_("Meta did not take it: %(words)s", words=error.quote)) from None
    set_setting(account.id, SETTING, on)
    if on:
        return str(_("Comments are on for %(handle)s.", handle=account.handle))
    return str(_("Comments are off for %(handle)s.", handle=account.handle))


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
                "The token does not allow it: %(missing)s is missing. Connect the account again with a token "
                "that has it.",
                missing=", ".join(missing),
            )
        )


def _subscribe(found: Credentials, on: bool) -> None:
    """Subscribe the account to what it needs now, and to nothing of comments where they are off."""
    graph = found.graph()
    held = [name for one in graph.subscriptions(found.node) for name in one.subscribed_fields]
    extra = set(config.fields_of(found.flavour, comments=True)) - set(config.fields_of(found.flavour))
    kept = [name for name in held if name not in extra]
    graph.subscribe(found.node, tuple(dict.fromkeys((*config.fields_of(found.flavour, comments=on), *kept))))


ACTION = CardAction(
    name="comments",
    label=lazy_gettext("Comments"),
    run=switch,
    fields=(Field("on", lazy_gettext("On"), required=False, kind="checkbox"),),
    listed=False,
)
