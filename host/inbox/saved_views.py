"""Saved views: named filters and searches, personal or shared with the workspace.

A search is stored as its text, a filter as the fields of :class:`~host.inbox.queries.ConversationFilter` that
are set. Filters are evaluated for the viewer: "mine" means the viewer's. A filter that names a deleted label,
team or person still applies its other conditions, and the page shows a notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.backports.values import replace
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
from host.inbox.labels import queries as label_queries
from host.inbox.queries import ConversationFilter
from host.inbox.teams.models import Team
from host.models.saved_views import SavedView
from host.models.users import Membership
from host.sdk import strictjson
from host.users import leaving
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

MOST = 30
"""Maximum number of views of one member, and of shared ones: the inbox page counts each."""
MOST_COUNTED = 1000
"""Largest count of a view's conversations."""

_SEARCH = "search"
MOST_SEARCHED = 1000
"""Maximum characters of a saved search, the same as on the search page."""
_NOT_KEPT = frozenset({"accounts", "contact"})
"""Filter fields that depend on the viewer or on one customer, and are not saved."""
_KNOWN = {field.name for field in fields(ConversationFilter)} | {_SEARCH}
NOTHING = frozenset({0})
"""Labels of a filter that matches nothing, used for unknown conditions."""


class SharedViewError(ForbiddenError):
    """Only leads and owners may change shared views."""

    code = "shared_view"
    default_sentence = _l("Only leads and owners can change shared views. Nothing was changed.")


def condition_of(filter_: ConversationFilter) -> dict[str, Any]:
    """Return the fields of *filter_* that are set, as JSON."""
    return {
        field.name: sorted(value) if isinstance(value, frozenset) else value
        for field in fields(ConversationFilter)
        if field.name not in _NOT_KEPT and (value := getattr(filter_, field.name)) is not None
    }


def search_of(condition: Mapping[str, Any]) -> str:
    """Return the text of a saved search; empty if the view is a filter."""
    return str(condition.get(_SEARCH) or "")


def filter_of(condition: Mapping[str, Any], accounts: Accounts = None) -> ConversationFilter:
    """Return the filter stored in *condition*.

    An unreadable one, or one with a field of a later version, matches nothing, because ignoring the field
    would match too much.

    :param accounts: the accounts the person may see; None for all.
    """
    nothing = ConversationFilter(labels=NOTHING, accounts=accounts)
    if not condition.keys() <= _KNOWN:
        return nothing
    try:
        found = strictjson.convert(dict(condition), ConversationFilter)
    except msgspec.ValidationError:
        return nothing
    # Spam is only shown if the filter asks for it.
    return replace(found, accounts=accounts, spam=bool(found.spam))


class View(msgspec.Struct, frozen=True):
    """A saved view, with the rights of its viewer.

    :param shared: whether it is shared with the workspace.
    :param search: the text of a saved search; empty for a filter. Searches are not counted.
    :param count: number of conversations, up to :data:`MOST_COUNTED`; None if not counted.
    """

    id: int
    name: str
    shared: bool
    filter: ConversationFilter
    search: str = ""
    count: int | None = None


