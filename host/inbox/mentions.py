"""Mentions: members named with ``@`` in a note, and whether they have seen it.

Mentioning a team mentions its members who can answer and see the conversation. Each member is mentioned once,
however often they are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.errors import InvalidError
from host.inbox import queries
from host.inbox.conversations import show_presence
from host.inbox.teams.models import Team, TeamMember
from host.models.inbox import Conversation, Message
from host.models.mentions import Mention
from host.models.users import Membership, User
from host.notifications import notify
from host.users.roles import Permission, with_permission

MOST = 20
KEYS = ("mentions", "teams")
"""Keys of the mentions in a note's content, see :func:`content_of`."""
_TABLE = cast(sa.Table, Mention.__table__)


class MentionError(InvalidError):
    """A note mentions somebody who may not see the conversation."""

    code = "cannot_be_mentioned"
    title = _l("Mention not possible")
    default_sentence = _l("Someone you mentioned cannot reply here, so the note was not saved.")
    default_next_step = _l("Choose someone from the list, or remove the @.")
    program_step = _l("List the members, and choose one who can answer there.")


class MentionablePerson(msgspec.Struct, frozen=True):
    """A person a note could mention.

    :param reached: whether they may see the conversation.
    """

    id: int
    name: str
    reached: bool


@dataclass(frozen=True, slots=True)
class MentionableTeam:
    """A team a note could mention.

    :param people: ids of the members who may see the note.
    """

    id: int
    name: str
    people: frozenset[int]

    @property
    def reached(self) -> bool:
        """Return whether any member may see the conversation."""
        return bool(self.people)


class NoteMentions(msgspec.Struct, frozen=True):
    """The people and teams a note mentions."""

    people: Sequence[MentionablePerson] = ()
    teams: Sequence[MentionableTeam] = ()


@dataclass(frozen=True, slots=True)
class NotedIds:
    """The ids of the people and teams a stored note mentions."""

    people: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()

    def of(self, one: MentionablePerson | MentionableTeam) -> frozenset[int]:
        """Return the ids of the same kind as *one*."""
        return self.people if isinstance(one, MentionablePerson) else self.teams


NOBODY = NotedIds()


def people(session: Session, workspace_id: int, account_id: int) -> list[MentionablePerson]:
    """Return the people who answer in a workspace by name, including those without access to the account."""
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
    return [MentionablePerson(id_, name, bool(reached)) for id_, name, reached in session.execute(query)]


