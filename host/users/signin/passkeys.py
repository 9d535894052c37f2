"""What is asked of a browser and its passkeys (WebAuthn), and whether the answer is right."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

MAX_ANSWER = 64 * 1024
"""Most characters of what a browser sends."""


class NotProvenError(Exception):
    """What the browser sent does not prove that it holds the key."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys of this desk work: *name* is its domain, *origin* its address in browsers."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A passkey that was just made. Id and key are base64url."""

    credential_id: str
    public_key: str
    sign_count: int
    transports: Sequence[str]


@dataclass(frozen=True, slots=True)
class UsedKey:
    """A passkey that was just used.

    :param verified: whether the device made sure who holds it, by a finger, a face or a PIN.
    """

    sign_count: int
    verified: bool


def site_of(public_url: str) -> Site | None:
    """Return where passkeys work for a desk with that address; None for one that browsers give none.

    They do by https and on localhost, under a name: an IP address has no passkeys.
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
    """Return what a passkey calls its owner: nothing about them but a number."""
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
    """Return what a browser needs to make a passkey, as JSON values."""
    options = webauthn.generate_registration_options(
        rp_id=site.name,
        rp_name="Lobby",
        user_id=handle_of(user_id),
        user_name=email,
        user_display_name=name,
        challenge=challenge,
        exclude_credentials=_described(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def check_new(site: Site, challenge: bytes, answer: str) -> NewKey:
    """Return the passkey a browser made.

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
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProvenError(str(error)) from error
    transports = given.get("response", {}).get("transports", [])
    known = {one.value for one in AuthenticatorTransport}
    return NewKey(
        bytes_to_base64url(made.credential_id),
        bytes_to_base64url(made.credential_public_key),
        made.sign_count,
        [one for one in transports if one in known] if isinstance(transports, list) else [],
    )


def ask_for_one(site: Site, challenge: bytes, known: Sequence[tuple[str, list[str]]] = ()) -> dict[str, Any]:
    """Return what a browser needs to use a passkey.

    :param known: those that will do; empty: any of this site, and the device makes sure who holds it.
    """
    options = webauthn.generate_authentication_options(
        rp_id=site.name,
        challenge=challenge,
        allow_credentials=_described(known) or None,
        user_verification=UserVerificationRequirement.PREFERRED
        if known
        else UserVerificationRequirement.REQUIRED,
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def id_in(answer: str) -> str:
    """Return the id of the passkey an answer is of, as :class:`NewKey` has it.

    :raises NotProvenError: if it is not readable.
    """
    given = _parsed(answer).get("rawId")
    if not isinstance(given, str) or not given.isascii():
        raise NotProvenError("no id")
    try:
        return bytes_to_base64url(base64url_to_bytes(given))
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
    """Check that the browser holds the passkey with that public key.

    :param verified: whether the device has to have made sure who holds it.
    :raises NotProvenError: if not; for another challenge or site; for a copy of the key, whose count is old.
    """
    given = _parsed(answer)
    response = given.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    if handle and handle != bytes_to_base64url(handle_of(user_id)):
        raise NotProvenError("the key is somebody else's")
    try:
        used = webauthn.verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=sign_count,
            require_user_verification=verified,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProvenError(str(error)) from error
    return UsedKey(used.new_sign_count, used.user_verified)


def _described(known: Sequence[tuple[str, list[str]]]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(credential_id),
            transports=[AuthenticatorTransport(one) for one in transports] or None,
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