def _of(workspace_id: int, user_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the views a member sees: shared ones and their own."""
    mine = SavedView.owner_id == user_id if user_id is not None else sa.false()
    return [SavedView.workspace_id == workspace_id, sa.or_(SavedView.owner_id.is_(None), mine)]


def _beside(workspace_id: int, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for a member's own views, or for the shared ones if *owner_id* is None."""
    theirs = SavedView.owner_id.is_(None) if owner_id is None else SavedView.owner_id == owner_id
    return [SavedView.workspace_id == workspace_id, theirs]


def listing(
    session: Session, workspace_id: int, user_id: int | None, accounts: Accounts = None, *, count: bool = True
) -> list[View]:
    """Return the views a member sees, shared ones first, each group in its order: two queries.

    :param user_id: None for a program, which sees only shared views, uncounted.
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
    """Return *views* with their counts.

    :param counts: the counts of all filters among *views*, in order.
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
    """Return a view that a member sees.

    :param user_id: None for a program.
    :param lock: whether to lock it until the write ends.
    :raises ViewNotFoundError: if there is no such view, or it belongs to somebody else.
    """
    query = sa.select(SavedView).where(SavedView.id == view_id, *_of(workspace_id, user_id))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    view = session.scalars(query).one_or_none()
    if view is None:
        raise ViewNotFoundError()
    return view


def create(
    work: UnitOfWork, *, owner_id: int | None, name: str, shows: ConversationFilter | str
) -> SavedView:
    """Save a view after the others and return it.

    :param owner_id: its owner; None to share it, for which the caller has checked the permission.
    :param shows: a filter, or the text of a search.
    :raises ViewNameError: if *name* is empty or too long.
    :raises ViewSearchError: if the search is empty or too long.
    :raises TooManyViewsError: if there are :data:`MOST` of that kind.
    """
    session = work.session
    beside = _beside(work.workspace_id, owner_id)
    number, last = session.execute(
        sa.select(sa.func.count(), sa.func.max(SavedView.position)).where(*beside)
    ).one()
    if number >= MOST:
        raise TooManyViewsError()
    view = SavedView(
        workspace_id=work.workspace_id,
        owner_id=owner_id,
        name=names.checked(name, ViewNameError()),
        condition=_condition(shows),
        position=(last or 0) + 1,
        created_at=work.now,
    )
    session.add(view)
    session.flush()
    if owner_id is None:
        work.audit("view.added", view.name)
    return view


def _condition(shows: ConversationFilter | str) -> dict[str, Any]:
    if not isinstance(shows, str):
        return condition_of(shows)
    text = " ".join(clean(shows).split())
    if not text or len(text) > MOST_SEARCHED:
        raise ViewSearchError()
    return {_SEARCH: text}


def change(
    work: UnitOfWork,
    view: SavedView,
    *,
    name: str | None = None,
    shows: ConversationFilter | str | None = None,
) -> SavedView:
    """Rename a view, or change its filter; None keeps either. Return it.

    :raises ViewNameError: if *name* is empty or too long.
    :raises ViewSearchError: if the search is empty or too long.
    """
    if name is not None:
        view.name = names.checked(name, ViewNameError())
    if shows is not None:
        view.condition = _condition(shows)
    if view.owner_id is None:
        work.audit("view.changed", view.name)
    return view


def move(session: Session, view: SavedView, step: int) -> None:
    """Move a view up (*step* -1) or down (1) in its group."""
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


def delete(work: UnitOfWork, view: SavedView) -> None:
    """Delete a view. Its conversations are not affected."""
    if view.owner_id is None:
        work.audit("view.deleted", view.name)
    work.session.delete(view)
    work.session.flush()


def missing(session: Session, workspace_id: int, filter_: ConversationFilter) -> list[LazyString]:
    """Return sentences about deleted objects in a filter: labels, a team, a person who left."""
    found: list[LazyString] = []
    named = {*(filter_.labels or ()), *(filter_.all_labels or ()), *(filter_.no_labels or ())}
    if filter_.labels == NOTHING:
        found.append(_l("This view has an unknown filter, so it is empty."))
    elif named and len(label_queries.existing(session, workspace_id, named)) != len(named):
        found.append(_l("A label in this view’s filter was deleted."))
    if isinstance(filter_.team, int):
        query = sa.select(sa.func.count()).where(Team.workspace_id == workspace_id, Team.id == filter_.team)
        if not session.scalar(query):
            found.append(_l("The team in this view’s filter was deleted."))
    person = filter_.assignee
    if isinstance(person, int):
        query = sa.select(sa.func.count()).where(
            Membership.workspace_id == workspace_id, Membership.user_id == person
        )
        if not session.scalar(query):
            found.append(_l("The person in this view’s filter is no longer a member."))
    if filter_.post is not None and filter_.post not in posts.by_id(session, workspace_id, [filter_.post]):
        found.append(_l("The post in this view’s filter was deleted."))
    return found


def remove_departed(session: Session, most: int) -> int:
    """Delete up to *most* views whose owner left; return the number deleted."""
    ids = leaving.left_behind(session, SavedView, most)
    if ids:
        session.execute(sa.delete(SavedView).where(SavedView.id.in_(ids)))
    return len(ids)
