"""A workspace's apps for signing in, registered by its owner at each provider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.cards import CardStatus, Copyable, Field, Link, Problems, WorkspaceSettings
from host.sdk.errors import SecretUnreadableError
from host.sdk.http import Client
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, seal, unseal
from host.sdk.web import sign_in_url

from ..models import ACCOUNTS, MailToken, OAuthApp, app_place
from .providers import DEFAULT_TENANT, GOOGLE, MICROSOFT, OTHER, WAYS, App, provider_of

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,255}\Z")
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*\Z")

# Per way to sign in: the fields stored unchanged, by name without the way's prefix.
_DETAILS = {
    GOOGLE: (),
    MICROSOFT: ("tenant",),
    OTHER: (
        "authorize_url",
        "token_url",
        "scopes",
        "imap_host",
        "imap_port",
        "imap_security",
        "smtp_host",
        "smtp_port",
        "smtp_security",
    ),
}
_PORTS = {"imap_port": "993", "smtp_port": "587"}


def app_of(workspace_id: int, way: str) -> App | None:
    """Return a workspace's app for one way to sign in, or None if it has none.

    :raises SecretUnreadableError: if its secret cannot be decrypted.
    """
    with db.read() as session:
        row = _apps(session, workspace_id).get(way)
    if row is None:
        return None
    secret = unseal(row.client_secret, app_place(row)) if row.client_secret else None
    return App(way, provider_of(way, json.loads(row.details)), row.client_id, secret)


def _apps(session: Session, workspace_id: int) -> dict[str, OAuthApp]:
    found = session.scalars(sa.select(OAuthApp).where(OAuthApp.workspace_id == workspace_id))
    return {row.way: row for row in found}


# ---- the page ------------------------------------------------------------------------------------------


def _client_id(text: str) -> str:
    if not _CLIENT_ID.match(text):
        raise ValueError(_("This isn't an app ID. Copy it again."))
    return text


def _tenant(text: str) -> str:
    if not _TENANT.match(text) or ".." in text:
        raise ValueError(_("Enter a tenant ID such as 8eaef023-2b34-…, or a domain."))
    return text.lower()


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fine = bool(parts.hostname) and not parts.fragment
    except ValueError:
        fine = False
    if not fine or not Client(frozenset({parts.hostname or ""})).allows(text):
        raise ValueError(_("Enter the provider's address. It must start with https://."))
    return text


def _scopes(text: str) -> str:
    text = " ".join(text.split())
    if not _SCOPES.match(text):
        raise ValueError(_("Separate scopes with spaces."))
    return text


def settings(host: Callable[[str], str], port: Callable[[str], str]) -> WorkspaceSettings:
    """Return the page on which apps are entered; *host* and *port* clean the input."""
    return WorkspaceSettings(
        label=lazy_gettext("Sign-in apps"),
        fields=_fields(host, port),
        read=read,
        save=save,
        help=lazy_gettext(
            "Google and Microsoft give access to mailboxes only through an app you register with them "
            "once. Enter its ID and secret here to offer sign-in under Connect an account."
        ),
    )


def _fields(host: Callable[[str], str], port: Callable[[str], str]) -> tuple[Field, ...]:
    def secret(name: str, label: str) -> Field:
        return Field(name, label, required=False, secret=True, max_length=1000)

    def server(name: str, label: str, placeholder: str) -> Field:
        return Field(name, label, required=False, placeholder=placeholder, clean=host)

    def number(name: str, label: str, placeholder: str) -> Field:
        return Field(
            name, label, required=False, placeholder=placeholder, max_length=5, clean=port, kind="number"
        )

    def security(name: str, label: str, first: str) -> Field:
        choices = {"tls": lazy_gettext("TLS"), "starttls": lazy_gettext("STARTTLS")}
        ordered = tuple(sorted(choices.items(), key=lambda one: one[0] != first))
        return Field(name, label, required=False, kind="select", choices=ordered)

    return (
        Field(
            "google_client_id",
            lazy_gettext("Google: client ID"),
            help=lazy_gettext(
                "In the Google Cloud console, under Google Auth Platform: set the audience to Internal, "
                "add https://mail.google.com/ under data access, and under Clients create a Web "
                "application with the redirect URL below."
            ),
            required=False,
            link=Link(lazy_gettext("Google Auth Platform"), "https://console.cloud.google.com/auth/clients"),
            clean=_client_id,
        ),
        secret("google_client_secret", lazy_gettext("Google: client secret")),
        Field(
            "microsoft_client_id",
            lazy_gettext("Microsoft: application (client) ID"),
            help=lazy_gettext(
                "In the Microsoft Entra admin center, under App registrations: add the redirect URL "
                "below for the platform Web, and the delegated permissions IMAP.AccessAsUser.All, "
                "SMTP.Send and offline_access."
            ),
            required=False,
            link=Link(lazy_gettext("Microsoft Entra"), "https://entra.microsoft.com"),
            clean=_client_id,
        ),
        secret("microsoft_client_secret", lazy_gettext("Microsoft: client secret (value)")),
        Field(
            "microsoft_tenant",
            lazy_gettext("Microsoft: directory (tenant) ID"),
            help=lazy_gettext(
                "Next to the application ID. Leave empty if the app is registered for all organizations."
            ),
            required=False,
            placeholder=DEFAULT_TENANT,
            clean=_tenant,
        ),
        Field(
            "oauth_client_id",
            lazy_gettext("Other provider: client ID"),
            help=lazy_gettext(
                "For an app at any other provider whose mail servers support OAuth 2 (XOAUTH2)."
            ),
            required=False,
            clean=_client_id,
        ),
        secret("oauth_client_secret", lazy_gettext("Other provider: client secret")),
        Field(
            "oauth_authorize_url",
            lazy_gettext("Other provider: authorization URL"),
            required=False,
            placeholder="https://login.example.com/authorize",
            max_length=1000,
            clean=_url,
        ),
        Field(
            "oauth_token_url",
            lazy_gettext("Other provider: token URL"),
            required=False,
            placeholder="https://login.example.com/token",
            max_length=1000,
            clean=_url,
        ),
        Field(
            "oauth_scopes",
            lazy_gettext("Other provider: scopes"),
            help=lazy_gettext(
                "As listed by the provider. Include openid and email, which identify the mailbox."
            ),
            required=False,
            placeholder="openid email offline_access mail",
            max_length=1000,
            clean=_scopes,
        ),
        server("oauth_imap_host", lazy_gettext("Other provider: mailbox (IMAP server)"), "imap.example.com"),
        number("oauth_imap_port", lazy_gettext("Other provider: mailbox port"), "993"),
        security("oauth_imap_security", lazy_gettext("Other provider: mailbox encryption"), "tls"),
        server("oauth_smtp_host", lazy_gettext("Other provider: mail server (SMTP)"), "smtp.example.com"),
        number("oauth_smtp_port", lazy_gettext("Other provider: sending port"), "587"),
        security("oauth_smtp_security", lazy_gettext("Other provider: sending encryption"), "starttls"),
    )


def read(workspace_id: int) -> CardStatus:
    """Return a workspace's settings, and the addresses to enter in its apps."""
    values: dict[str, str] = {}
    stored: dict[str, str] = {}
    notices: list[tuple[str, str, str]] = []
    with db.read() as session:
        apps = _apps(session, workspace_id)
    for way in WAYS:
        row = apps.get(way)
        if row is None:
            continue
        values[f"{way}_client_id"] = row.client_id
        values |= {f"{way}_{name}": value for name, value in json.loads(row.details).items()}
        if not row.client_secret or row.secret_set_at is None:
            continue
        try:
            unseal(row.client_secret, app_place(row))
            stored[f"{way}_client_secret"] = _("set on %(date)s", date=format_date(row.secret_set_at))
        except SecretUnreadableError:
            sentence = _("Its encryption key is missing. Enter the secret again.")
            notices.append(("bad", _("A stored client secret can't be read."), sentence))
    copyables = [
        Copyable(
            _("Redirect URL for Google"),
            sign_in_url("email", GOOGLE),
            _("Add it to the client under Authorized redirect URIs."),
        ),
        Copyable(
            _("Redirect URL for Microsoft"),
            sign_in_url("email", MICROSOFT),
            _("Add it to the app under Authentication, for the platform Web."),
        ),
        Copyable(
            _("Redirect URL for the other provider"),
            sign_in_url("email", OTHER),
            _("Enter it exactly as shown where the app is registered."),
        ),
    ]
    return CardStatus(values=values, stored_secrets=stored, notices=notices, copyables=copyables)


