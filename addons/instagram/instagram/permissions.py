"""Permissions of an account's token: the required ones, and the cost of missing ones.

Meta's pages: docs/instagram-messaging, docs/messenger-platform/instagram/features/private-replies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from host.sdk.cards import Permission
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext

from . import config
from .config import Flavour

PAGE_MUST = ("instagram_basic", "instagram_manage_messages")
LOGIN_MUST = ("instagram_business_basic", "instagram_business_manage_messages")
LISTS_PAGES = "pages_show_list"
"""Required to sign in with Facebook: without it, no Pages are listed."""
SUBSCRIBES = "pages_manage_metadata"

_COSTS: Mapping[str, object] = {
    SUBSCRIBES: lazy_gettext(
        "Lobby can't subscribe the Page or check its subscription. Subscribe it at Meta yourself."
    ),
    "pages_messaging": lazy_gettext("Attachments and private replies to comments may be rejected."),
    "pages_read_engagement": lazy_gettext("The Page may appear as a number instead of its name."),
    LISTS_PAGES: lazy_gettext("Facebook sign-in doesn't list any Pages."),
    "instagram_manage_comments": lazy_gettext("Comments don't arrive."),
    "instagram_business_manage_comments": lazy_gettext("Comments don't arrive."),
}
_GIVES: Mapping[str, object] = {
    "instagram_basic": lazy_gettext("View the account"),
    "instagram_manage_messages": lazy_gettext("Read and reply to messages"),
    LISTS_PAGES: lazy_gettext("List your Pages so that you can choose one"),
    SUBSCRIBES: lazy_gettext("Receive new messages"),
    "pages_messaging": lazy_gettext("Send attachments and private replies"),
    "pages_read_engagement": lazy_gettext("Read the Page's name"),
    "instagram_business_basic": lazy_gettext("View the account"),
    "instagram_business_manage_messages": lazy_gettext("Read and reply to messages"),
}


def must(flavour: Flavour) -> tuple[str, ...]:
    """Return the permissions required for messages."""
    return PAGE_MUST if flavour is Flavour.PAGE else LOGIN_MUST


def lacking(flavour: Flavour, held: Collection[str]) -> list[str]:
    """Return the required permissions that are not in *held*."""
    return [name for name in must(flavour) if name not in held]


def missing(flavour: Flavour, held: Collection[str], *, comments: bool = False) -> list[str]:
    """Return the requested permissions that are not in *held*, required ones first."""
    wanted = dict.fromkeys((*must(flavour), *config.scopes_of(flavour, comments=comments)))
    return [name for name in wanted if name not in held]


def cost(name: str) -> str:
    """Return a sentence about the effect of the missing permission *name*; empty if Meta documents none."""
    return str(_COSTS.get(name, ""))


def costs(names: Collection[str]) -> str:
    """Return the sentences for several permissions, each after the permission's name."""
    return " ".join(f"{name}: {cost(name)}" if cost(name) else f"{name}." for name in names)


def asked(flavour: Flavour) -> list[Permission]:
    """Return the permissions that signing in requests, with the cost of missing ones."""
    needed = (*must(flavour), LISTS_PAGES)
    return [
        Permission(name, str(_GIVES.get(name, "")), _("Required.") if name in needed else cost(name))
        for name in config.scopes_of(flavour)
    ]
