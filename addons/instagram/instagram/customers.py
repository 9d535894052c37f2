"""Customers on Instagram: their profiles, and blocking them.

Meta's pages: docs/instagram-messaging/features/user-profile,
docs/messenger-platform/instagram/features/moderate-conversations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from host.sdk import clock
from host.sdk.channel import NoProfile, Profile, ProviderProblem
from host.sdk.i18n import noop

from .accounts import Credentials
from .config import Flavour
from .errors import CatalogueEntry, Outcome, Scope, classify, problem
from .graph import MOST_TOGETHER, GraphError
from .sending.replies import NO_CREDENTIALS
from .values import clean

_FOR_GOOD = {100, 9010, 2018218, 2018247}
"""Codes that mean the profile is unavailable for good; not 230, because the next message gives consent."""
_OF_CUSTOMER = {230, 9010, 2018218, 2018247}
"""Codes that are about this customer only, whoever asks together with them."""
_FACTS = {
    "is_verified_user": "verified",
    "follower_count": "followers",
    "is_user_follow_business": "follows_us",
    "is_business_follow_user": "we_follow",
}


BUSY = 60.0
"""Seconds to pause an account that Meta limits, if Meta names no time."""
TOGETHER_SECONDS = 5.0
"""How long customers are requested one after the other before the host writes what there is."""


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
    if not _is_id(contact):
        return NoProfile("not an Instagram-scoped id", retry=False)
    try:
        return _profile(found.graph().call("GET", contact, _Answer, params={"fields": FIELDS}))
    except GraphError as error:
        return _none(error)


def fetch_several(found: Credentials, contacts: Sequence[str]) -> Mapping[str, Profile | NoProfile]:
    """Request the profiles of several customers; those left out are requested one by one.

    Through a Page, Meta answers up to 50 in one request, each with its own error. It counts them as that many
    calls, but they cost one connection and one answer. Of Instagram Login it documents nothing of that kind.
    """
    if found.flavour is not Flavour.PAGE:
        return _one_after_the_other(found, contacts)
    answers: dict[str, Profile | NoProfile] = {}
    wanted = [contact for contact in contacts if _is_id(contact)]
    for start in range(0, len(wanted), MOST_TOGETHER):
        part = wanted[start : start + MOST_TOGETHER]
        try:
            read = found.graph().read_together(part, _Answer, params={"fields": FIELDS})
        except GraphError as error:
            answers |= {contact: _none(error) for contact in part if _is_for_all(error)}
            break
        for contact, one in zip(part, read, strict=True):
            if isinstance(one, _Answer):
                answers[contact] = _profile(one)
            elif one is not None and (_is_for_all(one) or one.code in _OF_CUSTOMER):
                answers[contact] = _none(one)
    return answers


def _one_after_the_other(found: Credentials, contacts: Sequence[str]) -> Mapping[str, Profile | NoProfile]:
    """Request them with credentials that are read once, for as long as the host does not wait too long."""
    answers: dict[str, Profile | NoProfile] = {}
    until = clock.monotonic() + TOGETHER_SECONDS
    for contact in contacts:
        answer = answers[contact] = fetch(found, contact)
        limited = isinstance(answer, NoProfile) and answer.retry_after is not None
        if limited or clock.monotonic() > until:
            break
    return answers


def _is_id(contact: str) -> bool:
    return contact.isascii() and contact.isdigit()


def _is_for_all(error: GraphError) -> bool:
    """Return whether Meta would answer every call of the account with this error."""
    known = classify(error)
    limited = known.outcome is Outcome.WAIT and known.scope in {Scope.ACCOUNT, Scope.APP}
    return limited or known.outcome is Outcome.RECONNECT


def _profile(answer: _Answer) -> Profile:
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


NOT_BLOCKED = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Instagram rejected the request."),
    cause=noop(
        "The token is missing the permission business_management, or the person shares an Accounts "
        "Center with you."
    ),
    next_step=noop(
        "Block the person in the Instagram app, or grant the Meta app business_management and try again."
    ),
)


class _BlockAnswer(msgspec.Struct, frozen=True):
    success: str | bool = False


def block(found: Credentials | None, contact: str, on: bool) -> ProviderProblem | None:
    """Block *contact*, or unblock them if *on* is false.

    It is a call on the Facebook Page, so accounts connected with Instagram Login cannot block.
    """
    if found is None:
        return problem(NO_CREDENTIALS)
    if found.flavour is not Flavour.PAGE:
        return problem(NOT_BLOCKED)
    body = {"user_ids": [{"id": contact}], "actions": ["block_user" if on else "unblock_user"]}
    try:
        answer = found.graph().call("POST", f"{found.node}/moderate_conversations", _BlockAnswer, json=body)
    except GraphError as error:
        known = classify(error)
        of_this = known.outcome is Outcome.REJECTED and known.scope is Scope.MESSAGE
        return problem(NOT_BLOCKED if of_this else known, error)
    return None if str(answer.success).lower() == "true" else problem(NOT_BLOCKED)