def save(workspace_id: int, values: Mapping[str, str]) -> str | Problems:
    """Store the apps; one with an empty id is removed. They are first used at the next sign-in."""
    problems: dict[str, str] = {}
    wanted: dict[str, tuple[str, dict[str, str], Secret | None] | None] = {}
    with db.read() as session:
        apps = _apps(session, workspace_id)
    for way in WAYS:
        client_id, typed = values.get(f"{way}_client_id", ""), values.get(f"{way}_client_secret", "")
        details = {name: values.get(f"{way}_{name}", "") for name in _DETAILS[way]}
        if not client_id:
            wanted[way] = None
            if typed or any(value for name, value in details.items() if not name.endswith("_security")):
                problems[f"{way}_client_id"] = _("Enter the app's ID.")
            continue
        if way == OTHER:
            details |= {name: details[name] or port for name, port in _PORTS.items()}
            problems |= {
                f"{way}_{name}": _("This field is required.") for name, value in details.items() if not value
            }
        secret = Secret(typed) if typed else None
        if secret is None and way != OTHER and not _keeps(apps.get(way), client_id, details):
            problems[f"{way}_client_secret"] = _("Enter the app's secret.")
        wanted[way] = (client_id, details, secret)
    if problems:
        return Problems(problems)
    db.write(_write, workspace_id, wanted)
    if not any(wanted.values()):
        return str(_("Sign-in apps removed. Mailboxes can only be connected with a password."))
    return str(_("Saved. You can now sign in under Connect an account."))


