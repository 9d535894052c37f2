"""Passkeys (WebAuthn): options for the browser, and checks of its answers."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from host.core.backports import lazy

if TYPE_CHECKING:
    import webauthn
    from webauthn import helpers
    from webauthn.helpers import exceptions, structs
else:
    webauthn = lazy.package("webauthn")
    helpers = lazy.package("webauthn.helpers")
    exceptions = lazy.package("webauthn.helpers.exceptions")
    structs = lazy.package("webauthn.helpers.structs")

MAX_ANSWER = 64 * 1024
"""Longest answer of a browser in characters."""


class NotProvenError(Exception):
    """The browser's answer does not prove that it has the key."""


class Site(msgspec.Struct, frozen=True):
    """The site of this desk's passkeys: *name* is its domain, *origin* its address in browsers."""

    name: str
    origin: str


class NewKey(msgspec.Struct, frozen=True):
    """A passkey that was just created. Id and key are base64url."""

    credential_id: str
    public_key: str
    sign_count: int
    transports: Sequence[str]


class UsedKey(msgspec.Struct, frozen=True):
    """A passkey that was just used.

    :param verified: whether the device verified its user, by fingerprint, face or PIN.
    """

    sign_count: int
    verified: bool


def encoded(value: bytes) -> str:
    """Return *value* as base64url without padding."""
    return helpers.bytes_to_base64url(value)


def decoded(value: str) -> bytes:
    """Return the bytes of *value*, base64url with or without padding.

    :raises ValueError: if it is not base64url.
    """
    return helpers.base64url_to_bytes(value)


def site_of(public_url: str) -> Site | None:
    """Return the site for passkeys of a desk with that address; None if browsers do not allow passkeys there.

    Browsers require https or localhost, and a domain name: an IP address has no passkeys.
    """
    parts = urlsplit(public_url)
    host = (parts.hostname or "").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return None
    local = host == "localhost" or host.endswith(".localhost")
    if not host or (parts.scheme != "https" and not local):
        return None
    return Site(host, f"{parts.scheme}://{parts.netloc}".lower())


def handle_of(user_id: int) -> bytes:
    """Return the user handle stored in a passkey: a number, without other data about its owner."""
    return f"lobby-{user_id}".encode()


def ask_for_new(
    site: Site,
    challenge: bytes,
    *,
    user_id: int,
    email: str,
    name: str,
    known: Sequence[tuple[str, list[str]]],
) -> dict[str, Any]:
    """Return the options a browser needs to create a passkey, as JSON values."""
    options = webauthn.generate_registration_options(
        rp_id=site.name,
        rp_name="Lobby",
        user_id=handle_of(user_id),
        user_name=email,
        user_display_name=name,
        challenge=challenge,
        exclude_credentials=_described(known),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def check_new(site: Site, challenge: bytes, answer: str) -> NewKey:
    """Return the passkey a browser created.

    :raises NotProvenError: if it was made for another challenge or site, or is not readable.
    """
    given = _parsed(answer)
    try:
        made = webauthn.verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
        )
    except (exceptions.WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProvenError(str(error)) from error
    transports = given.get("response", {}).get("transports", [])
    known = {one.value for one in structs.AuthenticatorTransport}
    return NewKey(
        encoded(made.credential_id),
        encoded(made.credential_public_key),
        made.sign_count,
        [one for one in transports if one in known] if isinstance(transports, list) else [],
    )


def ask_for_one(site: Site, challenge: bytes, known: Sequence[tuple[str, list[str]]] = ()) -> dict[str, Any]:
    """Return the options a browser needs to use a passkey, as JSON values.

    :param known: the accepted passkeys; empty: any of this site, with the user verified by the device.
    """
    options = webauthn.generate_authentication_options(
        rp_id=site.name,
        challenge=challenge,
        allow_credentials=_described(known) or None,
        user_verification=structs.UserVerificationRequirement.PREFERRED
        if known
        else structs.UserVerificationRequirement.REQUIRED,
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def id_in(answer: str) -> str:
    """Return the id of the passkey in an answer, as :class:`NewKey` has it.

    :raises NotProvenError: if it is not readable.
    """
    given = _parsed(answer).get("rawId")
    if not isinstance(given, str) or not given.isascii():
        raise NotProvenError("no id")
    try:
        return encoded(decoded(given))
    except ValueError as error:
        raise NotProvenError("no id") from error


def check_one(
    site: Site,
    challenge: bytes,
    answer: str,
    *,
    public_key: str,
    sign_count: int,
    user_id: int,
    verified: bool,
) -> UsedKey:
    """Check that the browser has the passkey with that public key.

    :param verified: whether the device must have verified its user.
    :raises NotProvenError: if it doesn't, if the challenge or site is different, or if the key was copied, so
        that its counter is behind.
    """
    given = _parsed(answer)
    response = given.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    if handle and handle != encoded(handle_of(user_id)):
        raise NotProvenError("the key is somebody else's")
    try:
        used = webauthn.verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=decoded(public_key),
            credential_current_sign_count=sign_count,
            require_user_verification=verified,
        )
    except (exceptions.WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProvenError(str(error)) from error
    return UsedKey(used.new_sign_count, used.user_verified)


def _described(known: Sequence[tuple[str, list[str]]]) -> list[structs.PublicKeyCredentialDescriptor]:
    return [
        structs.PublicKeyCredentialDescriptor(
            id=decoded(credential_id),
            transports=[structs.AuthenticatorTransport(one) for one in transports] or None,
        )
        for credential_id, transports in known
    ]


def _parsed(answer: str) -> dict[str, Any]:
    try:
        given = json.loads(answer) if len(answer) <= MAX_ANSWER else None
    except (ValueError, RecursionError) as error:
        raise NotProvenError("not JSON") from error
    if not isinstance(given, dict):
        raise NotProvenError("not JSON")
    return given
