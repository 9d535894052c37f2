"""Filters of runs: by version, start, step and end. What a number counts is what its filter lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from host.models.inbox import Conversation
from host.sequences.models import SequenceRun, SequenceVisit
from host.users.reach import Accounts

OUTCOMES = frozenset({"done", "people", "stopped", "failed"})


class RunFilter(msgspec.Struct, frozen=True):
    """Runs of a sequence. What is empty or None does not filter.

    :param since: started from then, until before *until*.
    :param step: at this step now, or ended at it; *reached*: entered it.
    :param active: whether they go on, or ended.
    :param ended: how they ended: an outcome, of those without a reason, or a reason; see :func:`end_of`.
    :param accounts: in conversations of these accounts.
    """

    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    started_by: str = ""
    step: str = ""
    reached: str = ""
    active: bool | None = None
    ended: str = ""
    accounts: Accounts = None

    def conditions(self, sequence_id: int) -> Sequence[sa.ColumnElement[bool]]:
        """Return the conditions of a query of runs."""
        found = [SequenceRun.sequence_id == sequence_id]
        if self.version is not None:
            found.append(SequenceRun.version == self.version)
        if self.since is not None:
            found.append(SequenceRun.started_at >= self.since)
        if self.until is not None:
            found.append(SequenceRun.started_at < self.until)
        if self.started_by:
            found.append(SequenceRun.started_by == self.started_by)
        if self.step:
            found.append(SequenceRun.step == self.step)
        if self.reached:
            visit = sa.exists().where(
                SequenceVisit.run_id == SequenceRun.id, SequenceVisit.step == self.reached
            )
            found.append(visit)
        if self.active is not None:
            ended = SequenceRun.active_contact_id.is_(None)
            found.append(sa.not_(ended) if self.active else ended)
        if self.ended:
            found.append(SequenceRun.active_contact_id.is_(None))
            found += self._end()
        if self.accounts is not None:
            mine = sa.select(Conversation.id).where(Conversation.account_id.in_(self.accounts))
            found.append(SequenceRun.conversation_id.in_(mine))
        return found

    def _end(self) -> list[sa.ColumnElement[bool]]:
        if self.ended in OUTCOMES:
            return [SequenceRun.outcome == self.ended, SequenceRun.reason.is_(None)]
        return [SequenceRun.reason == self.ended]


def end_of(outcome: str, reason: str | None) -> str:
    """Return how a run ended in one word: its reason, or its outcome if it has none."""
    return reason or outcome
