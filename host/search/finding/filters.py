"""The meaning of typed filters: a mark in the index, a field of the conversation filter, or a time.

A new filter of conversations needs a line in :data:`CONVERSATION` and its name in
:data:`host.search.finding.query.FILTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.backports.values import replace
from host.inbox.comments import posts
from host.inbox.labels.models import Label
from host.inbox.queries import AnyTeam, Assignee, ConversationFilter
from host.inbox.teams.models import Team
from host.models.channels import ChannelAccount
from host.models.inbox import ConversationStatus
from host.models.users import Membership, User
from host.search import documents, words
from host.search.finding.query import Need, Query, Typed, read_day, read_query
from host.users.reach import Accounts


class ResolvedQuery(msgspec.Struct, frozen=True):
    """A query with its filters resolved.

    :param marks: index terms required by filters.
    :param conversations: the filter of conversations.
    :param author_id: the member who wrote it.
    :param people: text that a customer's name or handle must contain; None for anybody.
    :param since: and *until*: seconds since 1970 at or after which, and before which, a message was sent.
    :param unknown: filters with unknown values; nothing matches them.
    :param clashing: filters that contradict an earlier one; nothing matches both.
    """

    query: Query
    marks: tuple[Need, ...] = ()
    conversations: ConversationFilter = msgspec.field(default_factory=ConversationFilter)
    author_id: int | None = None
    people: Query | None = None
    since: int | None = None
    until: int | None = None
    unknown: tuple[Typed, ...] = ()
    clashing: tuple[Typed, ...] = ()


class _UnknownError(Exception):
    """The value of a filter is unknown."""


class _ClashError(Exception):
    """A filter contradicts an earlier one."""


class _Asker(msgspec.Struct, frozen=True):
    session: Session
    workspace_id: int
    user_id: int | None
    accounts: Accounts
    zone: tzinfo


def _status(_: _Asker, value: str) -> ConversationStatus:
    try:
        return ConversationStatus(value.lower())
    except ValueError:
        raise _UnknownError from None


def _account(asker: _Asker, value: str) -> int:
    """Return the id of the account with this handle, name or id."""
    query = sa.select(ChannelAccount.id, ChannelAccount.handle, ChannelAccount.name).where(
        ChannelAccount.workspace_id == asker.workspace_id
    )
    sought = _plain(value)
    for id_, handle, name in asker.session.execute(query):
        if sought in {str(id_), _plain(handle), _plain(name)} and (
            asker.accounts is None or id_ in asker.accounts
        ):
            return int(id_)
    raise _UnknownError


def _channel(asker: _Asker, value: str) -> str:
    query = sa.select(ChannelAccount.channel).where(ChannelAccount.workspace_id == asker.workspace_id)
    known = set(asker.session.scalars(query))
    if value.lower() not in known:
        raise _UnknownError
    return value.lower()


def _assignee(asker: _Asker, value: str) -> int | Assignee:
    if value.lower() in {"me", "nobody"}:
        if value.lower() == "me" and asker.user_id is None:
            raise _UnknownError
        return Assignee(value.lower())
    found = _member(asker, value)
    if found is None:
        raise _UnknownError
    return found


def _member(asker: _Asker, value: str) -> int | None:
    """Return the id of the member with this name, or the one whose name begins with it."""
    query = (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == asker.workspace_id)
        .order_by(User.id)
    )
    return _named(((id_, name) for id_, name in asker.session.execute(query)), value)


def _named(rows: Iterable[tuple[int, str]], value: str) -> int | None:
    """Return the id of the row with a name, or of the first whose name begins with it."""
    named = [(id_, _plain(name)) for id_, name in rows]
    sought = _plain(value)
    exact = [id_ for id_, name in named if name == sought]
    begin = [id_ for id_, name in named if name.startswith(sought)]
    return next(iter((*exact, *begin)), None) if sought else None


def _team(asker: _Asker, value: str) -> int | AnyTeam:
    """Return the id of the team with this name, or the one whose name begins with it."""
    if value.lower() in {"mine", "none"}:
        if value.lower() == "mine" and asker.user_id is None:
            raise _UnknownError
        return AnyTeam(value.lower())
    query = sa.select(Team.id, Team.name).where(Team.workspace_id == asker.workspace_id).order_by(Team.id)
    found = _named(((id_, name) for id_, name in asker.session.execute(query)), value)
    if found is None:
        raise _UnknownError
    return found


def _label(asker: _Asker, value: str) -> frozenset[int]:
    """Return the id of the label with this name."""
    query = sa.select(Label.id, Label.name).where(Label.workspace_id == asker.workspace_id)
    sought = _plain(value)
    found = frozenset(id_ for id_, name in asker.session.execute(query) if _plain(name) == sought)
    if not found or not sought:
        raise _UnknownError
    return found


def _post(asker: _Asker, value: str) -> int:
    """Return the id of the post with this id, or whose caption begins with it."""
    found = posts.named(asker.session, asker.workspace_id, value, asker.accounts)
    if found is None:
        raise _UnknownError
    return found


CONVERSATION: Mapping[str, tuple[str, Callable[[_Asker, str], Any]]] = {
    "is": ("status", _status),
    "account": ("account_id", _account),
    "channel": ("channel", _channel),
    "assignee": ("assignee", _assignee),
    "team": ("team", _team),
    "label": ("all_labels", _label),
    "post": ("post", _post),
}
"""Filters that are a field of :class:`ConversationFilter`: the field, and what makes its value."""

_MARKS = {
    ("is", "message"): Need((documents.RECEIVED, documents.SENT)),
    ("is", "note"): Need((documents.NOTE,)),
    ("has", "file"): Need((documents.FILE,)),
    ("from", "customer"): Need((documents.RECEIVED,)),
    ("from", "team"): Need((documents.SENT, documents.NOTE)),
}
_STATES: Mapping[tuple[str, str], str] = {
    ("is", "waiting"): "needs_reply",
    ("is", "snoozed"): "snoozed",
    ("is", "spam"): "spam",
}
"""Filters that are a field of :class:`ConversationFilter` which is on or off."""


def words_of(name: str) -> list[str]:
    """Return the words that the filter *name* takes; none: it takes names, or days."""
    found = [word for one, word in (*_MARKS, *_STATES) if one == name and name != "from"]
    return [*map(str, ConversationStatus), *found] if name == "is" else found


def understood(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    query: Query,
    *,
    accounts: Accounts = None,
    zone: tzinfo = UTC,
) -> ResolvedQuery:
    """Return what *query* asks for in a workspace.

    :param user_id: who asks; None: a program.
    :param accounts: those of a person who sees no others.
    :param zone: in which its days begin.
    """
    asker = _Asker(session, workspace_id, user_id, accounts, zone)
    found = ResolvedQuery(query, conversations=ConversationFilter(accounts=accounts))
    for typed in query.filters:
        try:
            found = _with(found, asker, typed)
        except _UnknownError:
            found = replace(found, unknown=(*found.unknown, typed))
        except _ClashError:
            found = replace(found, clashing=(*found.clashing, typed))
    return found


def _with(found: ResolvedQuery, asker: _Asker, typed: Typed) -> ResolvedQuery:
    mark = _MARKS.get((typed.name, typed.value.lower()))
    if mark is not None:
        return replace(found, marks=(*found.marks, mark))
    state = _STATES.get((typed.name, typed.value.lower()))
    if state is not None:
        on: dict[str, Any] = {state: True}
        return replace(found, conversations=replace(found.conversations, **on))
    if typed.name == "from":
        return _from(found, asker, typed.value)
    if typed.name in {"before", "after"}:
        day = read_day(typed.value)
        if day is None:
            raise _UnknownError
        if typed.name == "before":
            end = _begin(day, asker.zone)
            return replace(found, until=end if found.until is None else min(end, found.until))
        begin = _begin(day, asker.zone, behind=1)
        return replace(found, since=begin if found.since is None else max(begin, found.since))
    if typed.name not in CONVERSATION:
        raise _UnknownError
    name, value_of = CONVERSATION[typed.name]
    value, before = value_of(asker, typed.value), getattr(found.conversations, name)
    if isinstance(value, frozenset):
        value |= before or frozenset()
    elif before not in {None, value}:
        raise _ClashError
    changes: dict[str, Any] = {name: value}
    return replace(found, conversations=replace(found.conversations, **changes))


def _from(found: ResolvedQuery, asker: _Asker, value: str) -> ResolvedQuery:
    """Restrict to an author: the current person, a member, or a customer with that name or handle."""
    if value.lower() == "me":
        if asker.user_id is None:
            raise _UnknownError
        member: int | None = asker.user_id
    else:
        member = None if value.startswith("@") else _member(asker, value)
    if member is not None:
        if found.author_id not in {None, member} or found.people is not None:
            raise _ClashError
        return replace(found, author_id=member)
    people = read_query(value)
    if not people.needs:
        raise _UnknownError
    if found.author_id is not None or (found.people is not None and found.people != people):
        raise _ClashError
    return replace(found, people=people, marks=(*found.marks, Need((documents.RECEIVED,))))


def _begin(day: date, zone: tzinfo, behind: int = 0) -> int:
    """Return when the day *behind* days after *day* begins."""
    try:
        return int(datetime.combine(day + timedelta(days=behind), time(), zone).timestamp())
    except (OverflowError, ValueError):
        raise _UnknownError from None


def _plain(text: str | None) -> str:
    return " ".join(one.text for one in words.atoms(words.composed(text or "")))
