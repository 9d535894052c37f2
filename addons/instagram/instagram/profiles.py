"""Profiles of customers on Instagram (docs/instagram-messaging/features/user-profile)."""

from __future__ import annotations

from typing import Any

import msgspec

from host.sdk.channel import NoProfile, Profile

from .accounts import Credentials
from .errors import Outcome, Scope, classify
from .graph import GraphError
from .values import clean

_FOR_GOOD = {100, 9010, 2018218, 2018247}
"""Codes that mean the profile is unavailable for good; not 230, because the next message gives consent."""
_FACTS = {
    "is_verified_user": "verified",
    "follower_count": "followers",
    "is_user_follow_business": "follows_us",
    "is_business_follow_user": "we_follow",
}


BUSY = 60.0
"""Seconds to pause an account that Meta limits, if Meta names no time."""


class _Answer(msgspec.Struct, frozen=True):
    name: str | None = None
    username: str | None = None
    profile_pic: str | None = None
    follower_count: int | None = None
    is_verified_user: bool | None = None
    is_user_follow_business: bool | None = None
    is_business_follow_user: bool | None = None


FIELDS = ",".join(_Answer.__struct_fields__)


def fetch(found: Credentials, contact: str) -> Profile | NoProfile:
    """Request a customer's profile. A failure costs a name, never a message."""
    if not (contact.isascii() and contact.isdigit()):
        return NoProfile("not an Instagram-scoped id", retry=False)
    try:
        answer = found.graph().call("GET", contact, _Answer, params={"fields": FIELDS})
    except GraphError as error:
        return _none(error)
    facts: dict[str, Any] = {}
    for field, fact in _FACTS.items():
        value = getattr(answer, field)
        if value is not None:
            facts[fact] = value
    return Profile(
        name=clean(answer.name).strip() or None if answer.name else None,
        username=clean(answer.username).strip() or None if answer.username else None,
        facts=facts,
        picture_url=answer.profile_pic or None,
    )


def _none(error: GraphError) -> NoProfile:
    known = classify(error)
    if known.outcome is Outcome.WAIT and known.scope in {Scope.ACCOUNT, Scope.APP}:
        wait = error.usage.regain_seconds or known.wait_seconds or BUSY
        return NoProfile(error.quote, retry=True, retry_after=wait)
    return NoProfile(error.quote, retry=error.code not in _FOR_GOOD)
