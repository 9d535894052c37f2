"""Saved views: filters of conversations and searches with a name, one's own or shared with the workspace.

A view of a search is kept as its text. Any other is kept as the fields of its
:class:`~host.inbox.queries.ConversationFilter` that matter, so it finds what the same filter finds, whoever
looks: "mine" is the reader's. It may name a label, a team or a person that is gone. Then it finds what still
fits, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.cleaning import clean
from host.core.errors import ForbiddenError
from host.inbox import names, queries
from host.inbox.comments import posts
from host.inbox.errors import (
    TooManyViewsError,
    ViewNameError,
    ViewNotFoundError,
    ViewSearchError,
)
from host.inbox.queries import ConversationFilter
from host.models.labels import Label
from host.models.saved_views import SavedView
from host.models.teams import Team
from host.models.users import Membership
from host.sdk import strictjson
from host.users.reach import Accounts

MOST = 30
"""Most views of one member, and most shared ones: each is counted whenever the inbox is shown."""
MOST_COUNTED = 1000
"""Up to where the conversations of a view are counted."""

_SEARCH = "search"
MOST_SEARCHED = 1000
"""Most letters of a search that is kept: as many as the page looks for."""
_NOT_KEPT = frozenset({"accounts", "contact"})
"""Fields of a filter that are of who looks, or of one customer."""
_KNOWN = {field.name for field in fields(ConversationFilter)} | {_SEARCH}
NOTHING = frozenset({0})
"""The labels of a filter that finds nothing: what it asks for is not known here."""


class SharedViewError(ForbiddenError):
    """Shared views are changed by those who keep them."""

    code = "shared_view"
    default_sentence = _l("This view is shared, and only leads and owners change those. Nothing was changed.")


def condition_of(filter_: ConversationFilter) -> dict[str, Any]:
    """Return the fields of *filter_* that matter, as JSON."""
    return {
        field.name: sorted(value) if isinstance(value, frozenset) else value
        for field in fields(ConversationFilter)
        if field.name not in _NOT_KEPT and (value := getattr(filter_, field.name)) is not None
    }


def search_of(condition: Mapping[str, Any]) -> str:
    """Return the text of the search that a view is; empty: it is a filter."""
    return str(condition.get(_SEARCH) or "")


def filter_of(condition: Mapping[str, Any], accounts: Accounts = None) -> ConversationFilter:
    """Return the filter of a condition. One that cannot be read, or has an unknown field, as of a later
    Lobby, finds nothing: without that field it would find more than was asked for.

    :param accounts: those that whoever looks may see; None: all.
    """
    nothing = ConversationFilter(labels=NOTHING, accounts=accounts)
    if not condition.keys() <= _KNOWN:
        return nothing
    try:
        found = strictjson.convert(dict(condition), ConversationFilter)
    except msgspec.ValidationError:
        return nothing
    # Spam is nowhere but where it is asked for.
    return replace(found, accounts=accounts, spam=bool(found.spam))


@dataclass(frozen=True, slots=True)
class View:
    """A saved view as somebody sees it.

    :param shared: whether it is everybody's in the workspace.
    :param search: the text of the search it is; empty: it is a filter. Searches are not counted.
    :param count: its conversations, up to :data:`MOST_COUNTED`; None: they were not counted.
    """

    id: int
    name: str
    shared: bool
    filter: ConversationFilter
    search: str = ""
    count: int | None = None


def _of(workspace_id: int, user_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the views somebody sees: the shared ones, and a member's own."""
    mine = SavedView.owner_id == user_id if user_id is not None else sa.false()
    return [SavedView.workspace_id == workspace_id, sa.or_(SavedView.owner_id.is_(None), mine)]


