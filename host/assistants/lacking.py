"""Gaps of assistants at work: what they refer to that isn't there, or need and don't have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import keeping
from host.assistants.models import Assistant, AssistantTool, AssistantVersion, KnowledgePassage
from host.assistants.tool_keeping import BUILT_IN
from host.core import db
from host.core.ports import AssistantDirectory


class Lack(msgspec.Struct, frozen=True):
    """The gaps of an assistant.

    :param knows_nothing: whether it has no entry that can be read, no phrase and no tool to look things up.
    :param tools: names of addons' tools that it may use and no active addon brings.
    """

    knows_nothing: bool
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
    bodies = session.execute(
        sa.select(Assistant.id, AssistantVersion.body)
        .join(AssistantVersion, is_current)
        .where(Assistant.id.in_(ids))
    ).all()
    rests = sa.union(
        sa.select(KnowledgePassage.assistant_id).where(KnowledgePassage.assistant_id.in_(ids)),
        sa.select(AssistantTool.assistant_id).where(AssistantTool.assistant_id.in_(ids)),
    )
    able = set(session.scalars(rests))
    found = {}
    for id_, stored in bodies:
        body = keeping.read(stored)
        if body is None:
            continue
        brought = [name for name in body.builtin if name not in BUILT_IN]
        gone = tuple(name for name in brought if name not in directory.tools)
        looks_up = id_ in able or bool(body.phrases) or len(gone) < len(brought)
        if gone or not looks_up:
            found[id_] = Lack(knows_nothing=not looks_up, tools=gone)
    return found
