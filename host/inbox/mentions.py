"""Mentions: members named in a note with ``@`` and their name, and whether they have seen it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import InvalidError
from host.inbox import queries
from host.inbox.conversations import show_presence
from host.models.inbox import Conversation, Message
from host.models.mentions import Mention
from host.models.users import Membership, User
from host.notifications import notify
from host.users.roles import Permission, with_permission

MOST = 20
_TABLE = cast(sa.Table, Mention.__table__)


class MentionError(InvalidError):
    """Somebody is mentioned whom the note would not reach."""

    code = "cannot_be_mentioned"
    title = _l("Somebody cannot be mentioned")
    default_sentence = _l("Somebody you mention does not answer here, so the note was not added.")
    default_next_step = _l("Choose somebody from the list, or take the @ away.")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a note could mention.

    :param reached: whether they may see the conversation.
    """

    id: int
    name: str
    reached: bool


def people(session: Session, workspace_id: int, account_id: int) -> list[Person]:
    """Return the people of a workspace who answer in it, by name, those out of reach of an account too."""
    query = (
        sa.select(User.id, User.name, sa.case((queries.answers(account_id), 1), else_=0))
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.workspace_id == workspace_id,
            Membership.role.in_(sorted(with_permission(Permission.ANSWER))),
            User.disabled_at.is_(None),
        )
        .order_by(User.name, User.id)
    )
    return [Person(id_, name, bool(reached)) for id_, name, reached in session.execute(query)]


def named(
    session: Session,
    conversation: Conversation,
    text: str,
    ids: Collection[int],
    *,
    typed: bool,
) -> list[Person]:
    """Return whom a note mentions.

    :param ids: of those chosen from a list.
    :param typed: whether who is named in *text* is meant as well, where the name is one person's alone.
    :raises MentionError: if one of them may not see the conversation, or they are more than :data:`MOST`.
    """
    if not ids and not (typed and "@" in text):
        return []
    known = people(session, conversation.workspace_id, conversation.account_id)
    by_id = {one.id: one for one in known}
    if not by_id.keys() >= set(ids):
        raise MentionError()
    chosen = {id_: by_id[id_] for id_ in ids}
    if typed:
        taken = {one.name.casefold() for one in chosen.values()}
        found = named_in(text, [one.name for one in known])
        for name in found - taken:
            fitting = [one for one in known if one.name.casefold() == name]
            if len(fitting) == 1:
                chosen[fitting[0].id] = fitting[0]
    if len(chosen) > MOST:
        raise MentionError(_l("A note mentions 20 people at most, so it was not added."), next_step="")
    for one in chosen.values():
        if not one.reached:
            raise MentionError(
                _l("%(name)s does not see this account, so the note was not added.", name=one.name)
            )
    return list(chosen.values())


def named_in(text: str, names: Collection[str]) -> set[str]:
    """Return those of *names*, in small letters, that stand in *text* behind an ``@``."""
    return {match.group(1).casefold() for match in pattern(names).finditer(text)} if names else set()


def pattern(names: Collection[str]) -> re.Pattern[str]:
    """Return what finds ``@`` and one of *names* in a text, the longest where several fit."""
    longest = sorted(set(names), key=lambda one: (-len(one), one))
    some = "|".join(re.escape(one) for one in longest)
    return re.compile(rf"(?<![\w@./+-])@({some})(?!\w)", re.IGNORECASE)


def note_down(session: Session, note: Message, people_: Sequence[Person], now: datetime) -> None:
    """Store whom a new note mentions. Its author has seen it."""
    rows = [
        {
            "message_id": note.id,
            "user_id": one.id,
            "conversation_id": note.conversation_id,
            "at": now,
            "seen_at": None,
        }
        for one in people_
        if one.id != note.author_id
    ]
    if rows:
        session.execute(sa.insert(_TABLE), rows)


def content_of(people_: Sequence[Person]) -> Mapping[str, object]:
    """Return what a note's content says of whom it mentions: their ids, and their names as it has them."""
    return {"mentions": [{"id": one.id, "name": one.name} for one in people_]} if people_ else {}


def forget(session: Session, message_ids: Collection[int]) -> None:
    """Forget whom messages mention that say nothing any more."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.message_id.in_(message_ids)))


def looked_at(session: Session, conversation: Conversation, user_id: int, now: datetime) -> None:
    """Note that somebody looks at a conversation: they have seen where it mentions them, and what they were
    told of it."""
    seen = session.execute(
        sa.update(_TABLE)
        .where(
            _TABLE.c.user_id == user_id,
            _TABLE.c.conversation_id == conversation.id,
            _TABLE.c.seen_at.is_(None),
        )
        .values(seen_at=now)
    )
    told = notify.looked_at(session, user_id, conversation.id)
    if told or seen.rowcount:  # type: ignore[attr-defined]
        show_presence(session, conversation, user_id, "read")