def _beside(workspace_id: int, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for a member's own views; None: for the shared ones."""
    theirs = SavedView.owner_id.is_(None) if owner_id is None else SavedView.owner_id == owner_id
    return [SavedView.workspace_id == workspace_id, theirs]


def listing(
    session: Session, workspace_id: int, user_id: int | None, accounts: Accounts = None, *, count: bool = True
) -> list[View]:
    """Return the views a member sees, shared ones first, each group in its order: two queries.

    :param user_id: None: a program, which sees the shared ones, uncounted.
    """
    query = (
        sa.select(SavedView)
        .where(*_of(workspace_id, user_id))
        .order_by(SavedView.owner_id.is_not(None), SavedView.position, SavedView.id)
    )
    rows = session.scalars(query).all()
    views = [
        View(
            row.id,
            row.name,
            row.owner_id is None,
            filter_of(row.condition, accounts),
            search_of(row.condition),
        )
        for row in rows
    ]
    if count and user_id is not None:
        filters = [one.filter for one in views if not one.search]
        return counted(views, queries.count_each(session, workspace_id, user_id, filters, MOST_COUNTED))
    return views


def counted(views: Sequence[View], counts: Sequence[int]) -> list[View]:
    """Return *views* with their numbers of conversations.

    :param counts: of those that are no searches, in their order.
    """
    numbers = iter(counts)
    return [one if one.search else replace(one, count=next(numbers)) for one in views]


def shared(session: Session, workspace_id: int) -> Sequence[SavedView]:
    """Return the shared views of a workspace, in their order."""
    query = sa.select(SavedView).where(*_beside(workspace_id, None))
    return session.scalars(query.order_by(SavedView.position, SavedView.id)).all()


def get(
    session: Session, workspace_id: int, view_id: int, user_id: int | None, *, lock: bool = False
) -> SavedView:
    """Return a view that somebody sees.

    :param user_id: None: a program.
    :param lock: until the write ends.
    :raises ViewNotFoundError: if there is no such view, or it is somebody else's.
    """
    query = sa.select(SavedView).where(SavedView.id == view_id, *_of(workspace_id, user_id))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    view = session.scalars(query).one_or_none()
    if view is None:
        raise ViewNotFoundError()
    return view


def create(
    session: Session,
    *,
    workspace_id: int,
    owner_id: int | None,
    name: str,
    shows: ConversationFilter | str,
    now: datetime,
) -> SavedView:
    """Save a view behind the others and return it.

    :param owner_id: whose it is; None: it is shared, which the caller has checked they may.
    :param shows: a filter, or the text of a search.
    :raises ViewNameError: if *name* is empty or too long.
    :raises ViewSearchError: if the search is empty or too long.
    :raises TooManyViewsError: if there are :data:`MOST` of that kind.
    """
    beside = _beside(workspace_id, owner_id)
    number, last = session.execute(
        sa.select(sa.func.count(), sa.func.max(SavedView.position)).where(*beside)
    ).one()
    if number >= MOST:
        raise TooManyViewsError()
    view = SavedView(
        workspace_id=workspace_id,
        owner_id=owner_id,
        name=names.checked(name, ViewNameError()),
        condition=_condition(shows),
        position=(last or 0) + 1,
        created_at=now,
    )
    session.add(view)
    session.flush()
    return view


def _condition(shows: ConversationFilter | str) -> dict[str, Any]:
    if not isinstance(shows, str):
        return condition_of(shows)
    text = " ".join(clean(shows).split())
    if not text or len(text) > MOST_SEARCHED:
        raise ViewSearchError()
    return {_SEARCH: text}


def change(
    view: SavedView, *, name: str | None = None, shows: ConversationFilter | str | None = None
) -> None:
    """Rename a view, or have it find something else; None: that stays.

    :raises ViewNameError: if *name* is empty or too long.
    :raises ViewSearchError: if the search is empty or too long.
    """
    if name is not None:
        view.name = names.checked(name, ViewNameError())
    if shows is not None:
        view.condition = _condition(shows)


def move(session: Session, view: SavedView, step: int) -> None:
    """Move a view up (*step* -1) or down (1) among those beside it."""
    beside = session.scalars(
        sa.select(SavedView).where(*_beside(view.workspace_id, view.owner_id)).with_for_update()
    ).all()
    order = sorted(beside, key=lambda one: (one.position, one.id))
    here = order.index(view)
    there = min(max(here + step, 0), len(order) - 1)
    order.insert(there, order.pop(here))
    for position, one in enumerate(order, 1):
        one.position = position
    session.flush()


def delete(session: Session, view: SavedView) -> None:
    """Delete a view. The conversations it found stay as they are."""
    session.delete(view)
    session.flush()


def missing(session: Session, workspace_id: int, filter_: ConversationFilter) -> list[LazyString]:
    """Return what a filter names that is gone, as sentences for people: labels, a team, a person who left."""
    found: list[LazyString] = []
    named = {*(filter_.labels or ()), *(filter_.all_labels or ()), *(filter_.no_labels or ())}
    if filter_.labels == NOTHING:
        found.append(_l("This view asks for something that is unknown here, so it shows nothing."))
    elif named:
        query = sa.select(sa.func.count()).where(Label.workspace_id == workspace_id, Label.id.in_(named))
        if session.scalar(query) != len(named):
            found.append(_l("A label that this view asks for was deleted."))
    if isinstance(filter_.team, int):
        query = sa.select(sa.func.count()).where(Team.workspace_id == workspace_id, Team.id == filter_.team)
        if not session.scalar(query):
            found.append(_l("The team that this view asks for was deleted."))
    person = filter_.assignee
    if isinstance(person, int):
        query = sa.select(sa.func.count()).where(
            Membership.workspace_id == workspace_id, Membership.user_id == person
        )
        if not session.scalar(query):
            found.append(_l("The person whose conversations this view shows is no member any more."))
    if filter_.post is not None and filter_.post not in posts.by_id(session, workspace_id, [filter_.post]):
        found.append(_l("The post that this view asks for is gone."))
    return found
