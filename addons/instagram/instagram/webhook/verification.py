"""Verify the webhook address for Meta, and authenticate its deliveries.

Meta's pages: docs/instagram-platform/webhooks, documentation/business-messaging/messenger-platform/webhooks.
"""

from __future__ import annotations

import hmac
import os
import re

from host.sdk.errors import SecretUnreadableError
from host.sdk.webhooks import Accepted, Refused, Verified, WebhookRequest

from .. import config
from ..accounts import Book, Bound, book
from .envelopes import GONE, cut

MOST_NAMED_SECRETS = 20
MOST_UNNAMED_BODY = 64 * 1024
SHOWN = 4
"""Characters of a wrong verify token to store, so that the owner can see which one Meta has."""
OURS = "lobby-"
"""Prefix of every verify token that Lobby generates."""

_ID = re.compile(rb'"id"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"?([0-9]{1,32})')
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_CHALLENGE = re.compile(r"[\w-]{1,128}", re.ASCII)
_DUMMY = os.urandom(32)
"""Used if no secret is known, so that this takes as long as checking a wrong signature."""


def verify(request: WebhookRequest) -> Verified | Refused:
    """Answer Meta's verification of this address: the challenge, verbatim, if the verify token is right.

    An account's own address accepts only its token; the shared one accepts those of all connected accounts
    and the installation's.
    """
    known = book.get()
    if request.account is None:
        bounds = [bound for found in known.by_account.values() for bound in found if bound.is_used]
    else:
        one = known.by_uuid.get(request.account)
        bounds = [one] if one is not None and one.is_used else []
    given = request.query.get("hub.verify_token", "").encode("utf-8", "replace")
    right, whose = False, None
    tokens: dict[bytes, int | None] = {b.verify_token: b.account_id for b in bounds if b.verify_token}
    if request.account is None:
        tokens[config.verify_token().encode()] = None
        tokens |= {config.verify_token(one).encode(): None for one in known.with_own_app}
    for token, account_id in (tokens or {_DUMMY: None}).items():
        if hmac.compare_digest(token, given):
            right, whose = True, account_id
    challenge = request.query.get("hub.challenge", "")
    if not right or request.query.get("hub.mode") != "subscribe":
        meant = bounds[0].account_id if request.account is not None and bounds else None
        # A request without these parameters, such as from a browser, is not Meta's.
        asked = request.query.get("hub.mode") == "subscribe" and "hub.verify_token" in request.query
        hint = told_of(request.query["hub.verify_token"]) if asked else ""
        return Refused(403, "verify_token" if asked else "nothing_asked", meant, hint)
    if not _CHALLENGE.fullmatch(challenge):
        return Refused(403, "challenge")
    return Verified(challenge, whose)


def told_of(token: str) -> str:
    """Return the beginning and length of a verify token, ``lobby-9dQx/38``: enough to compare two.

    Of the random part, it shows at most four characters and at most a quarter.
    """
    begin = OURS if token.startswith(OURS) else ""
    rest = token.removeprefix(begin)
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in rest[: min(SHOWN, len(rest) // 4)])
    return f"{begin}{shown}/{min(len(token), 999)}"


def authenticate(request: WebhookRequest) -> Accepted | Refused:
    """Accept a delivery with a valid signature of its raw bytes, and cut it into envelopes.

    Runs no query: accounts and secrets come from memory. It always compares all candidate secrets.

    :raises SecretUnreadableError: if none matches and the secret of a named account cannot be decrypted.
    """
    body = request.body
    known = book.get()
    named = _named(known, request)
    header = _SIGNATURE.fullmatch(request.headers.get("x-hub-signature-256", ""))
    given = bytes.fromhex(header[1]) if header is not None else b""
    matched = None
    for secret in _candidates(known, request, named) or (_DUMMY,):
        if hmac.compare_digest(hmac.digest(secret, body, "sha256"), given) and secret is not _DUMMY:
            matched = secret
    if matched is None:
        return _refused(named, signed=header is not None)
    envelopes = cut(body, known, matched)
    return Accepted(envelopes, keep_raw=all(envelope.ignored != GONE for envelope in envelopes))


def _named(known: Book, request: WebhookRequest) -> list[Bound]:
    """Return the accounts a request names, before it is trusted or parsed.

    It looks up every id, however many unknown ones come first. That costs no more than parsing the body.
    """
    if request.account is not None:
        one = known.by_uuid.get(request.account)
        return [] if one is None else [one]
    by_id = known.by_id
    found: list[Bound] = []
    seen = set()
    for match in _ID.finditer(request.body):
        name = match[1]
        if name in by_id and name not in seen:
            seen.add(name)
            found += by_id[name]
    return found


def _candidates(known: Book, request: WebhookRequest, named: list[Bound]) -> tuple[bytes, ...]:
    """Return the distinct secrets a delivery may have been signed with."""
    if len(named) == 1 and not named[0].others:
        return (named[0].secret,) if named[0].secret else ()
    if named:
        first = [bound.secret for bound in named if bound.secret]
        others = [secret for bound in named for secret in bound.others if secret]
        return tuple(dict.fromkeys(first + others))[:MOST_NAMED_SECRETS]
    if request.account is None and len(request.body) <= MOST_UNNAMED_BODY:
        return known.secrets
    return ()


def _refused(named: list[Bound], *, signed: bool) -> Refused:
    """Refuse a delivery. One without a signature cannot be Meta's, and is counted separately."""
    if any(not bound.secrets for bound in named):
        # This may be Meta, and 401s could cost the app its webhooks. After an exception the host answers 503,
        # and Meta retries.
        raise SecretUnreadableError("the app secret of an account cannot be decrypted")
    return Refused(401, "signature" if signed else "unsigned", named[0].account_id if named else None)
