"""The fields of the settings card, each validated before Meta is asked."""

from __future__ import annotations

import re
from functools import partial

from host.sdk.cards import Field
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext

from .. import dashboard

_ID = re.compile(r"[0-9]{5,25}")
_SECRET = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"EAA[A-Za-z0-9]{17,}")
_LOGIN_TOKEN = re.compile(r"IG[A-Z]{2}[A-Za-z0-9_-]{17,}")
_USERNAME = re.compile(r"[A-Za-z0-9._]{1,30}")


def _trimmed(value: str) -> str:
    value = value.strip()
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(_("This contains spaces or invalid characters. Copy it again from Meta."))
    return value


IG_USER = "17841400000000001"
PAGE = "100000000000001"
APP = "1234567890123456"
"""Examples of ids, as Meta makes them."""


def clean_id(value: str, example: str = IG_USER) -> str:
    """Return a Meta id: digits, as text.

    :param example: an id of the kind that is wanted, for the sentence about a wrong one.
    """
    value = _trimmed(value)
    if _TOKEN.fullmatch(value) or _LOGIN_TOKEN.fullmatch(value):
        raise ValueError(_("This looks like an access token. Enter an ID, which has digits only."))
    if _SECRET.fullmatch(value) and not value.isdigit():
        raise ValueError(_("This looks like an App Secret. Enter an ID, which has digits only."))
    if not _ID.fullmatch(value):
        raise ValueError(_("An ID contains only digits, for example %(example)s.", example=example))
    return value


def clean_username(value: str) -> str:
    """Return an Instagram username without its @."""
    value = value.strip().removeprefix("@")
    if value and not _USERNAME.fullmatch(value):
        raise ValueError(
            _("A username contains letters, digits, periods and underscores, and has at most 30 characters.")
        )
    return value


def clean_token(value: str) -> str:
    """Return a Page access token."""
    value = _trimmed(value)
    if _SECRET.fullmatch(value):
        raise ValueError(_("This looks like the App Secret. Enter the token, which starts with EAA."))
    if value.isdigit():
        raise ValueError(_("This looks like an ID. Enter the token, which starts with EAA."))
    if _LOGIN_TOKEN.fullmatch(value):
        raise ValueError(_("This is an Instagram Login token. Enter the Page token, which starts with EAA."))
    if not _TOKEN.fullmatch(value):
        raise ValueError(_("A Page Access Token starts with EAA and contains only letters and digits."))
    return value


def clean_secret(value: str) -> str:
    """Return an app secret."""
    value = _trimmed(value)
    if _TOKEN.fullmatch(value) or _LOGIN_TOKEN.fullmatch(value):
        raise ValueError(_("This looks like an access token. Enter the App Secret from Settings, Basic."))
    if value.isdigit() and len(value) <= 20:
        raise ValueError(_("This looks like an App ID. The App Secret is below it, under Settings, Basic."))
    if not 16 <= len(value) <= 128:
        raise ValueError(_("An App Secret has 32 letters and digits. Copy it again from Settings, Basic."))
    return value


def clean_verify_token(value: str) -> str:
    """Return a custom verify token; an empty one requests a new token."""
    value = _trimmed(value)
    if value and not 8 <= len(value) <= 128:
        raise ValueError(_("A Verify Token has 8 to 128 characters."))
    return value


NAME = Field(
    "name",
    lazy_gettext("Name"),
    help=lazy_gettext("Visible only to your team. Without one, the Page's name is used."),
    required=False,
    max_length=120,
)
PAGE_ID = Field(
    "page_id",
    lazy_gettext("Page ID"),
    placeholder=PAGE,
    clean=partial(clean_id, example=PAGE),
    pasted=True,
    link=dashboard.pages(),
)
PAGE_NAME = Field(
    "page_name",
    lazy_gettext("Page Name"),
    help=lazy_gettext("Used only if Meta doesn't provide it."),
    required=False,
    pasted=True,
)
IG_USER_ID = Field(
    "ig_user_id",
    lazy_gettext("IG User ID"),
    help=lazy_gettext("If you leave it empty, the account linked to the Page is used."),
    placeholder=IG_USER,
    required=False,
    clean=clean_id,
    pasted=True,
    link=dashboard.linked_account(),
)
IG_USERNAME = Field(
    "ig_username",
    lazy_gettext("IG Username"),
    help=lazy_gettext("Used only if Meta doesn't provide it."),
    required=False,
    clean=clean_username,
    pasted=True,
)
TOKEN = Field(
    "page_access_token",
    lazy_gettext("Page Access Token"),
    help=lazy_gettext("A long-lived Page token. It starts with EAA."),
    secret=True,
    max_length=2000,
    clean=clean_token,
    pasted=True,
    link=dashboard.explorer(),
)
APP_SECRET = Field(
    "app_secret",
    lazy_gettext("App Secret"),
    help=lazy_gettext("Find it in the Meta app under Settings, Basic."),
    secret=True,
    clean=clean_secret,
    pasted=True,
    link=dashboard.apps(),
)
HUMAN_AGENT = Field(
    "human_agent",
    lazy_gettext("Allow human replies for 7 days"),
    help=lazy_gettext("Turn on only if Meta has approved the Human Agent feature for the app."),
    required=False,
    kind="checkbox",
)
MOVED = Field(
    "moved",
    lazy_gettext("The account moved to another Page"),
    help=lazy_gettext("Turn on only if a previously connected account is now linked to another Page."),
    required=False,
    kind="checkbox",
    pasted=True,
)
OWN_VERIFY_TOKEN = Field(
    "verify_token",
    lazy_gettext("Verify Token"),
    help=lazy_gettext("Leave empty to generate a new one."),
    required=False,
    max_length=128,
    clean=clean_verify_token,
)

FIELDS = (PAGE_ID, TOKEN, APP_SECRET, NAME, IG_USER_ID, PAGE_NAME, IG_USERNAME, HUMAN_AGENT, MOVED)
