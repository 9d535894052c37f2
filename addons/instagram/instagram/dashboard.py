"""Addresses of Meta's own pages, for actions that have no API."""

from __future__ import annotations

from host.sdk.cards import Link
from host.sdk.i18n import lazy_gettext as _

_APPS = "https://developers.facebook.com/apps/"


def _of_app(app_id: str, path: str) -> str:
    """Return the address of a page of an app's dashboard, or of the list of apps if the app is unknown."""
    return f"{_APPS}{app_id}/{path}" if app_id.isdigit() else _APPS


def apps() -> Link:
    return Link(_("Your Meta apps"), _APPS)


def home(app_id: str) -> Link:
    """Return the app's first page, which shows the App Mode at the top."""
    return Link(_("App dashboard"), _of_app(app_id, "dashboard/"))


def mode(app_id: str) -> Link:
    return Link(_("App mode"), _of_app(app_id, "dashboard/"))


def products(app_id: str) -> Link:
    return Link(_("Products"), _of_app(app_id, "add/"))


def webhooks(app_id: str) -> Link:
    return Link(_("App webhooks"), _of_app(app_id, "webhooks/"))


def basic(app_id: str) -> Link:
    """Return the page with the App ID and App Secret, where the data deletion address is entered."""
    return Link(_("Basic settings"), _of_app(app_id, "settings/basic/"))


def advanced(app_id: str) -> Link:
    return Link(_("Advanced settings"), _of_app(app_id, "settings/advanced/"))


def facebook_login(app_id: str) -> Link:
    return Link(_("Facebook Login settings"), _of_app(app_id, "fb-login/settings/"))


def review(app_id: str) -> Link:
    return Link(_("App Review"), _of_app(app_id, "app-review/permissions/"))


def explorer() -> Link:
    """Return the page where a token is created by hand."""
    return Link(_("Graph API Explorer"), "https://developers.facebook.com/tools/explorer/")


def token_debugger() -> Link:
    return Link(_("Access Token Debugger"), "https://developers.facebook.com/tools/debug/accesstoken/")


def pages() -> Link:
    return Link(_("Your Pages"), "https://www.facebook.com/pages/?category=your_pages")


def linked_account() -> Link:
    return Link(_("Linked accounts of the Page"), "https://www.facebook.com/settings/?tab=linked_instagram")


def granted(*, page: bool) -> Link:
    """Return the page where a person sees and revokes their permissions."""
    if page:
        return Link(_("Business integrations"), "https://www.facebook.com/settings/?tab=business_tools")
    return Link(_("Apps and websites"), "https://www.instagram.com/accounts/manage_access/")
