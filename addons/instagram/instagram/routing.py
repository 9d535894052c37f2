"""Conversation Routing: take a conversation from another app, or pass it to one.

Meta's pages: docs/messenger-platform/handover-protocol/conversation-control, graph reference
page/take_thread_control. The calls are those of the Handover Protocol, which routing replaced.
"""

from __future__ import annotations

from typing import Any

from host.sdk.channel import ProviderProblem
from host.sdk.i18n import noop

from .accounts import Credentials
from .errors import CatalogueEntry, Outcome, Scope, classify, problem
from .graph import GraphError
from .sending.replies import NO_CREDENTIALS

LONGEST_NOTE = 1000
NOT_GIVEN = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Meta didn't hand over this conversation."),
    cause=noop(
        "The app isn't the default app in the Page's conversation routing and has no permission "
        "to take over conversations."
    ),
    next_step=noop(
        "In the Page's settings at Meta, under conversation routing, allow this desk's app to take over "
        "conversations."
    ),
)


def take(found: Credentials | None, contact: str, note: str) -> ProviderProblem | None:
    """Take the conversation with *contact* from whichever app has it."""
    return _ask(found, "take_thread_control", contact, note)


def hand_on(found: Credentials | None, contact: str, to: str, note: str) -> ProviderProblem | None:
    """Pass the conversation with *contact* to the app *to*."""
    return _ask(found, "pass_thread_control", contact, note, target_app_id=to)


def _ask(
    found: Credentials | None, edge: str, contact: str, note: str, **more: str
) -> ProviderProblem | None:
    if found is None:
        return problem(NO_CREDENTIALS)
    body: dict[str, Any] = {"recipient": {"id": contact}, **more}
    if note:
        body["metadata"] = note[:LONGEST_NOTE]
    try:
        found.graph().call("POST", f"{found.node}/{edge}", dict[str, Any], json=body)
    except GraphError as error:
        known = classify(error)
        of_routing = known.outcome is Outcome.REJECTED and known.scope is Scope.MESSAGE
        return problem(NOT_GIVEN if of_routing else known, error)
    return None