def _keeps(row: OAuthApp | None, client_id: str, details: Mapping[str, str]) -> bool:
    """Return whether the stored secret can be kept: the server must be the one it was entered for."""
    return (
        row is not None
        and bool(row.client_secret)
        and row.client_id == client_id
        and json.loads(row.details).get("token_url") == details.get("token_url")
    )


def _write(
    session: Session,
    workspace_id: int,
    wanted: Mapping[str, tuple[str, dict[str, str], Secret | None] | None],
) -> None:
    apps = _apps(session, workspace_id)
    for way, app in wanted.items():
        row = apps.get(way)
        if app is None:
            if row is not None:
                session.delete(row)
            continue
        client_id, details, secret = app
        if row is None:
            row = OAuthApp(uuid=uuid4().hex, workspace_id=workspace_id, way=way)
            session.add(row)
        elif secret is None and not _keeps(row, client_id, details):
            row.client_secret = row.secret_set_at = None
        row.client_id, row.details = client_id, json.dumps(details)
        if secret is not None:
            row.client_secret = seal(secret, app_place(row))
            row.secret_set_at = clock.now()
        _try_again(session, workspace_id, way)
    session.flush()


def _try_again(session: Session, workspace_id: int, way: str) -> None:
    """Schedule early renewal of a workspace's tokens, because their app was entered again."""
    table = db.host_table(ACCOUNTS)
    mine = sa.select(table.c.id).where(table.c.workspace_id == workspace_id)
    session.execute(
        sa.update(MailToken)
        .where(MailToken.account_id.in_(mine), MailToken.way == way, MailToken.ended_at.is_(None))
        .values(try_after=None, failures=0)
        .execution_options(synchronize_session=False)
    )