def groups(
    session: Session, workspace_id: int, known: Collection[MentionablePerson]
) -> list[MentionableTeam]:
    """Return the teams of a workspace, by name.

    :param known: the people who answer in the workspace, from :func:`people` for the account.
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
    return [
        MentionableTeam(id_, name, frozenset(members & reached)) for id_, (name, members) in found.items()
    ]


def named(
    session: Session,
    conversation: Conversation,
    text: str,
    ids: Collection[int],
    team_ids: Collection[int],
    *,
    typed: bool,
    before: NotedIds = NOBODY,
) -> NoteMentions:
    """Return the people and teams a note mentions.

    :param ids: ids of people, and *team_ids* of teams, chosen from a list.
    :param typed: whether names in *text* count too, if they are unique.
    :param before: the mentions before an edit, which stay allowed even if somebody has lost access since.
    :raises MentionError: if a person, or every member of a team, may not see the conversation, or there are
        more than :data:`MOST`.
    """
    if not ids and not team_ids and not (typed and "@" in text):
        return NoteMentions()
    known = people(session, conversation.workspace_id, conversation.account_id)
    there = groups(session, conversation.workspace_id, known)
    wanted, wanted_teams = set(ids), set(team_ids)
    chosen: list[MentionablePerson | MentionableTeam] = [one for one in known if one.id in wanted]
    chosen += [one for one in there if one.id in wanted_teams]
    found, found_teams = {one.id for one in known}, {one.id for one in there}
    if unknown := wanted - found - before.people:
        raise MentionError(field="mentions", wrong_values=unknown)
    if unknown := wanted_teams - found_teams - before.teams:
        raise MentionError(field="teams", wrong_values=unknown)
    if typed:
        everybody: list[MentionablePerson | MentionableTeam] = [*known, *there]
        taken = {one.name.casefold() for one in chosen}
        for name in named_in(text, [one.name for one in everybody]) - taken:
            fitting = [one for one in everybody if one.name.casefold() == name]
            chosen += fitting if len(fitting) == 1 else []
    if len(chosen) > MOST:
        raise MentionError(
            _l("A note can mention up to 20 people and teams, so it was not saved."), next_step=""
        )
    for one in chosen:
        if not one.reached and one.id not in before.of(one):
            listed = one.id in (wanted if isinstance(one, MentionablePerson) else wanted_teams)
            field = KEYS[isinstance(one, MentionableTeam)] if listed else "text"
            raise MentionError(_unreached(one), field=field, wrong_values=[one.id] if listed else ())
    return NoteMentions(
        [one for one in chosen if isinstance(one, MentionablePerson)],
        [one for one in chosen if isinstance(one, MentionableTeam)],
    )


def _unreached(one: MentionablePerson | MentionableTeam) -> LazyString:
    if isinstance(one, MentionablePerson):
        return _l("%(name)s does not have access to this account, so the note was not saved.", name=one.name)
    return _l(
        "Nobody in the team %(name)s has access to this account, so the note was not saved.", name=one.name
    )


def named_in(text: str, names: Collection[str]) -> set[str]:
    """Return the *names*, in lower case, that *text* contains after an ``@``."""
    return {match.group(1).casefold() for match in pattern(names).finditer(text)} if names else set()


def pattern(names: Collection[str]) -> re.Pattern[str]:
    """Return the pattern for ``@`` and one of *names*, preferring the longest."""
    longest = sorted(set(names), key=lambda one: (-len(one), one))
    some = "|".join(re.escape(one) for one in longest)
    return re.compile(rf"(?<![\w@./+-])@({some})(?!\w)", re.IGNORECASE)


def in_note(note: Message, text: str | None = None) -> NotedIds:
    """Return the people and teams that *note* mentions.

    :param text: an edited text, which drops mentions whose names it no longer contains after an ``@``, unless
        the old text did not contain them either.
    """

    def of(key: str) -> frozenset[int]:
        some = [(str(one["name"]), int(one["id"])) for one in note.content.get(key, ())]
        names = [name for name, _id in some]
        gone = set() if text is None else named_in(note.text, names) - named_in(text, names)
        return frozenset(id_ for name, id_ in some if name.casefold() not in gone)

    return NotedIds(of("mentions"), of("teams"))


def note_down(session: Session, note: Message, whom: NoteMentions, now: datetime) -> None:
    """Store the mentions of a new note, which its author has seen.

    A person named directly is not also mentioned through a team.
    """
    _add(session, note, _through(note, whom), now)


def change(session: Session, note: Message, whom: NoteMentions, now: datetime) -> bool:
    """Store the mentions of an edited note, keeping the seen state of those mentioned before.

    Return whether the mentioned people changed.
    """
    through = _through(note, whom)
    there = set(session.scalars(sa.select(_TABLE.c.user_id).where(_TABLE.c.message_id == note.id)))
    gone = there - through.keys()
    if gone:
        session.execute(sa.delete(_TABLE).where(_TABLE.c.message_id == note.id, _TABLE.c.user_id.in_(gone)))
        notify.withdraw_mention(session, note.id, gone)
    new = {user_id: team_id for user_id, team_id in through.items() if user_id not in there}
    _add(session, note, new, now)
    return bool(gone or new)


def withdraw(session: Session, note: Message) -> bool:
    """Delete the mentions of a note that is being deleted; return whether there were any."""
    there = set(session.scalars(sa.select(_TABLE.c.user_id).where(_TABLE.c.message_id == note.id)))
    forget(session, [note.id])
    notify.withdraw_mention(session, note.id, there)
    return bool(there)


def _through(note: Message, whom: NoteMentions) -> dict[int, int | None]:
    """Return the mentioned people, each with the team through which they are mentioned."""
    through: dict[int, int | None] = {}
    for team in whom.teams:
        for user_id in sorted(team.people):
            through.setdefault(user_id, team.id)
    through |= {one.id: None for one in whom.people if one.reached}
    through.pop(note.author_id or 0, None)
    return through


def _add(session: Session, note: Message, through: Mapping[int, int | None], now: datetime) -> None:
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
    ]
    if rows:
        session.execute(sa.insert(_TABLE), rows)


def content_of(whom: NoteMentions) -> Mapping[str, object]:
    """Return the mentions as stored in a note's content: ids and names."""
    found: dict[str, Sequence[MentionablePerson | MentionableTeam]] = {
        "mentions": whom.people,
        "teams": whom.teams,
    }
    return {key: [{"id": one.id, "name": one.name} for one in some] for key, some in found.items() if some}


def forget(session: Session, message_ids: Collection[int]) -> None:
    """Delete the mentions of messages whose content was deleted."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.message_id.in_(message_ids)))


def looked_at(session: Session, conversation: Conversation, user_id: int, now: datetime) -> None:
    """Mark a member's mentions and notifications of a conversation as seen."""
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
