"""The customers who are or were in a sequence, and ending one of their runs."""

from __future__ import annotations

from collections.abc import Sequence as Many
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import NotFoundError
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.sequences.filters import RunFilter, end_of
from host.sequences.models import ENDED_BY_TEAM, SequenceRun, WaitsFor
from host.users.actor import UnitOfWork

PAGE = 50
ACCOUNT = (
    sa.select(Conversation.account_id)
    .join(SequenceRun, SequenceRun.conversation_id == Conversation.id)
    .where(SequenceRun.id == sa.bindparam("id"), SequenceRun.workspace_id == sa.bindparam("workspace"))
)
"""Query for the account of a run."""


class RunNotFoundError(NotFoundError):
    """The sequence has no such run that is under way."""

    code = "sequence_run_not_found"
    title = _l("Customer not found")
    default_sentence = _l("This customer is not in the sequence any more.")
    default_next_step = _l("Load the list again.")


class Person(msgspec.Struct, frozen=True):
    """A customer who is or was in a sequence.

    :param id: the id of the run.
    :param since: when it entered its step; *due_at*: when it goes on by itself, None: not by itself.
    :param ending: whether a person ended it, so that a worker ends it next.
    :param ended_at: None: it goes on; *ended*: how it ended, see :func:`host.sequences.filters.end_of`.
    """

    id: int
    conversation_id: int
    contact_id: int
    name: str
    version: int
    step: str
    waits_for: str
    since: datetime
    due_at: datetime | None
    ending: bool
    ended_at: datetime | None
    ended: str


def listing(
    session: Session, sequence_id: int, wanted: RunFilter, *, before: int | None, limit: int
) -> Many[Person]:
    """Return the customers of the wanted runs of a sequence, the newest run first.

    :param before: only runs with a smaller id.
    """
    query = (
        sa.select(SequenceRun, Contact.name, ContactIdentity.name, ContactIdentity.username)
        .join(Conversation, Conversation.id == SequenceRun.conversation_id)
        .join(Contact, Contact.id == SequenceRun.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(*wanted.conditions(sequence_id))
        .order_by(SequenceRun.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(SequenceRun.id < before)
    return [
        Person(
            run.id,
            run.conversation_id,
            run.contact_id,
            name or identity or handle or "",
            run.version,
            run.step,
            run.waits_for,
            run.moved_at,
            run.due_at,
            run.ended_at is None and run.reason == ENDED_BY_TEAM,
            run.ended_at,
            "" if run.outcome is None else end_of(run.outcome, run.reason),
        )
        for run, name, identity, handle in session.execute(query)
    ]


def end(work: UnitOfWork, sequence_id: int, run_id: int) -> None:
    """Let a run end as soon as a worker comes by, which locks the conversation first.

    :raises RunNotFoundError: if the sequence has no such run under way.
    """
    found = work.session.execute(
        sa.update(SequenceRun)
        .where(
            SequenceRun.id == run_id,
            SequenceRun.workspace_id == work.workspace_id,
            SequenceRun.sequence_id == sequence_id,
            SequenceRun.active_contact_id.is_not(None),
        )
        .values(reason=ENDED_BY_TEAM, waits_for=WaitsFor.NOTHING, due_at=work.now)
    )
    if not found.rowcount:  # type: ignore[attr-defined]
        raise RunNotFoundError()
