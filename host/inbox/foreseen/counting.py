"""Customers who would get a message because of a change of conversations, counted before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import facts
from host.core import db
from host.core.ports import RuleDirectory
from host.features import registry
from host.features.messages_after import MessagesAfter
from host.inbox.foreseen.changes import KINDS
from host.models.inbox import Conversation, Direction, Message

COUNTED = 5000
"""Most conversations that are looked at one by one."""
_CHUNK = 500


class Foreseen(msgspec.Struct, frozen=True):
    """The messages that an action on many conversations could lead to.

    :param customers: number of those who could get one; *by*: the same for each rule or addon, by its name.
    """

    customers: int
    by: Mapping[str, int]


def messages_after(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Sequence[int],
    directory: RuleDirectory,
    now: datetime,
    total: int,
) -> Mapping[str, Foreseen]:
    """Return the messages that could follow, by the kind of the event; kinds without any are left out.

    :param conversations: ids of those that would change, of more than :data:`COUNTED` only as many.
    :param total: the number of those that would change. If more than were looked at, it stands for each.
    """
    asked = conversations[:COUNTED]
    theirs: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for start in range(0, len(asked), _CHUNK):
        some = asked[start : start + _CHUNK]
        told = _told(session, workspace_id, kinds, some, directory, now)
        is_any = any(one.conversations for one in told)
        there = reachable(session, some, directory, now) if is_any else frozenset()
        for one in told:
            if one.conversations & there:
                theirs[one.kind][one.name] |= one.conversations & there
    if total > len(asked):
        return {kind: Foreseen(total, dict.fromkeys(by, total)) for kind, by in theirs.items()}
    return {
        kind: Foreseen(len(set().union(*by.values())), {name: len(ids) for name, ids in by.items()})
        for kind, by in theirs.items()
    }


class OfOne(msgspec.Struct, frozen=True):
    """The messages that the changes of one conversation could lead to.

    :param is_possible: whether anything in the workspace sends because of such changes at all.
    :param by: names of the rules and addons that could send one to the customer, by the change.
    """

    is_possible: bool
    by: Mapping[str, Sequence[str]]

    def of(self, changes: Collection[str]) -> Sequence[str]:
        """Return the names for any of *changes*, each once."""
        return list(dict.fromkeys(name for one in changes for name in self.by.get(one, ())))


def of_one(
    session: Session, workspace_id: int, conversation_id: int, directory: RuleDirectory, now: datetime
) -> OfOne:
    """Return the messages that could follow each change of a conversation."""
    told = _told(session, workspace_id, set(KINDS.values()), [conversation_id], directory, now)
    theirs = [one for one in told if one.conversations]
    if not theirs or not reachable(session, [conversation_id], directory, now):
        return OfOne(bool(told), {})
    by = {change: [one.name for one in theirs if one.kind == kind] for change, kind in KINDS.items()}
    return OfOne(True, {change: names for change, names in by.items() if names})


def _told(
    session: Session,
    workspace_id: int,
    kinds: Collection[str],
    conversations: Sequence[int],
    directory: RuleDirectory,
    now: datetime,
) -> list[MessagesAfter]:
    """Return what features say that they could send to these."""
    answers = registry.hooks().messages_after(
        session=session,
        workspace_id=workspace_id,
        kinds=kinds,
        conversations=conversations,
        directory=directory,
        now=now,
    )
    return [one for answer in answers for one in answer or ()]


def reachable(
    session: Session, conversations: Collection[int], directory: RuleDirectory, now: datetime
) -> frozenset[int]:
    """Return those of *conversations* to which an automatic message can be sent now, closed ones, too."""
    newest = (
        sa.select(sa.func.max(Message.id))
        .where(Message.conversation_id == Conversation.id, Message.direction == Direction.INBOUND)
        .correlate(Conversation)
        .scalar_subquery()
    )
    query = sa.select(Conversation.id, newest).where(Conversation.id.in_(sa.bindparam("ids", expanding=True)))
    asked = {id_: last for id_, last in session.execute(query, {"ids": db.padded(conversations)}) if last}
    known = facts.known(session, list(asked.values())) if asked else {}
    return frozenset(
        id_
        for id_, last in asked.items()
        if last in known
        and not known[last].hindrance(
            directory.adapter(known[last].row.ChannelAccount.channel), now, closed_too=True
        )
    )
