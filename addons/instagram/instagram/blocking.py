"""Block and unblock a customer at Instagram.

Meta's page: docs/messenger-platform/instagram/features/moderate-conversations. It is a call on the Facebook
Page, so accounts connected with Instagram Login cannot block.
"""

from __future__ import annotations

import msgspec

from host.sdk.channel import ProviderProblem
from host.sdk.i18n import noop

from .accounts import Credentials
from .config import Flavour
from .errors import CatalogueEntry, Outcome, Scope, classify, problem
from .graph import GraphError
from .sending.replies import NO_CREDENTIALS

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


class _Answer(msgspec.Struct, frozen=True):
    success: str | bool = False


def block(found: Credentials | None, contact: str, on: bool) -> ProviderProblem | None:
    """Block *contact*, or unblock them if *on* is false."""
    if found is None:
        return problem(NO_CREDENTIALS)
    if found.flavour is not Flavour.PAGE:
        return problem(NOT_BLOCKED)
    body = {"user_ids": [{"id": contact}], "actions": ["block_user" if on else "unblock_user"]}
    try:
        answer = found.graph().call("POST", f"{found.node}/moderate_conversations", _Answer, json=body)
    except GraphError as error:
        known = classify(error)
        of_this = known.outcome is Outcome.REJECTED and known.scope is Scope.MESSAGE
        return problem(NOT_BLOCKED if of_this else known, error)
    return None if str(answer.success).lower() == "true" else problem(NOT_BLOCKED)
