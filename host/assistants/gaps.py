"""Gaps of assistants at work: what they refer to that isn't there, or need and don't have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.models import (
    Assistant,
    AssistantTool,
    AssistantVersion,
    EntryState,
    KnowledgeEntry,
    KnowledgePassage,
)
from host.assistants.program_tools import BUILT_IN
from host.assistants.values import Body
from host.core import db
from host.core.ports import AssistantDirectory
from host.inbox.labels.models import Label


class Lack(msgspec.Struct, frozen=True):
    """The gaps of an assistant.

    :param knows_nothing: whether it has no entry that can be read, no phrase and no tool to look things up.
    :param unread: number of its entries whose file or page can't be read any more, so it doesn't use them.
    :param lost_model: name of its model that was deleted; empty: none was.
    :param no_labels: whether somebody chose that it may add labels, and there are none.
    :param tools: names of addons' tools that it may use and no active addon brings.
    """

    knows_nothing: bool
    unread: int
    lost_model: str
    no_labels: bool
    tools: tuple[str, ...]


def of(session: Session, assistant_ids: Collection[int], directory: AssistantDirectory) -> Mapping[int, Lack]:
    """Return what each assistant lacks; those that lack nothing, or that a newer version wrote, are left out.

    At most two statements.
    """
    if not assistant_ids:
        return {}
    ids = db.padded(sorted(assistant_ids))
    is_current = sa.and_(
        AssistantVersion.assistant_id == Assistant.id, AssistantVersion.number == Assistant.version
    )
    unread = (
        sa.select(sa.func.count(KnowledgeEntry.id))
        .where(
            KnowledgeEntry.assistant_id == Assistant.id,
            KnowledgeEntry.state.in_((EntryState.FAILED, EntryState.GONE)),
        )
        .scalar_subquery()
    )
    has_labels = sa.exists().where(Label.workspace_id == Assistant.workspace_id)
    bodies = session.execute(
        sa.select(Assistant.id, AssistantVersion.body, Assistant.lost_model, unread, has_labels)
        .join(AssistantVersion, is_current)
        .where(Assistant.id.in_(ids))
    ).all()
    rests = sa.union(
        sa.select(KnowledgePassage.assistant_id).where(KnowledgePassage.assistant_id.in_(ids)),
        sa.select(AssistantTool.assistant_id).where(AssistantTool.assistant_id.in_(ids)),
    )
    able = set(session.scalars(rests))
    found = {}
    for id_, stored, lost_model, unread_count, labelled in bodies:
        body = assistants.read(stored)
        if body is None:
            continue
        brought = [name for name in body.builtin if name not in BUILT_IN]
        gone = tuple(name for name in brought if name not in directory.tools)
        looks_up = id_ in able or bool(body.phrases) or len(gone) < len(brought)
        lack = Lack(
            knows_nothing=not looks_up,
            unread=unread_count,
            lost_model=lost_model or "",
            no_labels="label" in body.builtin and body.builtin != Body().builtin and not labelled,
            tools=gone,
        )
        if any(msgspec.structs.astuple(lack)):
            found[id_] = lack
    return found
