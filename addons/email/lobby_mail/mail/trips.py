"""Recognise a test mail that an account sent to itself, and record its arrival."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from itertools import islice

from sqlalchemy.orm import Session

from host.sdk import accounts, clock, settings
from host.sdk.errors import SdkError
from host.sdk.secrets import Secret, fingerprint

from ..addresses import domain_of
from ..models import RoundTrip, Trip
from . import authentication, headers, identity

HEADER = "X-Lobby-Round-Trip"


def marker(account_id: int, number: str) -> str:
    """Return the marker of a test mail, which cannot be forged."""
    return f"{number}-{fingerprint(Secret(f'round trip {account_id} {number}'))}"


def marker_in(account_id: int, raw: bytes) -> str | None:
    """Return the marker of a mail the account sent to itself, or None for any other mail."""
    if HEADER.lower().encode() not in raw[: identity.MAX_HEAD].partition(b"\r\n\r\n")[0].lower():
        return None
    written = headers.raw(identity.head(raw), HEADER).strip()
    number = written.partition("-")[0]
    return (
        written
        if written and secrets.compare_digest(written.encode(), marker(account_id, number).encode())
        else None
    )


def note_arrived(session: Session, account_id: int, found: str, verdicts: Mapping[str, str]) -> None:
    """Record the arrival of a test mail, even a late one. Mails of earlier tries are ignored.

    :param verdicts: what :func:`verdicts_in` returned before the write.
    """
    row = session.get(RoundTrip, account_id, with_for_update=True)
    if row is None or row.marker != found or row.state in {Trip.ARRIVED, Trip.ASKED}:
        return
    row.state, row.arrived_at, row.problem = Trip.ARRIVED, clock.now(), None
    row.found = json.dumps(verdicts)
    accounts.changed(session)


def verdicts_in(raw: bytes, way: str) -> dict[str, str]:
    """Return the way of a returned test mail and its authentication results.

    Its topmost header can be trusted.
    """
    message = identity.head(raw)
    try:
        own = settings.get("", "smtp_authserv_id") if way == "smtp" else ""
    except SdkError:
        own = ""
    written = [authentication.server_of(one) for one in headers.all_raw(message, "Authentication-Results")]
    ours = authentication.names(own)
    server = next((one for one in written if not ours or one.lower() in ours), "")
    found = dict(authentication.results(message, server) or {})
    if found:
        found["server"] = server[:255]
    domain = domain_of((headers.addresses(message, "From") or [("", "@")])[0][1])
    for line in islice(headers.all_raw(message, "DKIM-Signature"), 10):
        tags = authentication.tags(line)
        if authentication.same_domain(tags.get("d", "").lower(), domain):
            found |= {"selector": tags.get("s", "")[:200], "domain": tags["d"].lower()[:253]}
            break
    return {"way": way, **found}
