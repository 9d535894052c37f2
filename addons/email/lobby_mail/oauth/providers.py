"""Providers of mailboxes: their sign-in addresses, scopes and mail servers.

Google: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol. Microsoft:
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.sdk.secrets import Secret

from ..smtp import Security

GOOGLE, MICROSOFT, OTHER = "google", "microsoft", "oauth"
WAYS = (GOOGLE, MICROSOFT, OTHER)
DEFAULT_TENANT = "organizations"
"""Work and school accounts of all organisations, for apps registered as multitenant."""

# Scopes that request an ID token, which has the person's identity.
_WHO = ("openid", "email")


@dataclass(frozen=True, slots=True)
class Place:
    """A server, with its port and security."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of mailboxes.

    :param must: the scopes required to read and send mail.
    :param scopes: all requested scopes.
    :param asked: further parameters of the dialog, needed for a refresh token.
    :param names_scopes: whether renewals name the scopes, because its tokens are for one service each.
    :param by_form: whether the app's secret is sent in the form rather than in a header.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    smtp: Place
    imap: Place
    must: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)
    names_scopes: bool = False
    by_form: bool = True


@dataclass(frozen=True, slots=True)
class App:
    """The app people sign in to, and its provider."""

    way: str
    provider: Provider
    client_id: str
    secret: Secret | None = field(default=None, repr=False)


_GOOGLE_MAIL = "https://mail.google.com/"
_MICROSOFT_MAIL = (
    "https://outlook.office.com/IMAP.AccessAsUser.All",
    "https://outlook.office.com/SMTP.Send",
)


def google() -> Provider:
    """Return Gmail and Google Workspace."""
    return Provider(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        must=(_GOOGLE_MAIL,),
        scopes=(_GOOGLE_MAIL, *_WHO),
        # Google only issues a refresh token with consent, so request consent each time.
        asked={"access_type": "offline", "prompt": "consent select_account"},
        smtp=Place("smtp.gmail.com", 587, Security.STARTTLS),
        imap=Place("imap.gmail.com", 993, Security.TLS),
    )


def microsoft(tenant: str) -> Provider:
    """Return Microsoft 365 and Outlook.

    :param tenant: the directory the app is registered in, or ``organizations``, ``common``, ``consumers``.
    """
    base = f"https://login.microsoftonline.com/{tenant or DEFAULT_TENANT}/oauth2/v2.0"
    return Provider(
        authorize_url=f"{base}/authorize",
        token_url=f"{base}/token",
        must=_MICROSOFT_MAIL,
        scopes=(*_MICROSOFT_MAIL, "offline_access", *_WHO, "profile"),
        asked={"prompt": "select_account"},
        names_scopes=True,
        smtp=Place("smtp.office365.com", 587, Security.STARTTLS),
        imap=Place("outlook.office365.com", 993, Security.TLS),
    )


def other(kept: Mapping[str, str]) -> Provider:
    """Return a custom provider from the addresses an owner entered, by form field."""

    def place(kind: str) -> Place:
        return Place(kept[f"{kind}_host"], int(kept[f"{kind}_port"]), Security(kept[f"{kind}_security"]))

    return Provider(
        authorize_url=kept["authorize_url"],
        token_url=kept["token_url"],
        scopes=tuple(kept["scopes"].split()),
        # OpenID Connect only issues a refresh token with consent; providers that don't know the parameter
        # ignore it.
        asked={"prompt": "consent"},
        by_form=False,
        smtp=place("smtp"),
        imap=place("imap"),
    )


def provider_of(way: str, kept: Mapping[str, str]) -> Provider:
    """Return the provider for *way*, with the details an owner entered."""
    if way == GOOGLE:
        return google()
    return microsoft(kept.get("tenant", "")) if way == MICROSOFT else other(kept)
