"""Assistants, entries and turns as rows, for tests of what assistants know."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.knowledge import entries
from host.assistants.knowledge.entries import EntryInput
from host.assistants.models import Assistant, AssistantTurn, AssistantVersion, KnowledgeEntry, Mode, TurnState
from host.core import clock, db
from host.models.inbox import Message
from tests.helpers import do

NOW = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


def assistant(workspace_id: int, name: str = "Shop desk", version: int = 1) -> int:
    def use_case(session: Session) -> int:
        row = Assistant(workspace_id=workspace_id, name=name, version=version, created_at=clock.now())
        session.add(row)
        session.flush()
        session.add(
            AssistantVersion(assistant_id=row.id, number=version, body={}, author="Mia R.", at=clock.now())
        )
        session.flush()
        return row.id

    return db.write(use_case)


def entry(
    workspace_id: int, assistant_id: int, title: str, text: str = "", *questions: str, **given: Any
) -> int:
    wanted = EntryInput(title=title, text=text, questions=questions, **given)
    return do(entries.add, workspace_id, assistant_id, wanted).id


def put(entry_id: int, **values: Any) -> None:
    """Write columns of an entry, and say that what its assistant knows changed."""

    def use_case(session: Session) -> None:
        session.execute(sa.update(KnowledgeEntry).where(KnowledgeEntry.id == entry_id).values(**values))
        of = sa.select(KnowledgeEntry.assistant_id).where(KnowledgeEntry.id == entry_id)
        row = session.get_one(Assistant, session.scalar(of))
        entries.raised(session, row)

    db.write(use_case)


def kept(entry_id: int) -> KnowledgeEntry:
    with db.read() as session:
        return session.get_one(KnowledgeEntry, entry_id)


def knowledge_version(assistant_id: int) -> int:
    with db.read() as session:
        return session.get_one(Assistant, assistant_id).knowledge_version


def store_turn(at: datetime, **values: Any) -> int:
    """Store a turn that began at *at*; without *values* it said and cost nothing. Return its id."""
    usual: dict[str, Any] = {
        "version": 1,
        "messages": 1,
        "mode": Mode.SUGGEST,
        "first_at": at,
        "fence": 1,
        "text": "",
        "sources": [],
        "offers": [],
        "tokens_in": 0,
        "tokens_out": 0,
        "cost": 0,
        "took_ms": 0,
        "created_at": at,
    }

    def use_case(session: Session) -> int:
        row = AssistantTurn(**{**usual, **values})
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def turn(assistant_id: int, message_id: int, **values: Any) -> int:
    """Store a turn about a message of a customer: one that was handed over, unless *values* say more."""
    with db.read() as session:
        message = session.get_one(Message, message_id)
    about = {
        "workspace_id": message.workspace_id,
        "assistant_id": assistant_id,
        "account_id": message.account_id,
        "conversation_id": message.conversation_id,
        "message_id": message_id,
        "state": TurnState.HANDED_OVER,
        "reason": "no_source",
    }
    return store_turn(message.created_at, **{**about, **values})


def later(**length: float) -> datetime:
    return NOW + timedelta(**length)
