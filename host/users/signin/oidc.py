"""OpenID Connect: identify a person through a provider, with the code flow, PKCE, state and nonce.

Requests go through the guarded client. Authlib and joserfc make the challenge and check the token; Authlib's
own sessions are not used, because they would open their own connections.
"""

from __future__ import annotations

import secrets as random
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from host.core import clock, guard
from host.core.backports import lazy
from host.core.transport import attempt
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import Client, Response, UnreadableAnswerError
from host.users.signin.settings import Provider

if TYPE_CHECKING:
    from authlib.oauth2 import rfc7636
    from authlib.oidc import core as oidc_core
    from joserfc import errors, jwk, jwt
else:
    rfc7636 = lazy.package("authlib.oauth2.rfc7636")
    oidc_core = lazy.package("authlib.oidc.core")
    errors, jwk, jwt = map(lazy.package, ("joserfc.errors", "joserfc.jwk", "joserfc.jwt"))

LEEWAY = 60
"""Accepted difference of the provider's clock in seconds."""
KNOWN_FOR = 600.0
"""Seconds for which a provider's metadata and keys are cached."""
ASK_AGAIN = 60.0
"""Minimum time in seconds between two requests for an unknown key."""
AUTHENTICATED = timedelta(minutes=5)
"""Maximum age of the provider's sign-in when a person is asked to sign in there again."""
ANY_AGE = 365 * 24 * 3600
"""``max_age`` of an ordinary sign-in: a provider that receives one must send ``auth_time``."""
MAX_BYTES = 512 * 1024
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""Accepted signature algorithms, all using a key of the provider.

Unsigned tokens and tokens signed with the client secret are rejected.
"""


class ProviderError(Exception):
    """An untrustworthy answer of the provider; the text is for the log."""


class UnconfirmedError(ProviderError):
    """The provider does not confirm that the person signed in there just now.

    :param tells: whether it reports when they did.
    """

    def __init__(self, text: str, *, tells: bool) -> None:
        super().__init__(text)
        self.tells = tells


class ProviderAwayError(ProviderError):
    """The provider does not answer with valid OpenID Connect."""


class Claims(msgspec.Struct, frozen=True):
    """A person's identity, as the provider reports it.

    :param email: in lower case; empty if it is not verified.
    :param groups: None if the provider sends no groups.
    :param signed_in_at: when they signed in there; None if the ID token has no such time, or one in the
        future.
    """

    issuer: str
    subject: str
    email: str
    name: str
    groups: frozenset[str] | None
    signed_in_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """State kept while a person is at the provider."""

    state: str
    nonce: str
    verifier: str
    issuer: str
    client_id: str
    redirect_uri: str
    again: bool = False


@dataclass(slots=True)
class _CachedProvider:
    metadata: Mapping[str, Any]
    keys: Mapping[str, Any]
    asked: float


_lock = threading.Lock()
_known: dict[str, _CachedProvider] = {}


def begin(
    provider: Provider, redirect_uri: str, *, again: bool = False, groups: bool = False
) -> tuple[str, Journey]:
    """Return the address to redirect the browser to, and the state to keep.

    :param again: whether they must sign in there again even if they already are.
    :param groups: whether to ask for groups, if the provider has a scope for them.
    :raises ProviderError: if the provider does not answer, or not correctly.
    """
    metadata = _metadata(provider.issuer)
    journey = Journey(
        state=random.token_urlsafe(32),
        nonce=random.token_urlsafe(24),
        verifier=random.token_urlsafe(48),
        issuer=metadata["issuer"],
        client_id=provider.client_id,
        redirect_uri=redirect_uri,
        again=again,
    )
    scopes = ["openid", "email", "profile"]
    offered = metadata.get("scopes_supported")
    if groups and isinstance(offered, list) and "groups" in offered:
        scopes.append("groups")
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": journey.state,
        "nonce": journey.nonce,
        "code_challenge": rfc7636.create_s256_code_challenge(journey.verifier),
        "code_challenge_method": "S256",
        "max_age": str(ANY_AGE),
    }
    if again:
        query |= {"prompt": "login", "max_age": "0"}
    where = str(metadata["authorization_endpoint"])
    return where + ("&" if urlsplit(where).query else "?") + urlencode(query), journey


def finish(
    provider: Provider, journey: Journey, *, code: str, issuer: str | None, groups_claim: str
) -> Claims:
    """Return the claims of the person who came back with *code*.

    :param issuer: the issuer named in the response, if any.
    :raises ProviderError: if the provider does not answer, or its answer is untrustworthy.
    :raises UnconfirmedError: if they had to sign in again, and the provider does not confirm that they did.
    """
    metadata = _metadata(provider.issuer)
    if journey.issuer != metadata["issuer"] or journey.client_id != provider.client_id:
        raise ProviderError("the provider was changed meanwhile")
    if issuer is not None and issuer != journey.issuer:
        raise ProviderError("the answer is from another provider")
    tokens = _tokens(provider, metadata, journey, code)
    token, access = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(token, str):
        raise ProviderError("there is no ID token")
    claims = _checked(provider, metadata, journey, token, access if isinstance(access, str) else None)
    signed_in_at = _signed_in_at(claims)
    if journey.again and (signed_in_at is None or clock.now() - signed_in_at > AUTHENTICATED):
        raise UnconfirmedError("they did not sign in again", tells=signed_in_at is not None)
    if isinstance(access, str) and ("email" not in claims or _groups(claims, groups_claim) is None):
        info = _user_info(metadata, access, str(claims["sub"]))
        claims = {**info, **claims, **_address(claims, info)}
    return _claims(journey.issuer, claims, groups_claim, signed_in_at)


def look(issuer: str) -> str:
    """Fetch a provider's metadata and keys now; return the issuer it names.

    :raises ProviderError: if it does not answer, or not correctly.
    """
    with _lock:
        _known.pop(issuer, None)
    return str(_metadata(issuer)["issuer"])


def reset() -> None:
    """Clear the cached provider metadata; for tests."""
    with _lock:
        _known.clear()


def _address(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return address and ``email_verified`` of the first source with an address, both from that source.

    Otherwise one source could vouch for the address of another.
    """
    source = next((one for one in sources if one.get("email") is not None), {})
    return {name: source.get(name) for name in ("email", "email_verified")}


