"""Request tokens from a provider, and classify its refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import quote_plus, urlsplit

from host.sdk import clock
from host.sdk.errors import FetchError, ProviderError
from host.sdk.http import Client
from host.sdk.secrets import Secret

from ..addresses import normal
from .providers import App

MAX_BYTES = 256 * 1024
LONGEST_TOKEN = 16_000
SHORTEST, LONGEST = 60, 30 * 86400
"""Limits on the assumed lifetime of a token in seconds, regardless of the provider."""
USUAL = 3600
LEEWAY = 60

# RFC 6749, section 5.2, and OpenID Connect's words for "not without the person".
_ENDED = {
    "invalid_grant",
    "interaction_required",
    "login_required",
    "consent_required",
    "account_selection_required",
}
_APP = {"invalid_client", "unauthorized_client"}


class ExchangeError(ProviderError):
    """The provider issued no token. The message is the provider's, without credentials."""


class AwayError(ExchangeError):
    """The provider is unavailable or returned an invalid response; a retry may work."""


class EndedError(ExchangeError):
    """The code or the refresh token is no longer valid: someone must sign in again."""


class AppRefusedError(ExchangeError):
    """The provider does not know the app, or its secret has changed."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens from a provider.

    :param refresh: None: the previous one stays valid.
    :param scopes: the granted scopes; None: unknown.
    :param id_token: the ID token, not verified yet; empty if the provider sent none.
    """

    access: Secret
    refresh: Secret | None
    expires_at: datetime
    scopes: frozenset[str] | None
    id_token: str = field(default="", repr=False)


def by_code(app: App, code: str, return_url: str, verifier: str) -> Tokens:
    """Return the tokens for the code from the dialog. Raises the errors of :func:`by_refresh`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": return_url,
        "code_verifier": verifier,
    }
    return _ask(app, form, [code, verifier])


def by_refresh(app: App, refresh: Secret) -> Tokens:
    """Return new tokens.

    :raises AwayError, EndedError, AppRefusedError: if the provider issues none.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh.reveal()}
    if app.provider.names_scopes:
        form["scope"] = " ".join(app.provider.scopes)
    return _ask(app, form, [refresh.reveal()])


def _ask(app: App, form: dict[str, str], secrets: list[str]) -> Tokens:
    url = app.provider.token_url
    headers = {"Accept": "application/json"}
    if app.secret is None:
        form["client_id"] = app.client_id
    else:
        secret = app.secret.reveal()
        secrets = [*secrets, secret]
        if app.provider.by_form:
            form |= {"client_id": app.client_id, "client_secret": secret}
        else:
            both = f"{quote_plus(app.client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(both).decode()
    client = Client(
        frozenset({urlsplit(url).hostname or ""}), connect_timeout=5, read_timeout=15, total_timeout=20
    )
    try:
        answer = client.request("POST", url, form=form, headers=headers, max_bytes=MAX_BYTES)
        given = answer.json()
    except FetchError as error:
        raise AwayError(error.reason) from None
    if not isinstance(given, dict):
        raise AwayError("the answer is no object")
    if answer.status == 200 and "error" not in given:
        return _tokens(given)
    code = given.get("error")
    words = _discreet(given, secrets) or f"HTTP {answer.status}"
    if answer.status < 500 and answer.status != 429 and isinstance(code, str):
        if code in _ENDED:
            raise EndedError(words)
        if code in _APP:
            raise AppRefusedError(words)
    raise AwayError(words)


def _discreet(given: Mapping[str, Any], secrets: list[str]) -> str:
    """Return the provider's message on one line, without the secrets it was sent."""
    parts = [given.get("error"), given.get("error_description")]
    words = " ".join(": ".join(one for one in parts if isinstance(one, str)).split())
    for secret in secrets:
        words = words.replace(secret, "…")
    return words[:300]


def _tokens(given: Mapping[str, Any]) -> Tokens:
    access, refresh = given.get("access_token"), given.get("refresh_token")
    if not isinstance(access, str) or not _is_token(access):
        raise AwayError("the answer has no token that can be used")
    lasts = given.get("expires_in")
    try:
        seconds = USUAL if lasts is None else int(float(lasts))
    except (TypeError, ValueError, OverflowError):
        seconds = USUAL
    scope, who = given.get("scope"), given.get("id_token")
    return Tokens(
        access=Secret(access),
        refresh=Secret(refresh) if isinstance(refresh, str) and _is_token(refresh) else None,
        expires_at=clock.now() + timedelta(seconds=min(max(seconds, SHORTEST), LONGEST)),
        scopes=frozenset(scope.split()) if isinstance(scope, str) and scope.strip() else None,
        id_token=who if isinstance(who, str) else "",
    )


def _is_token(text: str) -> bool:
    return 0 < len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def address_in(app: App, tokens: Tokens) -> str | None:
    """Return the address of the person who signed in, or None if the provider does not say.

    The token came directly from the provider over TLS, so its signature need not be verified (OpenID Connect
    Core, 3.1.3.7), only its audience and expiry. Whether the mailbox is theirs is shown by signing in to its
    server.

    :raises EndedError: if it is for another app, or has expired.
    """
    if not tokens.id_token:
        return None
    # Imported here: few desks use this sign-in, and the import is slow.
    core, errors = import_module("authlib.oidc.core"), import_module("joserfc.errors")
    try:
        payload = tokens.id_token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims = core.CodeIDToken(
            found,
            {},
            {"aud": {"essential": True, "value": app.client_id}},
            {"client_id": app.client_id},
        )
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY)
    except (errors.JoseError, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise EndedError(f"the ID token cannot be believed ({type(error).__name__})") from None
    for name in ("email", "preferred_username", "upn"):
        value = claims.get(name)
        address = normal(value) if isinstance(value, str) else None
        if address is not None:
            return address
    return None
