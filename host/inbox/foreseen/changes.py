"""Changes of a conversation, and the events they cause, which may lead to a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from host.events.kinds import conversations as kinds

KINDS: Mapping[str, str] = {
    "close": kinds.CONVERSATION_CLOSED,
    "open": kinds.CONVERSATION_REOPENED,
    "assign": kinds.CONVERSATION_ASSIGNED,
    "team": kinds.CONVERSATION_TEAM_ASSIGNED,
    "label": kinds.CONVERSATION_LABELLED,
    "unlabel": kinds.CONVERSATION_UNLABELLED,
    "snooze": kinds.CONVERSATION_SNOOZED,
    "wake": kinds.CONVERSATION_WOKEN,
    "spam": kinds.CONVERSATION_MARKED_SPAM,
    "unspam": kinds.CONVERSATION_UNMARKED_SPAM,
}
"""The event that each change causes in a conversation, by the change's name in bulk actions and macros."""
_SAME = {"assignMe": "assign", "assignNobody": "assign"}


def of_steps(steps: Iterable[str]) -> set[str]:
    """Return the changes that actions make, by the tags that :mod:`host.automation.actions` gives them."""
    return {_SAME.get(one, one) for one in steps} & KINDS.keys()
