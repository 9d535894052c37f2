"""Automation runs: pending actions of the desk for an event, and the functions that do them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from host.automation.deciding import RunKind
from host.core.ports import RuleDirectory
from host.events.reading import Recorded
from host.inbox.reply import HeldLocks
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation
from host.users.actor import UnitOfWork


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run that is done in one write, in its locked conversation.

    :param held: the locks this write holds for sending; None: only the conversation.
    """

    work: UnitOfWork
    run: AutomationRun
    conversation: Conversation
    directory: RuleDirectory
    held: HeldLocks | None

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def now(self) -> datetime:
        return self.work.now

    def finish(self, state: RunState, *, outcome: str | None = None, reason: str | None = None) -> None:
        """Note the outcome."""
        finish(self.run, state, self.now, outcome=outcome, reason=reason)


class Doer(NamedTuple):
    """The function that does runs of a kind.

    :ivar sends: whether it may send something, so that the customer's ordered queue must be locked first.
    :ivar do: does a run in its locked conversation, and notes the outcome in its row.
    """

    sends: bool
    do: Callable[[DueRun], None]


def finish(
    run: AutomationRun,
    state: RunState,
    now: datetime,
    *,
    outcome: str | None = None,
    reason: str | None = None,
) -> None:
    """Note the outcome of *run*."""
    run.state, run.outcome, run.reason = state, outcome, reason
    run.due_at, run.done_at = None, now


def row_of(
    event: Recorded,
    kind: RunKind,
    automation_id: int,
    version: int,
    now: datetime,
    *,
    facts: Mapping[str, Any] | None = None,
    due_at: datetime | None = None,
) -> Mapping[str, Any]:
    """Return the row of a new run for *event*, due now unless *due_at*."""
    return {
        "workspace_id": event.workspace_id,
        "kind": kind,
        "automation_id": automation_id,
        "automation_version": version,
        "conversation_id": event.conversation_id,
        "message_id": event.message_id,
        "cause_id": event.id,
        "root_id": event.root_id or event.id,
        "depth": event.depth + 1,
        "state": RunState.DUE,
        "due_at": due_at or now,
        "attempts": 0,
        "facts": dict(facts or {}),
        "created_at": now,
        "outcome": None,
        "reason": None,
        "done_at": None,
    }
