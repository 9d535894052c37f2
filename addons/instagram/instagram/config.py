"""The addon's own settings, as ``addon.toml`` declares them and the operator set them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from host.sdk import settings
from host.sdk.secrets import Secret, fingerprint

SLUG = "instagram"
CHANNEL = "instagram"
COMMENTS_CHANNEL = "instagram-comments"
"""The channel of comments accounts, which share the credentials of accounts of :data:`CHANNEL`."""
WEBHOOK_PATH = "webhook"
_MEDIA_HOSTS = frozenset({"*.fbsbx.com", "*.fbcdn.net", "*.cdninstagram.com", "*.giphy.com"})


class Flavour(StrEnum):
    """The two ways to connect an account to Meta (docs/instagram-platform)."""

    PAGE = "page"
    """Through the linked Facebook Page, with a Page access token."""
    LOGIN = "login"
    """By Instagram Login without a Page, with an Instagram user token."""


def graph_url(flavour: Flavour) -> str:
    """Return scheme, host and version of the Graph API for *flavour*, without a trailing slash."""
    name = "graph_facebook_url" if flavour is Flavour.PAGE else "graph_instagram_url"
    return f"{address(name)}/{graph_version()}"


def graph_hosts() -> frozenset[str]:
    """Return the hosts of the Graph API, the only ones this addon calls."""
    names = ("graph_facebook_url", "graph_instagram_url", "instagram_token_url")
    urls = (settings.get(SLUG, name) for name in names)
    return frozenset(host for url in urls if (host := urlsplit(url).hostname))


def media_hosts() -> frozenset[str]:
    """Return the hosts of message files, by the addresses Meta sends (docs/instagram-platform)."""
    return _MEDIA_HOSTS | graph_hosts()


def page_scopes() -> tuple[str, ...]:
    """Return the permissions to request for a Page access token."""
    return _names("page_scopes")


def page_fields() -> tuple[str, ...]:
    """Return the webhook fields a Page is subscribed to."""
    return _names("page_fields")


def object_fields() -> tuple[str, ...]:
    """Return the webhook fields to select in the Meta app, on its Instagram object.

    Story mentions have no field: they are messages.
    """
    return _names("object_fields")


def login_scopes() -> tuple[str, ...]:
    """Return the permissions to request from Instagram Login."""
    return _names("login_scopes")


def login_fields() -> tuple[str, ...]:
    """Return the webhook fields an account without a Page is subscribed to."""
    return _names("login_fields")


def object_comment_fields() -> tuple[str, ...]:
    """Return the webhook fields of the Meta app's Instagram object for comments and mentions."""
    return _names("object_comment_fields")


def fields_of(flavour: Flavour, *, messages: bool = True, comments: bool = False) -> tuple[str, ...]:
    """Return the webhook fields an account of *flavour* is subscribed to.

    :param messages: whether it needs messages.
    :param comments: whether it needs comments. For a Page's account they come through fields of the Instagram
        object, selected in the Meta app itself, but the Page must be subscribed to at least one field.
    """
    page = flavour is Flavour.PAGE
    found = (page_fields() if page else login_fields()) if messages else ()
    if comments and not (page and messages):
        found += _names("page_comment_fields" if page else "login_comment_fields")
    return found


def scopes_of(flavour: Flavour, *, comments: bool = False) -> tuple[str, ...]:
    """Return the permissions the token of an account needs, with or without comments."""
    usual = page_scopes() if flavour is Flavour.PAGE else login_scopes()
    return tuple(dict.fromkeys((*usual, *(comment_scopes(flavour) if comments else ()))))


def comment_scopes(flavour: Flavour) -> tuple[str, ...]:
    """Return the permissions that comments need beyond messages."""
    return _names("page_comment_scopes" if flavour is Flavour.PAGE else "login_comment_scopes")


def graph_version() -> str:
    """Return the Graph API version used in URLs."""
    return settings.get(SLUG, "graph_version").strip("/")


def facebook_config_id(*, comments: bool = False) -> str:
    """Return the configuration id of Facebook Login for Business; comments have a separate one."""
    return settings.get(SLUG, "facebook_comments_config_id" if comments else "facebook_config_id").strip()


def address(name: str) -> str:
    """Return the address in the setting *name*, without a trailing slash."""
    return settings.get(SLUG, name).rstrip("/")


@dataclass(frozen=True, slots=True)
class MetaApp:
    """The Meta app people sign in to."""

    id: str
    secret: Secret


_APPS = {
    Flavour.PAGE: ("facebook_app_id", "facebook_app_secret"),
    Flavour.LOGIN: ("instagram_app_id", "instagram_app_secret"),
}


def app_of(flavour: Flavour) -> MetaApp | None:
    """Return the installation's app for this sign-in, or None."""
    app_id, secret = (settings.get(SLUG, name).strip() for name in _APPS[flavour])
    return MetaApp(app_id, Secret(secret)) if app_id and secret else None


def verify_token(workspace_id: int | None = None) -> str:
    """Return the verify token of the shared address: the same until the first secret key changes.

    :param workspace_id: for that workspace's own app; None: for the installation's.
    """
    whose = "" if workspace_id is None else f" {workspace_id}"
    return f"lobby-{fingerprint(Secret(f'{SLUG} verify token{whose}'))}"


def return_url(way: str) -> str:
    """Return the URL to return to from a sign-in dialog; the host serves it."""
    return f"{settings.public_url()}/channels/{CHANNEL}/sign-in/{way}"


def callback_url(name: str) -> str:
    """Return the URL Meta calls when a person removes the app or requests deletion: ``deauthorize``,
    ``deletion``.
    """
    return f"{settings.public_url()}/addons/{SLUG}/{name}"


def webhook_url() -> str:
    """Return the callback address that serves every workspace."""
    return f"{settings.public_url()}/addons/{SLUG}/{WEBHOOK_PATH}"


def account_webhook_url(account_uuid: str) -> str:
    """Return the callback address of a single account."""
    return f"{webhook_url()}/{account_uuid}"


def _names(setting: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in settings.get(SLUG, setting).split(",") if name.strip())
