"""Mentions: members named in a note with ``@`` and their name, and whether they have seen it.

A team that is named stands for those of it who answer and see the conversation. Each is mentioned once,
however often they are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.errors import InvalidError
from host.inbox import queries
from host.inbox.conversations import show_presence
from host.models.inbox import Conversation, Message
from host.models.mentions import Mention
from host.models.teams import Team, TeamMember
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


@dataclass(frozen=True, slots=True)
class Group:
    """A team a note could mention.

    :param people: the ids of those of it whom the note would reach.
    """

    id: int
    name: str
    people: frozenset[int]

    @property
    def reached(self) -> bool:
        """Tell whether there is anybody in it who may see the conversation."""
        return bool(self.people)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a note mentions."""

    people: Sequence[Person] = ()
    teams: Sequence[Group] = ()


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


def groups(session: Session, workspace_id: int, known: Collection[Person]) -> list[Group]:
    """Return the teams of a workspace, by name.

    :param known: those who answer in the workspace, as :func:`people` has them for the account.
    """
    reached = {one.id for one in known if one.reached}
    found: dict[int, tuple[str, set[int]]] = {}
    query = (
        sa.select(Team.id, Team.name, TeamMember.user_id)
        .outerjoin(TeamMember, TeamMember.team_id == Team.id)
        .where(Team.workspace_id == workspace_id)
        .order_by(Team.name, Team.id)
    )
    for id_, name, user_id in session.execute(query):
        found.setdefault(id_, (name, set()))[1].add(user_id)
    return [Group(id_, name, frozenset(members & reached)) for id_, (name, members) in found.items()]


def named(
    session: Session,
    conversation: Conversation,
    text: str,
    ids: Collection[int],
    team_ids: Collection[int],
    *,
    typed: bool,
) -> Named:
    """Return whom a note mentions.

    :param ids: of the people, and *team_ids*: of the teams, chosen from a list.
    :param typed: whether who is named in *text* is meant as well, where the name is that of one alone.
    :raises MentionError: if one of them may not see the conversation, a team has nobody who may, or they are
        more than :data:`MOST`.
    """
    if not ids and not team_ids and not (typed and "@" in text):
        return Named()
    known = people(session, conversation.workspace_id, conversation.account_id)
    there = groups(session, conversation.workspace_id, known)
    wanted, wanted_teams = set(ids), set(team_ids)
    chosen: list[Person | Group] = [one for one in known if one.id in wanted]
    chosen += [one for one in there if one.id in wanted_teams]
    if len(chosen) < len(wanted) + len(wanted_teams):
        raise MentionError()
    if typed:
        everybody: list[Person | Group] = [*known, *there]
        taken = {one.name.casefold() for one in chosen}
        for name in named_in(text, [one.name for one in everybody]) - taken:
            fitting = [one for one in everybody if one.name.casefold() == name]
            chosen += fitting if len(fitting) == 1 else []
    if len(chosen) > MOST:
        raise MentionError(
            _l("A note mentions 20 people and teams at most, so it was not added."), next_step=""
        )
    for one in chosen:
        if not one.reached:
            raise MentionError(_unreached(one))
    return Named(
        [one for one in chosen if isinstance(one, Person)], [one for one in chosen if isinstance(one, Group)]
    )


def _unreached(one: Person | Group) -> LazyString:
    if isinstance(one, Person):
        return _l("%(name)s does not see this account, so the note was not added.", name=one.name)
    return _l("Nobody of the team %(name)s sees this account, so the note was not added.", name=one.name)


def named_in(text: str, names: Collection[str]) -> set[str]:
    """Return those of *names*, in small letters, that stand in *text* behind an ``@``."""
    return {match.group(1).casefold() for match in pattern(names).finditer(text)} if names else set()


def pattern(names: Collection[str]) -> re.Pattern[str]:
    """Return what finds ``@`` and one of *names* in a text, the longest where several fit."""
    longest = sorted(set(names), key=lambda one: (-len(one), one))
    some = "|".join(re.escape(one) for one in longest)
    return re.compile(rf"(?<![\w@./+-])@({some})(?!\w)", re.IGNORECASE)


def note_down(session: Session, note: Message, whom: Named, now: datetime) -> None:
    """Store whom a new note mentions. Its author has seen it. Who is named themselves is not mentioned as one
    of a team."""
    through: dict[int, int | None] = {}
    for team in whom.teams:
        for user_id in sorted(team.people):
            through.setdefault(user_id, team.id)
    through |= {one.id: None for one in whom.people}
    rows = [
        {
            "message_id": note.id,
            "user_id": user_id,
            "conversation_id": note.conversation_id,
            "at": now,
            "seen_at": None,
            "team_id": team_id,
        }
        for user_id, team_id in through.items()
        if user_id != note.author_id
    ]
    if rows:
        session.execute(sa.insert(_TABLE), rows)


def content_of(whom: Named) -> Mapping[str, object]:
    """Return what a note's content says of whom it mentions: their ids, and their names as it has them."""
    found: dict[str, Sequence[Person | Group]] = {"mentions": whom.people, "teams": whom.teams}
    return {key: [{"id": one.id, "name": one.name} for one in some] for key, some in found.items() if some}


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