def _signed_in_at(claims: Mapping[str, Any]) -> datetime | None:
    """Return ``auth_time`` of an ID token; None if it is missing or invalid."""
    when, now = claims.get("auth_time"), clock.now()
    if isinstance(when, bool) or not isinstance(when, int | float):
        return None
    if not 0 < when <= now.timestamp() + LEEWAY:
        return None
    return min(now, datetime.fromtimestamp(when, UTC))


def _claims(
    issuer: str, claims: Mapping[str, Any], groups_claim: str, signed_in_at: datetime | None
) -> Claims:
    email, verified = claims.get("email"), claims.get("email_verified")
    trusted = verified is True or verified == "true"  # some providers send it as text
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise ProviderError("the subject cannot be used")
    name = claims.get("name") or claims.get("preferred_username") or ""
    return Claims(
        issuer=issuer,
        subject=subject,
        email=email.strip().lower() if isinstance(email, str) and trusted else "",
        name=name if isinstance(name, str) else "",
        groups=_groups(claims, groups_claim),
        signed_in_at=signed_in_at,
    )


def _groups(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """Return the groups in a claim; ``a.b`` is also looked for as *b* inside *a*."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return None
    return frozenset(one for one in found if isinstance(one, str))


def _tokens(
    provider: Provider, metadata: Mapping[str, Any], journey: Journey, code: str
) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": journey.redirect_uri,
        "code_verifier": journey.verifier,
    }
    headers = {"Accept": "application/json"}
    ways = metadata.get("token_endpoint_auth_methods_supported")
    by_form = isinstance(ways, list) and "client_secret_post" in ways and "client_secret_basic" not in ways
    if provider.secret is None:
        form["client_id"] = provider.client_id
    elif by_form:
        form |= {"client_id": provider.client_id, "client_secret": provider.secret.reveal()}
    else:
        headers["Authorization"] = _basic(provider.client_id, provider.secret.reveal())
    answer = _request(metadata, "POST", str(metadata["token_endpoint"]), form=form, headers=headers)
    tokens = _json(answer)
    if answer.status != 200:
        raise ProviderError(f"the code was refused: {answer.status} {str(tokens.get('error', ''))[:60]}")
    return tokens


def _basic(client_id: str, secret: str) -> str:
    return "Basic " + b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def _checked(
    provider: Provider, metadata: Mapping[str, Any], journey: Journey, token: str, access: str | None
) -> dict[str, Any]:
    """Return the claims of an ID token after checking its signature, audience, nonce and times."""
    offered = metadata.get("id_token_signing_alg_values_supported")
    algorithms = [one for one in ALGORITHMS if not isinstance(offered, list) or one in offered]
    try:
        try:
            found = jwt.decode(token, _keys(provider.issuer), algorithms=algorithms)
        except (errors.JoseError, ValueError):
            # The token may be signed with a new key.
            found = jwt.decode(token, _keys(provider.issuer, again=True), algorithms=algorithms)
        claims = oidc_core.CodeIDToken(
            found.claims,
            found.header,
            {
                "iss": {"essential": True, "value": journey.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            {"nonce": journey.nonce, "client_id": provider.client_id, "access_token": access},
        )
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY)
    except (errors.JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderError(f"the ID token cannot be believed: {type(error).__name__} {error}") from error
    return dict(claims)


def _user_info(metadata: Mapping[str, Any], access: str, subject: str) -> dict[str, Any]:
    where = metadata.get("userinfo_endpoint")
    if not isinstance(where, str):
        return {}
    answer = _request(metadata, "GET", where, headers={"Authorization": f"Bearer {access}"})
    if answer.status != 200:
        raise ProviderError(f"it tells nothing about them: {answer.status}")
    found = _json(answer)
    if found.get("sub") != subject:
        raise ProviderError("it tells about somebody else")
    return dict(found)


def _metadata(issuer: str) -> Mapping[str, Any]:
    return _look_up(issuer).metadata


def _keys(issuer: str, *, again: bool = False) -> jwk.KeySet:
    keys = _look_up(issuer, again=again).keys.get("keys")
    usable = [
        one
        for one in (keys if isinstance(keys, list) else [])
        if isinstance(one, dict) and one.get("kty") in {"RSA", "EC", "OKP"} and one.get("use", "sig") == "sig"
    ]
    return jwk.KeySet.import_key_set({"keys": usable})


def _look_up(issuer: str, *, again: bool = False) -> _CachedProvider:
    """Return the metadata of a provider from the cache, or fetch it if missing or old."""
    now = clock.monotonic()
    with _lock:
        known = _known.get(issuer)
    if known is not None and now - known.asked < (ASK_AGAIN if again else KNOWN_FOR):
        return known
    metadata = _discovered(issuer)
    keys = _json(_request(metadata, "GET", str(metadata["jwks_uri"])))
    fresh = _CachedProvider(metadata, keys, now)
    with _lock:
        _known[issuer] = fresh
    return fresh


def _discovered(issuer: str) -> Mapping[str, Any]:
    answer = _request(
        {"issuer": issuer}, "GET", issuer.rstrip("/") + "/.well-known/openid-configuration", follow=1
    )
    if answer.status != 200:
        raise ProviderAwayError(f"its configuration answers {answer.status}")
    found = _json(answer)
    if not isinstance(found.get("issuer"), str) or found["issuer"].rstrip("/") != issuer.rstrip("/"):
        raise ProviderError("it calls itself otherwise")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(found.get(name), str) or not _usable(found[name]):
            raise ProviderError(f"its {name} cannot be used")
    return found


def _usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https"
        or (parts.scheme == "http" and guard.is_exempt(parts.hostname or "", port, sign_in=True))
    )


def _hosts(metadata: Mapping[str, Any]) -> frozenset[str]:
    names = ("issuer", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    return frozenset(urlsplit(str(metadata.get(name, ""))).hostname or "" for name in names) - {""}


def _request(
    metadata: Mapping[str, Any],
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    follow: int = 0,
) -> Response:
    client = Client(_hosts(metadata), connect_timeout=5, read_timeout=10, total_timeout=15)
    attempt.sign_in = True
    try:
        return client.request(method, url, form=form, headers=headers, max_bytes=MAX_BYTES, follow=follow)
    except (FetchError, ForbiddenAddressError) as error:
        raise ProviderAwayError(str(error)) from error
    finally:
        attempt.sign_in = False


def _json(answer: Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except UnreadableAnswerError as error:
        raise ProviderAwayError(str(error)) from error
    if not isinstance(found, dict):
        raise ProviderAwayError("the answer is no object")
    return found
